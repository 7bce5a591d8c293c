/*
 * MOVE and UID MOVE (RFC 9051 6.4.8, RFC 6851; rules I16, I19): each message is at every moment in
 * exactly one of the two mailboxes.  COPYUID comes untagged and before the EXPUNGE or VANISHED that
 * the announcement at the end tells; when a large MOVE fails half way it names what had moved.
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
    else if (x->t.done && x->t.modseq && (p->enabled & ENABLED_CONDSTORE))
        imap_ok(p, "[HIGHESTMODSEQ %lld] Done", (long long)x->t.modseq);
    else
        imap_ok(p, "Done");
}

void imap_cmd_move(struct imap *p, slice args)
{
    if (p->selected->read_only)
        imap_no(p, "[READ-ONLY] The mailbox is open for reading only");
    else
        imap_transfer(p, args, true, finish);
}
