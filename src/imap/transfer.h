/* What COPY and MOVE have in common (RFC 9051 6.4.7, 6.4.8; rule I16). */
#ifndef IMAP_TRANSFER_H
#define IMAP_TRANSFER_H

#include "imap/command.h"

/*
 * Reads "set SP mailbox" and does it; what happened is in t, with the outcome.  False after the
 * command was answered because it could not begin.
 */
bool imap_transfer(struct imap *p, slice args, bool move, struct transfer *t, enum outcome *o);
/* "COPYUID 38505 304,319:320 3956:3958"; "" when nothing was done, or when it is longer than
 * LIMIT_IMAP_COPYUID. */
slice imap_copyuid(struct imap *p, const struct transfer *t);
/* The NO for a transfer that was not DONE; a missing target is TRYCREATE. */
void imap_transfer_refused(struct imap *p, const struct transfer *t, enum outcome o);

#endif
