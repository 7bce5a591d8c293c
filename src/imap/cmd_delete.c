/*
 * DELETE (RFC 9051 6.3.5).  The messages go to Recoverable; mailboxes below stay.  Whoever has it
 * selected sees its messages go.
 */
#include "imap/command.h"

#include "base/banned.h"

void imap_cmd_delete(struct imap *p, slice args)
{
    enum refusal why;
    slice name;
    if (!imap_only_mailbox_name(p, args, &name))
        return;
    enum outcome o = folder_delete(p->options->login->store, p->account, name, &why);
    if (o == DONE)
        imap_ok(p, "Deleted");
    else
        imap_refused(p, o, why);
}
