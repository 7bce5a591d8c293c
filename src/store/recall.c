/*
 * Who has seen what: the marks "fetched", and recall, which they stop (design: docs/store.md).
 *
 *   fetched   messages of which a byte of body or preview left, written down lazily
 *   opened    accounts of which anything was fetched since the last clean stop, written down before
 *             the first byte leaves
 *   account.doubt   after a crash: messages below may have been fetched unnoticed
 *
 * Invariants
 *   R1  A recalled message was not fetched: the mark and the recall exclude each other in memory,
 *       also while the recall's transaction is under way.
 *   R2  After a crash no message is recalled that might have been fetched before it.
 */
#include <assert.h>

#include "base/log.h"
#include "store/internal.h"
#include "base/banned.h"

static slice id_key(const int64_t *id)
{
    return (slice){(const char *)id, sizeof(*id)};
}

static void set_add(struct map *set, int64_t id)
{
    map_set(set, id_key(&id), set);
}

static bool set_has(const struct map *set, int64_t id)
{
    return map_get(set, id_key(&id)) != NULL;
}

/* ---- the marks ---- */

/* After a crash every message there is of the accounts that were opened is in doubt (R2). */
bool fetches_open(struct store *s, bool clean)
{
    struct db *db = s->writer.db;
    pthread_mutex_init(&s->fetches.lock, NULL);
    if (clean)
        return true;
    db_begin(db);
    sql_exec(db,
             "UPDATE account SET doubt = (SELECT next FROM counter WHERE name = 'message')"
             " WHERE id IN (SELECT account FROM opened)",
             "");
    sql_exec(db, "DELETE FROM opened", "");
    return db_commit(db);
}

static enum outcome opened_write(struct store_tx *tx, void *arg)
{
    const int64_t *account = arg;
    sql_exec(tx->db, "INSERT OR IGNORE INTO opened VALUES (?)", "i", *account);
    return sql_failed(tx->db) ? TEMPFAIL : DONE;
}

static bool account_opened(struct store *s, int64_t account)
{
    struct fetches *f = &s->fetches;
    pthread_mutex_lock(&f->lock);
    bool known = set_has(&f->accounts, account);
    pthread_mutex_unlock(&f->lock);
    if (known)
        return true;
    struct store_call call = {.account = account, .fn = opened_write, .arg = &account};
    if (store_write(s, &call) != DONE)
        return false;
    pthread_mutex_lock(&f->lock);
    set_add(&f->accounts, account);
    pthread_mutex_unlock(&f->lock);
    return true;
}

bool message_fetched(struct store *s, int64_t account, int64_t id)
{
    struct fetches *f = &s->fetches;
    pthread_mutex_lock(&f->lock);
    bool recalled = set_has(&f->recalled, id);
    if (!recalled && !set_has(&f->fresh, id))
        set_add(&f->fresh, id);
    bool full = f->fresh.count >= LIMIT_FETCHED;
    pthread_mutex_unlock(&f->lock);
    if (recalled)
        return false;
    if (full)
        fetches_flush(s);
    return account_opened(s, account);
}

bool message_is_recalled(struct store *s, int64_t id)
{
    struct fetches *f = &s->fetches;
    if (!atomic_load(&f->any_recalled))
        return false;
    pthread_mutex_lock(&f->lock);
    bool recalled = set_has(&f->recalled, id);
    pthread_mutex_unlock(&f->lock);
    return recalled;
}

static enum outcome fetched_write(struct store_tx *tx, void *arg)
{
    const struct map *set = arg;
    slice key;
    void *value;
    for (size_t at = 0; map_next(set, &at, &key, &value);) {
        int64_t id;
        memcpy(&id, key.p, sizeof(id));
        sql_exec(tx->db, "INSERT OR IGNORE INTO fetched SELECT id FROM message WHERE id = ?", "i",
                 id);
    }
    return sql_failed(tx->db) ? TEMPFAIL : DONE;
}

void fetches_flush(struct store *s)
{
    struct fetches *f = &s->fetches;
    pthread_mutex_lock(&f->lock);
    bool begin = f->fresh.count > 0 && f->flushing.count == 0;
    if (begin) {
        f->flushing = f->fresh;
        f->fresh = (struct map){0};
    }
    pthread_mutex_unlock(&f->lock);
    if (!begin)
        return;
    struct store_call call = {.fn = fetched_write, .arg = &f->flushing, .bulk = true};
    enum outcome o = store_write(s, &call);
    pthread_mutex_lock(&f->lock);
    struct map done = f->flushing;
    f->flushing = (struct map){0};
    slice key;
    void *value;
    for (size_t at = 0; o != DONE && map_next(&done, &at, &key, &value);)
        map_set(&f->fresh, key, f); /* another time */
    pthread_mutex_unlock(&f->lock);
    map_end(&done);
}

/* At a clean stop every mark is written down, so no account is in doubt. */
void fetches_clean(struct store *s)
{
    if (s->fetches.fresh.count == 0)
        sql_exec(s->writer.db, "DELETE FROM opened", "");
}

void fetches_close(struct store *s)
{
    struct fetches *f = &s->fetches;
    map_end(&f->accounts);
    map_end(&f->fresh);
    map_end(&f->flushing);
    map_end(&f->recalled);
    pthread_mutex_destroy(&f->lock);
}

/* ---- recall ---- */

/* Claims the message for the recall, or says why it is too late (R1). */
static bool recall_claim(struct store_tx *tx, int64_t account, int64_t message, slice *reason)
{
    struct fetches *f = &tx->store->fetches;
    bool fetched =
        sql_number(tx->db, 0, "SELECT 1 FROM fetched WHERE message = ?", "i", message) == 1;
    int64_t doubt = sql_number(tx->db, 0, "SELECT doubt FROM account WHERE id = ?", "i", account);
    pthread_mutex_lock(&f->lock);
    fetched = fetched || set_has(&f->fresh, message) || set_has(&f->flushing, message);
    bool free = !fetched && message >= doubt;
    if (free) {
        set_add(&f->recalled, message);
        atomic_store(&f->any_recalled, true);
        f->pending = arena_grow(tx->arena, f->pending, f->pending_count, &f->pending_size,
                                sizeof(*f->pending));
        f->pending[f->pending_count++] = message;
    }
    pthread_mutex_unlock(&f->lock);
    *reason = fetched ? S("already fetched") : S("may have been fetched before a crash");
    return free;
}

void recalls_undo(struct store *s, size_t from)
{
    struct fetches *f = &s->fetches;
    pthread_mutex_lock(&f->lock);
    while (f->pending_count > from)
        map_remove(&f->recalled, id_key(&f->pending[--f->pending_count]));
    pthread_mutex_unlock(&f->lock);
}

void recalls_keep(struct store *s)
{
    struct fetches *f = &s->fetches;
    f->pending = NULL;
    f->pending_count = f->pending_size = 0;
}

/* An entry of a message in a mailbox of the account, read through the working copy. */
static bool entry_find_in(struct store_tx *tx, int64_t account, int64_t mailbox, int64_t message,
                          struct entry *e)
{
    struct working_mailbox *box = working_mailbox(tx, account, mailbox, true);
    for (size_t i = 0; box && i < box->count; i++)
        for (struct chunk_reader r = chunk_read(box->chunks[i]); chunk_next(&r);)
            if (r.e.message == message) {
                *e = r.e;
                return true;
            }
    return false;
}

struct recall_entry {
    int64_t message, mailbox;
    struct entry e;
};

/* All entries that hold the message, in any mailbox of the account; false: out of luck. */
static size_t entries_of(struct store_tx *tx, int64_t account, int64_t message,
                         struct recall_entry *out, size_t max)
{
    int64_t mailboxes[64];
    size_t count = 0, found = 0;
    struct sql *q = sql_query(tx->db,
                              "SELECT b.mailbox FROM mailbox b, message m WHERE m.id = ? AND"
                              " b.account = ? AND b.total >= 0"
                              " ORDER BY b.mailbox <> m.mailbox, b.mailbox LIMIT 64",
                              "ii", message, account);
    while (sql_row(q))
        mailboxes[count++] = sql_int(q, 0);
    for (size_t i = 0; i < count && found < max; i++)
        if (entry_find_in(tx, account, mailboxes[i], message, &out[found].e)) {
            out[found].message = message;
            out[found++].mailbox = mailboxes[i];
        }
    return found;
}

enum outcome mailbox_recall(struct store_tx *tx, int64_t account, int64_t queue_id, slice *reason)
{
    enum { MOST = 64 };
    struct recall_entry found[MOST];
    int64_t messages[MOST];
    size_t message_count = 0, count = 0;
    *reason = S("no longer in a mailbox");
    struct sql *q =
        sql_query(tx->db, "SELECT id FROM message WHERE queue_id = ? AND account = ? LIMIT 64",
                  "ii", queue_id, account);
    while (sql_row(q))
        messages[message_count++] = sql_int(q, 0);
    for (size_t i = 0; i < message_count; i++) {
        count += entries_of(tx, account, messages[i], found + count, MOST - count);
        if (count && !recall_claim(tx, account, messages[i], reason))
            return PERMFAIL;
    }
    for (size_t i = 0; i < count; i++)
        if (found[i].e.flags & FLAG_SEEN) {
            *reason = S("already read");
            return PERMFAIL;
        }
    for (size_t i = 0; i < count; i++) {
        size_t expunged;
        enum outcome o =
            mailbox_expunge(tx, account, found[i].mailbox, &found[i].e.uid, 1, &expunged);
        if (o != DONE)
            return o;
    }
    if (sql_failed(tx->db))
        return TEMPFAIL;
    return count ? DONE : PERMFAIL;
}
