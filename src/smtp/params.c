/* ESMTP parameters: SIZE (RFC 1870), BODY (6152), AUTH (4954 section 5), HOLDFOR, HOLDUNTIL (4865).
 */
#include "smtp/params.h"

#include "base/clock.h"
#include "message/date.h"
#include "smtp/path.h"
#include "base/banned.h"

#define HOLD_SECONDS_MAX UINT64_C(999999999)

static bool param_size(struct params *p, struct arena *a, slice value)
{
    (void)a;
    return value.n <= 20 && slice_u64(value, UINT64_MAX, &p->size);
}

static bool param_body(struct params *p, struct arena *a, slice value)
{
    (void)a;
    p->eight_bit = slice_eq_icase(value, S("8BITMIME"));
    return p->eight_bit || slice_eq_icase(value, S("7BIT"));
}

static bool param_auth(struct params *p, struct arena *a, slice value)
{
    slice address;
    if (!xtext_decode(a, value, &p->auth))
        return false;
    return slice_eq(p->auth, S("<>")) || smtp_mailbox_parse(a, p->auth, 0, &address) == PATH_OK;
}

static bool hold_until(struct params *p, int64_t at_ms)
{
    bool once = p->hold_until_ms == 0; /* HOLDFOR and HOLDUNTIL together: RFC 4865 4.2(9) */
    p->hold_until_ms = at_ms;
    return once && at_ms >= p->now_ms && at_ms - p->now_ms <= p->hold_max_ms;
}

static bool param_holdfor(struct params *p, struct arena *a, slice value)
{
    (void)a;
    uint64_t seconds;
    return slice_u64(value, HOLD_SECONDS_MAX, &seconds) && seconds > 0 &&
           hold_until(p, p->now_ms + (int64_t)seconds * SECOND_MS);
}

static bool param_holduntil(struct params *p, struct arena *a, slice value)
{
    (void)a;
    int64_t at_ms;
    int zone;
    return date_parse_3339(value, &at_ms, &zone) && hold_until(p, at_ms);
}

static const struct param_row {
    slice name;
    enum params_of of;
    enum smtp_extension extension;
    bool (*take)(struct params *p, struct arena *a, slice value);
    const char *syntax;
} param_table[] = {
    {{"SIZE", 4}, PARAMS_OF_MAIL, EXT_SIZE, param_size, "SIZE=octets"},
    {{"BODY", 4}, PARAMS_OF_MAIL, EXT_8BITMIME, param_body, "BODY=7BIT or 8BITMIME"},
    {{"AUTH", 4}, PARAMS_OF_MAIL, EXT_AUTH, param_auth, "AUTH=mailbox in xtext, or <>"},
    {{"HOLDFOR", 7},
     PARAMS_OF_MAIL,
     EXT_FUTURERELEASE,
     param_holdfor,
     "one HOLDFOR=seconds, at most the offered"},
    {{"HOLDUNTIL", 9},
     PARAMS_OF_MAIL,
     EXT_FUTURERELEASE,
     param_holduntil,
     "one HOLDUNTIL=date-time in the future, at most the offered"},
};
enum { PARAM_ROWS = sizeof(param_table) / sizeof(param_table[0]) };

static const struct param_row *find(const struct params *p, slice name)
{
    for (size_t i = 0; i < PARAM_ROWS; i++)
        if (param_table[i].of == p->of && (p->offered & 1U << param_table[i].extension) &&
            slice_eq_icase(param_table[i].name, name))
            return &param_table[i];
    return NULL;
}

/* esmtp-value: 1*(%d33-60 / %d62-126); our values never need "=", but RFC 5321 forbids it anyway.
 */
static bool is_value(slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < 33 || s.p[i] > 126 || s.p[i] == '=')
            return false;
    return s.n > 0;
}

const char *smtp_params_parse(struct params *p, struct arena *a, slice text)
{
    while (slice_eat_wsp(&text) && text.n) {
        slice word = text, name, value;
        size_t n = 0;
        while (n < text.n && text.p[n] != ' ' && text.p[n] != '\t')
            n++;
        word = slice_sub(text, 0, n);
        text = slice_skip(text, n);
        slice_next(&word, '=', &name);
        value = word;
        const struct param_row *row = find(p, name);
        if (!row)
            return arena_printf(a, "555 5.5.4 Parameter not known here: %.*s", P(name)).p;
        unsigned bit = 1U << (row - param_table);
        if ((p->seen & bit) || !is_value(value) || !row->take(p, a, value))
            return arena_printf(a, "501 5.5.4 Syntax: %s", row->syntax).p;
        p->seen |= bit;
    }
    return text.n ? "501 5.5.4 Syntax: a space before each parameter" : NULL;
}

bool xtext_decode(struct arena *a, slice in, slice *out)
{
    char *p = arena_alloc(a, in.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < in.n; i++) {
        if (in.p[i] < 33 || in.p[i] > 126 || in.p[i] == '=')
            return false;
        p[n] = in.p[i];
        if (in.p[i] == '+') {
            if (!slice_unhex(slice_sub(in, i + 1, i + 3), &p[n], 1))
                return false;
            i += 2;
        }
        n++;
    }
    *out = (slice){p, n};
    return true;
}

slice xtext_encode(struct arena *a, slice in)
{
    static const char digits[] = "0123456789ABCDEF"; /* RFC 3461: hexchar is upper case */
    char *p = arena_alloc(a, 3 * in.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < in.n; i++) {
        unsigned char c = (unsigned char)in.p[i];
        if (c >= 33 && c <= 126 && c != '+' && c != '=') {
            p[n++] = (char)c;
            continue;
        }
        p[n++] = '+';
        p[n++] = digits[c >> 4];
        p[n++] = digits[c & 15];
    }
    return (slice){p, n};
}
