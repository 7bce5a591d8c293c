/*
 * What is computed once, at delivery, and stored with a message, so that nobody parses it again:
 * store/mailbox.h's struct mailbox_append takes these fields.
 */
#ifndef MESSAGE_DERIVE_H
#define MESSAGE_DERIVE_H

#include "message/parse.h"

/* Raised when the meaning or the text of a derived field changes: stored ones are then redone. */
enum { DERIVE_VERSION = 2 };

struct derived {
    slice envelope;      /* IMAP ENVELOPE */
    slice bodystructure; /* IMAP BODYSTRUCTURE, extended */
    slice preview;       /* UTF-8, one line, at most 256 characters (RFC 8970, 8621 4.1.4) */
    slice subject;       /* decoded UTF-8, at most 998 bytes */
    slice base_subject;  /* normalised (RFC 5256 2.1), for sorting and threads */
    slice message_id;    /* without brackets, or "" */
    slice thread_keys;   /* see thread_keys_* */
    slice search;        /* all text worth finding, UTF-8: subject, names, addresses, file names,
                            texts; at most LIMIT_SEARCH_TEXT */
    bool has_date;
    int64_t date_ms;
    int zone_minutes;
    bool has_attachment; /* JMAP hasAttachment */
    size_t received;     /* Received fields */
    size_t header_bytes; /* header_length() */
};

/* Everything of a message; slices lie in the message or the arena.  Never fails. */
void message_derive(slice message, struct arena *a, struct derived *out);
/* The same for a message that is parsed already. */
void mime_derive(struct arena *a, const struct mime *m, struct derived *out);

/*
 * Thread keys, packed: 8 bytes of the base subject's hash, then 8 bytes for each id, the message's
 * own first, then In-Reply-To and References, at most LIMIT_THREAD_KEYS.  Two messages are in one
 * thread when they share an id hash and the subject hash (RFC 8621 section 3).  A message without
 * Message-ID has 8 zero bytes there.
 */
slice thread_keys_make(struct arena *a, slice base_subject, slice message_id, slice in_reply_to,
                       slice references);
size_t thread_keys_count(slice keys); /* ids, own one included */
uint64_t thread_keys_subject(slice keys);
uint64_t thread_keys_id(slice keys, size_t i); /* 0: none */

/* The base subject of a decoded subject (RFC 5256 2.1): "Re: [x] Fwd: hi (fwd)" gives "hi". */
slice subject_base(struct arena *a, slice subject);

/*
 * JMAP's body lists (RFC 8621 4.1.4): indexes of parts.  A message/rfc822 counts as one leaf.
 */
struct body_lists {
    struct mime_content *content; /* of every part, by index */
    size_t *text, *html, *attachments;
    size_t text_count, html_count, attachment_count;
};
void body_lists(struct arena *a, const struct mime *m, struct body_lists *out);

/* The first 256 characters of a message's text, white space collapsed. */
slice preview_make(struct arena *a, const struct mime *m, const struct body_lists *l);

#endif
