/* STARTTLS (RFC 9051 6.2.1): net/ drops what was pipelined behind it (rule S15). */
#include "imap/command.h"

#include "base/banned.h"

bool imap_offers_starttls(const struct imap *p)
{
    return p->options->tls_available && !p->s.peer.tls && p->state == IMAP_EARLY;
}

void imap_cmd_starttls(struct imap *p, slice args)
{
    (void)args;
    if (p->s.peer.tls) {
        imap_bad(p, "Encrypted already");
    } else if (!p->options->tls_available) {
        imap_bad(p, "No TLS here");
    } else {
        imap_ok(p, "Begin TLS");
        p->s.want = SESSION_TLS;
    }
}
