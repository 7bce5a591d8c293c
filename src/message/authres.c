/*
 * Reading Authentication-Results (RFC 8601 2.2): words, quoted strings and signs, comments skipped,
 * until the grammar is left; what was whole before that counts.
 */
#include "message/authres.h"

#include "base/banned.h"

enum { RESULTS_MAX = 200, PROPERTIES_MAX = 50 };

/* The value without comments and folding; quoted strings stay as they are. */
static slice without_comments(struct arena *a, slice v)
{
    char *to = arena_alloc(a, v.n);
    size_t n = 0, depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < v.n; i++) {
        char c = v.p[i];
        if (c == '\\' && (quoted || depth) && i + 1 < v.n) {
            if (!depth)
                to[n++] = c;
            c = v.p[++i];
        } else if (c == '"' && !depth) {
            quoted = !quoted;
        } else if (!quoted && (c == '(' || (c == ')' && depth))) {
            depth += c == '(';
            depth -= c == ')';
            c = ' ';
        }
        if (!depth)
            to[n++] = c == '\r' || c == '\n' || c == '\t' ? ' ' : c;
    }
    return (slice){to, n};
}

/* A word up to one of stops or a space, or a quoted string, unquoted; false when there is none. */
static bool eat_word(struct arena *a, slice *s, const char *stops, slice *word)
{
    size_t n = 0, length = 0;
    slice_eat_wsp(s);
    if (s->n && s->p[0] == '"') {
        char *to = arena_alloc(a, s->n);
        for (n = 1; n < s->n && s->p[n] != '"'; n++) {
            n += s->p[n] == '\\' && n + 1 < s->n;
            to[length++] = s->p[n];
        }
        bool ends = n < s->n;
        *word = (slice){to, length};
        *s = slice_skip(*s, n + 1);
        return ends;
    }
    while (n < s->n && s->p[n] != ' ' && !strchr(stops, s->p[n]))
        n++;
    *word = slice_sub(*s, 0, n);
    *s = slice_skip(*s, n);
    return n > 0;
}

static bool eat_mark(slice *s, slice mark)
{
    slice_eat_wsp(s);
    bool ate = slice_eat(s, mark);
    slice_eat_wsp(s);
    return ate;
}

static bool at_end(slice *s)
{
    slice_eat_wsp(s);
    return !s->n || s->p[0] == ';';
}

/* "reason=…" or "smtp.mailfrom=…" */
static bool eat_property(struct arena *a, slice *s, struct authres_result *r, size_t *capacity)
{
    struct authres_property p;
    if (!eat_word(a, s, ".=;", &p.type))
        return false;
    if (eat_mark(s, S("="))) {
        slice value;
        if (!eat_word(a, s, ";", &value))
            return false;
        if (slice_eq_icase(p.type, S("reason")))
            r->reason = value;
        return true;
    }
    if (!eat_mark(s, S(".")) || !eat_word(a, s, "=;", &p.property) || !eat_mark(s, S("=")) ||
        !eat_word(a, s, ";", &p.value))
        return false;
    if (r->property_count == PROPERTIES_MAX)
        return true;
    r->properties =
        arena_grow(a, r->properties, r->property_count, capacity, sizeof(*r->properties));
    r->properties[r->property_count++] = p;
    return true;
}

/* "dkim/1=pass reason="…" header.d=…", up to ";" */
static bool eat_result(struct arena *a, slice *s, struct authres_result *r)
{
    size_t capacity = 0;
    *r = (struct authres_result){.version = S(""), .reason = S("")};
    if (!eat_word(a, s, "/=;", &r->method))
        return false;
    if (eat_mark(s, S("/")) && !eat_word(a, s, "=;", &r->version))
        return false;
    if (!eat_mark(s, S("=")) || !eat_word(a, s, ";", &r->result))
        return false;
    while (!at_end(s))
        if (!eat_property(a, s, r, &capacity))
            return false;
    return true;
}

bool authres_parse(struct arena *a, slice value, struct authres *out)
{
    slice s = without_comments(a, value), word;
    size_t capacity = 0;
    *out = (struct authres){.version = S("")};
    if (!eat_word(a, &s, ";", &out->id))
        return false;
    if (!at_end(&s) && !eat_word(a, &s, ";", &out->version))
        return false;
    if (!at_end(&s))
        return false;
    while (slice_eat(&s, S(";"))) {
        slice before = s;
        struct authres_result r;
        if (at_end(&s))
            continue;
        if (eat_word(a, &s, "/=;", &word) && slice_eq_icase(word, S("none")) && at_end(&s))
            continue;
        s = before;
        if (!eat_result(a, &s, &r))
            return false;
        if (out->result_count == RESULTS_MAX)
            continue;
        out->results =
            arena_grow(a, out->results, out->result_count, &capacity, sizeof(*out->results));
        out->results[out->result_count++] = r;
    }
    return !s.n;
}
