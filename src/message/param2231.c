/*
 * Reading parameters.  First the field is cut into sections "name*n*=value" as they stand, then the
 * sections of each name are put together and decoded.
 */
#include "message/param2231.h"

#include "base/limits.h"
#include "message/charset.h"
#include "message/out.h"
#include "message/word2047.h"
#include "base/banned.h"

enum { NO_SECTION = -1 };

struct section {
    slice name;   /* lower case */
    int number;   /* of "*0", or NO_SECTION */
    bool percent; /* "*" at the end */
    bool used;
    slice raw;   /* in the field, without quotes */
    slice value; /* backslashes removed */
};

struct parser {
    struct arena *arena;
    slice rest;
    bool damaged;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_token_char(char c)
{
    return c > ' ' && c != 0x7f && slice_find(S("()<>@,;:\\\"/[]?="), c) < 0;
}

/* Skips white space and comments (nested, with backslashes; RFC 5322 3.2.2). */
static slice skip_cfws(slice s)
{
    size_t depth = 0, i = 0;
    for (; i < s.n; i++) {
        char c = s.p[i];
        if (c == '(')
            depth++;
        else if (depth && c == ')')
            depth--;
        else if (depth && c == '\\')
            i++;
        else if (!depth && !is_blank(c))
            break;
    }
    return slice_skip(s, i);
}

static slice lower(struct arena *a, slice s)
{
    char *p = arena_alloc(a, s.n + 1);
    for (size_t i = 0; i < s.n; i++)
        p[i] = ascii_lower(s.p[i]);
    return (slice){p, s.n};
}

/* "text/html" up to the first ";", without comments, spaces and quotes. */
static slice take_value(struct parser *p)
{
    struct out out = {.arena = p->arena};
    bool open = true; /* more may follow: at the start and after "/" */
    for (;;) {
        p->rest = skip_cfws(p->rest);
        bool slash = slice_starts(p->rest, S("/"));
        if (!p->rest.n || p->rest.p[0] == ';' || (!open && !slash))
            break;
        open = slash;
        size_t n = 0;
        while (n < p->rest.n && (is_token_char(p->rest.p[n]) || (n == 0 && slash)))
            n++;
        if (n == 0) { /* quotes and other characters that do not belong here */
            p->damaged = open = true;
            p->rest = slice_skip(p->rest, 1);
            continue;
        }
        if (slash)
            n = 1, open = true;
        out_add(&out, slice_sub(p->rest, 0, n));
        p->rest = slice_skip(p->rest, n);
    }
    return lower(p->arena, out_slice(&out));
}

/* Does s begin with "token =": the next parameter after a forgotten semicolon? */
static bool starts_parameter(slice s)
{
    size_t n = 0;
    while (n < s.n && is_token_char(s.p[n]))
        n++;
    s = slice_skip(s, n);
    slice_eat_wsp(&s);
    return n > 0 && slice_starts(s, S("="));
}

/* Behind a closing quote there is an end, a ";", a comment or the next parameter; else the quote
 * was one of the text that should have been escaped. */
static bool closes(slice behind)
{
    while (behind.n && is_blank(behind.p[0]))
        behind = slice_skip(behind, 1);
    return !behind.n || behind.p[0] == ';' || behind.p[0] == '(' || behind.p[0] == ',' ||
           starts_parameter(behind);
}

/* A quoted string; rest is behind the opening quote. */
static void take_quoted(struct parser *p, struct section *s)
{
    struct out out = {.arena = p->arena};
    slice rest = p->rest;
    size_t i = 0;
    for (; i < rest.n; i++) {
        char c = rest.p[i];
        if (c == '"' && closes(slice_skip(rest, i + 1)))
            break;
        p->damaged |= c == '"';
        /* Only quotes and backslashes are escaped on purpose; in "C:\temp" it is a path. */
        if (c == '\\' && i + 1 < rest.n && (rest.p[i + 1] == '"' || rest.p[i + 1] == '\\'))
            c = rest.p[++i];
        out_byte(&out, c);
    }
    p->damaged |= i == rest.n;
    s->raw = slice_sub(rest, 0, i);
    s->value = out_slice(&out);
    p->rest = skip_cfws(slice_skip(rest, i + 1));
}

/* A token, or what careless senders write in its place: all up to ";", a comment or "name=". */
static void take_unquoted(struct parser *p, struct section *s)
{
    slice rest = p->rest;
    size_t i = 0;
    while (i < rest.n && rest.p[i] != ';') {
        if (!is_blank(rest.p[i])) {
            i++;
            continue;
        }
        slice next = slice_skip(rest, i);
        while (next.n && is_blank(next.p[0]))
            next = slice_skip(next, 1);
        if (!next.n || next.p[0] == ';' || next.p[0] == '(')
            break;
        p->damaged = true;
        if (starts_parameter(next))
            break;
        i = (size_t)(next.p - rest.p);
    }
    s->raw = s->value = slice_trim(slice_sub(rest, 0, i));
    p->rest = skip_cfws(slice_skip(rest, i));
}

/* "filename*0*" to its three pieces. */
static bool take_name(struct parser *p, struct section *s)
{
    size_t n = 0;
    while (n < p->rest.n && is_token_char(p->rest.p[n]))
        n++;
    slice name = slice_sub(p->rest, 0, n);
    p->rest = skip_cfws(slice_skip(p->rest, n));
    *s = (struct section){.number = NO_SECTION};
    if (slice_ends(name, S("*"))) {
        s->percent = true;
        name.n--;
    }
    ptrdiff_t star = slice_rfind(name, '*');
    if (star >= 0) {
        slice digits = slice_skip(name, (size_t)star + 1);
        uint64_t number;
        if (!slice_u64(digits, LIMIT_PARAMS, &number) || (digits.n > 1 && digits.p[0] == '0'))
            return false; /* leading zeros and worse (M6) */
        s->number = (int)number;
        name.n = (size_t)star;
    }
    s->name = lower(p->arena, name);
    return name.n > 0;
}

/* One "name = value"; false when nothing usable was there. */
static bool take_section(struct parser *p, struct section *s)
{
    bool ok = take_name(p, s);
    if (!slice_eat(&p->rest, S("="))) {
        ptrdiff_t end = slice_find(p->rest, ';');
        p->rest = slice_skip(p->rest, end < 0 ? p->rest.n : (size_t)end);
        p->damaged = true;
        return false;
    }
    p->rest = skip_cfws(p->rest);
    if (slice_eat(&p->rest, S("\"")))
        take_quoted(p, s);
    else
        take_unquoted(p, s);
    p->damaged |= !ok;
    return ok;
}

static void add_percent(struct out *out, slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        int high = s.p[i] == '%' && i + 2 < s.n ? ascii_unhex(s.p[i + 1]) : -1;
        int low = s.p[i] == '%' && i + 2 < s.n ? ascii_unhex(s.p[i + 2]) : -1;
        if (high >= 0 && low >= 0) {
            out_byte(out, (char)(high << 4 | low));
            i += 2;
        } else {
            out_byte(out, s.p[i]);
        }
    }
}

/* "utf-8'en'rest"; without the quotes everything is rest. */
static slice take_charset(slice value, slice *charset, slice *language)
{
    slice rest = value, first, second;
    *charset = *language = S("");
    if (slice_find(value, '\'') < 0 || !slice_next(&rest, '\'', &first) ||
        slice_find(rest, '\'') < 0 || !slice_next(&rest, '\'', &second))
        return value;
    *charset = first;
    *language = second;
    return rest;
}

static slice to_utf8(struct arena *a, slice charset, slice bytes)
{
    struct charset_text t;
    charset_to_utf8(a, charset, bytes, &t);
    return t.text;
}

/* A plain value that is meant encoded: RFC 2047 words, or "utf-8''%E9" with the "*" forgotten. */
static slice decode_plain(struct arena *a, slice value, bool *encoded)
{
    slice charset, language, rest = take_charset(value, &charset, &language);
    if (charset.n && slice_find(rest, '%') >= 0 && charset_canonical(charset)) {
        struct out out = {.arena = a};
        add_percent(&out, rest);
        *encoded = true;
        return to_utf8(a, charset, out_slice(&out));
    }
    slice text = word2047_decode(a, value);
    *encoded = !slice_eq(text, value) && slice_search(value, S("=?")) >= 0;
    return text;
}

struct sections {
    struct section *list;
    size_t count;
};

static struct section *find_section(const struct sections *all, slice name, int number)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->list[i].number == number && slice_eq(all->list[i].name, name))
            return &all->list[i];
    return NULL;
}

/* name*0, name*1 … as far as they go without a gap. */
static void join(struct arena *a, const struct sections *all, slice name, struct param *out)
{
    struct out bytes = {.arena = a};
    slice charset = S("");
    struct section *s;
    for (int i = 0; (s = find_section(all, name, i)); i++) {
        slice value = s->value;
        if (i == 0) {
            out->raw = s->raw;
            if (s->percent)
                value = take_charset(value, &charset, &out->language);
        }
        out->encoded |= s->percent;
        if (s->percent)
            add_percent(&bytes, value);
        else
            out_add(&bytes, value);
    }
    if (out->encoded)
        out->value = to_utf8(a, charset, out_slice(&bytes));
    else
        out->value = decode_plain(a, out_slice(&bytes), &out->encoded);
}

/* The sections of one name: "name*" first, then "name*0…", then "name" (M6). */
static void build(struct arena *a, const struct sections *all, slice name, struct param *out)
{
    *out = (struct param){.name = name, .value = S(""), .raw = S(""), .language = S("")};
    struct section *plain = NULL, *star = NULL;
    for (size_t i = 0; i < all->count; i++) {
        struct section *s = &all->list[i];
        if (s->used || !slice_eq(s->name, name))
            continue;
        s->used = true;
        if (s->number == NO_SECTION && s->percent && !star)
            star = s;
        else if (s->number == NO_SECTION && !s->percent && !plain)
            plain = s;
    }
    if (star) {
        struct out bytes = {.arena = a};
        slice charset, value = take_charset(star->value, &charset, &out->language);
        add_percent(&bytes, value);
        out->raw = star->raw;
        out->encoded = true;
        out->value = to_utf8(a, charset, out_slice(&bytes));
    } else if (find_section(all, name, 0)) {
        join(a, all, name, out);
    } else if (plain) {
        out->raw = plain->raw;
        out->value = decode_plain(a, plain->value, &out->encoded);
    }
}

void params_parse(struct arena *a, slice field, struct params *out)
{
    struct parser p = {.arena = a, .rest = field};
    struct sections all = {0};
    *out = (struct params){.value = take_value(&p)};
    size_t capacity = 0, tried = 0;
    while (p.rest.n) {
        p.rest = skip_cfws(p.rest);
        if (slice_eat(&p.rest, S(";")) || !p.rest.n)
            continue;
        if (tried++ == LIMIT_PARAMS) {
            p.damaged = true;
            break;
        }
        struct section s;
        if (!take_section(&p, &s)) {
            if (p.rest.n && p.rest.p[0] != ';')
                p.rest = slice_skip(p.rest, 1);
            continue;
        }
        p.damaged |= p.rest.n && p.rest.p[0] != ';';
        all.list = arena_grow(a, all.list, all.count, &capacity, sizeof(s));
        all.list[all.count++] = s;
    }
    out->params = arena_array(a, all.count, sizeof(*out->params));
    for (size_t i = 0; i < all.count; i++)
        if (!all.list[i].used)
            build(a, &all, all.list[i].name, &out->params[out->count++]);
    out->damaged = p.damaged;
}

const struct param *params_find(const struct params *p, slice name)
{
    for (size_t i = 0; i < p->count; i++)
        if (slice_eq(p->params[i].name, name))
            return &p->params[i];
    return NULL;
}

slice params_get(const struct params *p, slice name)
{
    const struct param *found = params_find(p, name);
    return found ? found->value : S("");
}
