/*
 * A mailbox as the writer's thread works on it: loaded when a batch first touches it, its rows
 * written at the batch's end (invariants in working.c).  Appending needs its last chunk alone.
 */
#include "store/working_mailbox.h"

#include <assert.h>

#include "store/change.h"
#include "base/banned.h"

static void chunks_push(struct working_mailbox *m, struct chunk *c)
{
    if (m->count == m->size) {
        m->size = m->size ? m->size * 2 : 4;
        m->chunks = mem_realloc(m->chunks, m->size * sizeof(struct chunk *));
    }
    m->chunks[m->count++] = c;
}

void chunks_release(struct chunk **chunks, size_t count)
{
    for (size_t i = 0; i < count; i++)
        chunk_release(chunks[i]);
}

void working_mailbox_free(struct working_mailbox *m)
{
    chunks_release(m->chunks, m->count);
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
        chunks_release(m->chunks, m->count);
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

void working_mailbox_settle(struct working_mailbox *m)
{
    if (m->undo.chunks)
        chunks_release(m->undo.chunks, m->undo.whole ? m->undo.count : 1);
    mem_free(m->undo.chunks);
    m->undo.chunks = NULL;
}

/* Before a rewrite: remembers all chunks as the call found them. */
void working_mailbox_note_whole(struct working_mailbox *m)
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

void working_mailbox_undo(struct working_mailbox *m)
{
    size_t keep = m->undo.whole || !m->undo.count ? 0 : m->undo.count - 1;
    chunks_release(m->chunks + keep, m->count - keep);
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
            working_mailbox_free(m);
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

void working_delete(struct working_mailbox *m)
{
    assert(m->count == 0);
    m->dead = true;
}

/* ---- the end of a batch ---- */

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

void working_mailbox_flush(struct store_tx *tx, struct working_mailbox *m)
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

/* Keeps the last chunk alone: all that the next append needs. */
void working_mailbox_trim(struct working_mailbox *m)
{
    if (m->count > 1) {
        chunks_release(m->chunks, m->count - 1);
        m->chunks[0] = m->chunks[m->count - 1];
        m->count = 1;
        m->whole = false;
    }
    if (m->size > 64) {
        m->chunks = mem_realloc(m->chunks, 4 * sizeof(struct chunk *));
        m->size = 4;
    }
}
