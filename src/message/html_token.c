/* The tokenizer of html_to_text(). */
#include "message/html_token.h"

#include "base/banned.h"

/* Elements whose content is not markup; it ends only at their own end tag. */
static const slice raw_elements[] = {
    {"script", 6}, {"style", 5},  {"title", 5},   {"textarea", 8},
    {"xmp", 3},    {"iframe", 6}, {"noembed", 7}, {"noframes", 8},
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

/* ---- tags ---- */

/* Skips "<!-- … -->"; a comment without an end takes the rest. */
static slice skip_comment(slice s)
{
    s = slice_skip(s, 4);
    if (slice_eat(&s, S(">")) || slice_eat(&s, S("->")))
        return s;
    ptrdiff_t end = slice_search(s, S("--"));
    while (end >= 0) {
        s = slice_skip(s, (size_t)end);
        slice behind = slice_skip(s, 2);
        if (slice_eat(&behind, S(">")) || slice_eat(&behind, S("!>")))
            return behind;
        s = slice_skip(s, 1);
        end = slice_search(s, S("--"));
    }
    return slice_skip(s, s.n);
}

static slice skip_declaration(slice s)
{
    ptrdiff_t end = slice_find(s, '>');
    return slice_skip(s, end < 0 ? s.n : (size_t)end + 1);
}

/* Offset of the ">" that ends a tag, quoted values skipped; -1 when there is none. */
static ptrdiff_t tag_end(struct html_tokens *t, slice s)
{
    bool value = false; /* behind "=": a quote opens a value */
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '>')
            return (ptrdiff_t)i;
        if (value && (c == '"' || c == '\'') && !t->no_quote[c == '\'']) {
            ptrdiff_t close = slice_find(slice_skip(s, i + 1), c);
            if (close < 0)
                t->no_quote[c == '\''] = true;
            else
                i += (size_t)close + 1;
        }
        value = c == '=' || (value && is_space(c));
    }
    return -1;
}

static size_t take_name(slice s, char name[HTML_NAME_MAX])
{
    size_t n = 0, kept = 0;
    while (n < s.n && !is_space(s.p[n]) && s.p[n] != '/' && s.p[n] != '>') {
        if (kept + 1 < HTML_NAME_MAX)
            name[kept++] = ascii_lower(s.p[n]);
        n++;
    }
    name[kept] = 0;
    return n;
}

static slice raw_name(const char *name)
{
    slice found = slice_c(name);
    for (size_t i = 0; i < sizeof(raw_elements) / sizeof(raw_elements[0]); i++)
        if (slice_eq(found, raw_elements[i]))
            return raw_elements[i];
    return S("");
}

/* A tag at the start of t->rest; false when it is none, or never ends. */
static bool take_tag(struct html_tokens *t, struct html_token *out)
{
    slice s = slice_skip(t->rest, 1);
    out->kind = slice_eat(&s, S("/")) ? HTML_END : HTML_START;
    if (!s.n || !ascii_is_alpha(s.p[0]))
        return false;
    s = slice_skip(s, take_name(s, out->name));
    ptrdiff_t end = tag_end(t, s);
    if (end < 0) { /* it takes the rest, as in browsers */
        t->rest = slice_skip(s, s.n);
        return false;
    }
    out->attributes = slice_sub(s, 0, (size_t)end);
    t->rest = slice_skip(s, (size_t)end + 1);
    t->raw = out->kind == HTML_START ? raw_name(out->name) : S("");
    return true;
}

/* The text of a raw element: up to "</name", or all. */
static size_t raw_length(slice s, slice name)
{
    for (size_t i = 0; i < s.n; i++) {
        ptrdiff_t at = slice_search(slice_skip(s, i), S("</"));
        if (at < 0)
            break;
        i += (size_t)at;
        slice behind = slice_skip(s, i + 2);
        if (slice_eat_icase(&behind, name) && behind.n &&
            (is_space(behind.p[0]) || behind.p[0] == '>' || behind.p[0] == '/'))
            return i;
    }
    return s.n;
}

/* Offset of the next "<" that begins something. */
static size_t text_length(slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        ptrdiff_t at = slice_find(slice_skip(s, i), '<');
        if (at < 0)
            break;
        i += (size_t)at;
        slice behind = slice_skip(s, i + 1);
        bool end = slice_eat(&behind, S("/"));
        char c = behind.n ? behind.p[0] : 0;
        if (ascii_is_alpha(c) || (!end && (c == '!' || c == '?')) || (end && c))
            return i;
    }
    return s.n;
}

bool html_next(struct html_tokens *t, struct html_token *out)
{
    while (t->rest.n) {
        size_t text = t->raw.n ? raw_length(t->rest, t->raw) : text_length(t->rest);
        if (text) {
            *out = (struct html_token){.kind = HTML_TEXT, .text = slice_sub(t->rest, 0, text)};
            out->references =
                !t->raw.n || slice_eq(t->raw, S("title")) || slice_eq(t->raw, S("textarea"));
            t->rest = slice_skip(t->rest, text);
            return true;
        }
        *out = (struct html_token){0};
        t->raw = S("");
        if (slice_starts(t->rest, S("<!--")))
            t->rest = skip_comment(t->rest);
        else if (take_tag(t, out))
            return true;
        else
            t->rest = skip_declaration(t->rest);
    }
    return false;
}

bool html_attribute_next(slice *attributes, slice *name, slice *value)
{
    slice s = *attributes;
    while (s.n && (is_space(s.p[0]) || s.p[0] == '/'))
        s = slice_skip(s, 1);
    size_t n = 0;
    while (n < s.n && !is_space(s.p[n]) && s.p[n] != '/' && (s.p[n] != '=' || n == 0))
        n++;
    *name = slice_sub(s, 0, n);
    *value = S("");
    s = slice_skip(s, n);
    slice behind = s;
    while (behind.n && is_space(behind.p[0]))
        behind = slice_skip(behind, 1);
    if (slice_eat(&behind, S("="))) {
        while (behind.n && is_space(behind.p[0]))
            behind = slice_skip(behind, 1);
        char quote = behind.n && (behind.p[0] == '"' || behind.p[0] == '\'') ? behind.p[0] : 0;
        behind = slice_skip(behind, quote != 0);
        n = 0;
        while (n < behind.n && (quote ? behind.p[n] != quote : !is_space(behind.p[n])))
            n++;
        *value = slice_sub(behind, 0, n);
        s = slice_skip(behind, n + (quote != 0));
    }
    *attributes = s;
    return name->n > 0;
}

bool html_attribute(slice attributes, slice name, slice *value)
{
    slice found;
    while (attributes.n >= name.n && html_attribute_next(&attributes, &found, value))
        if (slice_eq_icase(found, name))
            return true;
    return false;
}

/* ---- character references ---- */

/* 0x80-0x9f in numeric references mean windows-1252, as every browser reads them. */
static const uint16_t c1_meaning[32] = {
    0x20ac, 0x81,   0x201a, 0x192,  0x201e, 0x2026, 0x2020, 0x2021, 0x2c6,  0x2030, 0x160,
    0x2039, 0x152,  0x8d,   0x17d,  0x8f,   0x90,   0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
    0x2013, 0x2014, 0x2dc,  0x2122, 0x161,  0x203a, 0x153,  0x9d,   0x17e,  0x178};

static bool numeric(slice *s, uint32_t *c)
{
    slice digits = slice_skip(*s, 2); /* "&#" */
    bool hex = digits.n && (digits.p[0] == 'x' || digits.p[0] == 'X');
    digits = slice_skip(digits, hex);
    uint32_t v = 0;
    size_t n = 0;
    for (; n < digits.n; n++) {
        int d = ascii_unhex(digits.p[n]);
        if (d < 0 || (!hex && d > 9))
            break;
        if (v <= 0x10ffff)
            v = v * (hex ? 16 : 10) + (uint32_t)d;
    }
    if (n == 0)
        return false;
    *s = slice_skip(digits, n);
    slice_eat(s, S(";"));
    *c = v == 0 || v > 0x10ffff ? 0xfffd : v >= 0x80 && v < 0xa0 ? c1_meaning[v - 0x80] : v;
    return true;
}

/* The name at the start of a row, or of what is left of one. */
static slice entity_name(slice row)
{
    size_t n = 0;
    while (n < row.n && row.p[n] != '=' && row.p[n] != ':')
        n++;
    return slice_sub(row, 0, n);
}

/* What a name stands for, "" when nothing; *bare: also without its ";". */
static slice entity(slice name, bool *bare)
{
    size_t low = 0, high = html_entity_rows; /* rows[low] begins at or before the name */
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (slice_cmp(entity_name(slice_c(html_entities[middle])), name) <= 0)
            low = middle;
        else
            high = middle;
    }
    slice row = slice_c(html_entities[low]), one;
    while (slice_next(&row, ' ', &one)) {
        if (!slice_eq(entity_name(one), name))
            continue;
        *bare = one.p[name.n] == ':';
        return slice_skip(one, name.n + 1);
    }
    return S("");
}

bool html_reference(slice *s, bool attribute, slice *text, uint32_t *c)
{
    enum { NAME_MAX_LENGTH = 32, BARE_MAX = 6 };
    *text = S("");
    if (slice_starts(*s, S("&#")))
        return numeric(s, c);
    slice name = slice_skip(*s, 1);
    size_t n = 0;
    bool bare;
    while (n < name.n && n < NAME_MAX_LENGTH && ascii_is_alnum(name.p[n]))
        n++;
    if (n < name.n && name.p[n] == ';' && (*text = entity(slice_sub(name, 0, n), &bare)).n) {
        *s = slice_skip(name, n + 1);
        return true;
    }
    for (n = n < BARE_MAX ? n : BARE_MAX; n >= 2; n--) {
        char behind = n < name.n ? name.p[n] : 0;
        if (attribute && (behind == '=' || ascii_is_alnum(behind)))
            continue;
        if ((*text = entity(slice_sub(name, 0, n), &bare)).n && bare) {
            *s = slice_skip(name, n);
            return true;
        }
    }
    return false;
}

slice html_decode(struct arena *a, slice text, bool attribute)
{
    if (slice_find(text, '&') < 0)
        return text;
    struct out out = {.arena = a};
    while (text.n) {
        uint32_t c;
        slice meant;
        if (text.p[0] == '&' && html_reference(&text, attribute, &meant, &c)) {
            if (meant.n)
                out_add(&out, meant);
            else
                out_char(&out, c);
            continue;
        }
        size_t n = 1;
        while (n < text.n && text.p[n] != '&')
            n++;
        out_add(&out, slice_sub(text, 0, n));
        text = slice_skip(text, n);
    }
    return out_slice(&out);
}
