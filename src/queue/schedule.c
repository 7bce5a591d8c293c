/*
 * Stop 7: which destination's turn it is, and the delivery threads.  A destination is ready when
 * its back-off and its earliest item are past, its route has gathered enough, and it has a
 * connection to spare.  One scheduler thread decides; each job is one straight blocking function on
 * a delivery thread that claims, delivers and closes until nothing of the destination is due.
 */
#include <assert.h>
#include <errno.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "queue/internal.h"

#include "base/banned.h"

enum { IDLE_THREAD_MS = 10000, ITEMS_PER_CONNECTION = 8 };

/* How many connections a destination may have now: one, and one more for each few items that wait.
 */
static int connections_allowed(const struct queue *q, const struct destination *d)
{
    int n = 1 + d->waiting / ITEMS_PER_CONNECTION;
    if (d->failures)
        n = 1;
    return n < q->options.per_destination ? n : q->options.per_destination;
}

/* When the destination may be worked on next; INT64_MAX: not before something new comes. */
static int64_t ready_at(const struct queue *q, const struct destination *d)
{
    if (d->earliest_due_ms == INT64_MAX || d->active >= connections_allowed(q, d))
        return INT64_MAX;
    int64_t at = d->earliest_due_ms;
    if (d->gather_ms && !(d->gather_count && d->waiting >= d->gather_count))
        at += d->gather_ms;
    return at > d->next_attempt_ms ? at : d->next_attempt_ms;
}

/* ---- Claiming ---- */

struct claiming {
    struct queue *queue;
    struct destination *destination;
    struct batch *batch;
    int64_t limit;
};

static void read_recipients(struct db *db, struct batch *b, struct batch_item *item)
{
    struct arena *a = &b->arena;
    size_t capacity = 0;
    struct sql *r = sql_query(db,
                              "SELECT n,address,orcpt,notify,account FROM q_recipient"
                              " WHERE message=? AND item=? AND state=? ORDER BY n",
                              "iii", item->message, item->id, (int64_t)RECIPIENT_WAITING);
    while (sql_row(r)) {
        item->recipients = arena_grow(a, item->recipients, item->recipient_count, &capacity,
                                      sizeof(*item->recipients));
        item->recipients[item->recipient_count++] = (struct batch_recipient){
            .n = (int)sql_int(r, 0),
            .to = {.address = arena_dup(a, sql_bytes(r, 1)),
                   .orcpt = arena_dup(a, sql_bytes(r, 2)),
                   .notify = (unsigned)sql_int(r, 3)},
            .account = sql_int(r, 4),
            .result = WAIT,
        };
    }
    item->envelope.recipient_count = item->recipient_count;
    item->envelope.recipients =
        arena_array(a, item->recipient_count + 1, sizeof(*item->envelope.recipients));
    for (size_t i = 0; i < item->recipient_count; i++)
        item->envelope.recipients[i] = item->recipients[i].to;
}

static void read_items(struct store_tx *tx, struct claiming *c)
{
    struct batch *b = c->batch;
    struct arena *a = &b->arena;
    struct sql *r = sql_query(
        tx->db,
        "SELECT i.id,i.message,i.attempts,m.sender,m.envid,m.ret,m.flags,m.prefix,m.body,m.size,"
        "m.created,m.expires FROM q_item i JOIN q_message m ON m.id=i.message"
        " WHERE i.destination=? AND i.state=0 AND i.due<=? ORDER BY i.priority, i.due LIMIT ?",
        "tii", b->destination, tx->now_ms, c->limit);
    while (sql_row(r) && b->count < (size_t)c->limit) {
        struct batch_item *item = &b->items[b->count++];
        item->id = item->claim.item = sql_int(r, 0);
        item->message = sql_int(r, 1);
        item->attempts = (int)sql_int(r, 2);
        item->envelope.sender = arena_dup(a, sql_bytes(r, 3));
        item->envelope.envid = arena_dup(a, sql_bytes(r, 4));
        item->envelope.ret = (enum dsn_ret)sql_int(r, 5);
        item->envelope.eight_bit = (sql_int(r, 6) & MESSAGE_EIGHT_BIT) != 0;
        item->warned = (sql_int(r, 6) & MESSAGE_WARNED) != 0;
        item->prefix = arena_dup(a, sql_bytes(r, 7));
        item->body = sql_int(r, 8);
        item->body_bytes = (uint64_t)sql_int(r, 9) - item->prefix.n;
        item->created_ms = sql_int(r, 10);
        item->expires_ms = sql_int(r, 11);
    }
    sql_end(r);
}

/*
 * The claim and what it means in memory happen at the same point of the writer's order: a commit
 * that comes later also calls queue_due() later, so no wake is lost (Q4), and recall finds every
 * claim (Q3).
 */
static enum outcome claim_tx(struct store_tx *tx, void *arg)
{
    struct claiming *c = arg;
    struct queue *q = c->queue;
    struct batch *b = c->batch;
    arena_reset(&b->arena);
    b->count = 0;
    b->items = arena_array(&b->arena, (size_t)c->limit, sizeof(*b->items));
    read_items(tx, c);
    for (size_t i = 0; i < b->count; i++) {
        read_recipients(tx->db, b, &b->items[i]);
        body_find(tx->db, b->items[i].body, &b->items[i].place);
        sql_exec(tx->db, "UPDATE q_item SET state=?, due=?, epoch=epoch+1 WHERE id=?", "iii",
                 (int64_t)ITEM_CLAIMED, tx->now_ms, b->items[i].id);
    }
    int64_t next = sql_number(tx->db, INT64_MAX,
                              "SELECT due FROM q_item WHERE destination=? AND state=0"
                              " ORDER BY priority, due LIMIT 1",
                              "t", b->destination);
    pthread_mutex_lock(&q->mutex);
    for (size_t i = 0; i < b->count; i++)
        map_set(&q->claims, (slice){(const char *)&b->items[i].id, sizeof(int64_t)},
                &b->items[i].claim);
    c->destination->earliest_due_ms = next;
    c->destination->waiting -= (int)b->count;
    if (next == INT64_MAX || c->destination->waiting < 0)
        c->destination->waiting = 0;
    pthread_mutex_unlock(&q->mutex);
    return DONE;
}

static void forget_claims(struct queue *q, const struct batch *b)
{
    pthread_mutex_lock(&q->mutex);
    for (size_t i = 0; i < b->count; i++)
        map_remove(&q->claims, (slice){(const char *)&b->items[i].id, sizeof(int64_t)});
    pthread_mutex_unlock(&q->mutex);
}

struct batch *schedule_claim(struct queue *q, struct destination *d)
{
    struct batch *b = mem_alloc(sizeof(*b));
    b->store = q->options.store;
    b->destination = destination_slice(d);
    pthread_mutex_lock(&q->mutex);
    int share = d->waiting / connections_allowed(q, d) + 1;
    pthread_mutex_unlock(&q->mutex);
    struct claiming c = {.queue = q, .destination = d, .batch = b};
    c.limit = share < q->options.per_claim ? share : q->options.per_claim;
    struct store_call call = {.fn = claim_tx, .arg = &c};
    enum outcome o = store_write(q->options.store, &call);
    if (o != DONE) {
        forget_claims(q, b);
        queue_due(q, b->destination, clock_ms() + SECOND_MS, (int)b->count);
        b->count = 0;
    }
    if (b->count == 0) {
        arena_end(&b->arena);
        mem_free(b);
        return NULL;
    }
    metric_add(METRIC_QUEUE_ATTEMPTS, (int64_t)b->count);
    for (size_t i = 0; i < b->count; i++)
        trace_stop(STOP_SCHEDULE, b->items[i].message, "destination=%.*s attempt=%d batch=%zu",
                   P(b->destination), b->items[i].attempts + 1, b->count);
    return b;
}

/* ---- Threads ---- */

/* Everything of one destination that is due, one batch after the other. */
static void deliver_all(struct queue *q, struct destination *d)
{
    bool more = true;
    while (more) {
        struct batch *b = schedule_claim(q, d);
        if (!b)
            return;
        q->options.deliverer.deliver(q->options.deliverer.ctx, b);
        batch_close(q, d, b);
        pthread_mutex_lock(&q->mutex);
        more = !q->stopping && d->next_attempt_ms <= clock_ms() && d->earliest_due_ms <= clock_ms();
        pthread_mutex_unlock(&q->mutex);
    }
}

void *schedule_deliver(void *queue)
{
    struct queue *q = queue;
    pthread_mutex_lock(&q->mutex);
    for (;;) {
        while (q->ready_count == 0 && !q->stopping) {
            struct timespec until;
            clock_gettime(CLOCK_MONOTONIC, &until);
            until.tv_sec += IDLE_THREAD_MS / 1000;
            q->idle++;
            int r = pthread_cond_timedwait(&q->work, &q->mutex, &until);
            q->idle--;
            if (r == ETIMEDOUT && q->ready_count == 0)
                break;
        }
        if (q->ready_count == 0 || q->stopping)
            break;
        struct destination *d = q->ready[q->ready_at];
        q->ready_at = (q->ready_at + 1) % LIMIT_DELIVERY_THREADS;
        q->ready_count--;
        q->busy++;
        pthread_mutex_unlock(&q->mutex);
        deliver_all(q, d);
        pthread_mutex_lock(&q->mutex);
        q->busy--;
        d->active--;
        pthread_cond_signal(&q->wake);
    }
    pthread_mutex_unlock(&q->mutex);
    if (q->options.deliverer.idle)
        q->options.deliverer.idle(q->options.deliverer.ctx);
    pthread_mutex_lock(&q->mutex);
    q->threads--;
    pthread_cond_broadcast(&q->quiet);
    pthread_mutex_unlock(&q->mutex);
    return NULL;
}

/* Hands a job to an idle thread or a new one; the mutex is held. */
static void start_job(struct queue *q, struct destination *d)
{
    q->ready[(q->ready_at + q->ready_count++) % LIMIT_DELIVERY_THREADS] = d;
    d->active++;
    if (q->idle >= (int)q->ready_count) {
        pthread_cond_signal(&q->work);
        return;
    }
    pthread_t t;
    if (q->threads < q->options.threads && pthread_create(&t, NULL, schedule_deliver, q) == 0) {
        pthread_detach(t);
        q->threads++;
    }
    pthread_cond_signal(&q->work);
}

/* Starts what is ready; returns when something will be (wall clock), INT64_MAX: only after a wake.
 */
static int64_t start_ready(struct queue *q)
{
    int64_t now = clock_ms(), next = INT64_MAX;
    slice name;
    void *value;
    for (size_t at = 0; map_next(&q->destinations, &at, &name, &value);) {
        struct destination *d = value;
        if (!d->gather_known && q->options.deliverer.gather) {
            q->options.deliverer.gather(q->options.deliverer.ctx, name, &d->gather_ms,
                                        &d->gather_count);
            d->gather_known = true;
        }
        while (ready_at(q, d) <= now && q->busy + (int)q->ready_count < q->options.threads)
            start_job(q, d);
        int64_t when = ready_at(q, d);
        if (when < next)
            next = when > now ? when : now + 10;
    }
    return next;
}

void *schedule_run(void *queue)
{
    struct queue *q = queue;
    int64_t purge_at = clock_mono_ms() + MINUTE_MS;
    pthread_mutex_lock(&q->mutex);
    while (!q->stopping) {
        int64_t next = start_ready(q);
        if (clock_mono_ms() >= purge_at) {
            pthread_mutex_unlock(&q->mutex);
            queue_purge(q);
            pthread_mutex_lock(&q->mutex);
            purge_at = clock_mono_ms() + HOUR_MS;
            continue;
        }
        int64_t latest = clock_ms() + MINUTE_MS; /* the clock may have been set */
        if (next > latest)
            next = latest;
        struct timespec until = {.tv_sec = next / 1000, .tv_nsec = next % 1000 * 1000000};
        pthread_cond_timedwait(&q->wake, &q->mutex, &until);
    }
    pthread_mutex_unlock(&q->mutex);
    return NULL;
}
