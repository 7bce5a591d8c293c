/* STARTTLS (RFC 3207): after 220 net/ drops what was buffered and shakes hands (S15). */
#include "smtp/command.h"

#include "base/log.h"
#include "base/banned.h"

int smtp_cmd_starttls(struct smtp_session *s, slice arg)
{
    (void)arg;
    if (s->base.peer.tls)
        return smtp_reply(s, "503 5.5.1 The connection is encrypted already");
    if (!s->options->tls_available)
        return smtp_reply(s, "502 5.5.1 STARTTLS is not offered here");
    s->base.want = SESSION_TLS;
    log_step(s->base.who, "TLS", "STARTTLS; we say 220");
    return smtp_reply(s, "220 2.0.0 Go ahead");
}
