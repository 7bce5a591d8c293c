/*
 * DEFLATE alone (RFC 4978, rule I27), both ways.  Any bytes as what a client sends: what comes out
 * does not depend on how they are cut, is never more at a time than LIMIT_IMAP_INFLATED, and zlib
 * never holds more than LIMIT_IMAP_DEFLATE, whatever a bomb would grow to.  Good streams, of bombs
 * too, come out as they went in, and so does what we say, with rests in between.
 *
 * The first byte says which: level, flushes and cuts follow from it.  Of a good stream the rest is
 * the text, in which "\xff" N C stands for C 1024 * N times.
 */
#include <assert.h>
#include <stdint.h>
#include <zlib.h>

#include "base/budget.h"
#include "imap/compress.h"
#include "base/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST_SAID = 16 << 20, MOST_TEXT = 1 << 20, MOST_DEFLATED = 1 << 20 };

static unsigned next(unsigned *random)
{
    return (*random = *random * 1103515245 + 12345) >> 16;
}

static void check_held(const struct imap_compress *c)
{
    assert(compress_held(c) <= LIMIT_IMAP_DEFLATE + 2 * LIMIT_OUT);
}

/* ---- the way in ---- */

/* As the session reads (server.c); false when it is no DEFLATE. */
static bool read_pieces(struct imap_compress *c, struct buf *out)
{
    for (;;) {
        slice piece = compress_piece(c);
        assert(piece.n <= LIMIT_IMAP_INFLATED);
        if (piece.n) {
            buf_add(out, piece);
            compress_read(c, piece.n);
        } else if (!compress_has_more(c)) {
            return true;
        } else if (compress_take(c, S("")) < 0) {
            return false;
        }
        check_held(c);
    }
}

/* How many bytes there are to read once these have come: none may wait inside. */
static size_t readable(z_stream *z, slice in)
{
    static Bytef out[65536];
    z->next_in = (Bytef *)(uintptr_t)in.p;
    z->avail_in = (uInt)in.n;
    do {
        z->next_out = out;
        z->avail_out = sizeof(out);
    } while (inflate(z, Z_SYNC_FLUSH) == Z_OK && z->avail_out == 0);
    return z->total_out;
}

/* In pieces of 1 .. most bytes, 0: whole; false when it is no DEFLATE. */
static bool inflated(slice in, unsigned random, size_t most, struct buf *out)
{
    struct imap_compress *c = compress_new();
    z_stream z = {0};
    int ok = inflateInit2(&z, -15);
    assert(c && ok == Z_OK);
    bool good = true;
    while (good && in.n && buf_length(out) < MOST_SAID / 2) {
        slice piece = most ? slice_sub(in, 0, 1 + next(&random) % most) : in;
        ssize_t n = compress_take(c, piece);
        assert(n <= (ssize_t)piece.n);
        good = n >= 0 && read_pieces(c, out);
        assert(!good || (n > 0 && buf_length(out) == readable(&z, slice_sub(piece, 0, (size_t)n))));
        in = slice_skip(in, n > 0 ? (size_t)n : 0);
    }
    assert(!out->full);
    inflateEnd(&z);
    compress_end(c);
    return good;
}

static void any_bytes(slice in, unsigned random)
{
    struct buf whole = {.max = MOST_SAID}, cut = {.max = MOST_SAID};
    bool good = inflated(in, random, 0, &whole);
    assert(inflated(in, random, (1 + random % 64) * (1 + in.n / 1024), &cut) == good);
    bool bomb = buf_length(&whole) >= MOST_SAID / 2 || buf_length(&cut) >= MOST_SAID / 2;
    assert(bomb || slice_eq(buf_slice(&whole), buf_slice(&cut)));
    buf_end(&whole);
    buf_end(&cut);
}

/* As a client may: any level, its flushes anywhere. */
static void deflated(slice in, unsigned random, struct buf *out)
{
    static const int flushes[] = {Z_SYNC_FLUSH, Z_FULL_FLUSH, Z_PARTIAL_FLUSH, Z_BLOCK};
    z_stream z = {0};
    int ok = deflateInit2(&z, (int)(random % 10), Z_DEFLATED, -15, 8, (int)(random / 16 % 5));
    assert(ok == Z_OK);
    do {
        slice piece = slice_sub(in, 0, 1 + next(&random) % (MOST_TEXT / 4));
        in = slice_skip(in, piece.n);
        z.next_in = (Bytef *)(uintptr_t)piece.p;
        z.avail_in = (uInt)piece.n;
        do {
            char *to = buf_space(out, 65536);
            assert(to);
            z.next_out = (Bytef *)to;
            z.avail_out = 65536;
            ok = deflate(&z, in.n ? flushes[next(&random) % 4] : Z_SYNC_FLUSH);
            assert(ok == Z_OK || ok == Z_BUF_ERROR);
            buf_wrote(out, 65536 - z.avail_out);
        } while (z.avail_out == 0);
    } while (in.n);
    deflateEnd(&z);
}

static void good_stream(slice text, unsigned random)
{
    struct buf sent = {.max = 2 * MOST_TEXT}, got = {.max = MOST_SAID};
    deflated(text, random, &sent);
    bool good = inflated(buf_slice(&sent), random, 1 + random * 97, &got);
    assert(good && slice_eq(buf_slice(&got), text));
    buf_end(&sent);
    buf_end(&got);
}

/* ---- the way out ---- */

static void said(slice text, unsigned random)
{
    struct imap_compress *c = compress_new();
    struct buf sent = {.max = 2 * MOST_TEXT}, got = {.max = MOST_SAID};
    assert(c);
    for (slice rest = text; rest.n;) {
        slice piece = slice_sub(rest, 0, 1 + next(&random) % LIMIT_OUT);
        rest = slice_skip(rest, piece.n);
        buf_add(compress_out(c), piece);
        compress_flush(c, &sent);
        check_held(c);
        if (next(&random) % 4 == 0)
            compress_rest(c);
    }
    assert(!sent.full);
    compress_end(c);
    bool good = inflated(buf_slice(&sent), random, 0, &got);
    assert(good && slice_eq(buf_slice(&got), text));
    buf_end(&sent);
    buf_end(&got);
}

/* ---- the input ---- */

static void expand(slice in, struct buf *text)
{
    char run[1024];
    for (size_t i = 0; i < in.n; i++) {
        if ((unsigned char)in.p[i] != 0xff || in.n - i < 3) {
            buf_add_byte(text, in.p[i]);
            continue;
        }
        memset(run, in.p[i + 2], sizeof(run));
        for (int n = (unsigned char)in.p[i + 1]; n > 0; n--)
            buf_add(text, (slice){run, sizeof(run)});
        i += 2;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > MOST_DEFLATED)
        return 0;
    size_t before = budget_used();
    slice in = {(const char *)data + 1, size - 1};
    struct buf text = {.max = MOST_TEXT};
    if (data[0] < 128) {
        any_bytes(in, data[0]);
    } else {
        expand(in, &text);
        good_stream(buf_slice(&text), data[0]);
        said(buf_slice(&text), data[0]);
    }
    buf_end(&text);
    assert(budget_used() == before);
    return 0;
}
