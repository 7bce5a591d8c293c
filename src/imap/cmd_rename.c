/* RENAME (RFC 9051 6.3.6): with all below it; INBOX stays, and its messages move (rule I22). */
#include "imap/command.h"

#include "base/banned.h"

void imap_cmd_rename(struct imap *p, slice args)
{
    enum refusal why;
    slice from, to;
    if (!imap_mailbox_name(p, &args, &from))
        return;
    if (!imap_space(&args)) {
        imap_syntax(p);
        return;
    }
    if (!imap_mailbox_name(p, &args, &to))
        return;
    if (args.n) {
        imap_syntax(p);
        return;
    }
    enum outcome o = folder_rename(p->options->login->store, p->account, from, to, &why);
    if (o == DONE)
        imap_ok(p, "Renamed");
    else
        imap_refused(p, o, why);
}
