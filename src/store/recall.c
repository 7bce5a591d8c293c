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
 *   R3  A recalled message leaves every mailbox of the account, Recoverable too; sessions that have
 *       it open are told so as of any expunge.
 */
#include <assert.h>

#include "base/log.h"
#include "store/entries.h"
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

/* An entry that holds a message that is to be recalled. */
struct holder {
    int64_t mailbox;
    struct entry e;
};

struct holders {
    struct arena *a;
    struct holder *items;
    size_t count, size;
    size_t visible; /* not in Recoverable */
    int64_t message, mailbox;
};

static void holders_note(void *arg, const struct entry *e, uint32_t n)
{
    struct holders *h = arg;
    for (uint32_t i = 0; i < n; i++) {
        if (e[i].message != h->message)
            continue;
        h->items = arena_grow(h->a, h->items, h->count, &h->size, sizeof(*h->items));
        h->items[h->count++] = (struct holder){h->mailbox, e[i]};
    }
}

struct place_of {
    int64_t mailbox;
    bool recoverable;
};

/* All entries that hold the message, its first mailbox first, until every holder is found. */
static void holders_find(struct store_tx *tx, int64_t account, int64_t message, struct holders *h)
{
    struct place_of *places = NULL;
    size_t count = 0, size = 0, before = h->count;
    int64_t holders =
        1 + sql_number(tx->db, 0, "SELECT extra FROM copy WHERE message = ?", "i", message);
    struct sql *q = sql_query(tx->db,
                              "SELECT b.mailbox, b.role = ?1 FROM mailbox b, message m WHERE"
                              " m.id = ?2 AND b.account = ?3 ORDER BY b.mailbox <> m.mailbox,"
                              " b.mailbox",
                              "iii", (int64_t)ROLE_RECOVERABLE, message, account);
    while (sql_row(q)) {
        places = arena_grow(tx->arena, places, count, &size, sizeof(*places));
        places[count++] = (struct place_of){sql_int(q, 0), sql_int(q, 1) == 1};
    }
    h->message = message;
    for (size_t i = 0; i < count && (int64_t)(h->count - before) < holders; i++) {
        struct working_mailbox *box = working_mailbox(tx, account, places[i].mailbox, true);
        size_t had = h->count;
        h->mailbox = places[i].mailbox;
        if (box)
            working_each(box, 1, UINT32_MAX, holders_note, h);
        h->visible += places[i].recoverable ? 0 : h->count - had;
    }
}

/* Who delivered it wants it back: its messages in the account. */
static size_t messages_of(struct store_tx *tx, int64_t account, int64_t queue_id, int64_t *out,
                          size_t most)
{
    size_t n = 0;
    struct sql *q =
        sql_query(tx->db, "SELECT id FROM message WHERE queue_id = ? AND account = ? LIMIT ?",
                  "iii", queue_id, account, (int64_t)most);
    while (n < most && sql_row(q))
        out[n++] = sql_int(q, 0);
    sql_end(q);
    return n;
}

enum outcome mailbox_recall(struct store_tx *tx, int64_t account, int64_t queue_id, slice *reason)
{
    int64_t messages[64];
    struct holders found = {.a = tx->arena};
    size_t count = messages_of(tx, account, queue_id, messages, 64);
    *reason = S("no longer in a mailbox");
    for (size_t i = 0; i < count; i++) {
        holders_find(tx, account, messages[i], &found);
        if (found.visible && !recall_claim(tx, account, messages[i], reason))
            return PERMFAIL;
    }
    for (size_t i = 0; i < found.count; i++)
        if (found.items[i].e.flags & FLAG_SEEN) {
            *reason = S("already read");
            return PERMFAIL;
        }
    for (size_t i = 0; i < found.count && found.visible; i++) { /* R3 */
        struct burying b = {.account = account,
                            .mailbox = found.items[i].mailbox,
                            .uids = &found.items[i].e.uid,
                            .count = 1,
                            .how = BURIAL_HIDDEN};
        enum outcome o = entries_bury(tx, &b);
        if (o != DONE)
            return o;
    }
    if (sql_failed(tx->db))
        return TEMPFAIL;
    return found.visible ? DONE : PERMFAIL;
}
