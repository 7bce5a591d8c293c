/*
 * Delivery status notifications (RFC 3464; rules S34, S36): a failure when a recipient is given up,
 * one notice when a message is late.  From <> to the envelope sender, never to a null sender, never
 * when NOTIFY forbids it (RFC 3461 4.1).  The notice and the recipients' new state are one
 * transaction.
 */
#include <assert.h>

#include <openssl/evp.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "message/dsn.h"
#include "message/header.h"
#include "message/trace.h"
#include "queue/internal.h"

#include "base/banned.h"

enum { BOUNCE_FULL_MAX = 64 * 1024, BOUNCE_HEADER_MAX = 256 * 1024, SWEEP_ITEMS = 100 };

/* The message a notice is about, as its row says. */
struct original {
    slice sender, envid, subject, message_id, prefix;
    enum dsn_ret ret;
    int64_t created_ms, expires_ms, body;
    uint64_t size;
    struct store *store;
};

static bool load_original(struct queue *q, struct arena *a, int64_t message, struct original *o)
{
    struct db *db = store_read(q->options.store);
    struct sql *r =
        sql_query(db,
                  "SELECT sender,envid,ret,subject,message_id,prefix,created,expires,body,"
                  "size FROM q_message WHERE id=?",
                  "i", message);
    bool found = sql_row(r);
    if (found) {
        o->sender = arena_dup(a, sql_bytes(r, 0));
        o->envid = arena_dup(a, sql_bytes(r, 1));
        o->ret = (enum dsn_ret)sql_int(r, 2);
        o->subject = arena_dup(a, sql_bytes(r, 3));
        o->message_id = arena_dup(a, sql_bytes(r, 4));
        o->prefix = arena_dup(a, sql_bytes(r, 5));
        o->created_ms = sql_int(r, 6);
        o->expires_ms = sql_int(r, 7);
        o->body = sql_int(r, 8);
        o->size = (uint64_t)sql_int(r, 9);
    }
    sql_end(r);
    store_read_end(q->options.store, db);
    o->store = q->options.store;
    return found;
}

/* The original's bytes, for compose_source. */
static ssize_t read_original(void *ctx, uint64_t offset, char *to, size_t n)
{
    const struct original *o = ctx;
    if (offset >= o->prefix.n)
        return body_read(o->store, o->body, offset - o->prefix.n, to, n);
    slice part = slice_sub(o->prefix, (size_t)offset, (size_t)offset + n);
    memcpy(to, part.p, part.n);
    return (ssize_t)part.n;
}

/* The whole original when it was asked for or is small, else its header (RFC 3461 4.3). */
static bool choose_original(struct arena *a, struct original *o, struct dsn *d)
{
    d->full = o->ret == RET_FULL || (o->ret == RET_NONE && o->size <= BOUNCE_FULL_MAX);
    if (d->full) {
        d->original = (struct compose_source){.size = o->size, .read = read_original, .ctx = o};
        return true;
    }
    size_t max = o->size < BOUNCE_HEADER_MAX ? (size_t)o->size : BOUNCE_HEADER_MAX, n = 0;
    char *text = arena_alloc(a, max + 1);
    while (n < max) {
        ssize_t got = read_original(o, n, text + n, max - n);
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    d->original.bytes = header_of((slice){text, n});
    return true;
}

/* Whether this recipient wants this notice (RFC 3461 4.1; none given: failure and delay). */
static bool wants(const struct bounce_recipient *r, bool failed)
{
    return r->notify == 0 || (r->notify & (failed ? NOTIFY_FAILURE : NOTIFY_DELAY)) != 0;
}

/* The enhanced code at the start of a reply ("550 5.1.1 text"), or a general one. */
static slice status_of(struct arena *a, slice reply, bool failed)
{
    slice word, rest = reply;
    for (int i = 0; i < 2 && slice_next(&rest, ' ', &word); i++)
        if (word.n >= 5 && word.p[1] == '.' && slice_find(S("245"), word.p[0]) >= 0)
            return failed && word.p[0] != '5' ? arena_printf(a, "5%.*s", P(slice_skip(word, 1)))
                                              : word;
    return failed ? S("5.0.0") : S("4.0.0");
}

static size_t dsn_recipients(struct arena *a, const struct bounce *b, struct dsn_recipient *out)
{
    size_t n = 0;
    for (size_t i = 0; i < b->count; i++) {
        const struct bounce_recipient *r = &b->recipients[i];
        if (!wants(r, b->failed))
            continue;
        out[n++] = (struct dsn_recipient){
            .address = r->address,
            .orcpt = r->orcpt,
            .action = b->failed ? DSN_FAILED : DSN_DELAYED,
            .status = status_of(a, r->reply, b->failed),
            .remote_mta = r->remote ? b->remote_mta : S(""),
            .reply = r->remote ? r->reply : S(""),
            .reason = r->remote ? S("") : r->reply,
            .last_attempt_ms = clock_ms(),
        };
    }
    return n;
}

/* ---- The transaction's other half: what becomes of the recipients ---- */

static enum outcome mark_tx(struct store_tx *tx, void *arg)
{
    const struct bounce *b = arg;
    if (sql_number(tx->db, -1, "SELECT state FROM q_item WHERE id=?", "i", b->item) !=
        b->item_state)
        return TEMPFAIL; /* claimed or recalled meanwhile */
    if (!b->failed) {
        sql_exec(tx->db, "UPDATE q_message SET flags=flags|? WHERE id=?", "ii",
                 (int64_t)MESSAGE_WARNED, b->message);
        return DONE;
    }
    for (size_t i = 0; i < b->count; i++)
        sql_exec(tx->db,
                 "UPDATE q_recipient SET state=?, reply=?, done_at=? WHERE message=? AND n=? AND "
                 "state=?",
                 "itiiii", (int64_t)RECIPIENT_BOUNCED, slice_sub(b->recipients[i].reply, 0, 500),
                 tx->now_ms, b->message, (int64_t)b->recipients[i].n, (int64_t)RECIPIENT_WAITING);
    if (b->item_state == ITEM_DUE &&
        sql_exec(tx->db,
                 "DELETE FROM q_item WHERE id=?1 AND NOT EXISTS(SELECT 1 FROM q_recipient"
                 " WHERE message=?2 AND item=?1 AND state=0)",
                 "ii", b->item, b->message) == 1)
        queue_finish_message(tx->db, b->message);
    return DONE;
}

static bool mark_only(struct queue *q, const struct bounce *b)
{
    struct bounce copy = *b;
    struct store_call call = {.fn = mark_tx, .arg = &copy};
    return store_write(q->options.store, &call) == DONE;
}

/* Queues the composed notice to the sender, marking the recipients in the same transaction. */
static bool send_notice(struct queue *q, struct arena *a, const struct bounce *b,
                        const struct original *o, slice bytes, struct target *targets, size_t count)
{
    struct envelope envelope = {
        .sender = S(""), .protocol = S("local"), .helo = q->options.hostname};
    struct derived derived;
    struct store_body body = {.pieces = {bytes}, .piece_count = 1, .fd = -1, .date_ms = clock_ms()};
    struct bounce copy = *b;
    char text[ID_TEXT];
    struct queue_mail mail = {
        .id = id_new(),
        .envelope = &envelope,
        .targets = targets,
        .target_count = count,
        .body = &body,
        .body_bytes = bytes.n,
        .derived = &derived,
        .now_ms = body.date_ms,
        .also = mark_tx,
        .also_arg = &copy,
    };
    id_text(mail.id, text);
    struct received_stamp stamp = {
        .by = q->options.hostname,
        .protocol = S("local"),
        .id = {text, ID_TEXT},
        .rcpt = o->sender,
        .date_ms = mail.now_ms,
        .zone_minutes = clock_zone_minutes(mail.now_ms),
    };
    mail.prefix = received_print(a, &stamp);
    EVP_Digest(bytes.p, bytes.n, body.sha256, NULL, EVP_sha256(), NULL);
    memcpy(mail.received_sha256, body.sha256, sizeof(body.sha256));
    message_derive(bytes, a, &derived);
    return queue_commit(q, &mail) == DONE;
}

bool bounce_send(struct queue *q, struct arena *a, const struct bounce *b)
{
    struct original o;
    if (!load_original(q, a, b->message, &o))
        return false;
    struct dsn d = {
        .reporting_mta = q->options.hostname,
        .domain = q->options.hostname,
        .to = o.sender,
        .envid = o.envid,
        .subject = o.subject,
        .message_id = o.message_id,
        .arrival_ms = o.created_ms,
        .date_ms = clock_ms(),
        .retry_until_ms = o.expires_ms,
    };
    char text[ID_TEXT];
    id_text(b->message, text);
    d.queue_id = (slice){text, ID_TEXT};
    d.zone_minutes = clock_zone_minutes(d.date_ms);
    rand_bytes(d.seed, sizeof(d.seed));
    struct dsn_recipient *recipients = arena_array(a, b->count + 1, sizeof(*recipients));
    d.recipients = recipients;
    d.recipient_count = dsn_recipients(a, b, recipients);
    struct target *targets = NULL;
    size_t count = 0;
    if (o.sender.n && d.recipient_count) {
        enum outcome r =
            q->options.deliverer.resolve(q->options.deliverer.ctx, a, o.sender, &targets, &count);
        if (r == TEMPFAIL)
            return false;
    }
    for (size_t i = 0; i < b->count; i++)
        log_event(LEVEL_INFO, "queue.bounce", "msg=%.*s to=<%.*s> action=%s notice=%s reply=%s",
                  ID_TEXT, text, P(b->recipients[i].address), b->failed ? "failed" : "delayed",
                  count ? "sent" : "none", log_quote(b->recipients[i].reply));
    if (b->failed)
        metric_add(METRIC_QUEUE_BOUNCED, (int64_t)b->count);
    if (count == 0) /* a null sender, NOTIFY=NEVER, or a sender who is nobody here */
        return mark_only(q, b);
    slice error = S("");
    choose_original(a, &o, &d);
    struct composer *m = dsn_open(a, &d, &error);
    if (!m) { /* the original cannot be read: the notice goes without it */
        d.original = (struct compose_source){.bytes = S("")};
        d.full = false;
        m = dsn_open(a, &d, &error);
    }
    return m ? send_notice(q, a, b, &o, compose_all(a, m), targets, count) : mark_only(q, b);
}

/* ---- Items that nobody tried because their whole destination is out of reach ---- */

struct late_item {
    int64_t item, message;
    bool expired;
};

static size_t late_items(struct queue *q, slice destination, bool may_expire, struct late_item *out)
{
    int64_t now = clock_ms();
    size_t n = 0;
    struct db *db = store_read(q->options.store);
    struct sql *r =
        sql_query(db,
                  "SELECT i.id, i.message, m.expires FROM q_item i JOIN q_message m ON"
                  " m.id=i.message WHERE i.destination=? AND i.state=0 AND i.due<=? AND"
                  " ((m.expires<=? AND ?) OR (m.flags&? = 0 AND m.created<=?)) LIMIT ?",
                  "tiiiiii", destination, now, now, (int64_t)may_expire, (int64_t)MESSAGE_WARNED,
                  now - q->options.warn_ms, (int64_t)SWEEP_ITEMS);
    while (sql_row(r))
        out[n++] =
            (struct late_item){sql_int(r, 0), sql_int(r, 1), may_expire && sql_int(r, 2) <= now};
    store_read_end(q->options.store, db);
    return n;
}

static void sweep_item(struct queue *q, const struct late_item *late, slice reply)
{
    struct arena a = {0};
    struct bounce b = {
        .message = late->message,
        .item = late->item,
        .failed = late->expired,
        .item_state = ITEM_DUE,
    };
    size_t capacity = 0;
    struct db *db = store_read(q->options.store);
    struct sql *r =
        sql_query(db,
                  "SELECT n,address,orcpt,notify FROM q_recipient WHERE message=? AND item=?"
                  " AND state=?",
                  "iii", late->message, late->item, (int64_t)RECIPIENT_WAITING);
    while (sql_row(r)) {
        b.recipients = arena_grow(&a, b.recipients, b.count, &capacity, sizeof(*b.recipients));
        b.recipients[b.count++] = (struct bounce_recipient){
            .n = (int)sql_int(r, 0),
            .address = arena_dup(&a, sql_bytes(r, 1)),
            .orcpt = arena_dup(&a, sql_bytes(r, 2)),
            .notify = (unsigned)sql_int(r, 3),
            .reply = reply,
        };
    }
    bool failed = sql_failed(db); /* some may be missing: the next sweep */
    store_read_end(q->options.store, db);
    if (b.count && !failed)
        bounce_send(q, &a, &b);
    arena_end(&a);
}

void bounce_sweep(struct queue *q, slice destination, slice reply, int destination_failures)
{
    struct late_item late[SWEEP_ITEMS];
    size_t n = late_items(q, destination, destination_failures >= ATTEMPTS_TO_EXPIRE, late);
    for (size_t i = 0; i < n; i++)
        sweep_item(q, &late[i], reply);
}
