/*
 * Two raw DEFLATE streams.  After a sync flush a fresh deflater may go on where another stopped
 * (its first block begins at a byte and refers to nothing before), so that a connection that rests
 * keeps no memory for what it will say.
 */
#include "imap/compress.h"

#include <assert.h>
#include <zlib.h>

#include "base/budget.h"
#include "base/banned.h"

enum {
    WINDOW_OUT = 13,      /* we refer back 8 KiB */
    MEMORY_OUT = 6,       /* zlib's memLevel: 32 + 32 KiB in all */
    WINDOW_IN = 15,       /* clients may refer back 32 KiB */
    HELD = (40 + 8) << 10 /* reckoned for one connection */
};

struct imap_compress {
    z_stream in, out;
    bool out_open;
    bool more; /* the last piece was full */
    struct buf said;
    size_t at, n; /* what is unread of piece */
    size_t held;  /* by zlib, both ways */
    char piece[LIMIT_IMAP_INFLATED];
};

/* ---- zlib's memory ---- */

enum { NOTE = 16 }; /* in front of each piece its size; what follows is aligned as malloc's is */

static voidpf take(voidpf opaque, uInt items, uInt size)
{
    struct imap_compress *c = opaque;
    size_t n = (size_t)items * size + NOTE;
    if (n > LIMIT_IMAP_DEFLATE - c->held)
        return NULL;
    c->held += n;
    size_t *p = mem_alloc(n);
    *p = n;
    return (char *)p + NOTE;
}

static void give(voidpf opaque, voidpf address)
{
    struct imap_compress *c = opaque;
    size_t *p = (size_t *)(void *)((char *)address - NOTE);
    c->held -= *p;
    mem_free(p);
}

struct imap_compress *compress_new(void)
{
    if (!budget_take(HELD))
        return NULL;
    struct imap_compress *c = mem_alloc(sizeof(*c));
    c->in.zalloc = c->out.zalloc = take;
    c->in.zfree = c->out.zfree = give;
    c->in.opaque = c->out.opaque = c;
    if (inflateInit2(&c->in, -WINDOW_IN) != Z_OK) {
        budget_give(HELD);
        mem_free(c);
        return NULL;
    }
    c->said.max = LIMIT_OUT;
    return c;
}

size_t compress_held(const struct imap_compress *c)
{
    return sizeof(*c) + c->held + c->said.size;
}

void compress_rest(struct imap_compress *c)
{
    if (c->out_open)
        deflateEnd(&c->out);
    c->out_open = false;
    buf_end(&c->said);
}

void compress_end(struct imap_compress *c)
{
    if (!c)
        return;
    compress_rest(c);
    inflateEnd(&c->in);
    mem_free(c);
    budget_give(HELD);
}

/* ---- the way out ---- */

struct buf *compress_out(struct imap_compress *c)
{
    return &c->said;
}

void compress_flush(struct imap_compress *c, struct buf *to)
{
    slice said = buf_slice(&c->said);
    if (c->said.full) /* part of an answer is lost, which to must show */
        to->full = true;
    if (said.n == 0)
        return;
    if (!c->out_open) {
        int made = deflateInit2(&c->out, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -WINDOW_OUT, MEMORY_OUT,
                                Z_DEFAULT_STRATEGY);
        assert(made == Z_OK); /* it only fails without memory */
        c->out_open = true;
    }
    size_t bound = deflateBound(&c->out, said.n) + 64;
    char *room = buf_space(to, bound);
    if (room) {
        c->out.next_in = (Bytef *)(uintptr_t)said.p;
        c->out.avail_in = (uInt)said.n;
        c->out.next_out = (Bytef *)room;
        c->out.avail_out = (uInt)bound;
        int done = deflate(&c->out, Z_SYNC_FLUSH);
        assert(done == Z_OK && c->out.avail_in == 0 && c->out.avail_out > 0);
        buf_wrote(to, bound - c->out.avail_out);
    }
    buf_clear(&c->said);
}

/* ---- the way in ---- */

slice compress_piece(const struct imap_compress *c)
{
    return (slice){c->piece + c->at, c->n - c->at};
}

void compress_read(struct imap_compress *c, size_t n)
{
    assert(n <= c->n - c->at);
    c->at += n;
}

bool compress_has_more(const struct imap_compress *c)
{
    return c->more;
}

ssize_t compress_take(struct imap_compress *c, slice in)
{
    assert(c->at == c->n);
    c->in.next_in = (Bytef *)(uintptr_t)in.p;
    c->in.avail_in = (uInt)in.n;
    c->in.next_out = (Bytef *)c->piece;
    c->in.avail_out = LIMIT_IMAP_INFLATED;
    int done = inflate(&c->in, Z_SYNC_FLUSH);
    c->at = 0;
    c->n = LIMIT_IMAP_INFLATED - c->in.avail_out;
    c->more = c->in.avail_out == 0;
    if (done == Z_OK || done == Z_BUF_ERROR) /* the latter: nothing was left inside after all */
        return (ssize_t)(in.n - c->in.avail_in);
    if (c->n == 0)
        return -1;
    c->more = true; /* what came before the damage is read first; zlib says it again */
    return (ssize_t)(in.n - c->in.avail_in);
}
