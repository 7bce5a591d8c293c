/*
 * The end of an attempt: all results of a batch in one transaction, refusals answered by bounces,
 * the destination's back-off moved, never its items (a 4yz for one message moves that item alone).
 */
#include "queue/batch.h"

#include <assert.h>

#include "base/clock.h"
#include "base/log.h"
#include "queue/internal.h"

#include "base/banned.h"

bool point_of_no_return(struct batch_item *item)
{
    int open = CLAIM_OPEN;
    return atomic_compare_exchange_strong(&item->claim.state, &open, CLAIM_PASSED) ||
           open == CLAIM_PASSED;
}

ssize_t batch_read(struct batch *b, const struct batch_item *item, uint64_t offset, char *to,
                   size_t n)
{
    if (offset >= item->prefix.n)
        return body_read_found(b->store, item->body, &item->place, offset - item->prefix.n, to, n);
    slice part = slice_skip(item->prefix, (size_t)offset);
    if (part.n > n)
        part.n = n;
    memcpy(to, part.p, part.n);
    return (ssize_t)part.n;
}

bool batch_local_done(struct store_tx *tx, const struct batch_item *item,
                      const struct batch_recipient *r, const struct local_delivery *d)
{
    return sql_exec(tx->db,
                    "UPDATE q_recipient SET state=?, attempts=?, mailbox=?, uid=?, entry_message=?,"
                    " done_at=? WHERE message=? AND n=? AND state=?",
                    "iiiiiiiii", (int64_t)RECIPIENT_DELIVERED, (int64_t)(item->attempts + 1),
                    d->mailbox, (int64_t)d->uid, d->message, tx->now_ms, item->message,
                    (int64_t)r->n, (int64_t)RECIPIENT_WAITING) == 1;
}

/* A recipient's final reply as it is kept: "250 2.0.0 ok", at most 500 bytes. */
static slice kept_reply(slice reply)
{
    return slice_sub(reply, 0, 500);
}

static bool has_expired(const struct batch_item *item, int64_t now)
{
    return now >= item->expires_ms && item->attempts + 1 >= ATTEMPTS_TO_EXPIRE;
}

/* Whether a recipient is given up now, and whether a remote's word is the reason. */
static bool gives_up(const struct batch_item *item, const struct batch_recipient *r, int64_t now)
{
    return r->result == PERMFAIL || (r->result == TEMPFAIL && has_expired(item, now));
}

static bool starts_with_digit(slice reply)
{
    return reply.n >= 3 && ascii_is_digit(reply.p[0]);
}

/* Bounces and delay notices, each a transaction of its own before the batch is closed. */
static void send_notices(struct queue *q, struct batch *b, struct batch_item *item, int64_t now)
{
    struct bounce notice = {.message = item->message,
                            .item = item->id,
                            .failed = true,
                            .item_state = ITEM_CLAIMED,
                            .remote_mta = b->remote_mta};
    bool late = !item->warned && now - item->created_ms >= q->options.warn_ms;
    for (int failed = 1; failed >= 0; failed--) {
        notice.failed = failed;
        notice.count = 0;
        notice.recipients =
            arena_array(&b->arena, item->recipient_count + 1, sizeof(*notice.recipients));
        for (size_t i = 0; i < item->recipient_count; i++) {
            struct batch_recipient *r = &item->recipients[i];
            bool up = gives_up(item, r, now);
            if (failed ? !up : up || r->result != TEMPFAIL || !late)
                continue;
            notice.recipients[notice.count++] = (struct bounce_recipient){
                .n = r->n,
                .address = r->to.address,
                .orcpt = r->to.orcpt,
                .notify = r->to.notify,
                .reply = r->reply,
                .remote = starts_with_digit(r->reply),
            };
        }
        if (notice.count == 0)
            continue;
        bool sent = bounce_send(q, &b->arena, &notice);
        for (size_t i = 0; i < item->recipient_count && failed; i++)
            if (gives_up(item, &item->recipients[i], now))
                item->recipients[i].result = sent ? PERMFAIL : TEMPFAIL;
        item->warned = item->warned || (!failed && sent);
    }
}

struct closing {
    struct queue *queue;
    struct destination *destination;
    struct batch *batch;
    int64_t next_due_ms; /* the earliest of what stays; INT64_MAX: nothing */
    int stays, gone;
};

/* 4yz for this message moves this message; a destination out of reach does not move its items. */
static int64_t due_after(const struct closing *c, const struct batch_item *item, bool tried,
                         int64_t now)
{
    if (c->batch->unreachable || !tried)
        return now;
    return now + queue_retry_after(c->queue, item->attempts + 1);
}

static void close_item(struct store_tx *tx, struct closing *c, struct batch_item *item)
{
    bool waits = false, tried = false;
    slice last = S("");
    for (size_t i = 0; i < item->recipient_count; i++) {
        struct batch_recipient *r = &item->recipients[i];
        if (r->result == DONE && r->account == 0)
            sql_exec(tx->db,
                     "UPDATE q_recipient SET state=?, reply=?, attempts=?, done_at=?"
                     " WHERE message=? AND n=? AND state=?",
                     "itiiiii", (int64_t)RECIPIENT_RELAYED, kept_reply(r->reply),
                     (int64_t)(item->attempts + 1), tx->now_ms, item->message, (int64_t)r->n,
                     (int64_t)RECIPIENT_WAITING);
        waits = waits || r->result == TEMPFAIL || r->result == WAIT;
        tried = tried || r->result == TEMPFAIL;
        if (r->result == TEMPFAIL) {
            last = kept_reply(r->reply);
            sql_exec(tx->db, "UPDATE q_recipient SET reply=?, attempts=? WHERE message=? AND n=?",
                     "tiii", last, (int64_t)(item->attempts + 1), item->message, (int64_t)r->n);
        }
    }
    if (!waits) {
        sql_exec(tx->db, "DELETE FROM q_item WHERE id=? AND state=?", "ii", item->id,
                 (int64_t)ITEM_CLAIMED);
        queue_finish_message(tx->db, item->message);
        c->gone++;
        return;
    }
    int64_t due = due_after(c, item, tried, tx->now_ms);
    /* Nothing happens to an item that recall has taken meanwhile: it has no row any more. */
    int n =
        sql_exec(tx->db,
                 "UPDATE q_item SET state=?, due=?, attempts=attempts+?, crashes=0, last_reply=?,"
                 " passed=CASE WHEN ? THEN ? ELSE passed END WHERE id=? AND state=?",
                 "iiitiiii", (int64_t)ITEM_DUE, due, (int64_t)tried, last,
                 (int64_t)item->maybe_sent, tx->now_ms, item->id, (int64_t)ITEM_CLAIMED);
    if (n > 0) {
        c->stays++;
        if (due < c->next_due_ms)
            c->next_due_ms = due;
    }
}

static enum outcome close_tx(struct store_tx *tx, void *arg)
{
    struct closing *c = arg;
    struct destination *d = c->destination;
    struct batch *b = c->batch;
    c->next_due_ms = INT64_MAX;
    c->stays = c->gone = 0;
    for (size_t i = 0; i < b->count; i++)
        close_item(tx, c, &b->items[i]);
    if (b->unreachable)
        sql_exec(
            tx->db,
            "INSERT OR REPLACE INTO q_destination(name,next_attempt,failures,last_reply,last_at)"
            " VALUES(?,?,?,?,?)",
            "tiiti", b->destination, d->next_attempt_ms, (int64_t)d->failures, kept_reply(b->reply),
            tx->now_ms);
    else if (d->failures)
        sql_exec(tx->db, "DELETE FROM q_destination WHERE name=?", "t", b->destination);
    return DONE;
}

/* The destination's back-off: one more failure in a row, or none. */
static void move_destination(struct queue *q, struct destination *d, const struct batch *b,
                             int64_t now)
{
    pthread_mutex_lock(&q->mutex);
    if (b->unreachable) {
        /* Several connections may fail at once: that is one failure. */
        if (d->next_attempt_ms <= now) {
            d->failures++;
            d->next_attempt_ms = now + queue_retry_after(q, d->failures);
        }
    } else {
        d->next_attempt_ms = 0;
    }
    pthread_mutex_unlock(&q->mutex);
}

static void settle_results(struct batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        struct batch_item *item = &b->items[i];
        for (size_t j = 0; j < item->recipient_count; j++) {
            struct batch_recipient *r = &item->recipients[j];
            if (b->unreachable && r->result == WAIT &&
                atomic_load(&item->claim.state) != CLAIM_RECALLED) {
                r->result = TEMPFAIL;
                r->reply = b->reply;
            }
            if (r->result == DONE && r->account == 0)
                metric_add(METRIC_DELIVERED_REMOTE, 1);
            if (r->result == TEMPFAIL)
                metric_add(METRIC_QUEUE_DEFERRED, 1);
        }
    }
}

static void forget(struct queue *q, struct batch *b)
{
    pthread_mutex_lock(&q->mutex);
    for (size_t i = 0; i < b->count; i++)
        map_remove(&q->claims, (slice){(const char *)&b->items[i].id, sizeof(int64_t)});
    pthread_mutex_unlock(&q->mutex);
}

void batch_close(struct queue *q, struct destination *d, struct batch *b)
{
    int64_t now = clock_ms();
    bool recalled = false;
    settle_results(b);
    move_destination(q, d, b, now);
    for (size_t i = 0; i < b->count; i++) {
        send_notices(q, b, &b->items[i], now);
        recalled = recalled || atomic_load(&b->items[i].claim.state) == CLAIM_RECALLED;
    }
    if (recalled) { /* let the recall finish: it deletes the item, or failed and leaves it to us */
        pthread_mutex_lock(&q->recall_mutex);
        pthread_mutex_unlock(&q->recall_mutex);
    }
    struct closing c = {.queue = q, .destination = d, .batch = b};
    struct store_call call = {.fn = close_tx, .arg = &c};
    /* What was sent must be written down, or it is sent again: try until the disk lets us, or we
     * stop. */
    while (store_write(q->options.store, &call) != DONE) {
        log_event(LEVEL_ERROR, "queue.close", "destination=%.*s what=%s", P(b->destination),
                  "results_cannot_be_written_retrying");
        struct timespec second = {.tv_sec = 1};
        nanosleep(&second, NULL);
        pthread_mutex_lock(&q->mutex);
        bool stop = q->stopping;
        pthread_mutex_unlock(&q->mutex);
        if (stop)
            break;
    }
    forget(q, b);
    metric_add(METRIC_QUEUE_ITEMS, -c.gone);
    if (c.stays)
        queue_due(q, b->destination, c.next_due_ms, c.stays);
    pthread_mutex_lock(&q->mutex);
    int failures = d->failures;
    if (!b->unreachable)
        d->failures = 0;
    pthread_mutex_unlock(&q->mutex);
    if (b->unreachable)
        bounce_sweep(q, b->destination, b->reply, failures);
    arena_end(&b->arena);
    mem_free(b);
}
