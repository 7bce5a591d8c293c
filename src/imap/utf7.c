#include "imap/utf7.h"

#include "base/banned.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/* The next code point of well-formed UTF-8, or U+FFFD for a byte that is none. */
static uint32_t next_point(slice *in)
{
    const unsigned char *p = (const unsigned char *)in->p;
    size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (n > in->n || !slice_is_utf8(slice_sub(*in, 0, n))) {
        *in = slice_skip(*in, 1);
        return 0xfffd;
    }
    uint32_t c = n == 1 ? p[0] : p[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++)
        c = c << 6 | (p[i] & 0x3f);
    *in = slice_skip(*in, n);
    return c;
}

struct shift {
    char *to;
    size_t n;
    uint32_t bits;
    unsigned count; /* bits waiting */
};

static void shift_unit(struct shift *s, uint32_t unit)
{
    s->bits = s->bits << 16 | unit;
    s->count += 16;
    while (s->count >= 6) {
        s->count -= 6;
        s->to[s->n++] = digits[s->bits >> s->count & 63];
    }
}

static void shift_end(struct shift *s)
{
    if (s->count)
        s->to[s->n++] = digits[s->bits << (6 - s->count) & 63];
    s->to[s->n++] = '-';
    s->count = 0;
    s->bits = 0;
}

slice utf7_encode(struct arena *a, slice utf8)
{
    struct shift s = {.to = arena_alloc(a, utf8.n * 5 + 8)};
    bool shifted = false;
    while (utf8.n) {
        uint32_t c = next_point(&utf8);
        bool plain = c >= 0x20 && c < 0x7f;
        if (!plain && !shifted)
            s.to[s.n++] = '&';
        if (plain && shifted)
            shift_end(&s);
        shifted = !plain;
        if (plain) {
            s.to[s.n++] = (char)c;
            if (c == '&')
                s.to[s.n++] = '-';
        } else if (c >= 0x10000) {
            shift_unit(&s, 0xd800 + ((c - 0x10000) >> 10));
            shift_unit(&s, 0xdc00 + ((c - 0x10000) & 0x3ff));
        } else {
            shift_unit(&s, c);
        }
    }
    if (shifted)
        shift_end(&s);
    return (slice){s.to, s.n};
}

static size_t put_point(char *to, uint32_t c)
{
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = (char)(0xc0 | c >> 6);
        to[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        to[0] = (char)(0xe0 | c >> 12);
        to[1] = (char)(0x80 | (c >> 6 & 0x3f));
        to[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    to[0] = (char)(0xf0 | c >> 18);
    to[1] = (char)(0x80 | (c >> 12 & 0x3f));
    to[2] = (char)(0x80 | (c >> 6 & 0x3f));
    to[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

/* One run between "&" and "-"; false when it is not what utf7_encode would have written. */
static bool decode_run(slice run, char *to, size_t *n)
{
    uint32_t bits = 0, high = 0;
    unsigned count = 0;
    for (size_t i = 0; i < run.n; i++) {
        const char *at = memchr(digits, run.p[i], 64);
        if (!at)
            return false;
        bits = bits << 6 | (uint32_t)(at - digits);
        count += 6;
        if (count < 16)
            continue;
        count -= 16;
        uint32_t unit = bits >> count & 0xffff;
        if (high && (unit & 0xfc00) != 0xdc00)
            return false;
        if (high) {
            *n += put_point(to + *n, 0x10000 + ((high & 0x3ff) << 10) + (unit & 0x3ff));
            high = 0;
        } else if ((unit & 0xfc00) == 0xd800) {
            high = unit;
        } else if ((unit & 0xfc00) == 0xdc00 || (unit >= 0x20 && unit < 0x7f)) {
            return false;
        } else {
            *n += put_point(to + *n, unit);
        }
    }
    return !high && count < 6 && (bits & ((1u << count) - 1)) == 0;
}

bool utf7_decode(struct arena *a, slice utf7, slice *utf8)
{
    char *to = arena_alloc(a, utf7.n * 3 + 4);
    size_t n = 0;
    bool after_run = false;
    while (utf7.n) {
        if (utf7.p[0] < 0x20 || utf7.p[0] >= 0x7f)
            return false;
        if (!slice_eat(&utf7, S("&"))) {
            to[n++] = utf7.p[0];
            utf7 = slice_skip(utf7, 1);
            after_run = false;
            continue;
        }
        ptrdiff_t end = slice_find(utf7, '-');
        if (end < 0 || (end > 0 && after_run))
            return false;
        if (end == 0)
            to[n++] = '&';
        else if (!decode_run(slice_sub(utf7, 0, (size_t)end), to, &n))
            return false;
        after_run = end > 0;
        utf7 = slice_skip(utf7, (size_t)end + 1);
    }
    *utf8 = (slice){to, n};
    return true;
}
