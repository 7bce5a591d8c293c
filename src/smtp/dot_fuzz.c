/*
 * Any bytes to both sides of the dot protocol.  Properties: what the writer writes the reader reads
 * back, with every bare CR and LF made a CRLF and nothing else changed; the reader's answer does
 * not depend on the cuts and agrees with a reader that looks at single bytes.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "smtp/dot.h"
#include "base/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool put(void *ctx, slice run)
{
    return buf_add(ctx, run);
}

/* Reads in pieces of at most most bytes; returns the bytes taken. */
static size_t read_all(struct dot *d, slice in, size_t most, struct buf *out)
{
    size_t at = 0;
    while (at < in.n && !d->ended) {
        slice run, piece = slice_sub(in, at, most < in.n - at ? at + most : in.n);
        size_t n = dot_read(d, piece, &run);
        assert(n > 0 && n <= piece.n);
        buf_add(out, run);
        at += n;
    }
    return at;
}

/* The end of the message by the letter of RFC 5321 4.1.1.4, in.n when there is none. */
static size_t plain_end(slice in)
{
    if (slice_starts(in, S(".\r\n")))
        return 3;
    ptrdiff_t at = slice_search(in, S("\r\n.\r\n"));
    return at < 0 ? in.n : (size_t)at + 5;
}

static bool plain_bare(slice in)
{
    for (size_t i = 0; i < in.n; i++) {
        if (in.p[i] == '\n' && (i == 0 || in.p[i - 1] != '\r'))
            return true;
        if (in.p[i] == '\r' && i + 1 < in.n && in.p[i + 1] != '\n')
            return true;
    }
    return false;
}

static void check_read(slice in)
{
    struct buf first = {.max = 16 << 20};
    struct dot d = {0};
    size_t took = read_all(&d, in, SIZE_MAX, &first);
    assert(took == plain_end(in));
    assert(d.bare == plain_bare(slice_sub(in, 0, took)));
    for (size_t most = 1; most < 8; most++) {
        struct buf again = {.max = 16 << 20};
        struct dot e = {0};
        assert(read_all(&e, in, most, &again) == took);
        assert(e.ended == d.ended && e.bare == d.bare && e.long_line == d.long_line);
        assert(d.bare || slice_eq(buf_slice(&first), buf_slice(&again)));
        buf_end(&again);
    }
    buf_end(&first);
}

/* in with every line end a CRLF, the last line ended. */
static void canonical(slice in, struct buf *out)
{
    for (size_t i = 0; i < in.n; i++) {
        bool crlf = in.p[i] == '\r' && i + 1 < in.n && in.p[i + 1] == '\n';
        if (in.p[i] == '\r' || in.p[i] == '\n')
            buf_add(out, S("\r\n"));
        else
            buf_add_byte(out, in.p[i]);
        i += crlf;
    }
    if (buf_length(out) && !slice_ends(buf_slice(out), S("\r\n")))
        buf_add(out, S("\r\n"));
}

static void check_write(slice in)
{
    struct buf want = {.max = 16 << 20};
    canonical(in, &want);
    for (size_t most = 1; most < 9; most++) {
        struct buf wire = {.max = 32 << 20}, back = {.max = 16 << 20};
        struct dot_writer w = {.put = put, .ctx = &wire};
        for (size_t at = 0; at < in.n; at += most)
            dot_write(&w, slice_sub(in, at, at + most));
        dot_write_end(&w);
        struct dot d = {0};
        assert(read_all(&d, buf_slice(&wire), SIZE_MAX, &back) == buf_length(&wire));
        assert(d.ended && !d.bare);
        assert(slice_eq(buf_slice(&back), buf_slice(&want)));
        buf_end(&wire);
        buf_end(&back);
    }
    buf_end(&want);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    slice in = {(const char *)data, size};
    if (size > 65536)
        return 0;
    check_read(in);
    check_write(in);
    return 0;
}
