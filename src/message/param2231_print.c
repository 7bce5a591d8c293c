/* Writing parameters (RFC 2231, with RFC 2047 for old readers). */
#include "message/param2231.h"

#include "message/out.h"
#include "message/word2047.h"
#include "base/banned.h"

enum { LINE_MAX = 78, QUOTED_MAX = 900 };

static bool is_token(slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] >= 0x7f || slice_find(S("()<>@,;:\\\"/[]?="), s.p[i]) >= 0)
            return false;
    return s.n > 0;
}

/* Characters RFC 2231 lets stand in an extended value (attribute-char). */
static bool is_attribute_char(char c)
{
    return ascii_is_alnum(c) || slice_find(S("!#$&+-.^_`{|}~"), c) >= 0;
}

/* ";" and what follows, on this line or the next. */
static void place(struct out *out, slice text, size_t *column)
{
    bool fits = *column + 2 + text.n <= LINE_MAX;
    out_add(out, fits ? S("; ") : S(";\r\n "));
    *column = fits ? *column + 2 : 1;
    out_add(out, text);
    *column += text.n;
}

static void print_ascii(struct out *out, slice name, slice value, size_t *column)
{
    struct out text = {.arena = out->arena};
    bool token = is_token(value);
    out_add(&text, name);
    out_add(&text, token ? S("=") : S("=\""));
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];
        if (!token && (c == '"' || c == '\\'))
            out_byte(&text, '\\');
        if ((unsigned char)c >= ' ' && c != 0x7f)
            out_byte(&text, c);
    }
    if (!token)
        out_byte(&text, '"');
    place(out, out_slice(&text), column);
}

/* name="=?utf-8?B?…?=", several words on several lines. */
static void print_2047(struct out *out, slice name, slice value, size_t *column)
{
    struct out text = {.arena = out->arena};
    size_t at = 1 + name.n + 2;
    out_add(&text, name);
    out_add(&text, S("=\""));
    out_add(&text, word2047_encode_phrase(out->arena, value, &at));
    out_byte(&text, '"');
    slice whole = out_slice(&text);
    place(out, whole, column);
    if (slice_find(whole, '\n') >= 0)
        *column = at + 1;
}

static size_t character(slice s)
{
    size_t n = 1;
    while (n < s.n && ((unsigned char)s.p[n] & 0xc0) == 0x80)
        n++;
    return n;
}

static void add_percent(struct out *out, slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (is_attribute_char(s.p[i]))
            out_byte(out, s.p[i]);
        else
            out_printf(out, "%%%02X", (unsigned)(unsigned char)s.p[i]);
    }
}

/* name*=utf-8''…, or name*0*=utf-8''… name*1*=… when it is longer than a line. */
static void print_2231(struct out *out, slice name, slice value, size_t *column)
{
    struct out all = {.arena = out->arena};
    add_percent(&all, value);
    if (1 + name.n + S("*=utf-8''").n + all.n + 1 <= LINE_MAX) {
        place(out, arena_printf(out->arena, "%.*s*=utf-8''%.*s", P(name), P(out_slice(&all))),
              column);
        return;
    }
    for (unsigned section = 0; value.n; section++) {
        struct out text = {.arena = out->arena};
        out_printf(&text, "%.*s*%u*=%s", P(name), section, section ? "" : "utf-8''");
        for (;;) {
            struct out one = {.arena = out->arena};
            size_t n = value.n ? character(value) : 0;
            add_percent(&one, slice_sub(value, 0, n));
            if (n == 0 || 1 + text.n + one.n + 1 > LINE_MAX)
                break;
            out_add(&text, out_slice(&one));
            value = slice_skip(value, n);
        }
        place(out, out_slice(&text), column);
    }
}

/* An ASCII value that readers would take for "charset'language'%41" with the "*" forgotten. */
static bool is_misleading(slice value)
{
    return slice_is_ascii(value) && slice_find(value, '\'') >= 0 && slice_find(value, '%') >= 0;
}

slice params_print(struct arena *a, slice name, slice utf8, unsigned forms, size_t *column)
{
    struct out out = {.arena = a};
    size_t ignored = LINE_MAX;
    if (!column)
        column = &ignored;
    bool plain = slice_is_ascii(utf8) && utf8.n <= QUOTED_MAX && slice_search(utf8, S("=?")) < 0;
    if (plain && !(forms & PARAM_2231 && is_misleading(utf8))) {
        print_ascii(&out, name, utf8, column);
        return out_slice(&out);
    }
    if (forms & PARAM_2047 && !plain)
        print_2047(&out, name, utf8, column);
    if (forms & PARAM_2231)
        print_2231(&out, name, utf8, column);
    return out_slice(&out);
}
