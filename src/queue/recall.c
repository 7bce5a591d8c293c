/*
 * Recall: one verb, three stages.  Held or queued: the item is deleted.  Claimed by a delivery
 * thread: it is a race, decided by one compare-and-swap against point_of_no_return().  Delivered to
 * one of our own mailboxes: removed when neither seen nor fetched.  What this says is durable
 * before it is said.
 *
 *   what recall finds                       answer
 *   item due, held, quarantined             withdrawn  (tooLate when a crash left an attempt open)
 *   item claimed, point not passed          withdrawn
 *   item claimed, point passed              tooLate "under way"
 *   delivered, unread                       removed
 *   delivered, seen or fetched              tooLate "read" …
 *   relayed, bounced                        tooLate "handed to …", "returned"
 *   recalled before                         what it said before
 */
#include <assert.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "message/date.h"
#include "queue/internal.h"

#include "base/banned.h"

struct recalling {
    struct queue *queue;
    struct arena *arena; /* of the caller: results */
    int64_t message;
    bool found;
    size_t withdrawn_items;
    /* Claimed items: those whose claim we won may be withdrawn now. */
    int64_t *items; /* LIMIT_TARGETS of them, in the arena */
    bool *won;
    size_t item_count;
};

static void withdraw_item(struct store_tx *tx, struct recalling *r, int64_t item)
{
    sql_exec(tx->db,
             "UPDATE q_recipient SET state=?, done_at=? WHERE message=? AND item=? AND state=?",
             "iiiii", (int64_t)RECIPIENT_RECALLED, tx->now_ms, r->message, item,
             (int64_t)RECIPIENT_WAITING);
    sql_exec(tx->db, "DELETE FROM q_item WHERE id=?", "i", item);
    r->withdrawn_items++;
}

/* Withdraws everything that waits, and the claimed items whose race was won. */
static enum outcome withdraw_tx(struct store_tx *tx, void *arg)
{
    struct recalling *r = arg;
    int64_t *waiting = arena_array(tx->arena, LIMIT_TARGETS, sizeof(*waiting));
    size_t count = 0;
    r->withdrawn_items = 0;
    r->found = sql_number(tx->db, 0, "SELECT 1 FROM q_message WHERE id=?", "i", r->message) == 1;
    if (!r->found)
        return PERMFAIL;
    for (size_t i = 0; i < r->item_count; i++)
        if (r->won[i])
            withdraw_item(tx, r, r->items[i]);
    struct sql *rows = sql_query(tx->db,
                                 "SELECT id FROM q_item WHERE message=? AND state<>? AND"
                                 " passed=0 LIMIT ?",
                                 "iii", r->message, (int64_t)ITEM_CLAIMED, (int64_t)LIMIT_TARGETS);
    while (sql_row(rows) && count < LIMIT_TARGETS)
        waiting[count++] = sql_int(rows, 0);
    sql_end(rows);
    for (size_t i = 0; i < count; i++)
        withdraw_item(tx, r, waiting[i]);
    queue_finish_message(tx->db, r->message);
    return DONE;
}

/* An item of which an earlier attempt may have left a copy is not among them: nothing could be
 * promised. Tries to win the claims on the message's claimed items; true when one of them was not
 * to be found. */
static bool win_claims(struct queue *q, struct recalling *r)
{
    bool again = false;
    struct db *db = store_read(q->options.store);
    struct sql *rows =
        sql_query(db, "SELECT id FROM q_item WHERE message=? AND state=? AND passed=0 LIMIT ?",
                  "iii", r->message, (int64_t)ITEM_CLAIMED, (int64_t)LIMIT_TARGETS);
    r->item_count = 0;
    while (sql_row(rows) && r->item_count < LIMIT_TARGETS) {
        r->items[r->item_count] = sql_int(rows, 0);
        r->won[r->item_count++] = false;
    }
    sql_end(rows);
    store_read_end(q->options.store, db);
    pthread_mutex_lock(&q->mutex);
    for (size_t i = 0; i < r->item_count; i++) {
        struct claim *claim =
            map_get(&q->claims, (slice){(const char *)&r->items[i], sizeof(int64_t)});
        int open = CLAIM_OPEN;
        if (!claim)
            again = true; /* just claimed or just closed: its row says so soon */
        else
            r->won[i] = atomic_compare_exchange_strong(&claim->state, &open, CLAIM_RECALLED) ||
                        open == CLAIM_RECALLED;
    }
    pthread_mutex_unlock(&q->mutex);
    return again;
}

/* ---- Delivered to our own mailboxes ---- */

struct removing {
    int64_t account, message;
    slice reason;
    struct arena *arena;
};

static enum outcome remove_tx(struct store_tx *tx, void *arg)
{
    struct removing *m = arg;
    enum outcome o = mailbox_recall(tx, m->account, m->message, &m->reason);
    m->reason = arena_dup(m->arena, m->reason);
    if (o == DONE)
        sql_exec(
            tx->db,
            "UPDATE q_recipient SET state=?, done_at=? WHERE message=? AND account=? AND state=?",
            "iiiii", (int64_t)RECIPIENT_REMOVED, tx->now_ms, m->message, m->account,
            (int64_t)RECIPIENT_DELIVERED);
    return o;
}

static slice when_text(struct arena *a, int64_t at_ms)
{
    return date_print(a, at_ms, clock_zone_minutes(at_ms));
}

/* What the rows say of each recipient after the withdrawal. */
static enum outcome answer(struct queue *q, struct recalling *r, struct recall_row **rows,
                           size_t *count)
{
    struct arena *a = r->arena;
    size_t capacity = 0, n = 0;
    struct recall_row *list = NULL;
    struct removing *removals = NULL;
    size_t removal_capacity = 0;
    struct db *db = store_read(q->options.store);
    struct sql *s = sql_query(db,
                              "SELECT r.address, r.state, r.account, r.done_at, r.reply, i.state,"
                              " i.passed FROM q_recipient r LEFT JOIN q_item i ON i.id=r.item WHERE"
                              " r.message=? ORDER BY r.n",
                              "i", r->message);
    while (sql_row(s)) {
        slice at = when_text(a, sql_int(s, 3));
        list = arena_grow(a, list, n, &capacity, sizeof(*list));
        removals = arena_grow(a, removals, n, &removal_capacity, sizeof(*removals));
        removals[n] = (struct removing){.message = r->message, .arena = a};
        struct recall_row *row = &list[n];
        *row = (struct recall_row){.address = arena_dup(a, sql_bytes(s, 0)), .result = "tooLate"};
        switch ((enum recipient_state)sql_int(s, 1)) {
        case RECIPIENT_WAITING:
            row->reason = sql_int(s, 6) ? arena_printf(a, "a copy may have left at %.*s",
                                                       P(when_text(a, sql_int(s, 6))))
                                        : S("under way: it is being handed to the next server");
            break;
        case RECIPIENT_DELIVERED:
            removals[n].account = sql_int(s, 2);
            break;
        case RECIPIENT_RELAYED:
            row->reason = arena_printf(a, "accepted by the next server at %.*s: %.*s", P(at),
                                       P(sql_bytes(s, 4)));
            break;
        case RECIPIENT_BOUNCED:
            row->reason =
                arena_printf(a, "returned to the sender at %.*s: %.*s", P(at), P(sql_bytes(s, 4)));
            break;
        case RECIPIENT_RECALLED:
            row->result = "withdrawn";
            break;
        case RECIPIENT_REMOVED:
            row->result = "removed";
            break;
        }
        n++;
    }
    enum outcome o = sql_failed(db) ? TEMPFAIL : DONE;
    store_read_end(q->options.store, db);
    for (size_t i = 0; i < n && o != TEMPFAIL; i++) {
        struct removing *m = &removals[i];
        if (!m->account)
            continue;
        struct store_call call = {.account = m->account, .fn = remove_tx, .arg = m};
        o = store_write(q->options.store, &call);
        list[i].result = o == DONE ? "removed" : "tooLate";
        list[i].reason = o == DONE ? S("") : m->reason;
    }
    *rows = list;
    *count = n;
    return o == TEMPFAIL ? TEMPFAIL : DONE;
}

enum outcome queue_recall(struct queue *q, struct arena *a, int64_t id, struct recall_row **rows,
                          size_t *count)
{
    struct recalling r = {.queue = q, .arena = a, .message = id};
    struct store_call call = {.fn = withdraw_tx, .arg = &r};
    r.items = arena_array(a, LIMIT_TARGETS, sizeof(*r.items));
    r.won = arena_array(a, LIMIT_TARGETS, sizeof(*r.won));
    pthread_mutex_lock(&q->recall_mutex);
    enum outcome o = DONE;
    bool again = true;
    for (int i = 0; i < 1000 && o == DONE && again; i++) {
        again = win_claims(q, &r);
        o = store_write(q->options.store, &call);
        if (again) {
            struct timespec pause = {.tv_nsec = 1000000};
            nanosleep(&pause, NULL);
        }
    }
    if (o == DONE)
        o = answer(q, &r, rows, count);
    pthread_mutex_unlock(&q->recall_mutex);
    if (o != DONE)
        return o;
    char text[ID_TEXT];
    id_text(id, text);
    for (size_t i = 0; i < *count; i++) {
        if (!slice_eq(slice_c((*rows)[i].result), S("tooLate")))
            metric_add(METRIC_QUEUE_RECALLED, 1);
        log_event(LEVEL_INFO, "queue.recall", "msg=%.*s to=<%.*s> result=%s reason=%s", ID_TEXT,
                  text, P((*rows)[i].address), (*rows)[i].result, log_quote((*rows)[i].reason));
    }
    metric_add(METRIC_QUEUE_ITEMS, -(int64_t)r.withdrawn_items);
    return DONE;
}
