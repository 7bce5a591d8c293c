/* ISO-2022-JP, ISO-2022-KR and HZ as 8-bit text. */
#include "message/charset_escape.h"

#include "base/banned.h"

enum jis_set { JIS_ASCII, JIS_KANA, JIS_0208, JIS_0212 };

/* The escape sequences that name a set, by what follows ESC. */
static const struct {
    const char *after;
    enum jis_set set;
} jis_escapes[] = {
    {"(B", JIS_ASCII}, {"(J", JIS_ASCII}, {"(H", JIS_ASCII}, {"(I", JIS_KANA},
    {"$@", JIS_0208},  {"$B", JIS_0208},  {"$(@", JIS_0208}, {"$(B", JIS_0208},
    {"$(D", JIS_0212}, {"&@", JIS_0208}, /* revision mark; the designation follows */
};

/* Length of the escape sequence at s (behind ESC), which sets *set; 0 when it is none. */
static size_t jis_escape(slice s, enum jis_set *set)
{
    for (size_t i = 0; i < sizeof(jis_escapes) / sizeof(jis_escapes[0]); i++) {
        slice after = slice_c(jis_escapes[i].after);
        if (slice_starts(s, after)) {
            *set = jis_escapes[i].set;
            return after.n;
        }
    }
    return 0;
}

static bool is_graphic(char c)
{
    return c > ' ' && c < 0x7f;
}

slice charset_jis_to_euc(struct arena *a, slice in)
{
    char *out = arena_alloc(a, in.n * 2 + 1), *to = out;
    enum jis_set set = JIS_ASCII;
    size_t i = 0;
    bool shifted = false; /* SO: half-width kana, as some senders write them */
    while (i < in.n) {
        char c = in.p[i];
        size_t escape = c == 0x1b ? jis_escape(slice_skip(in, i + 1), &set) : 0;
        if (escape) {
            i += 1 + escape;
            continue;
        }
        if (c == 0x0e || c == 0x0f) {
            shifted = c == 0x0e;
            i++;
            continue;
        }
        if (c == '\n') /* RFC 1468: every line begins in ASCII */
            set = JIS_ASCII;
        if (!is_graphic(c) || (set == JIS_ASCII && !shifted)) {
            *to++ = c;
            i++;
        } else if (shifted || set == JIS_KANA) {
            if (c < 0x60)
                *to++ = (char)0x8e;
            *to++ = c < 0x60 ? (char)(c | 0x80) : (char)0xff; /* 0xff: no character anywhere */
            i++;
        } else {
            if (set == JIS_0212)
                *to++ = (char)0x8f;
            *to++ = (char)(c | 0x80);
            i++;
            if (i < in.n && is_graphic(in.p[i]))
                *to++ = (char)(in.p[i++] | 0x80);
        }
    }
    return (slice){out, (size_t)(to - out)};
}

slice charset_kr_to_euc(struct arena *a, slice in)
{
    char *out = arena_alloc(a, in.n + 1), *to = out;
    bool shifted = false;
    for (size_t i = 0; i < in.n; i++) {
        char c = in.p[i];
        if (c == 0x1b && slice_starts(slice_skip(in, i + 1), S("$)C"))) {
            i += 3;
        } else if (c == 0x0e || c == 0x0f) {
            shifted = c == 0x0e;
        } else {
            if (c == '\n')
                shifted = false;
            *to++ = shifted && is_graphic(c) ? (char)(c | 0x80) : c;
        }
    }
    return (slice){out, (size_t)(to - out)};
}

slice charset_hz_to_gb(struct arena *a, slice in)
{
    char *out = arena_alloc(a, in.n + 1), *to = out;
    bool shifted = false;
    for (size_t i = 0; i < in.n; i++) {
        char c = in.p[i], next = i + 1 < in.n ? in.p[i + 1] : 0;
        if (c == '~' && (next == '{' || next == '}')) {
            shifted = next == '{';
            i++;
        } else if (c == '~' && next == '~' && !shifted) {
            *to++ = '~';
            i++;
        } else if (c == '~' && next == '\n' && !shifted) {
            i++; /* a line continued */
        } else {
            if (c == '\n')
                shifted = false;
            *to++ = shifted && is_graphic(c) ? (char)(c | 0x80) : c;
        }
    }
    return (slice){out, (size_t)(to - out)};
}
