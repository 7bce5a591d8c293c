/*
 * The queue for people: list and show, hold, release, retry, and the purge of what is long
 * finished. All of it is rows; the scheduler is only told what became due.
 */
#include <assert.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "queue/internal.h"

#include "base/banned.h"

const char *queue_state_name(enum queue_state s)
{
    static const char *const names[] = {
        [QUEUE_HELD] = "held",
        [QUEUE_DUE] = "due",
        [QUEUE_CLAIMED] = "claimed",
        [QUEUE_DEFERRED] = "deferred",
        [QUEUE_QUARANTINED] = "quarantined",
        [QUEUE_DONE] = "done",
    };
    return names[s];
}

static const char *const recipient_names[] = {
    [RECIPIENT_WAITING] = "waiting",   [RECIPIENT_DELIVERED] = "delivered",
    [RECIPIENT_RELAYED] = "relayed",   [RECIPIENT_BOUNCED] = "bounced",
    [RECIPIENT_RECALLED] = "recalled", [RECIPIENT_REMOVED] = "removed",
};

/* ---- List ---- */

/* The message's state is that of the item that needs most attention. */
static void read_items(struct db *db, struct queue_row *row, int64_t hold_until)
{
    static const enum queue_state by_need[] = {QUEUE_QUARANTINED, QUEUE_HELD, QUEUE_CLAIMED,
                                               QUEUE_DEFERRED, QUEUE_DUE};
    bool seen[QUEUE_DONE + 1] = {false};
    int64_t now = clock_ms();
    struct sql *r = sql_query(db,
                              "SELECT i.state, i.due, i.attempts, coalesce(d.next_attempt,0),"
                              " coalesce(d.failures,0) FROM q_item i LEFT JOIN q_destination d ON"
                              " d.name=i.destination WHERE i.message=?",
                              "i", row->id);
    while (sql_row(r)) {
        enum item_state state = (enum item_state)sql_int(r, 0);
        int64_t due = sql_int(r, 1) > sql_int(r, 3) ? sql_int(r, 1) : sql_int(r, 3);
        bool failed = sql_int(r, 2) > 0 || sql_int(r, 4) > 0;
        enum queue_state s = state == ITEM_HELD          ? QUEUE_HELD
                             : state == ITEM_CLAIMED     ? QUEUE_CLAIMED
                             : state == ITEM_QUARANTINED ? QUEUE_QUARANTINED
                             : hold_until > now          ? QUEUE_HELD
                             : failed && due > now       ? QUEUE_DEFERRED
                                                         : QUEUE_DUE;
        seen[s] = true;
        if ((state == ITEM_DUE || state == ITEM_CLAIMED) && (!row->due_ms || due < row->due_ms))
            row->due_ms = due;
    }
    row->state = QUEUE_DONE;
    for (size_t i = sizeof(by_need) / sizeof(by_need[0]); i-- > 0;)
        if (seen[by_need[i]])
            row->state = by_need[i];
}

static bool domain_matches(slice address, slice domain)
{
    ptrdiff_t at = slice_rfind(address, '@');
    return at >= 0 && slice_eq_icase(slice_skip(address, (size_t)at + 1), domain);
}

/* The recipients of a message; false when the filter's domain is none of theirs. */
static bool read_recipients(struct db *db, struct arena *a, const struct queue_filter *f,
                            struct queue_row *row)
{
    bool match = f->domain.n == 0;
    size_t capacity = 0;
    struct sql *r =
        sql_query(db,
                  "SELECT r.address, r.state, coalesce(i.attempts, r.attempts),"
                  " coalesce(r.reply, d.last_reply, '') FROM q_recipient r LEFT JOIN q_item"
                  " i ON i.id=r.item LEFT JOIN q_destination d ON d.name=i.destination"
                  " WHERE r.message=? ORDER BY r.n",
                  "i", row->id);
    while (sql_row(r)) {
        row->recipients = arena_grow(a, row->recipients, row->recipient_count, &capacity,
                                     sizeof(*row->recipients));
        struct queue_row_recipient *x = &row->recipients[row->recipient_count++];
        x->address = arena_dup(a, sql_bytes(r, 0));
        x->state = recipient_names[sql_int(r, 1)];
        x->attempts = (int)sql_int(r, 2);
        x->last_reply = arena_dup(a, sql_bytes(r, 3));
        match = match || domain_matches(x->address, f->domain);
    }
    return match;
}

/* The ids that may match, oldest first, so that no read lasts longer than one message's printing.
 */
static int64_t *matching_ids(struct queue *q, struct arena *a, const struct queue_filter *f,
                             size_t *count)
{
    int64_t *ids = NULL;
    size_t capacity = 0, n = 0;
    struct db *db = store_read(q->options.store);
    struct sql *r = f->id ? sql_query(db, "SELECT id FROM q_message WHERE id=?", "i", f->id)
                    : f->sender.n
                        ? sql_query(db,
                                    "SELECT DISTINCT i.message FROM q_item i JOIN q_message m ON"
                                    " m.id=i.message WHERE m.sender=? COLLATE NOCASE ORDER BY 1",
                                    "t", f->sender)
                        : sql_query(db, "SELECT DISTINCT message FROM q_item ORDER BY 1", "");
    while (sql_row(r)) {
        ids = arena_grow(a, ids, n, &capacity, sizeof(*ids));
        ids[n++] = sql_int(r, 0);
    }
    store_read_end(q->options.store, db);
    *count = n;
    return ids;
}

static bool read_row(struct queue *q, struct arena *a, const struct queue_filter *f, int64_t id,
                     struct queue_row *row)
{
    struct db *db = store_read(q->options.store);
    struct sql *r = sql_query(
        db, "SELECT sender,subject,size,created,hold_until FROM q_message WHERE id=?", "i", id);
    bool found = sql_row(r);
    *row = (struct queue_row){.id = id};
    if (found) {
        row->sender = arena_dup(a, sql_bytes(r, 0));
        row->subject = arena_dup(a, sql_bytes(r, 1));
        row->size = (uint64_t)sql_int(r, 2);
        row->created_ms = sql_int(r, 3);
        int64_t hold_until = sql_int(r, 4);
        sql_end(r);
        read_items(db, row, hold_until);
        found = read_recipients(db, a, f, row);
    } else {
        sql_end(r);
    }
    store_read_end(q->options.store, db);
    return found;
}

size_t queue_list(struct queue *q, const struct queue_filter *f,
                  void (*fn)(void *ctx, const struct queue_row *row), void *ctx)
{
    struct arena ids = {0}, a = {0};
    size_t count, listed = 0;
    int64_t *id = matching_ids(q, &ids, f, &count);
    for (size_t i = 0; i < count; i++) {
        struct queue_row row;
        if (read_row(q, &a, f, id[i], &row)) {
            if (fn)
                fn(ctx, &row);
            listed++;
        }
        arena_reset(&a);
    }
    arena_end(&a);
    arena_end(&ids);
    return listed;
}

/* ---- Hold, release, retry ---- */

struct change {
    int64_t message;
    enum { CHANGE_HOLD, CHANGE_RELEASE, CHANGE_RETRY } what;
    int changed;
};

/*
 * Hold takes what waits out of the schedule; release puts what is held (by us, by its sender's wish
 * or by quarantine) into it at once; retry only moves what is deferred: a mail held by its sender's
 * wish is never released early by accident (RFC 4865 4.2).
 */
static enum outcome change_tx(struct store_tx *tx, void *arg)
{
    struct change *c = arg;
    if (c->what == CHANGE_HOLD) {
        c->changed = sql_exec(tx->db, "UPDATE q_item SET state=? WHERE message=? AND state=?",
                              "iii", (int64_t)ITEM_HELD, c->message, (int64_t)ITEM_DUE);
        return DONE;
    }
    if (c->what == CHANGE_RELEASE) {
        c->changed = sql_exec(
            tx->db,
            "UPDATE q_item SET state=?, due=?, crashes=0 WHERE message=? AND (state IN (?,?)"
            " OR (state=? AND due>?))",
            "iiiiiii", (int64_t)ITEM_DUE, tx->now_ms, c->message, (int64_t)ITEM_HELD,
            (int64_t)ITEM_QUARANTINED, (int64_t)ITEM_DUE, tx->now_ms);
        sql_exec(tx->db, "UPDATE q_message SET hold_until=0 WHERE id=?", "i", c->message);
        return DONE;
    }
    c->changed =
        sql_exec(tx->db,
                 "UPDATE q_item SET due=? WHERE message=? AND state=? AND NOT EXISTS(SELECT 1"
                 " FROM q_message m WHERE m.id=q_item.message AND m.hold_until>?)",
                 "iiii", tx->now_ms, c->message, (int64_t)ITEM_DUE, tx->now_ms);
    sql_exec(
        tx->db,
        "DELETE FROM q_destination WHERE name IN (SELECT destination FROM q_item WHERE message=?)",
        "i", c->message);
    return DONE;
}

/* What a change made due: the scheduler looks at the message's destinations again, back-off
 * forgotten. */
static void reschedule(struct queue *q, int64_t message, bool forget_backoff)
{
    struct arena a = {0};
    size_t n = 0, capacity = 0;
    slice *names = NULL;
    struct db *db = store_read(q->options.store);
    struct sql *r = sql_query(db, "SELECT destination FROM q_item WHERE message=? AND state=?",
                              "ii", message, (int64_t)ITEM_DUE);
    while (sql_row(r)) {
        names = arena_grow(&a, names, n, &capacity, sizeof(*names));
        names[n++] = arena_dup(&a, sql_bytes(r, 0));
    }
    store_read_end(q->options.store, db);
    for (size_t i = 0; i < n; i++) {
        if (forget_backoff) {
            pthread_mutex_lock(&q->mutex);
            queue_destination(q, names[i])->next_attempt_ms = 0;
            pthread_mutex_unlock(&q->mutex);
        }
        queue_due(q, names[i], clock_ms(), 1);
    }
    arena_end(&a);
}

struct changing {
    struct queue *queue;
    struct change change;
    int messages;
};

static void change_row(void *ctx, const struct queue_row *row)
{
    struct changing *c = ctx;
    c->change.message = row->id;
    c->change.changed = 0;
    struct store_call call = {.fn = change_tx, .arg = &c->change};
    if (store_write(c->queue->options.store, &call) != DONE) {
        c->messages = -1;
        return;
    }
    if (c->change.changed > 0 && c->messages >= 0)
        c->messages++;
    if (c->change.changed > 0 && c->change.what != CHANGE_HOLD)
        reschedule(c->queue, row->id, c->change.what == CHANGE_RETRY);
}

static int change_all(struct queue *q, const struct queue_filter *f, struct change what)
{
    struct changing c = {.queue = q, .change = what};
    queue_list(q, f, change_row, &c);
    return c.messages;
}

int queue_hold(struct queue *q, const struct queue_filter *f)
{
    return change_all(q, f, (struct change){.what = CHANGE_HOLD});
}

int queue_release(struct queue *q, const struct queue_filter *f)
{
    return change_all(q, f, (struct change){.what = CHANGE_RELEASE});
}

int queue_retry(struct queue *q, const struct queue_filter *f)
{
    return change_all(q, f, (struct change){.what = CHANGE_RETRY});
}

void queue_routes_changed(struct queue *q)
{
    slice name;
    void *value;
    pthread_mutex_lock(&q->mutex);
    for (size_t at = 0; map_next(&q->destinations, &at, &name, &value);)
        ((struct destination *)value)->gather_known = false;
    pthread_cond_signal(&q->wake);
    pthread_mutex_unlock(&q->mutex);
}

/* ---- Purge ---- */

enum { PURGE_STEP = 1000 };

/* Ids begin with their time (base/rand.h), so "older than" is one comparison. */
static enum outcome purge_tx(struct store_tx *tx, void *arg)
{
    int64_t oldest = (tx->now_ms - QUEUE_KEEP_DAYS * DAY_MS) << 21;
    int *purged = arg;
    sql_exec(tx->db,
             "DELETE FROM q_recipient WHERE message IN (SELECT id FROM q_message WHERE id<? AND NOT"
             " EXISTS(SELECT 1 FROM q_item WHERE q_item.message=q_message.id) ORDER BY id LIMIT ?)",
             "ii", oldest, (int64_t)PURGE_STEP);
    *purged =
        sql_exec(tx->db,
                 "DELETE FROM q_message WHERE id IN (SELECT id FROM q_message WHERE id<? AND NOT"
                 " EXISTS(SELECT 1 FROM q_item WHERE q_item.message=q_message.id) ORDER BY id"
                 " LIMIT ?)",
                 "ii", oldest, (int64_t)PURGE_STEP);
    return DONE;
}

void queue_purge(struct queue *q)
{
    int purged = 0;
    struct store_call call = {.fn = purge_tx, .arg = &purged, .bulk = true};
    do
        if (store_write(q->options.store, &call) != DONE)
            break;
    while (purged == PURGE_STEP && !q->stopping);
}
