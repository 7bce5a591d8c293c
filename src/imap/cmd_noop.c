/* NOOP and CHECK (RFC 9051 6.1.2, RFC 3501 6.4.1): what is new is told with their end. */
#include "imap/command.h"

#include "base/banned.h"

void imap_cmd_noop(struct imap *p, slice args)
{
    (void)args;
    imap_ok(p, "Done");
}
