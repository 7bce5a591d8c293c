/*
 * COPY and UID COPY (RFC 9051 6.4.7; rule I16): all or nothing, flags and INTERNALDATE kept,
 * COPYUID in the tagged OK.
 */
#include "imap/transfer.h"

#include "base/banned.h"

static void finish(struct imap *p)
{
    const struct transferred *x = p->work;
    if (x->outcome != DONE)
        imap_transfer_refused(p, x);
    else if (x->t.count && !x->t.done)
        imap_no(p, "[EXPUNGEISSUED] They have been expunged meanwhile");
    else
        imap_ok(p, "%zu copied", x->t.done);
}

void imap_cmd_copy(struct imap *p, slice args)
{
    imap_transfer(p, args, false, finish);
}
