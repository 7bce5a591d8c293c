/*
 * One exchange from the first message to the decision: the table of mechanisms, the name's account,
 * the limits, and the one place where a login is logged and counted.
 */
#include "accounts/sasl.h"

#include <openssl/crypto.h>
#include <stdio.h>

#include "accounts/sasl_exchange.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/banned.h"

/* Strongest first. */
static const struct sasl_mechanism mechanisms[] = {
    {.name = {"SCRAM-SHA-256", 13}, .step = sasl_scram},
    {.name = {"PLAIN", 5}, .plaintext = true, .step = sasl_plain},
    {.name = {"LOGIN", 5}, .plaintext = true, .step = sasl_login},
};
static const struct sasl_mechanism outright = {.name = {"password", 8}, .plaintext = true};

slice sasl_mechanisms(bool safe)
{
    return safe ? S("SCRAM-SHA-256 PLAIN LOGIN") : S("SCRAM-SHA-256");
}

static struct sasl *exchange_new(const struct login_service *login, const char *protocol,
                                 const struct peer *peer, const struct sasl_mechanism *mechanism)
{
    struct arena arena = {0};
    struct sasl *x = arena_new(&arena, struct sasl);
    x->arena = arena;
    x->login = login;
    x->protocol = protocol;
    x->peer = peer;
    x->mechanism = mechanism;
    return x;
}

struct sasl *sasl_start(const struct login_service *login, slice mechanism, const char *protocol,
                        const struct peer *peer, bool safe)
{
    for (size_t i = 0; i < sizeof(mechanisms) / sizeof(mechanisms[0]); i++) {
        const struct sasl_mechanism *m = &mechanisms[i];
        if (slice_eq_icase(m->name, mechanism) && (safe || !m->plaintext))
            return exchange_new(login, protocol, peer, m);
    }
    return NULL;
}

struct sasl *sasl_start_password(const struct login_service *login, const char *protocol,
                                 const struct peer *peer)
{
    return exchange_new(login, protocol, peer, &outright);
}

enum sasl_result sasl_step(struct sasl *x, bool has_response, slice response, struct arena *a,
                           slice *reply)
{
    *reply = S("");
    if (response.n > LIMIT_SASL_MESSAGE)
        return SASL_SYNTAX;
    return x->mechanism->step(x, has_response, response, a, reply);
}

slice sasl_reason(const struct sasl *x)
{
    return slice_c(x->reason);
}

/* ---- who ---- */

static slice lower_dup(struct arena *a, slice s)
{
    char *p = arena_alloc(a, s.n + 1);
    for (size_t i = 0; i < s.n; i++)
        p[i] = ascii_lower(s.p[i]);
    return (slice){p, s.n};
}

enum sasl_result sasl_name(struct sasl *x, slice name)
{
    if (name.n == 0 || name.n > LIMIT_LOGIN_NAME)
        name = S("-"); /* nobody's */
    x->name = lower_dup(&x->arena, name);
    struct db *db = store_read(x->login->store);
    x->account = directory_login(db, x->name);
    bool failed = sql_failed(db);
    store_read_end(x->login->store, db);
    return failed ? sasl_decide(x, TEMPFAIL) : SASL_CHALLENGE;
}

int64_t sasl_account(const struct sasl *x, struct arena *a, slice *login)
{
    struct db *db = store_read(x->login->store);
    *login = directory_address(db, a, x->account);
    store_read_end(x->login->store, db);
    if (login->n == 0)
        *login = arena_dup(a, x->name);
    return x->account;
}

/* ---- whether ---- */

static bool is_limited(const struct sasl *x)
{
    return x->login->limits && x->peer && !x->peer->loopback;
}

enum sasl_result sasl_admit(struct sasl *x, uint64_t credential)
{
    if (!is_limited(x))
        return SASL_CHALLENGE;
    x->attempt = (struct limits_try){x->name, slice_c(x->peer->ip), credential, clock_mono_ms()};
    int64_t wait_ms = limits_wait(x->login->limits, &x->attempt);
    x->admitted = wait_ms == 0;
    if (x->admitted)
        return SASL_CHALLENGE;
    int64_t wait_s = (wait_ms + SECOND_MS - 1) / SECOND_MS;
    snprintf(x->reason, sizeof(x->reason), "Too many wrong passwords, wait %d s", (int)wait_s);
    log_event(LEVEL_WARNING, "auth.slowed", "protocol=%s login=%s ip=%s wait_s=%d", x->protocol,
              log_quote(x->name), x->peer->ip, (int)wait_s);
    metric_add(METRIC_AUTH_FAILED, 1);
    return SASL_TEMPFAIL;
}

static void tell_limits(struct sasl *x, enum outcome o)
{
    if (!x->admitted)
        return;
    x->admitted = false;
    if (o == DONE)
        limits_passed(x->login->limits, &x->attempt);
    else if (o != PERMFAIL)
        limits_undecided(x->login->limits, &x->attempt);
}

enum sasl_result sasl_decide(struct sasl *x, enum outcome o)
{
    static const char *const events[] = {
        [DONE] = "auth.ok", [TEMPFAIL] = "auth.unavailable", [PERMFAIL] = "auth.failed"};
    tell_limits(x, o);
    metric_add(o == DONE ? METRIC_AUTH_OK : METRIC_AUTH_FAILED, 1);
    log_event(o == TEMPFAIL ? LEVEL_WARNING : LEVEL_INFO, events[o],
              "protocol=%s mechanism=%.*s login=%s account=%lld ip=%s tls=%s", x->protocol,
              P(x->mechanism->name), log_quote(x->name), (long long)x->account,
              x->peer ? x->peer->ip : "-", x->peer && x->peer->tls ? x->peer->tls_version : "none");
    if (o == TEMPFAIL)
        snprintf(x->reason, sizeof(x->reason), "Logins cannot be checked now, try again later");
    return o == DONE ? SASL_OK : o == PERMFAIL ? SASL_FAIL : SASL_TEMPFAIL;
}

enum sasl_result sasl_password(struct sasl *x, slice name, slice password)
{
    struct secrets *secrets = x->login->secrets;
    if (sasl_name(x, name) != SASL_CHALLENGE ||
        sasl_admit(x, hash_keyed(password)) != SASL_CHALLENGE)
        return SASL_TEMPFAIL;
    enum outcome o = secrets_check_app(secrets, x->account, password, slice_c(x->protocol));
    if (o == PERMFAIL)
        o = secrets_check_password(secrets, x->account, password, false);
    if (o != WAIT)
        return sasl_decide(x, o);
    /* One that is too long stays wrong, at the price of any other. */
    x->password_bytes = password.n <= sizeof(x->password) ? password.n : 0;
    if (x->password_bytes)
        memcpy(x->password, password.p, x->password_bytes);
    return SASL_HASH;
}

enum sasl_result sasl_hash(struct sasl *x)
{
    slice password = {x->password, x->password_bytes};
    enum outcome o = secrets_check_password(x->login->secrets, x->account, password, true);
    OPENSSL_cleanse(x->password, sizeof(x->password));
    return sasl_decide(x, o);
}

void sasl_end(struct sasl *x)
{
    if (!x)
        return;
    tell_limits(x, TEMPFAIL); /* never decided: the pool was full, the peer left */
    struct arena arena = x->arena;
    OPENSSL_cleanse(x, sizeof(*x));
    arena_end(&arena);
}
