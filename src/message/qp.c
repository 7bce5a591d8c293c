/*
 * quoted-printable.  Decoding goes line by line (memchr finds "\n" and "=", runs between are
 * copied); encoding copies runs of plain characters.
 */
#include "message/qp.h"

#include "base/banned.h"

enum { LINE_MAX = 76 };

static bool is_wsp(char c)
{
    return c == ' ' || c == '\t';
}

/* One more than the value of a hexadecimal digit; 0: it is none. */
static const uint8_t digit[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
    ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
};

/* The "=XY" of a piece of a line; an "=" without two digits is kept (M4). */
static char *decode_piece(const char *p, const char *end, char *out, bool *damaged)
{
    while (p < end) {
        if (*p != '=') {
            const char *next = memchr(p, '=', (size_t)(end - p));
            size_t run = (size_t)((next ? next : end) - p);
            memmove(out, p, run);
            out += run;
            p += run;
            continue;
        }
        uint8_t high = end - p > 2 ? digit[(unsigned char)p[1]] : 0;
        uint8_t low = end - p > 2 ? digit[(unsigned char)p[2]] : 0;
        if (high && low) {
            *out++ = (char)((high - 1) << 4 | (low - 1));
            p += 3;
        } else {
            *damaged = true;
            *out++ = *p++;
        }
    }
    return out;
}

/* One line, p to end, its line end included if it has one. */
static char *decode_line(const char *p, const char *end, char *out, bool *damaged)
{
    size_t ending = end > p && end[-1] == '\n' ? 1 : 0;
    ending += ending && end - p > 1 && end[-2] == '\r';
    const char *content = end - ending, *soft = content;
    while (soft > p && (is_wsp(soft[-1]) || soft[-1] == '\r'))
        soft--;
    if (soft > p && soft[-1] == '=') /* a soft break */
        return decode_piece(p, soft - 1, out, damaged);
    while (content > p && is_wsp(content[-1]))
        content--;
    out = decode_piece(p, content, out, damaged);
    memmove(out, end - ending, ending);
    return out + ending;
}

/* How much of an unfinished line can be decoded without knowing what follows. */
static size_t settled(slice line)
{
    while (line.n && (is_wsp(line.p[line.n - 1]) || line.p[line.n - 1] == '\r'))
        line.n--;
    for (size_t back = 1; back <= 2 && back <= line.n; back++)
        if (line.p[line.n - back] == '=')
            return line.n - back;
    return line.n;
}

size_t qp_decode_step(slice in, bool last, char *out, size_t *used, bool *damaged)
{
    const char *p = in.p, *end = in.p + in.n;
    char *start = out;
    bool ignored;
    if (!damaged)
        damaged = &ignored;
    while (p < end) {
        const char *line_end = memchr(p, '\n', (size_t)(end - p));
        if (!line_end && !last) {
            size_t n = settled((slice){p, (size_t)(end - p)});
            out = decode_piece(p, p + n, out, damaged);
            p += n;
            break;
        }
        line_end = line_end ? line_end + 1 : end;
        out = decode_line(p, line_end, out, damaged);
        p = line_end;
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
static inline bool is_plain(char c)
{
    return (c >= ' ' && c <= '~' && c != '=') || c == '\t';
}

/* Eight bytes at once: false when one of them might not be plain (a TAB is looked at again). */
static inline bool eight_plain(const char *p)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    uint64_t w;
    memcpy(&w, p, 8);
    uint64_t equals = w ^ (ones * '=');
    uint64_t bad = ((equals - ones) & ~equals) | (w - ones * ' ') | w | (w + ones);
    return !(bad & tops);
}

static inline size_t plain_run(const char *p, size_t n)
{
    size_t i = 0;
    for (;;) {
        while (i + 8 <= n && eight_plain(p + i))
            i += 8;
        size_t stop = i + 8 < n ? i + 8 : n;
        while (i < stop && is_plain(p[i]))
            i++;
        if (i < stop || i == n)
            return i;
    }
}

/* Bytes of the UTF-8 character at p, as far as they are there; 1 for anything else. */
static inline size_t character(const char *p, size_t left)
{
    unsigned char c = (unsigned char)p[0];
    size_t want = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1, n = 1;
    while (n < want && n < left && ((unsigned char)p[n] & 0xc0) == 0x80)
        n++;
    return n;
}

/* At the start of an output line these would be changed on the way by mbox or SMTP software. */
static inline bool needs_guard(const char *p, size_t n)
{
    return (p[0] == 'F' && n >= 5 && memcmp(p, "From ", 5) == 0) || (p[0] == '.' && n == 1);
}

static inline void put_hex(char *to, char c)
{
    static const char digits[] = "0123456789ABCDEF";
    to[0] = '=';
    to[1] = digits[(unsigned char)c >> 4];
    to[2] = digits[(unsigned char)c & 15];
}

/*
 * One source line without its end: writes it to to, or only counts when to is NULL.  Runs of plain
 * characters are copied, as much as the output line holds; everything else is one unit of "=XY".
 */
static inline size_t encode_line(char *to, const char *p, size_t n)
{
    size_t out = 0, column = 0, i = 0;
    while (i < n) {
        bool guard = column == 0 && needs_guard(p + i, n - i);
        size_t run = guard ? 0 : plain_run(p + i, n - i);
        if (run && i + run == n && is_wsp(p[n - 1]))
            run--; /* white space at the end is encoded */
        size_t units = run ? run : guard ? 1 : character(p + i, n - i);
        size_t width = run ? run : 3 * units;
        size_t room = (i + units == n ? LINE_MAX : LINE_MAX - 1) - column;
        if (run && width > room)
            units = width = LINE_MAX - 1 - column;
        if (width == 0 || width > room) {
            if (to)
                memcpy(to + out, "=\r\n", 3);
            out += 3;
            column = 0;
            continue;
        }
        if (to && run)
            memcpy(to + out, p + i, units);
        for (size_t k = 0; to && !run && k < units; k++)
            put_hex(to + out + 3 * k, p[i + k]);
        out += width;
        column += width;
        i += units;
    }
    return out;
}

static inline size_t encode(char *to, slice in, enum qp_mode mode)
{
    size_t out = 0;
    if (mode == QP_BINARY)
        return encode_line(to, in.p, in.n);
    for (const char *p = in.p, *end = in.p + in.n; p < end;) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        size_t n = (size_t)((stop ? stop : end) - p);
        size_t content = stop && n && p[n - 1] == '\r' ? n - 1 : n;
        out += encode_line(to ? to + out : NULL, p, content);
        if (to && stop)
            memcpy(to + out, "\r\n", 2);
        out += stop ? 2 : 0;
        p += n + (stop != NULL);
    }
    return out;
}

size_t qp_length(slice in, enum qp_mode mode)
{
    return encode(NULL, in, mode);
}

slice qp_encode(struct arena *a, slice in, enum qp_mode mode)
{
    char *out = arena_alloc(a, qp_length(in, mode) + 1);
    return (slice){out, encode(out, in, mode)};
}
