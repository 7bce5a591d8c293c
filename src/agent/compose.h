/*
 * Stop 1 of a message's journey: what the user said becomes a MIME message and an envelope.
 * message/compose.h does the writing; attachments are read while they are sent.
 */
#ifndef AGENT_COMPOSE_H
#define AGENT_COMPOSE_H

#include "base/arena.h"
#include "message/compose.h"
#include "smtp/envelope.h"

struct agent_mail {
    slice from; /* "One <one@north.test>" or the bare address */
    const char *const *to, *const *cc, *const *bcc;
    size_t to_count, cc_count, bcc_count;
    slice subject, text, html;
    const char *const *attachments; /* paths */
    size_t attachment_count;
    int64_t hold_until_ms; /* 0: none */
};

struct agent_letter {
    struct composer *composer;
    struct compose compose;
    struct envelope envelope;
    int *files; /* open attachments */
    size_t file_count;
};

/* False with one line in *error.  agent_letter_end() in both cases. */
bool agent_compose(struct arena *a, const struct agent_mail *mail, struct agent_letter *letter,
                   slice *error);
void agent_letter_end(struct agent_letter *letter);

#endif
