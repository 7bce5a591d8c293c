/*
 * Stop 5: intake_accept(), everything between "." and "250" in one straight function.  Its steps
 * stand above it in the order they are called.  When it answers 250 the message is durable: in the
 * mailbox (one local recipient and nothing holds it) or in the queue.
 */
#include "intake/intake.h"

#include <assert.h>

#include "accounts/directory.h"
#include "base/budget.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/sha256.h"
#include "intake/spool.h"
#include "message/address.h"
#include "message/date.h"
#include "message/header.h"
#include "message/msgid.h"
#include "message/trace.h"

#include "base/banned.h"

/* One message on its way through intake_accept(). */
struct acceptance {
    struct intake *x;
    struct arena *a;
    const struct envelope *e;
    int64_t id, now_ms;
    slice received; /* the bytes as they came */
    slice bytes;    /* the bytes as they are kept: the same, or with fields added and Bcc removed */
    struct header_facts facts;
    struct derived derived;
    struct store_body body;
    size_t budget; /* taken for bytes */
    struct smtp_answer answer;
};

static bool refuse(struct acceptance *c, int code, slice enhanced, slice text)
{
    c->answer = (struct smtp_answer){code, enhanced, text};
    return false;
}

/* RFC 5321 6.3: too many hops, or a mailbox that has already had it (RFC 9228). */
static bool check_loop(struct acceptance *c)
{
    if (c->facts.received >= LIMIT_RECEIVED_FIELDS)
        return refuse(c, 554, S("5.4.6"), S("This message goes round in a loop"));
    if (c->e->submission)
        return true;
    struct header_field f;
    for (slice rest = header_of(c->received); header_next(&rest, &f);) {
        if (!slice_eq_icase(f.name, S("Delivered-To")))
            continue;
        for (size_t i = 0; i < c->e->recipient_count; i++)
            if (slice_eq_icase(slice_trim(f.value), c->e->recipients[i].address))
                return refuse(c, 554, S("5.4.6"), S("This message has been delivered here before"));
    }
    return true;
}

/* A user writes in his own name (rule S17): every author must be an address of his. */
static bool check_author(struct acceptance *c)
{
    struct address_list from = {0};
    slice value;
    bool own = true;
    if (!c->e->submission)
        return true;
    if (c->facts.from > 1)
        return refuse(c, 554, S("5.6.0"), S("A message has one From field"));
    if (!header_find(header_of(c->received), S("From"), &value))
        return true;
    address_parse(c->a, value, &from);
    struct db *db = store_read(c->x->store);
    for (size_t i = 0; i < from.count && own; i++)
        own = from.list[i].kind != ADDRESS_MAILBOX ||
              directory_may_send_as(db, c->e->account, address_email(c->a, &from.list[i]));
    bool failed = sql_failed(db);
    store_read_end(c->x->store, db);
    if (failed)
        return refuse(c, 451, S("4.3.0"), S("The directory cannot be read now, try again later"));
    return own ||
           refuse(c, 550, S("5.7.1"), S("The From address is not yours: use one of your own"));
}

static slice domain_of(slice address)
{
    ptrdiff_t at = slice_rfind(address, '@');
    return at < 0 ? S("") : slice_skip(address, (size_t)at + 1);
}

/*
 * Submission completes what the user agent left out (RFC 6409 8) and removes Bcc (RFC 5321 7.2).
 * Relayed mail is never touched: what is kept is what came.
 */
static bool complete(struct acceptance *c)
{
    static const slice hidden[] = {{"Bcc", 3}, {"Resent-Bcc", 10}};
    const struct header_facts *f = &c->facts;
    c->bytes = c->received;
    if (!c->e->submission || (f->has_date && f->has_message_id && f->from && !f->bcc))
        return true;
    size_t room = c->received.n + 2048;
    if (!budget_take(room))
        return refuse(c, 452, S("4.3.1"), S("Not enough memory now, try again later"));
    c->budget = room;
    slice author = c->e->sender.n ? c->e->sender : c->e->login;
    slice *pieces = NULL;
    size_t count = header_without(c->a, c->received, hidden, 2, &pieces);
    char *to = arena_alloc(c->a, room);
    struct {
        bool missing;
        slice line;
    } added[] = {
        {!f->has_date, arena_printf(c->a, "Date: %.*s\r\n",
                                    P(date_print(c->a, c->now_ms, clock_zone_minutes(c->now_ms))))},
        {!f->has_message_id,
         arena_printf(c->a, "Message-ID: %.*s\r\n", P(msgid_make(c->a, domain_of(author))))},
        {!f->from, arena_printf(c->a, "From: <%.*s>\r\n", P(author))},
    };
    size_t n = 0;
    for (size_t i = 0; i < sizeof(added) / sizeof(added[0]); i++) {
        if (!added[i].missing || n + added[i].line.n > 2040)
            continue;
        memcpy(to + n, added[i].line.p, added[i].line.n);
        n += added[i].line.n;
    }
    if (f->fields == 0) { /* no header at all: an empty line keeps the text from becoming one */
        memcpy(to + n, "\r\n", 2);
        n += 2;
    }
    for (size_t i = 0; i < count; i++) {
        memcpy(to + n, pieces[i].p, pieces[i].n);
        n += pieces[i].n;
    }
    c->bytes = (slice){to, n};
    return true;
}

/* Our Received field (RFC 5321 4.4), and an empty line when what follows is no header. */
static slice stamp(struct acceptance *c)
{
    char id[ID_TEXT];
    id_text(c->id, id);
    struct received_stamp r = {
        .helo = c->e->helo,
        .rdns = c->e->peer_name,
        .ip = c->e->peer_ip,
        .by = c->x->hostname,
        .protocol = c->e->protocol,
        .tls = c->e->tls,
        .id = {id, ID_TEXT},
        .rcpt = c->e->recipient_count == 1 ? c->e->recipients[0].address : S(""),
        .date_ms = c->now_ms,
        .zone_minutes = clock_zone_minutes(c->now_ms),
    };
    slice received = received_print(c->a, &r);
    bool headless =
        c->derived.header_bytes == 0 && c->bytes.n && !slice_starts(c->bytes, S("\r\n"));
    return headless ? arena_printf(c->a, "%.*s\r\n", P(received)) : received;
}

static bool same_target(const struct target *x, const struct target *y)
{
    return x->account ? x->account == y->account && slice_eq_icase(x->address, y->address)
                      : !y->account && slice_eq_icase(x->address, y->address);
}

/* Where everything goes: the envelope's recipients through aliases, each target once. */
static bool find_targets(struct acceptance *c, struct target **targets, size_t *count)
{
    size_t capacity = 0;
    bool ok = true;
    struct db *db = store_read(c->x->store);
    for (size_t i = 0; i < c->e->recipient_count && ok; i++) {
        const struct recipient *r = &c->e->recipients[i];
        struct target *found = NULL;
        size_t n = 0;
        route_find(c->x->deliver, db, c->a, r->address, &found, &n);
        for (size_t j = 0; j < n; j++) {
            bool known = false;
            for (size_t k = 0; k < *count && !known; k++)
                known = same_target(&(*targets)[k], &found[j]);
            if (known)
                continue;
            if (*count >= LIMIT_TARGETS)
                ok = refuse(c, 554, S("5.5.3"), S("Too many recipients behind these addresses"));
            if (!ok)
                break;
            *targets = arena_grow(c->a, *targets, *count, &capacity, sizeof(**targets));
            found[j].notify = r->notify;
            if (r->orcpt.n)
                found[j].orcpt = r->orcpt;
            (*targets)[(*count)++] = found[j];
        }
    }
    if (sql_failed(db))
        ok = refuse(c, 451, S("4.3.0"), S("The directory cannot be read now, try again later"));
    store_read_end(c->x->store, db);
    if (ok && *count == 0)
        ok = refuse(c, 550, S("5.1.1"), S("None of the recipients exists any more"));
    return ok;
}

static void make_body(struct acceptance *c, struct spool *s, unsigned char received_sha256[32])
{
    sha256(c->received, received_sha256);
    c->body = (struct store_body){.fd = -1, .date_ms = c->now_ms};
    if (c->bytes.p == c->received.p) {
        memcpy(c->body.sha256, received_sha256, 32);
        spool_body(s, &c->body);
    } else {
        sha256(c->bytes, c->body.sha256);
        c->body.pieces[0] = c->bytes;
        c->body.piece_count = 1;
    }
}

static bool commit(struct acceptance *c, struct spool *s)
{
    struct envelope e = *c->e;
    if (e.submission && !e.hold_until_ms && c->x->undo_ms)
        e.hold_until_ms = c->now_ms + c->x->undo_ms;
    struct queue_mail m = {
        .id = c->id,
        .envelope = &e,
        .body = &c->body,
        .body_bytes = c->bytes.n,
        .has_message_id = c->facts.has_message_id,
        .prefix = stamp(c),
        .derived = &c->derived,
        .now_ms = c->now_ms,
    };
    if (!find_targets(c, &m.targets, &m.target_count))
        return false;
    make_body(c, s, m.received_sha256);
    switch (queue_commit(c->x->queue, &m)) {
    case DONE:
        c->id = m.id;
        return true;
    case PERMFAIL: /* only a mailbox that is full or gone says so, as "552 5.2.2 text" */
        return refuse(c, 552, S("5.2.2"), S("The mailbox is full"));
    default:
        return refuse(c, 451, S("4.3.0"), S("The message cannot be kept now, try again later"));
    }
}

enum outcome intake_accept(struct intake *x, struct spool *s, struct arena *a,
                           const struct envelope *e, struct smtp_answer *answers, slice *queue_id)
{
    struct acceptance c = {.x = x, .a = a, .e = e, .id = id_new(), .now_ms = clock_ms()};
    char *id = arena_alloc(a, ID_TEXT + 1);
    bool accepted = false;
    id_text(c.id, id);
    *queue_id = (slice){id, ID_TEXT};
    if (!spool_bytes(s, &c.received)) {
        refuse(&c, 452, S("4.3.1"), S("Not enough space now, try again later"));
    } else {
        header_facts(c.received, &c.facts);
        if (check_loop(&c) && check_author(&c) && complete(&c)) {
            message_derive(c.bytes, a, &c.derived);
            trace_stop(STOP_INTAKE, c.id, "from=<%.*s> recipients=%zu size=%zu peer=%.*s",
                       P(e->sender), e->recipient_count, c.bytes.n, P(e->peer_ip));
            accepted = commit(&c, s);
        }
    }
    id_text(c.id, id);
    if (accepted)
        c.answer = (struct smtp_answer){250, S("2.0.0"), S("Accepted")};
    budget_give(c.budget);
    for (size_t i = 0; i < e->recipient_count; i++)
        answers[i] = c.answer;
    if (!accepted)
        log_event(LEVEL_INFO, "intake.refuse", "from=<%.*s> peer=%.*s reply=\"%d %.*s %.*s\"",
                  P(e->sender), P(e->peer_ip), c.answer.code, P(c.answer.enhanced),
                  P(c.answer.text));
    return accepted ? DONE : c.answer.code >= 500 ? PERMFAIL : TEMPFAIL;
}
