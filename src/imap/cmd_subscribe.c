/* SUBSCRIBE and UNSUBSCRIBE (RFC 9051 6.3.7, 6.3.8): of any name, there or not. */
#include "imap/command.h"

#include "base/banned.h"

static void subscribe(struct imap *p, slice args, bool on)
{
    enum refusal why;
    slice name;
    if (!imap_only_mailbox_name(p, args, &name))
        return;
    enum outcome o = folder_subscribe(p->options->login->store, p->account, name, on, &why);
    if (o == DONE)
        imap_ok(p, on ? "Subscribed" : "Unsubscribed");
    else
        imap_refused(p, o, why);
}

void imap_cmd_subscribe(struct imap *p, slice args)
{
    subscribe(p, args, true);
}

void imap_cmd_unsubscribe(struct imap *p, slice args)
{
    subscribe(p, args, false);
}
