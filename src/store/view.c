/*
 * Views, and the table of the mailboxes somebody looks at.
 *
 * Invariants
 *   V1  A view never changes; it lives as long as somebody holds it.
 *   V2  The newest view of the table is the last commit's: a loader that was overtaken by a commit
 *       loads again.
 *   V3  A commit's view shares every chunk the commit did not change.
 *   V4  After view_unwatch returns, its function does not run.
 *   V5  A uid is recent for the first session alone that claims it; a crash may forget a claim.
 * A table row is absent -> loading -> loaded -> (nobody holds its view) evicted -> absent.
 */
#include "store/view.h"

#include <assert.h>

#include "base/clock.h"
#include "store/internal.h"
#include "base/banned.h"

struct view {
    atomic_uint refs;
    int64_t account, mailbox;
    struct view_info info;
    size_t count; /* chunks */
    struct chunk **chunks;
    uint32_t *starts; /* position of each chunk's first entry */
    struct store *store;
    int64_t made_ms;           /* wall clock */
    atomic_bool superseded;    /* by a newer one */
    struct view *next, **link; /* in the list of live views */
};

struct watch {
    struct store *store;
    struct view_slot *slot;
    struct watch *next;
    void (*fn)(void *arg);
    void *arg;
};

struct view_slot {
    struct mailbox_key key;
    struct view *newest; /* NULL: not loaded */
    uint64_t commits;    /* since the row exists */
    int loading;         /* threads that load it now */
    bool locked;         /* by a POP3 session */
    uint32_t recent;     /* view_recent(); 0: not read yet */
    bool recent_claimed; /* and not written down */
    struct watch *watches;
    int64_t used_ms; /* last opened or published, monotonic */
};

slice mailbox_key_slice(const struct mailbox_key *k)
{
    return (slice){(const char *)k, sizeof(*k)};
}

/* ---- one view ---- */

static struct view *view_alloc(struct store *s, int64_t account, int64_t mailbox, size_t chunks)
{
    struct view *v = mem_alloc(sizeof(*v));
    *v = (struct view){.refs = 1, .account = account, .mailbox = mailbox, .store = s};
    v->made_ms = clock_ms();
    v->chunks = mem_alloc((chunks + 1) * sizeof(*v->chunks));
    v->starts = mem_alloc((chunks + 1) * sizeof(*v->starts));
    pthread_mutex_lock(&s->views.live_lock);
    v->next = s->views.live;
    v->link = &s->views.live;
    if (v->next)
        v->next->link = &v->next;
    s->views.live = v;
    pthread_mutex_unlock(&s->views.live_lock);
    return v;
}

static void view_push(struct view *v, struct chunk *c)
{
    v->starts[v->count] = v->count ? v->starts[v->count - 1] + v->chunks[v->count - 1]->count : 0;
    v->chunks[v->count++] = c;
}

struct view *view_retain(struct view *v)
{
    atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
    return v;
}

void view_release(struct view *v)
{
    if (!v || atomic_fetch_sub_explicit(&v->refs, 1, memory_order_acq_rel) != 1)
        return;
    pthread_mutex_lock(&v->store->views.live_lock);
    *v->link = v->next;
    if (v->next)
        v->next->link = v->link;
    pthread_mutex_unlock(&v->store->views.live_lock);
    for (size_t i = 0; i < v->count; i++)
        chunk_release(v->chunks[i]);
    mem_free(v->chunks);
    mem_free(v->starts);
    mem_free(v);
}

struct view_info view_info(const struct view *v)
{
    return v->info;
}

void view_place(const struct view *v, int64_t *account, int64_t *mailbox)
{
    *account = v->account;
    *mailbox = v->mailbox;
}

struct chunk *const *view_chunks(const struct view *v, size_t *count)
{
    *count = v->count;
    return v->chunks;
}

/* The last chunk that begins at or before the position. */
static size_t chunk_of_position(const struct view *v, uint32_t position)
{
    size_t low = 0, high = v->count;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (v->starts[middle] <= position)
            low = middle;
        else
            high = middle;
    }
    return low;
}

uint32_t view_list(const struct view *v, uint32_t position, struct entry *e, uint32_t n)
{
    if (position >= v->info.count)
        return 0;
    uint32_t got = 0;
    for (size_t i = chunk_of_position(v, position); i < v->count && got < n; i++)
        got += chunk_list(v->chunks[i], position + got - v->starts[i], e + got, n - got);
    return got;
}

bool view_at(const struct view *v, uint32_t position, struct entry *e)
{
    return view_list(v, position, e, 1) == 1;
}

uint32_t view_seek(const struct view *v, uint32_t uid)
{
    size_t low = 0, high = v->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (v->chunks[middle]->last.uid < uid)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == v->count)
        return v->info.count;
    return v->starts[low] + chunk_seek(v->chunks[low], uid);
}

uint32_t view_deleted(const struct view *v)
{
    uint32_t n = 0;
    for (size_t i = 0; i < v->count; i++)
        n += v->chunks[i]->deleted;
    return n;
}

/* ---- the table ---- */

void views_open(struct store *s)
{
    pthread_mutex_init(&s->views.lock, NULL);
    pthread_mutex_init(&s->views.watch_lock, NULL);
    pthread_mutex_init(&s->views.live_lock, NULL);
}

static struct view_slot *slot_find(struct store *s, int64_t account, int64_t mailbox)
{
    struct mailbox_key key = {account, mailbox};
    return map_get(&s->views.slots, mailbox_key_slice(&key));
}

static struct view_slot *slot_make(struct store *s, int64_t account, int64_t mailbox)
{
    struct view_slot *slot = slot_find(s, account, mailbox);
    if (!slot) {
        slot = mem_alloc(sizeof(*slot));
        *slot = (struct view_slot){.key = {account, mailbox}};
        map_set(&s->views.slots, mailbox_key_slice(&slot->key), slot);
    }
    slot->used_ms = clock_mono_ms();
    return slot;
}

/* About what a view keeps in memory, shared or not. */
static size_t view_bytes(const struct view *v)
{
    return v ? sizeof(*v) + v->count * (LIMIT_CHUNK + 100) : 0;
}

static void slot_set(struct store *s, struct view_slot *slot, struct view *v)
{
    s->views.bytes += view_bytes(v);
    s->views.bytes -= view_bytes(slot->newest);
    if (slot->newest)
        atomic_store(&slot->newest->superseded, true);
    view_release(slot->newest);
    slot->newest = v;
}

struct view *view_newest(struct store *s, int64_t account, int64_t mailbox)
{
    pthread_mutex_lock(&s->views.lock);
    struct view_slot *slot = slot_find(s, account, mailbox);
    struct view *v = slot && slot->newest ? view_retain(slot->newest) : NULL;
    pthread_mutex_unlock(&s->views.lock);
    return v;
}

/* Reads a whole mailbox; one statement, so one moment. */
static struct view *view_load(struct store *s, struct db *db, int64_t account, int64_t mailbox)
{
    struct sql *q =
        sql_query(db,
                  "SELECT m.total, m.uidvalidity, m.uidnext, m.unseen, m.modseq, m.size, c.data,"
                  " c.id FROM mailbox m LEFT JOIN entry_chunk c ON c.account = m.account AND"
                  " c.mailbox = m.mailbox WHERE m.account = ? AND m.mailbox = ? ORDER BY c.first",
                  "ii", account, mailbox);
    struct view *v = NULL;
    size_t size = 0;
    bool good = true;
    while (good && sql_row(q)) {
        if (!v) {
            v = view_alloc(s, account, mailbox, 0);
            v->info = (struct view_info){.count = (uint32_t)sql_int(q, 0),
                                         .uidvalidity = (uint32_t)sql_int(q, 1),
                                         .uidnext = (uint32_t)sql_int(q, 2),
                                         .unseen = (uint32_t)sql_int(q, 3),
                                         .modseq = sql_int(q, 4),
                                         .size = (uint64_t)sql_int(q, 5)};
        }
        if (sql_is_null(q, 7))
            continue;
        struct chunk *c = chunk_open(sql_bytes(q, 6), sql_int(q, 7));
        good = c != NULL;
        if (good && v->count >= size) {
            size = size ? size * 2 : 8;
            v->chunks = mem_realloc(v->chunks, size * sizeof(*v->chunks));
            v->starts = mem_realloc(v->starts, size * sizeof(*v->starts));
        }
        if (good)
            view_push(v, c);
    }
    sql_end(q);
    if (good && !sql_failed(db))
        return v;
    view_release(v);
    return NULL;
}

struct view *view_open(struct store *s, int64_t account, int64_t mailbox)
{
    struct view *v = NULL;
    pthread_mutex_lock(&s->views.lock);
    struct view_slot *slot = slot_make(s, account, mailbox);
    slot->loading++;
    while (!slot->newest) {
        uint64_t commits = slot->commits;
        pthread_mutex_unlock(&s->views.lock);
        struct db *db = store_read(s);
        v = view_load(s, db, account, mailbox);
        store_read_end(s, db);
        pthread_mutex_lock(&s->views.lock);
        if (!v)
            break;
        if (!slot->newest && slot->commits == commits)
            slot_set(s, slot, v);
        else
            view_release(v); /* a commit or another loader was faster (V2) */
    }
    v = slot->newest ? view_retain(slot->newest) : NULL;
    slot->loading--;
    pthread_mutex_unlock(&s->views.lock);
    return v;
}

/* The view after a commit: what stood before the working copy's first chunk, then the copy's. */
static struct view *view_after(struct store *s, const struct view *old,
                               const struct working_mailbox *m)
{
    size_t kept = 0;
    if (!m->whole)
        while (kept < old->count &&
               (!m->count || old->chunks[kept]->first_uid < m->chunks[0]->first_uid))
            kept++;
    struct view *v = view_alloc(s, m->account, m->mailbox, kept + m->count);
    v->info = m->info;
    for (size_t i = 0; i < kept; i++)
        view_push(v, chunk_retain(old->chunks[i]));
    for (size_t i = 0; i < m->count; i++)
        view_push(v, chunk_retain(m->chunks[i]));
    return v;
}

bool view_publish(struct store *s, const struct working_mailbox *m)
{
    pthread_mutex_lock(&s->views.lock);
    struct view_slot *slot = slot_find(s, m->account, m->mailbox);
    if (slot) {
        slot->commits++;
        slot->used_ms = clock_mono_ms();
        if (slot->newest)
            slot_set(s, slot, view_after(s, slot->newest, m));
    }
    bool watched = slot && slot->watches;
    pthread_mutex_unlock(&s->views.lock);
    return watched;
}

/* Whether nobody needs the row of the table. */
static bool slot_idle(const struct view_slot *slot)
{
    return !slot->loading && !slot->locked && !slot->watches && !slot->recent_claimed &&
           (!slot->newest || atomic_load(&slot->newest->refs) == 1);
}

void views_evict(struct store *s, int64_t unused_ms)
{
    int64_t now = clock_mono_ms();
    struct arena a = {0};
    struct view_slot **idle = NULL;
    size_t count = 0, size = 0;
    slice key;
    void *value;
    pthread_mutex_lock(&s->views.lock);
    for (size_t at = 0; map_next(&s->views.slots, &at, &key, &value);) {
        struct view_slot *slot = value;
        if (!slot_idle(slot) || now - slot->used_ms < unused_ms)
            continue;
        idle = arena_grow(&a, idle, count, &size, sizeof(struct view_slot *));
        idle[count++] = slot;
    }
    for (size_t i = 0; i < count; i++) {
        slot_set(s, idle[i], NULL);
        map_remove(&s->views.slots, mailbox_key_slice(&idle[i]->key));
        mem_free(idle[i]);
    }
    pthread_mutex_unlock(&s->views.lock);
    arena_end(&a);
}

int64_t views_oldest_ms(struct store *s)
{
    /* An hour of grace: a batch's clock is read before its views are made. */
    int64_t oldest = INT64_MAX;
    pthread_mutex_lock(&s->views.live_lock);
    for (struct view *v = s->views.live; v; v = v->next)
        if (v->superseded && v->made_ms - HOUR_MS < oldest)
            oldest = v->made_ms - HOUR_MS;
    pthread_mutex_unlock(&s->views.live_lock);
    return oldest;
}

size_t views_bytes(struct store *s)
{
    pthread_mutex_lock(&s->views.lock);
    size_t bytes = s->views.bytes;
    pthread_mutex_unlock(&s->views.lock);
    return bytes;
}

void views_close(struct store *s)
{
    slice key;
    void *value;
    for (size_t at = 0; map_next(&s->views.slots, &at, &key, &value);) {
        struct view_slot *slot = value;
        assert(!slot->watches && !slot->loading);
        view_release(slot->newest);
        mem_free(slot);
    }
    assert(!s->views.live); /* a session still holds a view */
    map_end(&s->views.slots);
    pthread_mutex_destroy(&s->views.lock);
    pthread_mutex_destroy(&s->views.watch_lock);
    pthread_mutex_destroy(&s->views.live_lock);
}

/* ---- \Recent ---- */

static uint32_t recent_load(struct store *s, int64_t account, int64_t mailbox)
{
    struct db *db = store_read(s);
    int64_t first =
        sql_number(db, UINT32_MAX, "SELECT recent FROM mailbox WHERE account = ? AND mailbox = ?",
                   "ii", account, mailbox);
    store_read_end(s, db);
    return (uint32_t)first;
}

uint32_t view_recent(struct store *s, int64_t account, int64_t mailbox, uint32_t uidnext,
                     bool claim)
{
    pthread_mutex_lock(&s->views.lock);
    struct view_slot *slot = slot_make(s, account, mailbox);
    if (!slot->recent) {
        slot->loading++; /* it must not be evicted meanwhile */
        pthread_mutex_unlock(&s->views.lock);
        uint32_t first = recent_load(s, account, mailbox);
        pthread_mutex_lock(&s->views.lock);
        slot->loading--;
        if (!slot->recent)
            slot->recent = first;
    }
    uint32_t first = slot->recent;
    if (claim && uidnext > first) {
        slot->recent = uidnext;
        slot->recent_claimed = true;
    }
    pthread_mutex_unlock(&s->views.lock);
    return first;
}

struct recent_claim {
    struct mailbox_key key;
    uint32_t recent;
};

struct recent_claims {
    struct recent_claim *items;
    size_t count, size;
};

static enum outcome recent_write(struct store_tx *tx, void *arg)
{
    const struct recent_claims *c = arg;
    for (size_t i = 0; i < c->count; i++)
        sql_exec(tx->db, "UPDATE mailbox SET recent = ? WHERE account = ? AND mailbox = ?", "iii",
                 (int64_t)c->items[i].recent, c->items[i].key.account, c->items[i].key.mailbox);
    return sql_failed(tx->db) ? TEMPFAIL : DONE;
}

void views_write_recent(struct store *s)
{
    struct arena a = {0};
    struct recent_claims c = {0};
    slice key;
    void *value;
    pthread_mutex_lock(&s->views.lock);
    for (size_t at = 0; map_next(&s->views.slots, &at, &key, &value) && c.count < LIMIT_STEP;) {
        const struct view_slot *slot = value;
        if (!slot->recent_claimed)
            continue;
        c.items = arena_grow(&a, c.items, c.count, &c.size, sizeof(*c.items));
        c.items[c.count++] = (struct recent_claim){slot->key, slot->recent};
    }
    pthread_mutex_unlock(&s->views.lock);
    struct store_call call = {.fn = recent_write, .arg = &c, .bulk = true};
    bool written = c.count && store_write(s, &call) == DONE;
    pthread_mutex_lock(&s->views.lock);
    for (size_t i = 0; i < c.count && written; i++) {
        struct view_slot *slot = slot_find(s, c.items[i].key.account, c.items[i].key.mailbox);
        if (slot && slot->recent == c.items[i].recent)
            slot->recent_claimed = false;
    }
    pthread_mutex_unlock(&s->views.lock);
    arena_end(&a);
}

/* ---- watches and the POP3 lock ---- */

struct watch *view_watch(struct store *s, int64_t account, int64_t mailbox, void (*fn)(void *arg),
                         void *arg)
{
    struct watch *w = mem_alloc(sizeof(*w));
    pthread_mutex_lock(&s->views.watch_lock);
    pthread_mutex_lock(&s->views.lock);
    struct view_slot *slot = slot_make(s, account, mailbox);
    *w = (struct watch){s, slot, slot->watches, fn, arg};
    slot->watches = w;
    pthread_mutex_unlock(&s->views.lock);
    pthread_mutex_unlock(&s->views.watch_lock);
    return w;
}

void view_unwatch(struct watch *w)
{
    if (!w)
        return;
    struct store *s = w->store;
    pthread_mutex_lock(&s->views.watch_lock);
    pthread_mutex_lock(&s->views.lock);
    struct watch **at = &w->slot->watches;
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    pthread_mutex_unlock(&s->views.lock);
    pthread_mutex_unlock(&s->views.watch_lock);
    mem_free(w);
}

void view_wake(struct store *s, int64_t account, int64_t mailbox)
{
    pthread_mutex_lock(&s->views.watch_lock);
    pthread_mutex_lock(&s->views.lock);
    struct view_slot *slot = slot_find(s, account, mailbox);
    struct watch *first = slot ? slot->watches : NULL;
    pthread_mutex_unlock(&s->views.lock);
    for (struct watch *w = first; w; w = w->next) /* the list changes only under watch_lock */
        w->fn(w->arg);
    pthread_mutex_unlock(&s->views.watch_lock);
}

bool mailbox_lock(struct store *s, int64_t account, int64_t mailbox)
{
    pthread_mutex_lock(&s->views.lock);
    struct view_slot *slot = slot_make(s, account, mailbox);
    bool got = !slot->locked;
    slot->locked = true;
    pthread_mutex_unlock(&s->views.lock);
    return got;
}

void mailbox_unlock(struct store *s, int64_t account, int64_t mailbox)
{
    pthread_mutex_lock(&s->views.lock);
    struct view_slot *slot = slot_find(s, account, mailbox);
    assert(slot && slot->locked);
    slot->locked = false;
    pthread_mutex_unlock(&s->views.lock);
}
