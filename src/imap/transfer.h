/* What COPY and MOVE have in common (RFC 9051 6.4.7, 6.4.8; rule I16). */
#ifndef IMAP_TRANSFER_H
#define IMAP_TRANSFER_H

#include "imap/command.h"

/* A COPY or MOVE, done; in scratch, as p->work. */
struct transferred {
    struct transfer t;
    enum outcome outcome;
    size_t told; /* pairs that COPYUID has told */
    slice line;  /* what is left of one on its way */
    void (*then)(struct imap *p);
};

/*
 * Reads "set SP mailbox" and does it, and tells COPYUID: of a MOVE untagged and at once (RFC 6851
 * 4.3); of a COPY in p->code, which is for the tagged OK.  Then calls then(), unless the command
 * was answered because it could not begin.
 */
void imap_transfer(struct imap *p, slice args, bool move, void (*then)(struct imap *p));
/* The NO for a transfer that was not DONE; a missing target is TRYCREATE. */
void imap_transfer_refused(struct imap *p, const struct transferred *x);

/*
 * The next "COPYUID 38505 304,319:320 3956:3958", from pair *at on, with as many as max bytes hold
 * for certain; "" when all are told.
 */
slice imap_copyuid(struct arena *a, const struct transfer *t, size_t max, size_t *at);

#endif
