/*
 * The queue's core: opening, stop 6 (queue_commit), and what the other files share.
 *
 * Rows (store/schema.c): q_message is the message and its sender; q_item one destination that is
 * not finished (no row: finished); q_recipient everything that is known of a recipient, kept 30
 * days; q_destination the back-off.  Invariants: Q1 a q_item exists exactly while one of its
 * recipients is RECIPIENT_WAITING. Q2 a q_message has a body exactly while it has a q_item. Q3 a
 * claimed item in the rows has an entry in claims, or was left by a crash (queue_open closes it).
 *  Q4 destinations[d].earliest_due_ms <= the due time of every due item of d: a wake may be early
 * or in vain, never missing.
 */
#include "queue/queue.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "queue/internal.h"

#include "base/banned.h"

static const int64_t default_retry_ms[] = {5 * MINUTE_MS, 15 * MINUTE_MS, 30 * MINUTE_MS,
                                           1 * HOUR_MS,   2 * HOUR_MS,    4 * HOUR_MS};

slice destination_slice(const struct destination *d)
{
    return (slice){d->name, d->name_length};
}

struct destination *queue_destination(struct queue *q, slice name)
{
    struct destination *d = map_get(&q->destinations, name);
    if (d)
        return d;
    d = mem_alloc(sizeof(*d));
    d->name = mem_alloc(name.n + 1);
    memcpy(d->name, name.p, name.n);
    d->name_length = name.n;
    d->earliest_due_ms = INT64_MAX;
    map_set(&q->destinations, name, d);
    return d;
}

void queue_due(struct queue *q, slice destination, int64_t due_ms, int items)
{
    pthread_mutex_lock(&q->mutex);
    struct destination *d = queue_destination(q, destination);
    if (due_ms < d->earliest_due_ms)
        d->earliest_due_ms = due_ms;
    d->waiting += items;
    pthread_cond_signal(&q->wake);
    pthread_mutex_unlock(&q->mutex);
}

int64_t queue_retry_after(const struct queue *q, int failures)
{
    size_t i = failures > 0 ? (size_t)failures - 1 : 0;
    if (i >= q->options.retry_count)
        i = q->options.retry_count - 1;
    int64_t wait = q->options.retry_ms[i];
    /* Up to an eighth more, so that what failed together does not come back together. */
    return wait + (wait >= 8 ? (int64_t)rand_below((uint64_t)wait / 8) : 0);
}

void queue_finish_message(struct db *db, int64_t message)
{
    if (sql_number(db, 0, "SELECT 1 FROM q_item WHERE message=? LIMIT 1", "i", message) == 0)
        sql_exec(db, "UPDATE q_message SET body=0 WHERE id=?", "i", message);
}

/* ---- Opening ---- */

/* Attempts that a crash left open: a copy may have left, so recall says so (passed); three:
 * quarantine. */
static enum outcome close_open_attempts(struct store_tx *tx, void *arg)
{
    (void)arg;
    int n = sql_exec(tx->db,
                     "UPDATE q_item SET passed=due, due=?, crashes=crashes+1,"
                     " state=CASE WHEN crashes+1>=? THEN ? ELSE ? END WHERE state=?",
                     "iiiii", tx->now_ms, (int64_t)CRASHES_TO_QUARANTINE, (int64_t)ITEM_QUARANTINED,
                     (int64_t)ITEM_DUE, (int64_t)ITEM_CLAIMED);
    if (n > 0)
        log_event(LEVEL_WARNING, "queue.open", "attempts_cut_by_a_crash=%d", n);
    return DONE;
}

static bool load_destinations(struct queue *q)
{
    struct db *db = store_read(q->options.store);
    struct sql *r = sql_query(
        db, "SELECT destination, min(due), count(*) FROM q_item WHERE state=0 GROUP BY destination",
        "");
    int64_t items = 0;
    while (sql_row(r)) {
        struct destination *d = queue_destination(q, sql_bytes(r, 0));
        d->earliest_due_ms = sql_int(r, 1);
        d->waiting = (int)sql_int(r, 2);
        items += d->waiting;
    }
    r = sql_query(db, "SELECT name, next_attempt, failures FROM q_destination", "");
    while (sql_row(r)) {
        struct destination *d = queue_destination(q, sql_bytes(r, 0));
        d->next_attempt_ms = sql_int(r, 1);
        d->failures = (int)sql_int(r, 2);
    }
    bool good = !sql_failed(db);
    store_read_end(q->options.store, db);
    metric_set(METRIC_QUEUE_ITEMS, items);
    return good;
}

struct queue *queue_open(const struct queue_options *options)
{
    struct queue *q = mem_alloc(sizeof(*q));
    q->options = *options;
    if (!q->options.retry_ms) {
        q->options.retry_ms = default_retry_ms;
        q->options.retry_count = sizeof(default_retry_ms) / sizeof(default_retry_ms[0]);
    }
    if (!q->options.life_ms)
        q->options.life_ms = 5 * DAY_MS;
    if (!q->options.warn_ms)
        q->options.warn_ms = 4 * HOUR_MS;
    if (q->options.threads <= 0 || q->options.threads > LIMIT_DELIVERY_THREADS)
        q->options.threads = LIMIT_DELIVERY_THREADS;
    if (q->options.per_destination <= 0)
        q->options.per_destination = 20;
    if (q->options.per_claim <= 0 || q->options.per_claim > LIMIT_CLAIM)
        q->options.per_claim = LIMIT_CLAIM;
    pthread_mutex_init(&q->mutex, NULL);
    pthread_mutex_init(&q->recall_mutex, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&q->wake, NULL);
    pthread_cond_init(&q->work, &monotonic);
    pthread_cond_init(&q->quiet, &monotonic);
    pthread_condattr_destroy(&monotonic);
    struct store_call call = {.fn = close_open_attempts};
    if (store_write(q->options.store, &call) == DONE && load_destinations(q))
        return q;
    queue_close(q, 0); /* mail nobody knows of would wait for ever */
    return NULL;
}

void queue_run(struct queue *q)
{
    q->running = true;
    if (pthread_create(&q->scheduler, NULL, schedule_run, q) != 0) {
        log_event(LEVEL_ERROR, "queue.run", "cannot_start_a_thread=%s", strerror(errno));
        abort();
    }
}

void queue_close(struct queue *q, int64_t deadline_ms)
{
    int64_t until = clock_mono_ms() + deadline_ms;
    pthread_mutex_lock(&q->mutex);
    q->stopping = true;
    pthread_cond_broadcast(&q->wake);
    pthread_cond_broadcast(&q->work);
    bool join = q->running;
    pthread_mutex_unlock(&q->mutex);
    if (join)
        pthread_join(q->scheduler, NULL);
    pthread_mutex_lock(&q->mutex);
    struct timespec t = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};
    while (q->threads > 0 && pthread_cond_timedwait(&q->quiet, &q->mutex, &t) == 0)
        continue;
    bool left = q->threads > 0;
    pthread_mutex_unlock(&q->mutex);
    if (left) /* Their attempts stay open in the rows; the next start closes them. */
        return;
    slice name;
    void *value;
    for (size_t at = 0; map_next(&q->destinations, &at, &name, &value);) {
        struct destination *d = value;
        mem_free(d->name);
        mem_free(d);
    }
    map_end(&q->destinations);
    map_end(&q->claims);
    pthread_mutex_destroy(&q->mutex);
    pthread_mutex_destroy(&q->recall_mutex);
    pthread_cond_destroy(&q->wake);
    pthread_cond_destroy(&q->work);
    pthread_cond_destroy(&q->quiet);
    mem_free(q);
}

/* ---- Stop 6 ---- */

struct commit {
    struct queue *queue;
    struct queue_mail *mail;
    struct local_delivery local; /* when the item is born done */
    bool born_done;
    int64_t due_ms;
    int64_t first_copy; /* of a retransmission; 0: not known any more */
};

/* A retransmission: the first copy of these bytes for this target was committed in the last 3 days.
 */
static bool is_known(struct store_tx *tx, const struct queue_mail *m, const struct target *t)
{
    unsigned char id[32];
    if (!m->has_message_id)
        return false;
    delivery_id(t->address, m->envelope->sender, m->received_sha256, id);
    slice key = {(const char *)id, sizeof(id)};
    int64_t since = tx->now_ms - DEDUP_DAYS * DAY_MS;
    return delivery_find(tx->db, 0, key, since) ||
           (t->account && delivery_find(tx->db, t->account, key, since));
}

/* The id of the message whose retransmission this is, as the rows of its first target say; or 0. */
static int64_t first_copy(struct store_tx *tx, const struct queue_mail *m)
{
    const struct target *t = &m->targets[0];
    unsigned char id[32];
    delivery_id(t->address, m->envelope->sender, m->received_sha256, id);
    slice key = {(const char *)id, sizeof(id)};
    int64_t queued = sql_number(
        tx->db, 0, "SELECT message FROM delivery WHERE account=0 AND delivery_id=?", "b", key);
    return queued ? queued
                  : sql_number(tx->db, 0,
                               "SELECT m.queue_id FROM delivery d JOIN message m ON m.id=d.message"
                               " WHERE d.account=? AND d.delivery_id=?",
                               "ib", t->account, key);
}

static void insert_message(struct store_tx *tx, const struct commit *c)
{
    const struct queue_mail *m = c->mail;
    const struct envelope *e = m->envelope;
    int64_t body = c->born_done || !m->body ? 0 : m->body->id;
    sql_exec(
        tx->db,
        "INSERT INTO q_message(id,sender,envid,ret,created,expires,hold_until,body,size,prefix,"
        "subject,message_id,account,flags) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        "ittiiiiiibttii", m->id, e->sender, e->envid, (int64_t)e->ret, m->now_ms,
        c->due_ms + c->queue->options.life_ms, e->hold_until_ms, body,
        (int64_t)(m->prefix.n + m->body_bytes), c->born_done ? S("") : m->prefix,
        m->derived->subject, m->derived->message_id, e->account,
        (int64_t)(e->eight_bit ? MESSAGE_EIGHT_BIT : 0));
}

static void insert_recipient(struct store_tx *tx, const struct commit *c, int n, int64_t item,
                             const struct target *t)
{
    const struct local_delivery *d = &c->local;
    int64_t state = c->born_done ? RECIPIENT_DELIVERED : RECIPIENT_WAITING;
    sql_exec(tx->db,
             "INSERT INTO q_recipient(message,n,item,address,orcpt,notify,state,attempts,account,"
             "mailbox,uid,entry_message,done_at) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)",
             "iiittiiiiiiii", c->mail->id, (int64_t)n, item, t->address, t->orcpt,
             (int64_t)t->notify, state, (int64_t)(c->born_done ? 1 : 0), t->account,
             c->born_done ? d->mailbox : (int64_t)0, c->born_done ? (int64_t)d->uid : (int64_t)0,
             c->born_done ? d->message : (int64_t)0, c->born_done ? tx->now_ms : (int64_t)0);
}

/* What waits in the queue is known from now on; what is born done has its delivery row in its
 * mailbox. */
static void remember(struct store_tx *tx, const struct queue_mail *m, const struct target *t)
{
    unsigned char id[32];
    if (!m->has_message_id)
        return;
    delivery_id(t->address, m->envelope->sender, m->received_sha256, id);
    sql_exec(tx->db,
             "INSERT OR REPLACE INTO delivery(account,delivery_id,message,mailbox,uid,at)"
             " VALUES(0,?,?,0,0,?)",
             "bii", ((slice){(const char *)id, sizeof(id)}), m->id, tx->now_ms);
}

/* The item of a target's destination, made when it is the first target that goes there. */
static int64_t item_of(struct store_tx *tx, struct commit *c, size_t i)
{
    const struct target *t = &c->mail->targets[i];
    int64_t item = sql_number(tx->db, 0, "SELECT id FROM q_item WHERE message=? AND destination=?",
                              "it", c->mail->id, t->destination);
    if (item)
        return item;
    sql_exec(tx->db,
             "INSERT INTO q_item(message,destination,priority,due,epoch,attempts,crashes,state)"
             " VALUES(?,?,0,?,0,0,0,?)",
             "itii", c->mail->id, t->destination, c->due_ms, (int64_t)ITEM_DUE);
    return sql_number(tx->db, 0, "SELECT last_insert_rowid()", "");
}

static enum outcome deliver_now(struct store_tx *tx, struct commit *c, const struct target *t)
{
    struct queue_mail *m = c->mail;
    unsigned char id[32];
    delivery_id(t->address, m->envelope->sender, m->received_sha256, id);
    c->local = (struct local_delivery){
        .target = t,
        .sender = m->envelope->sender,
        .prefix = m->prefix,
        .body = m->body->id,
        .body_bytes = m->body_bytes,
        .derived = m->derived,
        .delivery_id = m->has_message_id ? (slice){(const char *)id, sizeof(id)} : S(""),
        .queue_id = m->id,
        .received_ms = m->now_ms,
    };
    enum outcome o = c->queue->options.deliverer.local(tx, &c->local);
    c->local.delivery_id = S("");
    m->reply = c->local.reply;
    return o;
}

static enum outcome commit_tx(struct store_tx *tx, void *arg)
{
    struct commit *c = arg;
    struct queue_mail *m = c->mail;
    const struct target *only = NULL;
    size_t left = 0;
    for (size_t i = 0; i < m->target_count; i++) {
        struct target *t = &m->targets[i];
        t->known = is_known(tx, m, t);
        if (!t->known) {
            only = t;
            left++;
        }
    }
    m->duplicate = left == 0 && m->target_count > 0;
    c->born_done = left == 1 && only->account && c->due_ms <= m->now_ms;
    if (m->also && m->also(tx, m->also_arg) != DONE)
        return TEMPFAIL;
    if (c->born_done) {
        enum outcome o = deliver_now(tx, c, only);
        if (o != DONE)
            return o;
        m->duplicate = c->local.duplicate;
    }
    if (m->duplicate)
        c->first_copy = first_copy(tx, m);
    if (m->duplicate || left == 0)
        return DONE;
    for (size_t i = 0; i < m->target_count; i++) {
        const struct target *t = &m->targets[i];
        if (t->known)
            continue;
        insert_recipient(tx, c, (int)i, c->born_done ? 0 : item_of(tx, c, i), t);
        if (!c->born_done)
            remember(tx, m, t);
    }
    insert_message(tx, c);
    return DONE;
}

/* Tells the scheduler about each destination once. */
static void announce(struct queue *q, const struct commit *c)
{
    const struct queue_mail *m = c->mail;
    for (size_t i = 0; i < m->target_count; i++) {
        bool first = !m->targets[i].known;
        for (size_t j = 0; j < i && first; j++)
            first = m->targets[j].known ||
                    !slice_eq(m->targets[j].destination, m->targets[i].destination);
        if (first) {
            queue_due(q, m->targets[i].destination, c->due_ms, 1);
            metric_add(METRIC_QUEUE_ITEMS, 1);
        }
    }
}

enum outcome queue_commit(struct queue *q, struct queue_mail *m)
{
    struct commit c = {.queue = q, .mail = m};
    c.due_ms = m->envelope->hold_until_ms > m->now_ms ? m->envelope->hold_until_ms : m->now_ms;
    struct store_call call = {
        .account = m->target_count == 1 ? m->targets[0].account : 0,
        .fn = commit_tx,
        .arg = &c,
        .body = m->body,
    };
    enum outcome o = store_write(q->options.store, &call);
    if (o != DONE)
        return o;
    if (m->duplicate) {
        m->id = c.first_copy ? c.first_copy : m->id;
        metric_add(METRIC_SMTP_DUPLICATES, 1);
        trace_stop(STOP_COMMIT, m->id, "retransmission=yes recipients=%zu", m->target_count);
        return DONE;
    }
    trace_stop(STOP_COMMIT, m->id, "from=<%.*s> recipients=%zu size=%llu state=%s",
               P(m->envelope->sender), m->target_count,
               (unsigned long long)(m->prefix.n + m->body_bytes),
               c.born_done            ? "done"
               : c.due_ms > m->now_ms ? "held"
                                      : "due");
    if (c.born_done) {
        trace_stop(STOP_SCHEDULE, m->id, "destination=local at once");
        if (q->options.deliverer.local_done)
            q->options.deliverer.local_done(&c.local);
    } else {
        announce(q, &c);
    }
    return DONE;
}
