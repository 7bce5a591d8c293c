/*
 * The name of the client's address in the Received field (RFC 5321 4.4): looked up once for a
 * connection, when its first message is about to come (who never gets that far costs no question),
 * on POOL_DNS while the session is parked.  On port 25 only: who logged in is known.  "unknown"
 * says that no name was confirmed.
 */
#include "smtp/command.h"

#include "base/clock.h"
#include "base/log.h"
#include "net/rdns.h"
#include "base/banned.h"

static bool is_loopback(slice ip)
{
    return slice_starts(ip, S("127.")) || slice_eq(ip, S("::1"));
}

bool smtp_wants_name(const struct smtp_session *s)
{
    const struct smtp_options *o = s->options;
    return o->service == SMTP_TRANSFER && o->reverse != SMTP_REVERSE_NO && !s->peer_name.n &&
           (o->reverse == SMTP_REVERSE_ALL || !is_loopback(slice_c(s->base.peer.ip)));
}

static void name_job(struct session *base)
{
    struct smtp_session *s = (struct smtp_session *)(void *)base;
    struct arena a = {0};
    s->peer_name = arena_dup(&s->life, rdns_name(&a, slice_c(base->peer.ip), s->name_until_ms));
    arena_end(&a);
}

static int name_done(struct smtp_session *s)
{
    if (!s->peer_name.n)
        s->peer_name = S("unknown");
    log_step(s->base.who, "handshake", "DNS: the name of %s is %.*s", s->base.peer.ip,
             P(s->peer_name));
    return s->named(s);
}

int smtp_ask_name(struct smtp_session *s, int (*then)(struct smtp_session *s))
{
    s->name_until_ms = clock_mono_ms() + LIMIT_RDNS_MS; /* waiting for a thread counts */
    s->base.pool = POOL_DNS;
    s->base.job = name_job;
    s->base.want = SESSION_JOB;
    s->after = name_done;
    s->named = then;
    return 0;
}
