/*
 * The one implementation of struct smtp_host: who may log in, which sender may begin, which
 * recipient exists, and the way into intake_accept().  Port 25 trusts nobody, loopback included: it
 * takes mail for our own addresses and nothing else (never an open relay).
 */
#include <assert.h>

#include "base/log.h"
#include "intake/intake.h"
#include "intake/spool.h"

#include "base/banned.h"

static slice host_mechanisms(void *ctx, bool safe)
{
    (void)ctx;
    return sasl_mechanisms(safe);
}

static void *host_sasl_start(void *ctx, slice mechanism, const struct peer *peer)
{
    struct intake *x = ctx;
    bool safe = peer->tls || peer->loopback || x->password_without_tls;
    return sasl_start(&x->login, mechanism, "smtp", peer, safe);
}

static enum sasl_result host_sasl_step(void *sasl, bool has_response, slice response,
                                       struct arena *a, slice *reply)
{
    return sasl_step(sasl, has_response, response, a, reply);
}

static enum sasl_result host_sasl_hash(void *sasl)
{
    return sasl_hash(sasl);
}

static slice host_sasl_reason(void *sasl)
{
    return sasl_reason(sasl);
}

static void host_sasl_identity(void *sasl, struct arena *a, slice *login, int64_t *account)
{
    *account = sasl_account(sasl, a, login);
}

static void host_sasl_end(void *sasl)
{
    sasl_end(sasl);
}

static enum outcome answer(struct smtp_answer *to, enum outcome o, int code, slice enhanced,
                           slice text)
{
    *to = (struct smtp_answer){code, enhanced, text};
    return o;
}

static enum outcome host_mail(void *ctx, struct arena *a, const struct envelope *e, uint64_t size,
                              struct smtp_answer *to)
{
    struct intake *x = ctx;
    (void)a;
    if (size > x->message_size)
        return answer(to, PERMFAIL, 552, S("5.3.4"), S("Message is larger than this server takes"));
    if (!e->submission || e->sender.n == 0)
        return answer(to, DONE, 250, S("2.1.0"), S("Sender ok"));
    struct db *db = store_read(x->store);
    bool own = directory_may_send_as(db, e->account, e->sender);
    bool failed = sql_failed(db);
    store_read_end(x->store, db);
    if (failed)
        return answer(to, TEMPFAIL, 451, S("4.3.0"), S("The directory cannot be read now"));
    if (!own)
        return answer(to, PERMFAIL, 553, S("5.7.1"),
                      S("Sender address is not yours: use one of your own"));
    return answer(to, DONE, 250, S("2.1.0"), S("Sender ok"));
}

/* A full mailbox is said here, where the sender's server still listens (rule S36). */
static bool all_full(struct db *db, const struct target *targets, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!targets[i].account || !directory_has_quota(db, targets[i].account) ||
            !sql_number(db, 0, "SELECT quota>0 AND used>=quota FROM account WHERE id=?", "i",
                        targets[i].account))
            return false;
    return count > 0;
}

/* Nobody lives here yet, not even a postmaster (RFC 5321 4.5.1): the sender shall try again. */
static bool is_postmaster(slice address)
{
    return slice_eat_icase(&address, S("postmaster@"));
}

static enum outcome host_rcpt(void *ctx, struct arena *a, const struct envelope *e, slice rcpt,
                              struct smtp_answer *to)
{
    struct intake *x = ctx;
    struct target *targets = NULL;
    size_t count = 0;
    struct db *db = store_read(x->store);
    enum route_kind kind = route_find(x->deliver, db, a, rcpt, &targets, &count);
    bool full = kind == ROUTE_LOCAL && all_full(db, targets, count);
    bool failed = sql_failed(db);
    store_read_end(x->store, db);
    if (failed)
        return answer(to, TEMPFAIL, 451, S("4.3.0"), S("The directory cannot be read now"));
    if (kind == ROUTE_UNKNOWN && is_postmaster(rcpt))
        return answer(to, TEMPFAIL, 451, S("4.2.1"), S("This server has no users yet"));
    if (kind == ROUTE_UNKNOWN)
        return answer(to, PERMFAIL, 550, S("5.1.1"), S("No such mailbox here"));
    if (kind == ROUTE_REMOTE && !e->submission)
        return answer(to, PERMFAIL, 550, S("5.7.1"),
                      S("Not a domain of this server: to send mail log in at port 587 or 465"));
    if (full)
        return answer(to, TEMPFAIL, 452, S("4.2.2"), S("The mailbox is full"));
    return answer(to, DONE, 250, S("2.1.5"), S("Recipient ok"));
}

static void *host_body_open(void *ctx)
{
    struct intake *x = ctx;
    return spool_open(x->store, x->message_size, x);
}

static bool host_body_add(void *body, slice bytes)
{
    return spool_add(body, bytes);
}

static enum outcome host_body_accept(void *body, struct arena *a, const struct envelope *e,
                                     struct smtp_answer *answers, slice *queue_id)
{
    return intake_accept(spool_tag(body), body, a, e, answers, queue_id);
}

static void host_body_close(void *body)
{
    spool_close(body);
}

struct smtp_host intake_host(struct intake *x)
{
    return (struct smtp_host){
        .ctx = x,
        .mechanisms = host_mechanisms,
        .sasl_start = host_sasl_start,
        .sasl_step = host_sasl_step,
        .sasl_hash = host_sasl_hash,
        .sasl_reason = host_sasl_reason,
        .sasl_identity = host_sasl_identity,
        .sasl_end = host_sasl_end,
        .mail = host_mail,
        .rcpt = host_rcpt,
        .body_open = host_body_open,
        .body_add = host_body_add,
        .body_accept = host_body_accept,
        .body_close = host_body_close,
    };
}
