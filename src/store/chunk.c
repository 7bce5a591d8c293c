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

/* Packs e behind the entry before; returns where it ends. */
static inline unsigned char *entry_pack(unsigned char *to, const struct entry *before,
                                        const struct entry *e)
{
    to = varint_write(to, e->uid - before->uid);
    to = varint_write(to, zigzag(e->message - before->message));
    to = varint_write(to, zigzag(e->modseq - before->modseq));
    to = varint_write(to, e->flags);
    return varint_write(to, e->size);
}

/* The entry at p: *e is the one before and becomes this one.  Where it ends; NULL: it is none. */
static inline const unsigned char *entry_unpack(const unsigned char *p, const unsigned char *end,
                                                struct entry *e)
{
    struct varint uid = varint_read(p, end);
    struct varint message = uid.next ? varint_read(uid.next, end) : uid;
    struct varint modseq = message.next ? varint_read(message.next, end) : message;
    struct varint flags = modseq.next ? varint_read(modseq.next, end) : modseq;
    struct varint size = flags.next ? varint_read(flags.next, end) : flags;
    if (!size.next || uid.v == 0 || uid.v > UINT32_MAX - e->uid ||
        __builtin_add_overflow(e->message, unzigzag(message.v), &e->message) || e->message <= 0 ||
        __builtin_add_overflow(e->modseq, unzigzag(modseq.v), &e->modseq) || e->modseq <= 0)
        return NULL;
    e->uid += (uint32_t)uid.v;
    e->flags = flags.v;
    e->size = size.v;
    return size.next;
}

bool chunk_next(struct chunk_reader *r)
{
    const unsigned char *p = (const unsigned char *)r->rest.p;
    struct entry e = r->e;
    const unsigned char *next = r->rest.n ? entry_unpack(p, p + r->rest.n, &e) : NULL;
    if (!next)
        return false;
    r->e = e;
    r->rest = slice_skip(r->rest, (size_t)(next - p));
    return true;
}

static struct chunk *chunk_alloc(size_t n)
{
    struct chunk *c = mem_alloc(sizeof(*c) + n);
    *c = (struct chunk){.refs = 1, .n = n, .room = n};
    return c;
}

/* Adds an entry to the sums. */
static inline void chunk_count(struct chunk *c, const struct entry *e)
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
    struct chunk *c = chunk_alloc(data.n), sums = {0};
    memcpy(c->data, data.p, data.n);
    struct entry e = {0};
    const unsigned char *p = c->data + 1, *end = c->data + data.n;
    while (p && p < end) {
        p = entry_unpack(p, end, &e);
        if (p)
            chunk_count(&sums, &e);
    }
    sums.refs = 1;
    sums.n = sums.room = data.n;
    sums.row = row;
    *c = sums;
    if (p)
        return c;
    chunk_release(c);
    return NULL;
}

uint32_t chunk_fill(struct chunk *c, const struct entry *e, uint32_t n)
{
    unsigned char packed[ENTRY_MAX]; /* where an entry may not fit any more */
    unsigned char *to = c->data + c->n;
    unsigned char *end = c->data + (c->room < LIMIT_CHUNK ? c->room : LIMIT_CHUNK);
    struct chunk sums = *c;
    uint32_t i = 0;
    for (; i < n; i++) {
        bool roomy = end - to >= ENTRY_MAX;
        assert(e[i].uid > sums.last.uid && e[i].message > 0 && e[i].modseq > 0);
        unsigned char *stop = entry_pack(roomy ? to : packed, &sums.last, &e[i]);
        if (!roomy) {
            if (stop - packed > end - to)
                break;
            memcpy(to, packed, (size_t)(stop - packed));
            stop = to + (stop - packed);
        }
        to = stop;
        chunk_count(&sums, &e[i]);
    }
    sums.n = (size_t)(to - c->data);
    *c = sums;
    return i;
}

bool chunk_add(struct chunk *c, const struct entry *e)
{
    return chunk_fill(c, e, 1) == 1;
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

uint32_t chunk_list(const struct chunk *c, uint32_t from, struct entry *e, uint32_t n)
{
    const unsigned char *p = c->data + 1, *end = c->data + c->n;
    struct entry next = {0};
    uint32_t got = 0;
    for (uint32_t i = 0; p < end && got < n; i++) {
        p = entry_unpack(p, end, &next);
        assert(p); /* chunk_open() has read it all */
        if (i >= from)
            e[got++] = next;
    }
    return got;
}

uint32_t chunk_seek(const struct chunk *c, uint32_t uid)
{
    uint32_t n = 0;
    for (struct chunk_reader r = chunk_read(c); chunk_next(&r) && r.e.uid < uid;)
        n++;
    return n;
}

struct chunk_reader chunk_read(const struct chunk *c)
{
    return (struct chunk_reader){.rest = slice_skip(chunk_bytes(c), 1)};
}
