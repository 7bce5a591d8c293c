/*
 * MOVE and UID MOVE (RFC 9051 6.4.8, RFC 6851; rules I16, I19): each message is at every moment in
 * exactly one of the two mailboxes.  COPYUID comes untagged and before the EXPUNGE or VANISHED that
 * the announcement at the end tells; when a large MOVE fails half way it names what had moved.
 */
#include "imap/transfer.h"

#include "base/banned.h"

void imap_cmd_move(struct imap *p, slice args)
{
    struct transfer t;
    enum outcome o;
    if (p->selected->read_only) {
        imap_no(p, "[READ-ONLY] The mailbox is open for reading only");
        return;
    }
    if (!imap_transfer(p, args, true, &t, &o))
        return;
    slice copyuid = imap_copyuid(p, &t);
    if (copyuid.n)
        imap_untagged(p, "OK [%.*s] %zu moved", P(copyuid), t.done);
    if (o != DONE)
        imap_transfer_refused(p, &t, o);
    else if (t.count && !t.done)
        imap_no(p, "[EXPUNGEISSUED] They have been expunged meanwhile");
    else if (t.done && t.modseq && (p->enabled & ENABLED_CONDSTORE))
        imap_ok(p, "[HIGHESTMODSEQ %lld] Done", (long long)t.modseq);
    else
        imap_ok(p, "Done");
}
