/*
 * quoted-printable.  Decoding goes line by line (memchr finds "\n" and "=", runs between are
 * copied); encoding too, with a fast path for lines that need nothing.
 */
#include "message/qp.h"

#include "message/out.h"
#include "base/banned.h"

enum { LINE_MAX = 76 };

static bool is_wsp(char c)
{
    return c == ' ' || c == '\t';
}

static slice trim_end(slice s, bool cr_too)
{
    while (s.n && (is_wsp(s.p[s.n - 1]) || (cr_too && s.p[s.n - 1] == '\r')))
        s.n--;
    return s;
}

/* The "=XY" of a piece of a line; an "=" without two digits is kept (M4). */
static char *decode_piece(slice s, char *out, bool *damaged)
{
    while (s.n) {
        ptrdiff_t at = slice_find(s, '=');
        size_t run = at < 0 ? s.n : (size_t)at;
        memmove(out, s.p, run);
        out += run;
        s = slice_skip(s, run);
        while (s.n && s.p[0] == '=') {
            int high = s.n > 2 ? ascii_unhex(s.p[1]) : -1;
            int low = s.n > 2 ? ascii_unhex(s.p[2]) : -1;
            if (high < 0 || low < 0) {
                *damaged = true;
                *out++ = '=';
                s = slice_skip(s, 1);
            } else {
                *out++ = (char)(high << 4 | low);
                s = slice_skip(s, 3);
            }
        }
    }
    return out;
}

/* One line with its end ("", "\n" or "\r\n"). */
static char *decode_line(slice line, char *out, bool *damaged)
{
    slice all = line, content = trim_end(line, true);
    size_t end = 0;
    if (all.n && all.p[all.n - 1] == '\n') {
        end = all.n > 1 && all.p[all.n - 2] == '\r' ? 2 : 1;
        content = trim_end(slice_sub(all, 0, all.n - 1), true);
    }
    if (content.n && content.p[content.n - 1] == '=') /* a soft break */
        return decode_piece(slice_sub(content, 0, content.n - 1), out, damaged);
    content = trim_end(slice_sub(all, 0, all.n - end), false);
    out = decode_piece(content, out, damaged);
    memmove(out, all.p + all.n - end, end);
    return out + end;
}

/* How much of an unfinished line can be decoded without knowing what follows. */
static size_t settled(slice line)
{
    line = trim_end(line, true);
    for (size_t back = 1; back <= 2 && back <= line.n; back++)
        if (line.p[line.n - back] == '=')
            return line.n - back;
    return line.n;
}

size_t qp_decode_step(slice in, bool last, char *out, size_t *used, bool *damaged)
{
    char *start = out;
    bool ignored;
    if (!damaged)
        damaged = &ignored;
    *used = 0;
    while (*used < in.n) {
        slice rest = slice_skip(in, *used);
        ptrdiff_t at = slice_find(rest, '\n');
        if (at < 0 && !last) {
            rest.n = settled(rest);
            out = decode_piece(rest, out, damaged);
            *used += rest.n;
            break;
        }
        slice line = at < 0 ? rest : slice_sub(rest, 0, (size_t)at + 1);
        out = decode_line(line, out, damaged);
        *used += line.n;
    }
    return (size_t)(out - start);
}

size_t qp_decode(slice in, char *out, bool *damaged)
{
    size_t used;
    if (damaged)
        *damaged = false;
    return qp_decode_step(in, true, out, &used, damaged);
}

/* Characters that may stand for themselves inside a line. */
static bool is_plain(char c)
{
    return (c >= ' ' && c <= '~' && c != '=') || c == '\t';
}

/* Bytes of the UTF-8 character at s, as far as they are there; 1 for anything else. */
static size_t character(slice s)
{
    unsigned char c = (unsigned char)s.p[0];
    size_t want = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1, n = 1;
    while (n < want && n < s.n && ((unsigned char)s.p[n] & 0xc0) == 0x80)
        n++;
    return n;
}

/* Counts, and writes when there is somewhere to write to. */
struct writer {
    char *p; /* NULL: only count */
    size_t n;
};

static void put(struct writer *w, slice s)
{
    if (w->p)
        memcpy(w->p + w->n, s.p, s.n);
    w->n += s.n;
}

static void put_hex(struct writer *w, char c)
{
    static const char digits[] = "0123456789ABCDEF";
    unsigned char u = (unsigned char)c;
    put(w, (slice){(const char[]){'=', digits[u >> 4], digits[u & 15]}, 3});
}

/* At the start of an output line these would be changed on the way by mbox or SMTP software. */
static bool needs_guard(slice rest)
{
    return slice_starts(rest, S("From ")) || slice_eq(rest, S("."));
}

static bool all_plain(slice line)
{
    bool plain = true;
    for (size_t i = 0; i < line.n; i++)
        plain &= is_plain(line.p[i]);
    return plain;
}

/* One source line without its end. */
static void encode_line(struct writer *w, slice line)
{
    if (line.n == 0)
        return;
    if (line.n <= LINE_MAX && !is_wsp(line.p[line.n - 1]) && !needs_guard(line) &&
        all_plain(line)) {
        put(w, line);
        return;
    }
    size_t column = 0;
    while (line.n) {
        size_t n = character(line);
        bool end = n == line.n;
        bool plain = is_plain(line.p[0]) && !(end && is_wsp(line.p[0]));
        size_t width = plain ? 1 : 3 * n;
        if (column + width > (size_t)(end ? LINE_MAX : LINE_MAX - 1)) {
            put(w, S("=\r\n"));
            column = 0;
        }
        if (column == 0 && plain && needs_guard(line)) {
            plain = false;
            width = 3;
        }
        for (size_t i = 0; i < n && !plain; i++)
            put_hex(w, line.p[i]);
        if (plain)
            put(w, slice_sub(line, 0, 1));
        column += width;
        line = slice_skip(line, n);
    }
}

/* The next source line of text with its CRLF or LF. */
static slice next_line(slice *in)
{
    ptrdiff_t at = slice_find(*in, '\n');
    slice line = at < 0 ? *in : slice_sub(*in, 0, (size_t)at + 1);
    *in = slice_skip(*in, line.n);
    return line;
}

static void encode_next(struct writer *w, slice *in, enum qp_mode mode)
{
    slice line = mode == QP_BINARY ? *in : next_line(in);
    if (mode == QP_BINARY)
        *in = slice_skip(*in, in->n);
    bool ended = mode == QP_TEXT && slice_ends(line, S("\n"));
    if (ended)
        line.n -= slice_ends(line, S("\r\n")) ? 2 : 1;
    encode_line(w, line);
    if (ended)
        put(w, S("\r\n"));
}

size_t qp_length(slice in, enum qp_mode mode)
{
    struct writer w = {0};
    while (in.n)
        encode_next(&w, &in, mode);
    return w.n;
}

slice qp_encode(struct arena *a, slice in, enum qp_mode mode)
{
    struct out out = {.arena = a};
    while (in.n) {
        slice again = in;
        struct writer w = {0};
        ptrdiff_t at = slice_find(in, '\n');
        size_t line = mode == QP_TEXT && at >= 0 ? (size_t)at + 1 : in.n;
        /* Three for each byte; a soft break for each 72 (a character of 12 may not fit) and a CR.
         */
        w.p = out_space(&out, line * 3 + line / 20 * 3 + 8);
        encode_next(&w, &again, mode);
        out_wrote(&out, w.n);
        in = again;
    }
    return out_slice(&out);
}
