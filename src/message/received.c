/* Reading the trace (RFC 5321 4.4): clauses "from", "by", … with the comments behind them. */
#include "message/received.h"

#include "message/date.h"

#include "base/banned.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* A word, or a comment with its parentheses, from the front of *s; a comment that never ends is a
 * word. */
static bool next_word(slice *s, bool *comments, slice *word)
{
    size_t i = 0, n = 0, depth = 0;
    while (i < s->n && is_space(s->p[i]))
        i++;
    *s = slice_skip(*s, i);
    if (!s->n)
        return false;
    if (s->p[0] == '(' && *comments) {
        for (; n < s->n && (depth || n == 0); n++) {
            n += s->p[n] == '\\' && n + 1 < s->n;
            depth += s->p[n] == '(';
            depth -= s->p[n] == ')' && depth;
        }
        *comments = depth == 0;
        n = depth ? 0 : n;
    }
    if (n == 0)
        for (n = 1; n < s->n && !is_space(s->p[n]) && s->p[n] != '(';)
            n++;
    *word = slice_sub(*s, 0, n);
    *s = slice_skip(*s, n);
    return true;
}

/* The first address of a machine in text: "[192.0.2.1]", "[IPv6:2001:db8::1]", or one word of it.
 */
static slice find_ip(slice text)
{
    for (size_t i = 0; i < text.n;) {
        size_t from = i, colons = 0, dots = 0;
        while (i < text.n &&
               (ascii_unhex(text.p[i]) >= 0 || text.p[i] == '.' || text.p[i] == ':')) {
            if (text.p[i] == ':' && dots == 3) /* a port stands behind it */
                break;
            colons += text.p[i] == ':';
            dots += text.p[i] == '.';
            i++;
        }
        slice run = slice_sub(text, from, i);
        bool ends = i == text.n || (!ascii_is_alnum(text.p[i]) && text.p[i] != '-');
        if (ends && colons < 2 && dots == 3 && colons == 0 && ascii_is_digit(run.p[0]))
            return run;
        if (ends && colons >= 2 && run.n >= 3)
            return run;
        while (i < text.n && (ascii_is_alnum(text.p[i]) || text.p[i] == '-' || text.p[i] == '.'))
            i++;
        if (slice_eq_icase(slice_sub(text, from, i), S("IPv6")) && i < text.n) {
            i++; /* its colon */
            continue;
        }
        i += i == from;
    }
    return S("");
}

/* The clause a word opens, or NULL. */
static slice *clause_of(struct received *r, slice word)
{
    const struct {
        slice name;
        slice *value;
    } rows[] = {{S("from"), &r->from}, {S("by"), &r->by}, {S("via"), &r->via},
                {S("with"), &r->with}, {S("id"), &r->id}, {S("for"), &r->for_}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (slice_eq_icase(word, rows[i].name))
            return rows[i].value->n ? NULL : rows[i].value;
    return NULL;
}

static slice without_brackets(slice s)
{
    while (s.n && (s.p[s.n - 1] == ';' || s.p[s.n - 1] == ','))
        s.n--;
    if (s.n >= 2 && s.p[0] == '<' && s.p[s.n - 1] == '>')
        return slice_sub(s, 1, s.n - 1);
    return s;
}

bool received_parse(slice value, struct received *out)
{
    const slice none = S("");
    *out = (struct received){none, none, none, none, none, none, none, none, false, 0, 0};
    ptrdiff_t semicolon = slice_rfind(value, ';');
    slice rest = value, word;
    bool comments = true, in_from = false;
    if (semicolon >= 0) {
        out->has_date =
            date_parse(slice_skip(value, (size_t)semicolon + 1), &out->date_ms, &out->zone_minutes);
        rest = slice_sub(value, 0, (size_t)semicolon);
    }
    while (next_word(&rest, &comments, &word)) {
        slice *clause = clause_of(out, word);
        if (word.p[0] == '(') {
            if (in_from && !out->tcp.n && word.n >= 2)
                out->tcp = slice_sub(word, 1, word.n - 1);
            if (in_from && !out->ip.n)
                out->ip = find_ip(word);
        } else if (clause) {
            slice before = rest;
            in_from = clause == &out->from;
            if (!next_word(&rest, &comments, &word) || word.p[0] == '(')
                rest = before; /* only a comment stands there */
            else
                *clause = without_brackets(word);
        } else if (in_from && !out->ip.n && word.p[0] == '[') { /* "from x [192.0.2.1]" */
            out->ip = find_ip(word);
        }
    }
    if (!out->ip.n)
        out->ip = find_ip(out->from);
    return out->from.n || out->by.n || out->via.n || out->with.n || out->id.n || out->for_.n;
}

bool return_path_parse(slice value, slice *address)
{
    slice s = slice_trim(value);
    *address = S("");
    if (s.n >= 2 && s.p[0] == '<' && s.p[s.n - 1] == '>')
        s = slice_trim(slice_sub(s, 1, s.n - 1));
    else if (!s.n)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '<' || s.p[i] == '>' || s.p[i] == '\0' || s.p[i] == '\n' || s.p[i] == '\r')
            return false;
    *address = s;
    return true;
}
