/*
 * quoted-printable.  The loops that touch every byte are the kernels of qp_kernel.c; here is what
 * happens between them: line ends, soft breaks and signs while decoding, where to break a line and
 * what to guard while encoding.
 */
#include "message/qp.h"

#include "message/out.h"
#include "message/qp_kernel.h"

#include "base/banned.h"

enum { LINE_MAX = 76, SLACK = 16 };

static bool is_wsp(char c)
{
    return c == ' ' || c == '\t';
}

/* ---- decoding ---- */

/*
 * The "=" at the start of in is no "=XY": a soft break, which vanishes, or only itself (M4).
 * Returns the characters used, 0 when that depends on what follows.
 */
static size_t decode_sign(slice in, bool last, char **out, bool *damaged)
{
    size_t n = 1;
    while (n < in.n && (is_wsp(in.p[n]) || in.p[n] == '\r'))
        n++;
    if (n == in.n)
        return last ? n : 0;
    if (in.p[n] == '\n')
        return n + 1;
    if (in.n < 3 && !last)
        return 0;
    *damaged = true;
    *(*out)++ = '=';
    return 1;
}

/* How many of the bytes before p are white space, down to start. */
static size_t padding(const char *start, const char *p)
{
    size_t n = 0;
    while (p - n > start && is_wsp(p[-(ptrdiff_t)n - 1]))
        n++;
    return n;
}

/* The LF at p; the line before it is written already: takes its padding back. */
static char *decode_line_end(const char *start, const char *p, char *out)
{
    bool cr = p > start && p[-1] == '\r';
    out -= cr;
    out -= padding(start, p - cr);
    if (cr)
        *out++ = '\r';
    *out++ = '\n';
    return out;
}

/* Bytes before p that may become padding or a line end, depending on what follows. */
static size_t open_tail(const char *start, const char *p)
{
    size_t n = 0;
    while (p - n > start && (is_wsp(p[-(ptrdiff_t)n - 1]) || p[-(ptrdiff_t)n - 1] == '\r'))
        n++;
    return n;
}

size_t qp_decode_step(slice in, bool last, char *out, size_t *used, bool *damaged)
{
    const struct qp_kernel *k = qp_fastest();
    const char *p = in.p, *end = in.p + in.n, *from = p; /* padding begins behind from */
    char *start = out;
    bool ignored;
    if (!damaged)
        damaged = &ignored;
    while (p < end) {
        if (*p != '=') {
            size_t n = k->copy((slice){p, (size_t)(end - p)}, out);
            p += n;
            out += n;
        }
        if (p < end && *p == '\n') {
            out = decode_line_end(from, p++, out);
            continue;
        }
        size_t n = k->signs((slice){p, (size_t)(end - p)}, out);
        p += 3 * n;
        out += n;
        if (p == end || *p != '=')
            continue;
        n = decode_sign((slice){p, (size_t)(end - p)}, last, &out, damaged);
        if (!n)
            break;
        p += n;
        from = p;
    }
    if (p == end) {
        size_t tail = last ? padding(from, p) : open_tail(from, p);
        out -= tail;
        p -= last ? 0 : tail;
    }
    *used = in.n ? (size_t)(p - in.p) : 0;
    return (size_t)(out - start);
}

size_t qp_decode(slice in, char *out, bool *damaged)
{
    size_t used;
    if (damaged)
        *damaged = false;
    return qp_decode_step(in, true, out, &used, damaged);
}

/* ---- encoding ---- */

/* Characters that may stand for themselves inside a line. */
static bool is_plain(char c)
{
    return (c >= ' ' && c <= '~' && c != '=') || c == '\t';
}

/* Bytes of the UTF-8 character at p, as far as they are there; 1 for anything else. */
static size_t character(const char *p, size_t left)
{
    unsigned char c = (unsigned char)p[0];
    size_t want = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1, n = 1;
    while (n < want && n < left && ((unsigned char)p[n] & 0xc0) == 0x80)
        n++;
    return n;
}

/* At the start of an output line these would be changed on the way by mbox or SMTP software. */
static bool needs_guard(const char *p, size_t n)
{
    return (p[0] == 'F' && n >= 5 && memcmp(p, "From ", 5) == 0) || (p[0] == '.' && n == 1);
}

/*
 * How many of the plain characters at p go on an output line that has column already; they are
 * written to to, and up to LINE_MAX more.
 */
static inline size_t add_plain(const struct qp_kernel *k, char *to, const char *p, size_t n,
                               size_t column)
{
    size_t most = LINE_MAX + 1 - column;
    size_t run = is_plain(p[0]) ? k->plain((slice){p, n < most ? n : most}, to) : 0;
    if (run && run == n && is_wsp(p[n - 1]))
        run--;                                /* white space at the end is encoded */
    if (run > LINE_MAX - column - (run != n)) /* room for the "=" of a soft break */
        run = LINE_MAX - 1 - column;
    return run;
}

/* How many bytes at p go on the line as "=XY": whole characters, as many as fit; 0: not one. */
static inline size_t fitting(const char *p, size_t n, size_t column, bool guard)
{
    size_t fit = 0, next = guard ? 1 : character(p, n);
    while (3 * next <= LINE_MAX - column - (next != n)) {
        fit = next;
        if (fit == n || guard || is_plain(p[fit]))
            break;
        next += character(p + fit, n - fit);
    }
    return fit;
}

/* One source line without its end; returns the bytes written to to, or only measured. */
static inline size_t encode_line(const struct qp_kernel *k, char *to, bool measure, const char *p,
                                 size_t n)
{
    size_t out = 0, column = 0;
    while (n) {
        char *at = measure ? to : to + out;
        bool guard = column == 0 && needs_guard(p, n);
        size_t used = guard ? 0 : add_plain(k, at, p, n, column), width = used;
        if (!used) {
            used = fitting(p, n, column, guard);
            width = 3 * used;
            if (!measure)
                k->encode((slice){p, used}, at);
        }
        if (!used)
            memcpy(at, "=\r\n", 3);
        out += used ? width : 3;
        column = used ? column + width : 0;
        p += used;
        n -= used;
    }
    return out;
}

/* The most that encode_line() gives for n bytes, and what add_plain() writes beyond. */
static size_t most_of_line(size_t n)
{
    return 3 * n + 5 * (3 * n / 64 + 1) + LINE_MAX + SLACK; /* a soft break and a guard each 64 */
}

/* Everything of in, line by line; out NULL: only measured. */
static inline size_t encode(struct out *out, slice in, enum qp_mode mode)
{
    const struct qp_kernel *k = qp_fastest();
    char scratch[LINE_MAX + SLACK];
    size_t total = 0;
    for (const char *p = in.p, *end = in.p + in.n; p < end;) {
        const char *stop = mode == QP_TEXT ? memchr(p, '\n', (size_t)(end - p)) : NULL;
        size_t n = (size_t)((stop ? stop : end) - p);
        size_t content = stop && n && p[n - 1] == '\r' ? n - 1 : n;
        char *to = out ? out_space(out, most_of_line(n)) : scratch;
        size_t length = encode_line(k, to, !out, p, content);
        if (stop && out)
            memcpy(to + length, "\r\n", 2);
        length += stop ? 2 : 0;
        if (out)
            out_wrote(out, length);
        total += length;
        p += n + (stop != NULL);
    }
    return total;
}

size_t qp_length(slice in, enum qp_mode mode)
{
    return encode(NULL, in, mode);
}

slice qp_encode(struct arena *a, slice in, enum qp_mode mode)
{
    struct out out = {.arena = a};
    out_space(&out, in.n + in.n / 8);
    encode(&out, in, mode);
    return out_slice(&out);
}
