/*
 * The purger: what retention has let go of is removed here and nowhere else.
 *
 * Invariants
 *   P1  A message goes only when no entry, no tombstone within retention and no held view has it.
 *   P2  A body goes only when no message and no queued message has it.
 *   P3  A step touches at most LIMIT_STEP entries; between two steps other calls run.
 *   P4  change_floor rises before the first change above it is missing.
 *   P5  What leaves Recoverable first becomes a hidden tombstone, so that P1 holds for who looks at
 *       it there.
 *   P6  Every entry of Recoverable lies in the uids of a tombstone, which says when it goes.
 * Each step is a function run by store_write until it has nothing more to do.
 */
#include "base/clock.h"
#include "base/log.h"
#include "store/entries.h"
#include "store/internal.h"

#include "base/banned.h"

struct purge {
    int64_t before;  /* rows older than this go */
    int64_t expired; /* hidden ones whose retention has passed: older than this */
    int64_t account; /* cursor of the step over accounts */
    size_t did;      /* rows this step removed; 0: finished */
    int64_t total;
};

/* One holder of the message lets go; with the last one it is gone. */
static void message_let_go(struct store_tx *tx, int64_t message)
{
    if (sql_exec(tx->db, "UPDATE copy SET extra = extra - 1 WHERE message = ?", "i", message) > 0) {
        sql_exec(tx->db, "DELETE FROM copy WHERE message = ? AND extra <= 0", "i", message);
        return;
    }
    sql_exec(tx->db, "DELETE FROM message WHERE id = ?", "i", message);
    sql_exec(tx->db, "DELETE FROM fetched WHERE message = ?", "i", message);
}

static size_t chunk_let_go(struct store_tx *tx, slice data)
{
    struct chunk *c = chunk_open(data, 0);
    size_t n = c ? c->count : 0;
    if (c)
        for (struct chunk_reader r = chunk_read(c); chunk_next(&r);)
            message_let_go(tx, r.e.message);
    chunk_release(c);
    return n;
}

/* A hidden tombstone and its messages. */
static enum outcome purge_tombstone(struct store_tx *tx, void *arg)
{
    struct purge *p = arg;
    struct sql *q = sql_query(tx->db,
                              "SELECT id, data FROM tombstone WHERE first = 0 AND"
                              " at < max(?1, ?2) AND (at < ?1 OR expired = 1 AND at < ?2)"
                              " ORDER BY at LIMIT 1",
                              "ii", p->before, p->expired);
    p->did = 0;
    if (sql_row(q)) {
        int64_t id = sql_int(q, 0);
        slice data = arena_dup(tx->arena, sql_bytes(q, 1));
        sql_end(q);
        p->did = 1 + chunk_let_go(tx, data);
        sql_exec(tx->db, "DELETE FROM tombstone WHERE id = ?", "i", id);
    }
    sql_end(q);
    return sql_failed(tx->db) ? TEMPFAIL : DONE;
}

/* Entries whose time in Recoverable is over, at most LIMIT_STEP of one expunge (P3, P5). */
static enum outcome purge_recoverable(struct store_tx *tx, void *arg)
{
    struct purge *p = arg;
    uint32_t uids[LIMIT_STEP];
    size_t count = 0;
    p->did = 0;
    struct sql *q = sql_query(tx->db,
                              "SELECT id, account, first, last FROM tombstone WHERE first > 0 AND"
                              " at < ? ORDER BY at LIMIT 1",
                              "i", p->before);
    if (!sql_row(q))
        return sql_failed(tx->db) ? TEMPFAIL : DONE;
    int64_t id = sql_int(q, 0), account = sql_int(q, 1), next = sql_int(q, 2), last = sql_int(q, 3);
    sql_end(q);
    while (count < LIMIT_STEP && next <= last)
        uids[count++] = (uint32_t)next++;
    struct burying b = {.account = account, .uids = uids, .count = count, .how = BURIAL_EXPIRED};
    b.mailbox = mailbox_by_role(tx->db, account, ROLE_RECOVERABLE);
    enum outcome o = entries_bury(tx, &b);
    if (o == TEMPFAIL)
        return o;
    if (o == PERMFAIL || next > last) /* or the account is gone */
        sql_exec(tx->db, "DELETE FROM tombstone WHERE id = ?", "i", id);
    else
        sql_exec(tx->db, "UPDATE tombstone SET first = ? WHERE id = ?", "ii", next, id);
    p->did = count;
    return sql_failed(tx->db) ? TEMPFAIL : DONE;
}

/* Ids rise with time, so the oldest LIMIT_STEP rows are all that need a look. */
static enum outcome purge_delivery(struct store_tx *tx, void *arg)
{
    struct purge *p = arg;
    int n = sql_exec(tx->db,
                     "DELETE FROM delivery WHERE at < ? AND id IN"
                     " (SELECT id FROM delivery ORDER BY id LIMIT ?)",
                     "ii", p->before, (int64_t)LIMIT_STEP);
    p->did = n > 0 ? (size_t)n : 0;
    return n < 0 ? TEMPFAIL : DONE;
}

static enum outcome purge_change(struct store_tx *tx, void *arg)
{
    struct purge *p = arg;
    p->did = 0;
    int64_t next =
        sql_number(tx->db, 0, "SELECT min(account) FROM change WHERE account > ?", "i", p->account);
    if (!next)
        return sql_failed(tx->db) ? TEMPFAIL : DONE;
    p->account = next;
    p->did = 1;
    int64_t floor = sql_number(tx->db, 0,
                               "SELECT max(modseq) FROM (SELECT modseq FROM change WHERE account ="
                               " ?1 AND at < ?2 ORDER BY modseq LIMIT ?3)",
                               "iii", next, p->before, (int64_t)LIMIT_STEP);
    if (!floor)
        return sql_failed(tx->db) ? TEMPFAIL : DONE;
    sql_exec(tx->db, "UPDATE account SET change_floor = max(change_floor, ?) WHERE id = ?", "ii",
             floor, next);
    sql_exec(tx->db, "DELETE FROM change WHERE account = ? AND modseq <= ?", "ii", next, floor);
    p->account = next - 1; /* once more: there may be others left */
    return sql_failed(tx->db) ? TEMPFAIL : DONE;
}

/* Accounts removed longer ago than retention: their entries, then their mailboxes. */
static enum outcome purge_account(struct store_tx *tx, void *arg)
{
    struct purge *p = arg;
    p->did = 0;
    int64_t account = sql_number(tx->db, 0, "SELECT account FROM account_gone WHERE at < ? LIMIT 1",
                                 "i", p->before);
    if (!account)
        return sql_failed(tx->db) ? TEMPFAIL : DONE;
    p->did = 1;
    struct sql *q = sql_query(tx->db, "SELECT id, data FROM entry_chunk WHERE account = ? LIMIT 1",
                              "i", account);
    if (sql_row(q)) {
        int64_t id = sql_int(q, 0);
        slice data = arena_dup(tx->arena, sql_bytes(q, 1));
        sql_end(q);
        chunk_let_go(tx, data);
        sql_exec(tx->db, "DELETE FROM entry_chunk WHERE id = ?", "i", id);
        return sql_failed(tx->db) ? TEMPFAIL : DONE;
    }
    sql_exec(tx->db, "DELETE FROM mailbox WHERE account = ?", "i", account);
    sql_exec(tx->db, "DELETE FROM subscription WHERE account = ?", "i", account);
    sql_exec(tx->db, "DELETE FROM keyword WHERE account = ?", "i", account);
    sql_exec(tx->db, "DELETE FROM opened WHERE account = ?", "i", account);
    sql_exec(tx->db, "DELETE FROM account_gone WHERE account = ?", "i", account);
    return sql_failed(tx->db) ? TEMPFAIL : DONE;
}

/* P2 */
static enum outcome purge_body(struct store_tx *tx, void *arg)
{
    struct purge *p = arg;
    int64_t bodies[LIMIT_STEP];
    struct sql *q =
        sql_query(tx->db, "SELECT body FROM body_doubt LIMIT ?", "i", (int64_t)LIMIT_STEP);
    for (p->did = 0; p->did < LIMIT_STEP && sql_row(q); p->did++)
        bodies[p->did] = sql_int(q, 0);
    sql_end(q);
    for (size_t i = 0; i < p->did; i++) {
        struct body_place place;
        sql_exec(tx->db, "DELETE FROM body_doubt WHERE body = ?", "i", bodies[i]);
        if (sql_number(tx->db, 0,
                       "SELECT EXISTS (SELECT 1 FROM message WHERE body = ?1) OR"
                       " EXISTS (SELECT 1 FROM q_message WHERE body = ?1 AND body > 0)",
                       "i", bodies[i]) ||
            !body_find(tx->db, bodies[i], &place))
            continue;
        sql_exec(tx->db, "DELETE FROM body WHERE id = ?", "i", bodies[i]);
        sql_exec(tx->db, "UPDATE segment SET live = live - ? WHERE id = ?", "ii",
                 (int64_t)(BODY_HEADER + place.length), place.segment);
    }
    return sql_failed(tx->db) ? TEMPFAIL : DONE;
}

static void purge_run(struct store *s, const char *what, store_fn fn, int64_t before,
                      int64_t expired)
{
    struct purge p = {.before = before, .expired = expired};
    struct store_call call = {.fn = fn, .arg = &p, .bulk = true};
    while (!atomic_load(&s->keeper.stop) && store_write(s, &call) == DONE && p.did)
        p.total += (int64_t)p.did;
    if (p.total)
        log_event(LEVEL_INFO, "store.purge", "what=%s rows=%lld", what, (long long)p.total);
}

void store_purge(struct store *s, int64_t now_ms)
{
    int64_t retained = now_ms - STORE_RETENTION_MS;
    purge_run(s, "recoverable", purge_recoverable, retained, 0);
    int64_t viewed = views_oldest_ms(s);
    purge_run(s, "tombstone", purge_tombstone, retained < viewed ? retained : viewed, viewed);
    purge_run(s, "account", purge_account, retained, 0);
    purge_run(s, "delivery", purge_delivery, now_ms - STORE_DELIVERY_MS, 0);
    purge_run(s, "change", purge_change, now_ms - STORE_DELIVERY_MS, 0);
    purge_run(s, "body", purge_body, 0, 0);
    segments_compact(s);
}
