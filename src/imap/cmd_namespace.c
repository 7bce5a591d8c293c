/* NAMESPACE (RFC 2342): all mailboxes are the account's own, below no prefix. */
#include "imap/command.h"

#include "base/banned.h"

void imap_cmd_namespace(struct imap *p, slice args)
{
    (void)args;
    imap_untagged(p, "NAMESPACE ((\"\" \"/\")) NIL NIL");
    imap_ok(p, "That is all");
}
