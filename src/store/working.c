/*
 * Working copies.  A copy is made when a batch first touches an account or mailbox, and kept for
 * the next batch; what a call did to it can be taken back, as its savepoint is.
 *
 * Invariants
 *   W1  Between batches a copy equals the committed rows.
 *   W2  A call that is rolled back leaves every copy as it found it.
 *   W3  The last chunk of a copy is the mailbox's last chunk; a whole copy has all of them.
 *   W4  A batch writes each touched row once, at its end; until then the rows are the committed
 *       ones.
 *   W5  A modseq is given to one call only; it is higher than every one before in that account.
 *   W6  A deleted mailbox is no more from its call on; its copy goes with the commit.
 */
#include "store/working.h"

#include <assert.h>

#include "base/log.h"
#include "store/change.h"
#include "store/internal.h"
#include "base/banned.h"

static struct working *working_of(const struct store_tx *tx)
{
    return &tx->store->writer.working;
}

/* ---- accounts ---- */

static void account_load(struct store_tx *tx, struct working_account *a)
{
    struct sql *q =
        sql_query(tx->db, "SELECT quota, used, modseq FROM account WHERE id = ?", "i", a->id);
    a->exists = sql_row(q);
    a->quota = sql_int(q, 0);
    if (!a->in_batch) { /* else the copy is newer than the row (W4) */
        a->used = sql_int(q, 1);
        a->modseq = sql_int(q, 2);
    }
    sql_end(q);
    a->directory_version = working_of(tx)->directory_version;
}

struct working_account *working_account(struct store_tx *tx, int64_t account)
{
    struct working *w = working_of(tx);
    slice key = {(const char *)&account, sizeof(account)};
    struct working_account *a = map_get(&w->accounts, key);
    if (!a) {
        a = mem_alloc(sizeof(*a));
        *a = (struct working_account){.id = account};
        map_set(&w->accounts, key, a);
    }
    if (!a->exists || a->directory_version != w->directory_version)
        account_load(tx, a);
    if (!a->exists || sql_failed(tx->db))
        return NULL;
    if (a->call != w->call) {
        a->call = w->call;
        a->next_touched = w->touched_accounts;
        w->touched_accounts = a;
        a->undo_modseq = a->modseq;
        a->undo_used = a->used;
    }
    if (!a->in_batch) {
        a->in_batch = true;
        a->next = w->batch_accounts;
        w->batch_accounts = a;
    }
    return a;
}

int64_t working_modseq(struct store_tx *tx, struct working_account *a)
{
    assert(a->call == working_of(tx)->call);
    if (a->modseq == a->undo_modseq)
        a->modseq++;
    return a->modseq;
}

int64_t working_new_message(struct store_tx *tx)
{
    struct working *w = working_of(tx);
    if (!w->next_message)
        w->next_message =
            sql_number(tx->db, 1, "SELECT next FROM counter WHERE name = 'message'", "");
    w->message_counted = true;
    return w->next_message++;
}

enum outcome working_refusal(struct store_tx *tx)
{
    if (working_of(tx)->damaged)
        log_event(LEVEL_ERROR, "store.damaged", "what=\"a chunk of entries\" do=\"yizhan check\"");
    return sql_failed(tx->db) || working_of(tx)->damaged ? TEMPFAIL : PERMFAIL;
}

/* ---- mailboxes ---- */

static void chunks_push(struct working_mailbox *m, struct chunk *c)
{
    if (m->count == m->size) {
        m->size = m->size ? m->size * 2 : 4;
        m->chunks = mem_realloc(m->chunks, m->size * sizeof(struct chunk *));
    }
    m->chunks[m->count++] = c;
}

static void chunks_clear(struct chunk **chunks, size_t count)
{
    for (size_t i = 0; i < count; i++)
        chunk_release(chunks[i]);
}

static void mailbox_free(struct working_mailbox *m)
{
    chunks_clear(m->chunks, m->count);
    mem_free(m->chunks);
    mem_free(m->gone);
    mem_free(m);
}

static bool mailbox_load(struct store_tx *tx, struct working_mailbox *m)
{
    struct sql *q = sql_query(tx->db,
                              "SELECT id, total, uidvalidity, uidnext, unseen, modseq, size, role"
                              " FROM mailbox WHERE account = ? AND mailbox = ?",
                              "ii", m->account, m->mailbox);
    bool found = sql_row(q);
    m->row = sql_int(q, 0);
    m->info = (struct view_info){.count = (uint32_t)sql_int(q, 1),
                                 .uidvalidity = (uint32_t)sql_int(q, 2),
                                 .uidnext = (uint32_t)sql_int(q, 3),
                                 .unseen = (uint32_t)sql_int(q, 4),
                                 .modseq = sql_int(q, 5),
                                 .size = (uint64_t)sql_int(q, 6)};
    m->role = (enum mailbox_role)sql_int(q, 7);
    sql_end(q);
    if (!found)
        return false;
    q = sql_query(tx->db,
                  "SELECT data, id FROM entry_chunk WHERE account = ? AND mailbox = ?"
                  " ORDER BY first DESC LIMIT 1",
                  "ii", m->account, m->mailbox);
    struct chunk *c = NULL;
    bool has = sql_row(q), good = true;
    if (has) {
        c = chunk_open(sql_bytes(q, 0), sql_int(q, 1));
        good = c != NULL;
    }
    sql_end(q);
    if (c)
        chunks_push(m, c);
    m->whole = !has;
    working_of(tx)->damaged |= !good;
    return good && !sql_failed(tx->db);
}

/* Puts the committed chunks before those the copy has in front of them. */
static bool mailbox_load_rest(struct store_tx *tx, struct working_mailbox *m)
{
    struct chunk **tail = m->chunks;
    size_t tail_count = m->count;
    uint32_t from = tail_count ? tail[0]->first_uid : UINT32_MAX;
    m->chunks = NULL;
    m->count = m->size = 0;
    bool good = true;
    struct view *v = view_newest(tx->store, m->account, m->mailbox);
    if (v) { /* the committed chunks, already in memory */
        size_t count;
        struct chunk *const *all = view_chunks(v, &count);
        for (size_t i = 0; i < count && all[i]->first_uid < from; i++)
            chunks_push(m, chunk_retain(all[i]));
        view_release(v);
    } else {
        struct sql *q = sql_query(tx->db,
                                  "SELECT data, id FROM entry_chunk WHERE account = ? AND"
                                  " mailbox = ? AND first < ? ORDER BY first",
                                  "iii", m->account, m->mailbox, (int64_t)from);
        while (good && sql_row(q)) {
            struct chunk *c = chunk_open(sql_bytes(q, 0), sql_int(q, 1));
            good = c != NULL;
            if (c)
                chunks_push(m, c);
        }
        sql_end(q);
    }
    m->whole = good && !sql_failed(tx->db);
    working_of(tx)->damaged |= !good;
    if (!m->whole) {
        chunks_clear(m->chunks, m->count);
        m->count = 0;
    }
    for (size_t i = 0; i < tail_count; i++)
        chunks_push(m, tail[i]);
    mem_free(tail);
    return m->whole;
}

/* Remembers how the call found the mailbox; the last chunk is enough to undo appends. */
static void undo_note(struct working *w, struct working_mailbox *m)
{
    if (m->call == w->call)
        return;
    m->call = w->call;
    m->next_touched = w->touched_mailboxes;
    w->touched_mailboxes = m;
    m->undo.info = m->info;
    m->undo.count = m->count;
    m->undo.gone_count = m->gone_count;
    m->undo.added_modseq = m->added_modseq;
    m->undo.whole = false;
    m->undo.dead = m->dead;
    m->undo.chunks = NULL;
    if (m->count) {
        m->undo.chunks = mem_alloc(sizeof(struct chunk *));
        m->undo.chunks[0] = chunk_retain(m->chunks[m->count - 1]);
    }
}

static void undo_clear(struct working_mailbox *m)
{
    if (m->undo.chunks)
        chunks_clear(m->undo.chunks, m->undo.whole ? m->undo.count : 1);
    mem_free(m->undo.chunks);
    m->undo.chunks = NULL;
}

/* Before a rewrite: remembers all chunks as the call found them. */
static void undo_note_whole(struct working_mailbox *m)
{
    if (m->undo.whole)
        return;
    struct chunk **all = mem_alloc((m->undo.count + 1) * sizeof(struct chunk *));
    for (size_t i = 0; i + 1 < m->undo.count; i++)
        all[i] = chunk_retain(m->chunks[i]);
    if (m->undo.count)
        all[m->undo.count - 1] = m->undo.chunks[0];
    mem_free(m->undo.chunks);
    m->undo.chunks = all;
    m->undo.whole = true;
}

static void mailbox_undo(struct working_mailbox *m)
{
    size_t keep = m->undo.whole || !m->undo.count ? 0 : m->undo.count - 1;
    chunks_clear(m->chunks + keep, m->count - keep);
    m->count = keep;
    for (size_t i = keep; i < m->undo.count; i++)
        chunks_push(m, chunk_retain(m->undo.chunks[i - keep]));
    m->info = m->undo.info;
    m->gone_count = m->undo.gone_count;
    m->added_modseq = m->undo.added_modseq;
    m->dead = m->undo.dead;
}

struct working_mailbox *working_mailbox(struct store_tx *tx, int64_t account, int64_t mailbox,
                                        bool whole)
{
    struct working *w = working_of(tx);
    struct mailbox_key k = {account, mailbox};
    slice key = mailbox_key_slice(&k);
    struct working_mailbox *m = map_get(&w->mailboxes, key);
    if (!m) {
        m = mem_alloc(sizeof(*m));
        *m = (struct working_mailbox){.account = account, .mailbox = mailbox};
        if (!mailbox_load(tx, m)) {
            mailbox_free(m);
            return NULL;
        }
        map_set(&w->mailboxes, key, m);
    }
    if (m->dead) /* W6 */
        return NULL;
    size_t had = m->count;
    if (whole && !m->whole && !mailbox_load_rest(tx, m))
        return NULL; /* the batch is lost or the store damaged; the copy is still a good tail */
    if (m->call == w->call)
        m->undo.count += m->count - had; /* loaded chunks are no change of the call */
    undo_note(w, m);
    if (!m->in_batch) {
        m->in_batch = true;
        m->before = m->info;
        m->next = w->batch_mailboxes;
        w->batch_mailboxes = m;
    }
    return m;
}

void working_append(struct working_mailbox *m, const struct entry *e)
{
    struct chunk *last = m->count ? m->chunks[m->count - 1] : NULL;
    bool ours = last && last->dirty && atomic_load(&last->refs) == 1; /* made by this very call */
    if (!ours || !chunk_add(last, e)) {
        struct chunk *longer = chunk_append(last, e, ours);
        if (longer && last) {
            m->chunks[m->count - 1] = longer;
            chunk_release(last);
        } else {
            chunks_push(m, longer ? longer : chunk_append(NULL, e, ours));
        }
    }
    m->info.count++;
    m->info.unseen += !(e->flags & FLAG_SEEN);
    m->info.size += e->size;
    m->info.uidnext = e->uid + 1;
    m->info.modseq = e->modseq;
    m->added_modseq = e->modseq;
}

static void gone_push(struct working_mailbox *m, int64_t row)
{
    if (!row)
        return;
    if (m->gone_count == m->gone_size) {
        m->gone_size = m->gone_size ? m->gone_size * 2 : 8;
        m->gone = mem_realloc(m->gone, m->gone_size * sizeof(*m->gone));
    }
    m->gone[m->gone_count++] = row;
}

static size_t chunk_holding(const struct working_mailbox *m, uint32_t uid)
{
    size_t low = 0, high = m->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (m->chunks[middle]->last.uid < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* What a rewrite produces: finished chunks and the one being filled. */
struct rewrite {
    struct chunk **out;
    size_t count, size;
    struct chunk *open;
};

static void rewrite_finish(struct rewrite *r)
{
    if (!r->open)
        return;
    if (r->count == r->size) {
        r->size = r->size ? r->size * 2 : 16;
        r->out = mem_realloc(r->out, r->size * sizeof(*r->out));
    }
    r->out[r->count++] = r->open;
    r->open = NULL;
}

static void rewrite_add(struct rewrite *r, const struct entry *e)
{
    if (r->open && chunk_add(r->open, e))
        return;
    rewrite_finish(r);
    r->open = chunk_new(0);
    chunk_add(r->open, e);
}

/*
 * One source chunk into the rewrite.  Its row goes on living in the output chunk begun here, or is
 * gone when its entries went into an earlier one.
 */
static void rewrite_chunk(struct working_mailbox *m, struct rewrite *r, const struct chunk *c,
                          bool (*fn)(void *arg, struct entry *e), void *arg)
{
    if (r->open && r->open->n >= LIMIT_CHUNK / 2)
        rewrite_finish(r);
    bool fresh = !r->open;
    if (fresh)
        r->open = chunk_new(c->row);
    else
        gone_push(m, c->row);
    for (struct chunk_reader in = chunk_read(c); chunk_next(&in);) {
        struct entry e = in.e;
        if (fn(arg, &e))
            rewrite_add(r, &e);
    }
    if (fresh && r->open->count == 0 && r->open->row == c->row) {
        gone_push(m, c->row);
        chunk_release(r->open);
        r->open = NULL;
    }
}

/* The sums of the mailbox after some chunks were replaced. */
static void mailbox_recount(struct working_mailbox *m, struct chunk **old, size_t old_count,
                            struct chunk **fresh, size_t fresh_count)
{
    for (size_t i = 0; i < old_count; i++) {
        m->info.count -= old[i]->count;
        m->info.unseen -= old[i]->unseen;
        m->info.size -= old[i]->size;
    }
    for (size_t i = 0; i < fresh_count; i++) {
        m->info.count += fresh[i]->count;
        m->info.unseen += fresh[i]->unseen;
        m->info.size += fresh[i]->size;
        m->info.modseq = fresh[i]->modseq > m->info.modseq ? fresh[i]->modseq : m->info.modseq;
    }
}

void working_rewrite(struct working_mailbox *m, uint32_t from, uint32_t to,
                     bool (*fn)(void *arg, struct entry *e), void *arg)
{
    assert(m->whole);
    undo_note_whole(m);
    size_t first = chunk_holding(m, from), end = first;
    struct rewrite r = {0};
    for (; end < m->count && m->chunks[end]->first_uid <= to; end++)
        rewrite_chunk(m, &r, m->chunks[end], fn, arg);
    rewrite_finish(&r);
    mailbox_recount(m, m->chunks + first, end - first, r.out, r.count);
    chunks_clear(m->chunks + first, end - first);
    size_t after = m->count - end, count = first + r.count + after;
    if (count > m->size) {
        m->size = count;
        m->chunks = mem_realloc(m->chunks, count * sizeof(struct chunk *));
    }
    if (after)
        memmove(m->chunks + first + r.count, m->chunks + end, after * sizeof(struct chunk *));
    if (r.count)
        memcpy(m->chunks + first, r.out, r.count * sizeof(struct chunk *));
    m->count = count;
    mem_free(r.out);
}

void working_each(const struct working_mailbox *m, uint32_t from, uint32_t to,
                  void (*fn)(void *arg, const struct entry *e), void *arg)
{
    assert(m->whole);
    for (size_t i = chunk_holding(m, from); i < m->count && m->chunks[i]->first_uid <= to; i++)
        for (struct chunk_reader r = chunk_read(m->chunks[i]); chunk_next(&r) && r.e.uid <= to;)
            if (r.e.uid >= from)
                fn(arg, &r.e);
}

void working_delete(struct working_mailbox *m)
{
    assert(m->count == 0);
    m->dead = true;
}

/* ---- calls and batches ---- */

void working_call(struct working *w)
{
    for (struct working_mailbox *m = w->touched_mailboxes; m; m = m->next_touched)
        undo_clear(m);
    w->touched_mailboxes = NULL;
    w->touched_accounts = NULL;
    w->damaged = false;
    w->call++;
}

void working_undo(struct working *w)
{
    for (struct working_mailbox *m = w->touched_mailboxes; m; m = m->next_touched)
        mailbox_undo(m);
    for (struct working_account *a = w->touched_accounts; a; a = a->next_touched) {
        a->modseq = a->undo_modseq;
        a->used = a->undo_used;
    }
    w->directory_version++; /* the savepoint may have held changes of account rows */
}

static void flush_chunk(struct store_tx *tx, struct working_mailbox *m, struct chunk *c)
{
    if (c->row) { /* the index of first uids is left alone where that is as it was */
        if (sql_exec(tx->db,
                     "UPDATE entry_chunk SET modseq = ?, data = ? WHERE id = ? AND first = ?",
                     "ibii", c->modseq, chunk_bytes(c), c->row, (int64_t)c->first_uid) == 0)
            sql_exec(tx->db, "UPDATE entry_chunk SET first = ?, modseq = ?, data = ? WHERE id = ?",
                     "iibi", (int64_t)c->first_uid, c->modseq, chunk_bytes(c), c->row);
        return;
    }
    c->row = sql_number(tx->db, 0,
                        "INSERT INTO entry_chunk(account, mailbox, first, modseq, data)"
                        " VALUES (?, ?, ?, ?, ?) RETURNING id",
                        "iiiib", m->account, m->mailbox, (int64_t)c->first_uid, c->modseq,
                        chunk_bytes(c));
}

static void flush_mailbox(struct store_tx *tx, struct working_mailbox *m)
{
    for (size_t i = 0; i < m->gone_count; i++)
        sql_exec(tx->db, "DELETE FROM entry_chunk WHERE id = ?", "i", m->gone[i]);
    /* From the last to the first: a chunk's first uid only rises, so it never meets a neighbour. */
    for (size_t i = m->count; i-- > 0;)
        if (m->chunks[i]->dirty)
            flush_chunk(tx, m, m->chunks[i]);
    if (memcmp(&m->info, &m->before, sizeof(m->info)) != 0)
        sql_exec(tx->db,
                 "UPDATE mailbox SET uidnext = ?, modseq = ?, total = ?, unseen = ?, size = ?"
                 " WHERE id = ?",
                 "iiiiii", (int64_t)m->info.uidnext, m->info.modseq, (int64_t)m->info.count,
                 (int64_t)m->info.unseen, (int64_t)m->info.size, m->row);
    if (m->added_modseq)
        change_added(tx, m->account, m->added_modseq, m->mailbox, m->before.uidnext,
                     m->info.uidnext - 1);
}

void working_flush(struct store_tx *tx)
{
    struct working *w = working_of(tx);
    for (struct working_mailbox *m = w->batch_mailboxes; m; m = m->next)
        flush_mailbox(tx, m);
    uint64_t version = w->directory_version; /* our own updates are no news */
    for (struct working_account *a = w->batch_accounts; a; a = a->next)
        sql_exec(tx->db, "UPDATE account SET modseq = ?, used = ? WHERE id = ?", "iii", a->modseq,
                 a->used, a->id);
    w->directory_version = version;
    if (w->message_counted)
        sql_exec(tx->db, "UPDATE counter SET next = max(next, ?) WHERE name = 'message'", "i",
                 w->next_message);
}

/* Keeps the last chunk alone: all that the next append needs. */
static void mailbox_trim(struct working_mailbox *m)
{
    if (m->count > 1) {
        chunks_clear(m->chunks, m->count - 1);
        m->chunks[0] = m->chunks[m->count - 1];
        m->count = 1;
        m->whole = false;
    }
    if (m->size > 64) {
        m->chunks = mem_realloc(m->chunks, 4 * sizeof(struct chunk *));
        m->size = 4;
    }
}

static void mailbox_drop(struct working *w, struct working_mailbox *m)
{
    struct mailbox_key k = {m->account, m->mailbox};
    map_remove(&w->mailboxes, mailbox_key_slice(&k));
    mailbox_free(m);
}

void working_keep(struct store_tx *tx)
{
    struct working *w = working_of(tx);
    working_call(w);
    w->changed = NULL;
    w->changed_count = w->changed_size = 0;
    for (struct working_mailbox *m = w->batch_mailboxes, *next; m; m = next) {
        next = m->next;
        for (size_t i = 0; i < m->count; i++)
            m->chunks[i]->dirty = false;
        if (memcmp(&m->info, &m->before, sizeof(m->info)) != 0 && view_publish(tx->store, m)) {
            w->changed = arena_grow(tx->arena, w->changed, w->changed_count, &w->changed_size,
                                    sizeof(*w->changed));
            w->changed[w->changed_count++] = (struct mailbox_key){m->account, m->mailbox};
        }
        mailbox_trim(m);
        m->gone_count = 0;
        m->added_modseq = 0;
        m->in_batch = false;
        if (m->dead)
            mailbox_drop(w, m);
    }
    for (struct working_account *a = w->batch_accounts; a; a = a->next)
        a->in_batch = false;
    w->batch_mailboxes = NULL;
    w->batch_accounts = NULL;
    w->message_counted = false;
    if (w->mailboxes.count > LIMIT_MAILBOX_CACHE || w->accounts.count > LIMIT_ACCOUNT_CACHE)
        working_end(w);
}

void working_forget(struct working *w)
{
    working_call(w);
    for (struct working_mailbox *m = w->batch_mailboxes, *next; m; m = next) {
        next = m->next;
        mailbox_drop(w, m);
    }
    for (struct working_account *a = w->batch_accounts, *next; a; a = next) {
        next = a->next;
        map_remove(&w->accounts, (slice){(const char *)&a->id, sizeof(a->id)});
        mem_free(a);
    }
    w->batch_mailboxes = NULL;
    w->batch_accounts = NULL;
    w->next_message = 0;
    w->message_counted = false;
}

void working_end(struct working *w)
{
    slice key;
    void *value;
    assert(!w->batch_mailboxes && !w->batch_accounts);
    for (size_t at = 0; map_next(&w->mailboxes, &at, &key, &value);)
        mailbox_free(value);
    for (size_t at = 0; map_next(&w->accounts, &at, &key, &value);)
        mem_free(value);
    map_end(&w->mailboxes);
    map_end(&w->accounts);
    w->next_message = 0;
}

void working_directory_changed(void *arg)
{
    struct working *w = arg;
    w->directory_version++;
}
