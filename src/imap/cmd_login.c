/* LOGIN (RFC 9051 6.2.3), refused where a password would travel in the clear; and what every login
 * leads to. */
#include "imap/command.h"

#include <openssl/crypto.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/banned.h"

bool imap_is_safe(const struct imap *p)
{
    return p->s.peer.tls || p->s.peer.loopback || p->options->password_without_tls;
}

bool imap_offers_logindisabled(const struct imap *p)
{
    return p->state == IMAP_EARLY && !imap_is_safe(p);
}

void imap_auth_end(struct imap *p)
{
    sasl_end(p->sasl);
    p->sasl = NULL;
}

static void hash(struct session *s)
{
    struct imap *p = (struct imap *)s;
    p->hashed = sasl_hash(p->sasl);
}

static void hash_done(struct imap *p)
{
    imap_login(p, p->s.job_refused ? SASL_TEMPFAIL : p->hashed, S(""));
}

static void enter(struct imap *p)
{
    slice login;
    p->account = sasl_account(p->sasl, &p->scratch, &login);
    p->state = IMAP_AUTHENTICATED;
    p->s.timeout_ms = LIMIT_IMAP_SILENCE_MS;
    log_event(LEVEL_INFO, "imap.login", "session=%s account=%lld", p->s.id, (long long)p->account);
    log_step(p->s.who, "authentication", "%.*s is logged in", P(login));
    slice can = imap_capabilities(p);
    imap_ok(p, "[CAPABILITY %.*s] Logged in", P(can));
}

static void succeed(struct imap *p, slice line)
{
    if (line.n == 0)
        enter(p);
    else
        imap_bad(p, "An empty line was expected");
}

static void fail(struct imap *p)
{
    log_step(p->s.who, "authentication", "wrong name or password");
    imap_no(p, "[AUTHENTICATIONFAILED] Wrong name or password");
    if (++p->failures >= LIMIT_AUTH_FAILURES)
        imap_bye(p, "Too many failures");
}

void imap_login(struct imap *p, enum sasl_result result, slice text)
{
    slice why;
    switch (result) {
    case SASL_CHALLENGE:
        imap_challenge(p, text, imap_auth_answer);
        return;
    case SASL_HASH:
        p->s.want = SESSION_JOB;
        p->s.pool = POOL_HASH;
        p->s.job = hash;
        p->next = hash_done;
        return;
    case SASL_OK:
        if (text.n) /* the server's own proof (SCRAM), to be answered by an empty line */
            imap_challenge(p, text, succeed);
        else
            enter(p);
        return;
    case SASL_FAIL:
        fail(p);
        return;
    case SASL_SYNTAX:
        imap_bad(p, "Not a message of this mechanism");
        return;
    case SASL_TEMPFAIL:
        why = sasl_reason(p->sasl);
        imap_no(p, "[UNAVAILABLE] %.*s", P(why.n ? why : S("Too busy, try again later")));
        return;
    }
}

void imap_cmd_login(struct imap *p, slice args)
{
    slice name, password, all = args;
    if (!imap_is_safe(p)) {
        imap_no(p, "[PRIVACYREQUIRED] Encrypt first: STARTTLS");
        return;
    }
    if (!imap_astring(&p->scratch, &args, &name) || !imap_space(&args) ||
        !imap_astring(&p->scratch, &args, &password) || args.n) {
        imap_syntax(p);
        return;
    }
    p->sasl = sasl_start_password(p->options->login, "imap", &p->s.peer);
    p->release = imap_auth_end;
    enum sasl_result result = sasl_password(p->sasl, name, password);
    OPENSSL_cleanse((void *)(uintptr_t)password.p, password.n);
    OPENSSL_cleanse((void *)(uintptr_t)all.p, all.n);
    imap_login(p, result, S(""));
}
