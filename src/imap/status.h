/* What STATUS and LIST RETURN (STATUS …) tell of a mailbox; the words of special uses. */
#ifndef IMAP_STATUS_H
#define IMAP_STATUS_H

#include "imap/command.h"

/* "(MESSAGES UNSEEN)": a bit for each; false when it cannot be read. */
bool imap_status_items(struct imap *p, slice *in, unsigned *items);
/* "* STATUS INBOX (MESSAGES 3 UNSEEN 1)"; false when the store could not be read: nothing said. */
bool imap_put_status(struct imap *p, const struct folder *f, unsigned items);

/* "Sent" of "\Sent" (RFC 6154), in any case; ROLE_NONE: none that a mailbox can have. */
enum mailbox_role imap_role_of(slice word);
/* "\Sent", or "". */
slice imap_role_word(enum mailbox_role role);

#endif
