/*
 * Changing the entries of a working copy: a chunk is unpacked, its entries are changed and packed
 * again.  A chunk that nothing changes in stays as it is, row and all (M8).
 */
#include <assert.h>

#include "store/working_mailbox.h"
#include "base/banned.h"

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

static void rewrite_push(struct rewrite *r, struct chunk *c)
{
    if (r->count == r->size) {
        r->size = r->size ? r->size * 2 : 16;
        r->out = mem_realloc(r->out, r->size * sizeof(*r->out));
    }
    r->out[r->count++] = c;
}

static void rewrite_finish(struct rewrite *r)
{
    if (r->open)
        rewrite_push(r, r->open);
    r->open = NULL;
}

static void rewrite_fill(struct rewrite *r, const struct entry *e, uint32_t n)
{
    for (uint32_t done = 0; (done += chunk_fill(r->open, e + done, n - done)) < n;) {
        rewrite_finish(r);
        r->open = chunk_new(0);
    }
}

/*
 * One source chunk into the rewrite.  Its row goes on living in the output chunk begun here, or is
 * gone when its entries went into an earlier one.
 */
static void rewrite_chunk(struct working_mailbox *m, struct rewrite *r, struct chunk *c,
                          bool (*fn)(void *arg, struct entry *e, uint32_t *n), void *arg)
{
    struct entry e[CHUNK_ENTRIES] __attribute__((uninitialized));
    uint32_t n = chunk_list(c, 0, e, CHUNK_ENTRIES);
    bool changed = fn(arg, e, &n);
    if (r->open && r->open->n >= LIMIT_CHUNK / 2)
        rewrite_finish(r);
    if (!changed && !r->open) {
        rewrite_push(r, chunk_retain(c));
    } else if (r->open || n == 0) {
        gone_push(m, c->row);
    } else {
        r->open = chunk_new(c->row);
    }
    if (r->open)
        rewrite_fill(r, e, n);
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
                     bool (*fn)(void *arg, struct entry *e, uint32_t *n), void *arg)
{
    assert(m->whole);
    working_mailbox_note_whole(m);
    size_t first = chunk_holding(m, from), end = first;
    struct rewrite r = {0};
    for (; end < m->count && m->chunks[end]->first_uid <= to; end++)
        rewrite_chunk(m, &r, m->chunks[end], fn, arg);
    rewrite_finish(&r);
    mailbox_recount(m, m->chunks + first, end - first, r.out, r.count);
    chunks_release(m->chunks + first, end - first);
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
                  void (*fn)(void *arg, const struct entry *e, uint32_t n), void *arg)
{
    struct entry e[CHUNK_ENTRIES] __attribute__((uninitialized));
    assert(m->whole);
    for (size_t i = chunk_holding(m, from); i < m->count && m->chunks[i]->first_uid <= to; i++) {
        uint32_t first = chunk_seek(m->chunks[i], from);
        uint32_t n = chunk_list(m->chunks[i], first, e, CHUNK_ENTRIES);
        while (n > 0 && e[n - 1].uid > to)
            n--;
        fn(arg, e, n);
    }
}
