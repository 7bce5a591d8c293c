/* LOGOUT (RFC 9051 6.1.3). */
#include "imap/command.h"

#include "base/log.h"
#include "base/banned.h"

void imap_cmd_logout(struct imap *p, slice args)
{
    (void)args;
    log_step(p->s.who, "closure", "LOGOUT");
    imap_bye(p, "Goodbye");
    imap_ok(p, "Bye");
    p->s.peer_done = !p->compress; /* DEFLATE may have an end of its own */
}
