/*
 * COPY and UID COPY (RFC 9051 6.4.7; rule I16): all or nothing, flags and INTERNALDATE kept,
 * COPYUID in the tagged OK.
 */
#include "imap/transfer.h"

#include "base/banned.h"

void imap_cmd_copy(struct imap *p, slice args)
{
    struct transfer t;
    enum outcome o;
    if (!imap_transfer(p, args, false, &t, &o))
        return;
    slice copyuid = imap_copyuid(p, &t);
    if (o != DONE)
        imap_transfer_refused(p, &t, o);
    else if (t.count && !t.done)
        imap_no(p, "[EXPUNGEISSUED] They have been expunged meanwhile");
    else if (copyuid.n)
        imap_ok(p, "[%.*s] %zu copied", P(copyuid), t.done);
    else
        imap_ok(p, "%zu copied", t.done);
}
