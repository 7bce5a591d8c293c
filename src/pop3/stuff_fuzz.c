/*
 * stuff.c: what a client gets after unstuffing is what went in (masked where it must be, with the
 * CRLF a last line lacks), the only line of a single dot is the last, and cuts change nothing.
 */
#include <assert.h>

#include "pop3/stuff.h"
#include "base/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void stuff(slice in, bool ascii, uint64_t lines, size_t step, struct buf *out)
{
    struct stuffing t = {.ascii_header = ascii, .body_lines = lines};
    for (size_t at = 0; at < in.n; at += step)
        stuff_add(&t, slice_sub(in, at, at + step), out);
    stuff_end(&t, out);
    assert(!out->full);
}

/* A client that reads lines up to the single dot. */
static void unstuff(slice in, struct buf *out)
{
    for (;;) {
        ptrdiff_t end = slice_find(in, '\n');
        assert(end >= 0);
        slice line = slice_sub(in, 0, (size_t)end + 1);
        in = slice_skip(in, line.n);
        if (slice_eq(line, S(".\r\n")))
            break;
        buf_add(out, line.p[0] == '.' ? slice_skip(line, 1) : line);
    }
    assert(in.n == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3 || size > 65536)
        return 0;
    bool ascii = data[0] & 1;
    uint64_t lines = data[0] & 2 ? UINT64_MAX : data[1];
    size_t step = 1 + data[2] % 32;
    slice in = {(const char *)data + 3, size - 3};
    struct buf whole = {.max = 1 << 20}, cut = {.max = 1 << 20}, back = {.max = 1 << 20};
    stuff(in, ascii, lines, in.n + 1, &whole);
    stuff(in, ascii, lines, step, &cut);
    assert(slice_eq(buf_slice(&whole), buf_slice(&cut)));
    unstuff(buf_slice(&whole), &back);
    slice got = buf_slice(&back);
    assert(got.n <= in.n + 2);
    if (lines == UINT64_MAX)
        assert(got.n == in.n || got.n == in.n + 2);
    for (size_t i = 0; i < got.n && i < in.n; i++)
        assert(got.p[i] == in.p[i] || (ascii && got.p[i] == '?' && (in.p[i] & 0x80)) ||
               (i + 2 >= got.n && lines != UINT64_MAX));
    buf_end(&whole);
    buf_end(&cut);
    buf_end(&back);
    return 0;
}
