#include "imap/parse.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "message/date.h"

#include "base/banned.h"

bool imap_space(slice *in)
{
    return slice_eat(in, S(" "));
}

/* ATOM-CHAR of RFC 9051: no "(", ")", "{", SP, CTL, list-wildcards, quoted-specials, resp-specials.
 */
static bool is_atom(char c)
{
    return c > 0x20 && c < 0x7f && !memchr("(){%*\"\\]", c, 8);
}

/* The run of bytes for which the test holds, or one of more; 8-bit bytes count when utf8 is set. */
static slice run(slice in, const char *more, bool utf8)
{
    size_t n = 0;
    while (n < in.n && (is_atom(in.p[n]) || (in.p[n] && strchr(more, in.p[n])) ||
                        (utf8 && (unsigned char)in.p[n] >= 0x80)))
        n++;
    return slice_sub(in, 0, n);
}

static bool eat_run(slice *in, const char *more, bool utf8, slice *out)
{
    *out = run(*in, more, utf8);
    if (out->n == 0)
        return false;
    *in = slice_skip(*in, out->n);
    return true;
}

bool imap_atom(slice *in, slice *out)
{
    return eat_run(in, "", false, out);
}

/* tag: any ASTRING-CHAR except "+". */
bool imap_tag(slice *in, slice *out)
{
    slice tag = run(*in, "]", false);
    if (tag.n == 0 || tag.n > LIMIT_IMAP_TAG || slice_find(tag, '+') >= 0)
        return false;
    *out = tag;
    *in = slice_skip(*in, tag.n);
    return true;
}

/* quoted: no CR, LF, NUL inside; "\" only before "\" and DQUOTE. */
static bool eat_quoted(struct arena *a, slice *in, slice *out)
{
    size_t n = 1, escapes = 0;
    for (; n < in->n && in->p[n] != '"'; n++) {
        if (in->p[n] == '\r' || in->p[n] == '\n' || in->p[n] == '\0')
            return false;
        if (in->p[n] != '\\')
            continue;
        n++;
        escapes++;
        if (n >= in->n || (in->p[n] != '"' && in->p[n] != '\\'))
            return false;
    }
    if (n >= in->n)
        return false;
    slice inside = slice_sub(*in, 1, n);
    *in = slice_skip(*in, n + 1);
    *out = inside;
    if (!escapes)
        return true;
    char *to = arena_alloc(a, inside.n + 1);
    size_t length = 0;
    for (size_t i = 0; i < inside.n; i++) {
        if (inside.p[i] == '\\')
            i++;
        to[length++] = inside.p[i];
    }
    *out = (slice){to, length};
    return true;
}

static bool eat_literal(slice *in, slice *out, bool *binary)
{
    slice rest = *in, digits;
    bool eight = slice_eat(&rest, S("~"));
    uint64_t size;
    if ((eight && !binary) || !slice_eat(&rest, S("{")))
        return false;
    ptrdiff_t close = slice_find(rest, '}');
    if (close < 0)
        return false;
    digits = slice_sub(rest, 0, (size_t)close);
    if (slice_ends(digits, S("+")))
        digits.n--;
    rest = slice_skip(rest, (size_t)close + 1);
    if (!slice_u64(digits, INT64_MAX, &size) || !slice_eat(&rest, S("\r\n")) || size > rest.n)
        return false;
    if (binary)
        *binary = eight;
    *out = slice_sub(rest, 0, (size_t)size);
    *in = slice_skip(rest, (size_t)size);
    return true;
}

bool imap_string(struct arena *a, slice *in, slice *out, bool *binary)
{
    if (binary)
        *binary = false;
    if (in->n && in->p[0] == '"')
        return eat_quoted(a, in, out);
    return eat_literal(in, out, binary);
}

bool imap_astring(struct arena *a, slice *in, slice *out)
{
    return eat_run(in, "]", true, out) || imap_string(a, in, out, NULL);
}

bool imap_nstring(struct arena *a, slice *in, slice *out, bool *nil)
{
    *nil = imap_word(in, S("NIL"));
    *out = S("");
    return *nil || imap_string(a, in, out, NULL);
}

bool imap_list_mailbox(struct arena *a, slice *in, slice *out)
{
    return eat_run(in, "]*%", true, out) || imap_string(a, in, out, NULL);
}

bool imap_number(slice *in, uint64_t max, uint64_t *out)
{
    size_t n = 0;
    while (n < in->n && ascii_is_digit(in->p[n]))
        n++;
    if (!slice_u64(slice_sub(*in, 0, n), max, out))
        return false;
    *in = slice_skip(*in, n);
    return true;
}

bool imap_word(slice *in, slice word)
{
    slice rest = *in;
    if (!slice_eat_icase(&rest, word) || (rest.n && !memchr(" )](", rest.p[0], 4)))
        return false;
    *in = rest;
    return true;
}

bool imap_literal_at_end(slice line, struct imap_literal *out)
{
    size_t end = line.n, at;
    *out = (struct imap_literal){0};
    if (end < 3 || line.p[end - 1] != '}')
        return false;
    at = end - 1;
    if (line.p[at - 1] == '+') {
        out->nonsync = true;
        at--;
    }
    size_t digits_end = at;
    while (at > 0 && ascii_is_digit(line.p[at - 1]))
        at--;
    if (at == digits_end || at == 0 || line.p[at - 1] != '{')
        return false;
    if (!slice_u64(slice_sub(line, at, digits_end), INT64_MAX, &out->size))
        out->size = INT64_MAX;
    at--;
    out->binary = at > 0 && line.p[at - 1] == '~';
    out->length = end - at + (out->binary ? 1 : 0);
    return true;
}

bool imap_date_time(slice *in, int64_t *ms, int *zone_minutes)
{
    slice rest = *in;
    if (!slice_eat(&rest, S("\"")))
        return false;
    ptrdiff_t close = slice_find(rest, '"');
    if (close < 0 || !date_parse_imap(slice_sub(rest, 0, (size_t)close), ms, zone_minutes))
        return false;
    *in = slice_skip(rest, (size_t)close + 1);
    return true;
}

static int month_number(slice name)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int i = 0; i < 12; i++)
        if (slice_eq_icase(name, (slice){months + 3 * i, 3}))
            return i + 1;
    return 0;
}

bool imap_date(slice *in, int64_t *days)
{
    slice rest = *in;
    bool quoted = slice_eat(&rest, S("\""));
    uint64_t day, year;
    int64_t ms;
    if (!imap_number(&rest, 31, &day) || !slice_eat(&rest, S("-")))
        return false;
    int month = month_number(slice_sub(rest, 0, 3));
    rest = slice_skip(rest, 3);
    size_t before = rest.n;
    if (!month || !slice_eat(&rest, S("-")) || !imap_number(&rest, 9999, &year) ||
        before - rest.n != 5)
        return false;
    if (quoted && !slice_eat(&rest, S("\"")))
        return false;
    struct date_fields f = {.year = (int)year, .month = month, .day = (int)day};
    if (!date_ms(&f, 0, &ms))
        return false;
    *days = (ms - (ms < 0 ? 86399999 : 0)) / 86400000;
    *in = rest;
    return true;
}

/* ---- Sets ---- */

static bool eat_set_number(slice *in, uint32_t max, uint32_t *out, bool *star)
{
    uint64_t n;
    if (slice_eat(in, S("*"))) {
        *star = true;
        *out = max ? max : 1;
        return true;
    }
    if (!imap_number(in, UINT32_MAX, &n) || n == 0)
        return false;
    *out = (uint32_t)n;
    return true;
}

static int by_low(const void *x, const void *y)
{
    const struct imap_range *a = x, *b = y;
    return a->low < b->low ? -1 : a->low > b->low;
}

static void set_order(struct imap_set *s)
{
    size_t n = 0;
    qsort(s->ranges, s->count, sizeof(*s->ranges), by_low);
    for (size_t i = 0; i < s->count; i++) {
        struct imap_range r = s->ranges[i];
        if (n && (uint64_t)r.low <= (uint64_t)s->ranges[n - 1].high + 1) {
            if (r.high > s->ranges[n - 1].high)
                s->ranges[n - 1].high = r.high;
        } else {
            s->ranges[n++] = r;
        }
    }
    s->count = n;
}

bool imap_set(struct arena *a, slice *in, uint32_t max, struct imap_set *out)
{
    slice rest = *in;
    size_t capacity = 0;
    *out = (struct imap_set){0};
    do {
        struct imap_range r;
        if (out->count >= LIMIT_IMAP_SET || !eat_set_number(&rest, max, &r.low, &out->has_star))
            return false;
        r.high = r.low;
        if (slice_eat(&rest, S(":")) && !eat_set_number(&rest, max, &r.high, &out->has_star))
            return false;
        if (r.high < r.low)
            r = (struct imap_range){r.high, r.low};
        out->ranges = arena_grow(a, out->ranges, out->count, &capacity, sizeof(r));
        out->ranges[out->count++] = r;
    } while (slice_eat(&rest, S(",")));
    set_order(out);
    *in = rest;
    return true;
}

bool imap_set_has(const struct imap_set *s, uint32_t n)
{
    size_t low = 0, high = s->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->ranges[middle].high < n)
            low = middle + 1;
        else
            high = middle;
    }
    return low < s->count && s->ranges[low].low <= n;
}

void imap_set_add(struct arena *a, struct imap_set *s, size_t *capacity, uint32_t n)
{
    if (s->count && s->ranges[s->count - 1].high + 1 == n) {
        s->ranges[s->count - 1].high = n;
        return;
    }
    s->ranges = arena_grow(a, s->ranges, s->count, capacity, sizeof(*s->ranges));
    s->ranges[s->count++] = (struct imap_range){n, n};
}

slice imap_set_print(struct arena *a, const struct imap_set *s)
{
    char *text = arena_alloc(a, s->count * 22 + 1);
    size_t n = 0;
    for (size_t i = 0; i < s->count; i++) {
        const struct imap_range *r = &s->ranges[i];
        n += (size_t)(r->low == r->high
                          ? snprintf(text + n, 23, "%s%u", i ? "," : "", r->low)
                          : snprintf(text + n, 23, "%s%u:%u", i ? "," : "", r->low, r->high));
    }
    return (slice){text, n};
}
