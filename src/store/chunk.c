/*
 * The chunk codec (table entry_chunk, column data).
 *
 *   byte 0      version, 1
 *   per entry   uid - uid before (>= 1) | message - before | modseq - before | flags | size
 *
 * Numbers are LEB128 varints in their shortest form; the two differences that may be negative are
 * zigzag.  Before the first entry everything is 0.  About 8 bytes an entry.
 *
 * Invariants
 *   C1  uids rise strictly and fit 32 bits; message, modseq > 0; at least one entry.
 *   C2  A chunk has one encoding only: bytes that unpack are exactly what packing gives.
 *   C3  At most LIMIT_CHUNK bytes.
 */
#include "store/chunk.h"

#include <assert.h>

#include "store/varint.h"
#include "base/banned.h"

enum { CHUNK_VERSION = 1, ENTRY_MAX = 5 + 10 + 10 + 10 + 10 };

static size_t entry_pack(unsigned char *to, const struct entry *before, const struct entry *e)
{
    size_t n = varint_put(to, e->uid - before->uid);
    n += varint_put(to + n, zigzag(e->message - before->message));
    n += varint_put(to + n, zigzag(e->modseq - before->modseq));
    n += varint_put(to + n, e->flags);
    return n + varint_put(to + n, e->size);
}

bool chunk_next(struct chunk_reader *r)
{
    uint64_t uid, message, modseq, flags, size;
    slice s = r->rest;
    if (!varint_next(&s, &uid) || !varint_next(&s, &message) || !varint_next(&s, &modseq) ||
        !varint_next(&s, &flags) || !varint_next(&s, &size))
        return false;
    struct entry e = {.flags = flags, .size = size};
    if (uid == 0 || uid > UINT32_MAX - r->e.uid ||
        __builtin_add_overflow(r->e.message, unzigzag(message), &e.message) || e.message <= 0 ||
        __builtin_add_overflow(r->e.modseq, unzigzag(modseq), &e.modseq) || e.modseq <= 0)
        return false;
    e.uid = r->e.uid + (uint32_t)uid;
    r->e = e;
    r->rest = s;
    return true;
}

static struct chunk *chunk_alloc(size_t n)
{
    struct chunk *c = mem_alloc(sizeof(*c) + n);
    *c = (struct chunk){.refs = 1, .n = n, .room = n};
    return c;
}

/* Adds an entry to the sums. */
static void chunk_count(struct chunk *c, const struct entry *e)
{
    c->first_uid = c->count ? c->first_uid : e->uid;
    c->count++;
    c->unseen += !(e->flags & FLAG_SEEN);
    c->deleted += (e->flags & FLAG_DELETED) != 0;
    c->size += e->size;
    c->modseq = e->modseq > c->modseq ? e->modseq : c->modseq;
    c->last = *e;
}

struct chunk *chunk_open(slice data, int64_t row)
{
    if (data.n < 2 || data.n > LIMIT_CHUNK || data.p[0] != CHUNK_VERSION)
        return NULL;
    struct chunk *c = chunk_alloc(data.n);
    memcpy(c->data, data.p, data.n);
    c->row = row;
    struct chunk_reader r = chunk_read(c);
    while (chunk_next(&r))
        chunk_count(c, &r.e);
    if (!r.rest.n)
        return c;
    chunk_release(c);
    return NULL;
}

bool chunk_add(struct chunk *c, const struct entry *e)
{
    unsigned char packed[ENTRY_MAX];
    assert(e->uid > c->last.uid && e->message > 0 && e->modseq > 0);
    size_t n = entry_pack(packed, &c->last, e);
    if (c->n + n > c->room || c->n + n > LIMIT_CHUNK)
        return false;
    memcpy(c->data + c->n, packed, n);
    c->n += n;
    chunk_count(c, e);
    return true;
}

struct chunk *chunk_new(int64_t row)
{
    struct chunk *c = chunk_alloc(LIMIT_CHUNK);
    c->n = 1;
    c->data[0] = CHUNK_VERSION;
    c->row = row;
    c->dirty = true;
    return c;
}

struct chunk *chunk_append(const struct chunk *old, const struct entry *e, bool more)
{
    size_t had = old ? old->n : 1, room = more ? LIMIT_CHUNK : had + ENTRY_MAX;
    struct chunk *c = chunk_alloc(room);
    if (old)
        memcpy(c, old, sizeof(*c) + had);
    else
        c->data[0] = CHUNK_VERSION;
    c->refs = 1;
    c->room = room;
    c->n = had;
    c->dirty = true;
    if (chunk_add(c, e))
        return c;
    chunk_release(c);
    return NULL;
}

struct chunk *chunk_retain(struct chunk *c)
{
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

void chunk_release(struct chunk *c)
{
    if (c && atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) == 1)
        mem_free(c);
}

slice chunk_bytes(const struct chunk *c)
{
    return (slice){(const char *)c->data, c->n};
}

struct chunk_reader chunk_read(const struct chunk *c)
{
    return (struct chunk_reader){.rest = slice_skip(chunk_bytes(c), 1)};
}
