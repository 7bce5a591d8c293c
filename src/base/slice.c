#include "base/slice.h"

#include "base/banned.h"

slice slice_sub(slice s, size_t from, size_t to)
{
    if (to > s.n)
        to = s.n;
    if (from > to)
        from = to;
    return (slice){from ? s.p + from : s.p, to - from};
}

slice slice_skip(slice s, size_t n)
{
    return slice_sub(s, n, s.n);
}

slice slice_c(const char *s)
{
    return s ? (slice){s, strlen(s)} : (slice){"", 0};
}

bool slice_eq(slice a, slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

int slice_cmp(slice a, slice b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

int slice_cmp_icase(slice a, slice b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    for (size_t i = 0; i < n; i++) {
        unsigned char x = (unsigned char)ascii_lower(a.p[i]);
        unsigned char y = (unsigned char)ascii_lower(b.p[i]);
        if (x != y)
            return x < y ? -1 : 1;
    }
    return (a.n > b.n) - (a.n < b.n);
}

bool slice_eq_icase(slice a, slice b)
{
    return a.n == b.n && slice_cmp_icase(a, b) == 0;
}

bool slice_starts(slice s, slice prefix)
{
    return s.n >= prefix.n && slice_eq(slice_sub(s, 0, prefix.n), prefix);
}

bool slice_starts_icase(slice s, slice prefix)
{
    return s.n >= prefix.n && slice_eq_icase(slice_sub(s, 0, prefix.n), prefix);
}

bool slice_ends(slice s, slice suffix)
{
    return s.n >= suffix.n && slice_eq(slice_skip(s, s.n - suffix.n), suffix);
}

bool slice_ends_icase(slice s, slice suffix)
{
    return s.n >= suffix.n && slice_eq_icase(slice_skip(s, s.n - suffix.n), suffix);
}

ptrdiff_t slice_find(slice s, char c)
{
    const char *at = s.n ? memchr(s.p, c, s.n) : NULL;
    return at ? at - s.p : -1;
}

ptrdiff_t slice_rfind(slice s, char c)
{
    const char *at = s.n ? memrchr(s.p, c, s.n) : NULL;
    return at ? at - s.p : -1;
}

ptrdiff_t slice_search(slice s, slice what)
{
    if (what.n == 0)
        return 0;
    const char *at = s.n ? memmem(s.p, s.n, what.p, what.n) : NULL;
    return at ? at - s.p : -1;
}

bool slice_eat(slice *s, slice what)
{
    if (!slice_starts(*s, what))
        return false;
    *s = slice_skip(*s, what.n);
    return true;
}

bool slice_eat_icase(slice *s, slice what)
{
    if (!slice_starts_icase(*s, what))
        return false;
    *s = slice_skip(*s, what.n);
    return true;
}

size_t slice_eat_wsp(slice *s)
{
    size_t i = 0;
    while (i < s->n && (s->p[i] == ' ' || s->p[i] == '\t'))
        i++;
    *s = slice_skip(*s, i);
    return i;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

slice slice_trim(slice s)
{
    while (s.n && is_blank(s.p[0]))
        s = slice_skip(s, 1);
    while (s.n && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

bool slice_next(slice *s, char sep, slice *field)
{
    if (s->n == 0)
        return false;
    ptrdiff_t at = slice_find(*s, sep);
    if (at < 0) {
        *field = *s;
        *s = slice_skip(*s, s->n);
    } else {
        *field = slice_sub(*s, 0, (size_t)at);
        *s = slice_skip(*s, (size_t)at + 1);
    }
    return true;
}

bool slice_u64(slice s, uint64_t max, uint64_t *out)
{
    uint64_t v = 0;
    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (!ascii_is_digit(s.p[i]))
            return false;
        uint64_t digit = (uint64_t)(s.p[i] - '0');
        if (v > (UINT64_MAX - digit) / 10)
            return false;
        v = v * 10 + digit;
        if (v > max)
            return false;
    }
    *out = v;
    return true;
}

bool slice_unhex(slice s, void *out, size_t n)
{
    unsigned char *to = out;
    if (s.n != 2 * n)
        return false;
    for (size_t i = 0; i < n; i++) {
        int hi = ascii_unhex(s.p[2 * i]);
        int lo = ascii_unhex(s.p[2 * i + 1]);
        if (hi < 0 || lo < 0)
            return false;
        to[i] = (unsigned char)(hi << 4 | lo);
    }
    return true;
}

bool ascii_is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool ascii_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool ascii_is_alnum(char c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c);
}

char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

char ascii_upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - ('a' - 'A')) : c;
}

int ascii_unhex(char c)
{
    if (ascii_is_digit(c))
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void ascii_hex(const void *bytes, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *from = bytes;
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[from[i] >> 4];
        out[2 * i + 1] = digits[from[i] & 15];
    }
}

bool slice_is_ascii(slice s)
{
    size_t i = 0;
    for (; i + 8 <= s.n; i += 8) {
        uint64_t word;
        memcpy(&word, s.p + i, 8);
        if (word & UINT64_C(0x8080808080808080))
            return false;
    }
    for (; i < s.n; i++)
        if ((unsigned char)s.p[i] >= 0x80)
            return false;
    return true;
}

/* Length of the well-formed sequence at p (n > 0 bytes left), or 0 (RFC 3629 section 4). */
static size_t utf8_sequence(const unsigned char *p, size_t n)
{
    unsigned char low = 0x80, high = 0xbf;
    size_t length;
    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xc2 && p[0] <= 0xdf)
        length = 2;
    else if (p[0] >= 0xe0 && p[0] <= 0xef)
        length = 3;
    else if (p[0] >= 0xf0 && p[0] <= 0xf4)
        length = 4;
    else
        return 0;
    if (p[0] == 0xe0)
        low = 0xa0;
    if (p[0] == 0xed)
        high = 0x9f;
    if (p[0] == 0xf0)
        low = 0x90;
    if (p[0] == 0xf4)
        high = 0x8f;
    if (n < length || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if (p[i] < 0x80 || p[i] > 0xbf)
            return 0;
    return length;
}

bool slice_is_utf8(slice s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t i = 0;
    while (i < s.n) {
        uint64_t word;
        if (i + sizeof(word) <= s.n) { /* most text is ASCII: eight bytes at a time */
            memcpy(&word, p + i, sizeof(word));
            if (!(word & UINT64_C(0x8080808080808080))) {
                i += sizeof(word);
                continue;
            }
        }
        size_t step = utf8_sequence(p + i, s.n - i);
        if (step == 0)
            return false;
        i += step;
    }
    return true;
}
