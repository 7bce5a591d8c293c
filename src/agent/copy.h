/*
 * The sender's own copy: what was submitted is also put into the mailbox Sent by IMAP APPEND, with
 * its Bcc.  A copy that fails is said in one line and costs nothing else: the mail has left.
 */
#ifndef AGENT_COPY_H
#define AGENT_COPY_H

#include "agent/compose.h"
#include "agent/imap_client.h"

/* {0} is a start; the connection is kept for the next copy. */
struct copier {
    struct arena arena;
    struct imap_client *client;
    slice mailbox; /* "Sent", as the server calls it */
    bool failed;   /* it was said; nothing more is tried */
};

/* Files a copy, with the login of the submission.  False: none was made. */
bool copy_letter(struct copier *x, struct call *c, slice password, const struct agent_letter *l);
void copy_end(struct copier *x);

#endif
