/*
 * Changing entries: flags, expunge, copy and move (tables entry_chunk, tombstone, copy).
 *
 *   expunge   the entry moves to the mailbox Recoverable, without \Deleted; one row "tombstone"
 * says when, and which uids it has there.  The purger takes it out again after retention. recall
 * the entry goes into tombstone.data, a chunk (chunk.c) nobody sees. move      the entry leaves one
 * mailbox and is added to the other, in one transaction. copy      one more entry of the same
 * message; table copy counts them.
 *
 * Invariants
 *   M3  An entry leaves a mailbox only by a move, to Recoverable, or into a tombstone; its message
 *       stays as long as any of them holds it, and copy.extra is the number of holders less one.
 *   M4  account.used is the sum of the sizes of its entries, those in Recoverable not counted.
 *   M7  Recoverable changes by expunge, by the purger, and by moves out of it alone.
 *   M8  What changes nothing gives no modseq and writes no row.
 *   M9  A keyword keeps its bit; an account has at most one keyword of a name, in any case.
 */
#include "store/entries.h"

#include <assert.h>

#include "store/change.h"
#include "store/internal.h"
#include "base/banned.h"

/* Entries of some uids, in order. */
struct hits {
    const uint32_t *uids; /* NULL: every entry */
    size_t count, at;
};

/* Whether the entry is one of them; entries come in order of uid. */
static bool hits_has(struct hits *h, const struct entry *e)
{
    if (!h->uids)
        return true;
    while (h->at < h->count && h->uids[h->at] < e->uid)
        h->at++;
    return h->at < h->count && h->uids[h->at] == e->uid;
}

static uint32_t hits_first(const struct hits *h)
{
    return h->uids ? h->uids[0] : 1;
}

static uint32_t hits_last(const struct hits *h)
{
    return h->uids ? h->uids[h->count - 1] : UINT32_MAX;
}

/* An account and one of its mailboxes, whole. */
struct place {
    struct store_tx *tx;
    struct working_account *account;
    struct working_mailbox *box;
    int64_t modseq; /* what the call will give, once something changes */
};

static enum outcome place_open(struct place *p, struct store_tx *tx, int64_t account,
                               int64_t mailbox, enum refusal *why)
{
    *p = (struct place){.tx = tx, .account = working_account(tx, account)};
    p->box = p->account ? working_mailbox(tx, account, mailbox, true) : NULL;
    *why = p->box ? REFUSED_NOT : REFUSED_MISSING;
    if (!p->box)
        return working_refusal(tx);
    p->modseq = p->account->modseq + (p->account->modseq == p->account->undo_modseq);
    return DONE;
}

/* The change-log row of some uids, packed, and the mailbox's modseq. */
static void place_log(struct place *p, enum change_kind kind, slice uids)
{
    int64_t modseq = working_modseq(p->tx, p->account);
    assert(modseq == p->modseq);
    p->box->info.modseq = modseq;
    change_add(p->tx, p->account->id, CHANGE_EMAIL,
               &(struct change){modseq, p->box->mailbox, kind, uids});
}

static enum outcome refuse(enum refusal *why, enum refusal reason)
{
    *why = reason;
    return PERMFAIL;
}

static enum outcome finish(const struct store_tx *tx)
{
    return sql_failed(tx->db) ? TEMPFAIL : DONE;
}

/* ---- flags ---- */

struct flagging {
    struct flags_change *x;
    size_t range; /* the first one that may hold what follows */
    int64_t modseq;
};

static bool flagging_has(struct flagging *f, uint32_t uid)
{
    const struct flags_change *x = f->x;
    while (f->range < x->count && x->uids[f->range].high < uid)
        f->range++;
    return f->range < x->count && x->uids[f->range].low <= uid;
}

static uint64_t flags_after(const struct flags_change *x, uint64_t before)
{
    switch (x->how) {
    case FLAGS_ADD:
        return before | x->mask;
    case FLAGS_REMOVE:
        return before & ~x->mask;
    default:
        return x->mask;
    }
}

static void note_failed(struct flags_change *x, uint32_t uid)
{
    x->failed =
        arena_grow(x->arena, x->failed, x->failed_count, &x->failed_size, sizeof(*x->failed));
    x->failed[x->failed_count++] = uid;
}

/* Uids come in order: most lengthen the last range. */
static void note_changed(struct flags_change *x, uint32_t uid)
{
    x->changed_entries++;
    if (x->changed_count && x->changed[x->changed_count - 1].high + 1 == uid) {
        x->changed[x->changed_count - 1].high = uid;
        return;
    }
    x->changed =
        arena_grow(x->arena, x->changed, x->changed_count, &x->changed_size, sizeof(*x->changed));
    x->changed[x->changed_count++] = (struct uid_range){uid, uid};
}

/* For working_rewrite: all stay. */
static bool flag_some(void *arg, struct entry *e, uint32_t *n)
{
    struct flagging *f = arg;
    struct flags_change *x = f->x;
    size_t before = x->changed_entries;
    for (uint32_t i = 0; i < *n; i++) {
        uint64_t flags = flags_after(x, e[i].flags);
        bool has = flagging_has(f, e[i].uid);
        if (has && x->conditional && e[i].modseq > x->unchanged_since) {
            note_failed(x, e[i].uid);
        } else if (has && flags != e[i].flags) {
            e[i].flags = flags;
            e[i].modseq = f->modseq;
            note_changed(x, e[i].uid);
        }
    }
    return x->changed_entries > before;
}

enum outcome entries_flag(struct store_tx *tx, struct flags_change *x)
{
    struct place p;
    x->mask = x->flags;
    x->changed_count = x->changed_entries = x->failed_count = 0;
    x->modseq = 0;
    enum outcome o = place_open(&p, tx, x->account, x->mailbox, &x->why);
    if (o != DONE || !x->count)
        return o;
    x->modseq_before = p.box->info.modseq;
    if (p.box->role == ROLE_RECOVERABLE)
        return refuse(&x->why, REFUSED_READ_ONLY);
    o = keyword_bits(tx, x->account, x->keywords, x->keyword_count, x->how != FLAGS_REMOVE,
                     &x->mask, &x->why);
    if (o != DONE)
        return o;
    struct flagging f = {.x = x, .modseq = p.modseq};
    working_rewrite(p.box, x->uids[0].low, x->uids[x->count - 1].high, flag_some, &f);
    if (x->changed_count) {
        x->modseq = p.modseq;
        place_log(&p, CHANGE_UPDATED, uid_ranges_pack(tx->arena, x->changed, x->changed_count));
    }
    return finish(tx);
}

static enum outcome flags_fn(struct store_tx *tx, void *arg)
{
    return entries_flag(tx, arg);
}

enum outcome mailbox_change_flags(struct store *s, struct arena *a, struct flags_change *x)
{
    x->arena = a;
    x->changed = NULL;
    x->failed = NULL;
    x->changed_size = x->failed_size = 0;
    struct store_call call = {.account = x->account, .fn = flags_fn, .arg = x};
    return store_write(s, &call);
}

/* ---- expunge ---- */

struct burial_run {
    struct burying *b;
    struct hits hits;
    struct store_tx *tx;
    struct working_mailbox *from;
    struct working_mailbox *to; /* Recoverable, or NULL: hidden */
    struct chunk *hidden;       /* being filled */
    int64_t modseq;
    uint32_t *uids; /* gone, for the change log */
    uint64_t bytes;
};

static void tombstone_insert(struct burial_run *r, slice data, uint32_t first, uint32_t last)
{
    sql_exec(r->tx->db,
             "INSERT INTO tombstone(account, mailbox, modseq, at, data, first, last, expired)"
             " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
             "iiiibiii", r->b->account, r->b->mailbox, r->modseq, r->tx->now_ms, data,
             (int64_t)first, (int64_t)last, (int64_t)(r->b->how == BURIAL_EXPIRED));
}

static void hidden_finish(struct burial_run *r)
{
    if (r->hidden)
        tombstone_insert(r, chunk_bytes(r->hidden), 0, 0);
    chunk_release(r->hidden);
    r->hidden = NULL;
}

static void entry_bury(struct burial_run *r, const struct entry *e)
{
    struct entry buried = *e;
    buried.modseq = r->modseq;
    if (r->to) {
        buried.uid = r->to->info.uidnext;
        buried.flags &= ~(uint64_t)FLAG_DELETED;
        working_append(r->to, &buried);
    } else {
        if (r->hidden && !chunk_add(r->hidden, &buried))
            hidden_finish(r);
        if (!r->hidden) {
            r->hidden = chunk_new(0);
            chunk_add(r->hidden, &buried);
        }
    }
    r->uids[r->b->done++] = e->uid;
    r->bytes += e->size;
}

/* For working_rewrite: these leave. */
static bool bury_some(void *arg, struct entry *e, uint32_t *n)
{
    struct burial_run *r = arg;
    uint32_t stay = 0;
    size_t before = r->b->done;
    for (uint32_t i = 0; i < *n; i++)
        if (hits_has(&r->hits, &e[i]) && (!r->b->only_deleted || e[i].flags & FLAG_DELETED))
            entry_bury(r, &e[i]);
        else
            e[stay++] = e[i];
    *n = stay;
    return r->b->done > before;
}

/* The mailbox Recoverable, for count more entries; NULL: there is none, or its uids are used up. */
static struct working_mailbox *recoverable(struct store_tx *tx, int64_t account, size_t count)
{
    int64_t mailbox = mailbox_by_role(tx->db, account, ROLE_RECOVERABLE);
    struct working_mailbox *m = mailbox ? working_mailbox(tx, account, mailbox, false) : NULL;
    return m && m->info.uidnext < UINT32_MAX - count ? m : NULL;
}

enum outcome entries_bury(struct store_tx *tx, struct burying *b)
{
    struct place p;
    b->done = 0;
    b->modseq = 0;
    enum outcome o = place_open(&p, tx, b->account, b->mailbox, &b->why);
    if (o != DONE || (b->uids && !b->count))
        return o;
    bool purging = p.box->role == ROLE_RECOVERABLE;
    if (purging && b->how == BURIAL_RECOVERABLE)
        return refuse(&b->why, REFUSED_READ_ONLY);
    size_t most = b->uids && b->count < p.box->info.count ? b->count : p.box->info.count;
    struct burial_run r = {.b = b,
                           .hits = {b->uids, b->count, 0},
                           .tx = tx,
                           .from = p.box,
                           .modseq = p.modseq,
                           .uids = b->out ? b->out : arena_array(tx->arena, most + 1, 4)};
    if (b->how == BURIAL_RECOVERABLE)
        r.to = recoverable(tx, b->account, most);
    uint32_t first = r.to ? r.to->info.uidnext : 0;
    working_rewrite(p.box, hits_first(&r.hits), hits_last(&r.hits), bury_some, &r);
    hidden_finish(&r);
    if (!b->done)
        return finish(tx);
    if (r.to)
        tombstone_insert(&r, S(""), first, r.to->info.uidnext - 1);
    b->modseq = p.modseq;
    place_log(&p, CHANGE_REMOVED, uids_pack(tx->arena, r.uids, b->done));
    p.account->used -= purging ? 0 : (int64_t)r.bytes;
    return finish(tx);
}

enum outcome mailbox_expunge(struct store_tx *tx, int64_t account, int64_t mailbox,
                             const uint32_t *uids, size_t count, size_t *expunged)
{
    struct burying b = {.account = account, .mailbox = mailbox, .uids = uids, .count = count};
    enum outcome o = count ? entries_bury(tx, &b) : DONE;
    *expunged = b.done;
    return o;
}

static enum outcome bury_fn(struct store_tx *tx, void *arg)
{
    return entries_bury(tx, arg);
}

enum outcome mailbox_expunge_uids(struct store *s, struct arena *a, struct expunge *x)
{
    x->expunged = arena_array(a, x->count + 1, sizeof(*x->expunged));
    struct burying b = {.account = x->account,
                        .mailbox = x->mailbox,
                        .uids = x->uids,
                        .count = x->count,
                        .only_deleted = x->only_deleted,
                        .out = x->expunged};
    struct store_call call = {.account = x->account, .fn = bury_fn, .arg = &b};
    enum outcome o = x->count ? store_write(s, &call) : DONE;
    x->expunged_count = o == DONE ? b.done : 0;
    x->modseq = b.modseq;
    x->why = b.why;
    return o;
}

/* ---- copy and move ---- */

struct taking {
    struct hits hits;
    struct entry *entries;
    size_t count;
    uint64_t bytes;
};

static bool entry_take(struct taking *t, const struct entry *e)
{
    if (!hits_has(&t->hits, e))
        return false;
    t->entries[t->count++] = *e;
    t->bytes += e->size;
    return true;
}

static void copy_some(void *arg, const struct entry *e, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        entry_take(arg, &e[i]);
}

/* For working_rewrite: these leave. */
static bool take_some(void *arg, struct entry *e, uint32_t *n)
{
    uint32_t stay = 0, all = *n;
    for (uint32_t i = 0; i < all; i++)
        if (!entry_take(arg, &e[i]))
            e[stay++] = e[i];
    *n = stay;
    return stay < all;
}

static void entries_add(struct store_tx *tx, struct transfer *t, const struct taking *taken,
                        struct working_mailbox *to, int64_t modseq)
{
    for (size_t i = 0; i < taken->count; i++) {
        struct entry e = taken->entries[i];
        if (t->source_uids) {
            t->source_uids[t->done] = e.uid;
            t->target_uids[t->done] = to->info.uidnext;
        }
        t->done++;
        e.uid = to->info.uidnext;
        e.modseq = modseq;
        working_append(to, &e);
        if (!t->move)
            sql_exec(tx->db,
                     "INSERT INTO copy VALUES (?1, 1) ON CONFLICT(message) DO UPDATE SET"
                     " extra = extra + 1",
                     "i", e.message);
    }
}

/* Why the entries may not go there. */
static enum refusal transfer_refusal(const struct transfer *t, const struct place *p,
                                     const struct working_mailbox *to, const struct taking *taken,
                                     bool counted)
{
    const struct working_account *a = p->account;
    uint64_t room = (uint64_t)(a->quota > a->used ? a->quota - a->used : 0);
    if (to->role == ROLE_RECOVERABLE)
        return REFUSED_READ_ONLY;
    if (taken->count >= UINT32_MAX - to->info.uidnext)
        return REFUSED_LIMIT;
    if (t->whole && taken->count < t->count)
        return REFUSED_GONE;
    return counted && a->quota > 0 && taken->bytes > room ? REFUSED_QUOTA : REFUSED_NOT;
}

enum outcome entries_transfer(struct store_tx *tx, struct transfer *t)
{
    struct place p;
    enum outcome o = place_open(&p, tx, t->account, t->from, &t->why);
    if (o != DONE)
        return o;
    struct working_mailbox *to = working_mailbox(tx, t->account, t->to, false);
    if (!to) {
        t->why = REFUSED_MISSING;
        return working_refusal(tx);
    }
    t->uidvalidity = to->info.uidvalidity;
    struct taking taken = {.hits = {t->uids, t->count, 0}};
    if (!p.box->info.count || (t->uids && !t->count))
        return DONE;
    size_t most = t->uids && t->count < p.box->info.count ? t->count : p.box->info.count;
    taken.entries = arena_array(tx->arena, most, sizeof(*taken.entries));
    uint32_t low = hits_first(&taken.hits), high = hits_last(&taken.hits);
    working_each(p.box, low, high, copy_some, &taken);
    bool undelete = p.box->role == ROLE_RECOVERABLE;
    enum refusal why = transfer_refusal(t, &p, to, &taken, undelete || !t->move);
    if (why != REFUSED_NOT)
        return refuse(&t->why, why);
    if (!taken.count)
        return DONE;
    if (t->move) {
        taken.count = taken.hits.at = 0;
        taken.bytes = 0;
        working_rewrite(p.box, low, high, take_some, &taken);
        uint32_t *gone = arena_array(tx->arena, taken.count, sizeof(*gone));
        for (size_t i = 0; i < taken.count; i++)
            gone[i] = taken.entries[i].uid;
        place_log(&p, CHANGE_REMOVED, uids_pack(tx->arena, gone, taken.count));
        t->modseq = p.modseq;
    }
    entries_add(tx, t, &taken, to, working_modseq(tx, p.account));
    p.account->used += undelete || !t->move ? (int64_t)taken.bytes : 0;
    return finish(tx);
}

/* One step of a MOVE; what counts of it counts only after DONE. */
struct transfer_step {
    struct transfer *whole, part;
};

static enum outcome transfer_fn(struct store_tx *tx, void *arg)
{
    struct transfer_step *x = arg;
    x->part.done = x->whole->done;
    return entries_transfer(tx, &x->part);
}

enum outcome mailbox_transfer(struct store *s, struct arena *a, struct transfer *t)
{
    t->source_uids = arena_array(a, t->count + 1, sizeof(*t->source_uids));
    t->target_uids = arena_array(a, t->count + 1, sizeof(*t->target_uids));
    t->done = 0;
    t->modseq = 0;
    size_t step = t->move && t->count > LIMIT_STEP ? LIMIT_STEP : t->count;
    size_t at = 0;
    do {
        struct transfer_step x = {.whole = t, .part = *t};
        struct store_call call = {.account = t->account, .fn = transfer_fn, .arg = &x};
        call.bulk = t->count > LIMIT_STEP;
        x.part.uids = t->uids + at;
        x.part.count = t->count - at < step ? t->count - at : step;
        enum outcome o = store_write(s, &call);
        t->why = x.part.why;
        t->uidvalidity = x.part.uidvalidity;
        if (o != DONE)
            return o;
        t->done = x.part.done;
        t->modseq = x.part.modseq;
        at += x.part.count;
    } while (at < t->count);
    return DONE;
}
