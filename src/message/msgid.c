/*
 * Message identifiers (RFC 5322 3.6.4, 4.5.4).  What stands between "<" and ">" is an id, white
 * space in it taken out; without brackets each word with an "@" is one.
 */
#include "message/msgid.h"

#include "base/limits.h"
#include "base/rand.h"

#include "base/banned.h"

slice msgid_make(struct arena *a, slice domain)
{
    unsigned char random[16];
    char hex[2 * sizeof(random)];
    rand_bytes(random, sizeof(random));
    ascii_hex(random, sizeof(random), hex);
    if (domain.n == 0)
        domain = S("localhost");
    return arena_printf(a, "<%.*s@%.*s>", (int)sizeof(hex), hex, P(domain));
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The id without white space inside: itself when there is none. */
static slice without_space(struct arena *a, slice id)
{
    size_t spaces = 0, n = 0;
    for (size_t i = 0; i < id.n; i++)
        spaces += is_space(id.p[i]);
    if (!spaces)
        return id;
    char *to = arena_alloc(a, id.n - spaces);
    for (size_t i = 0; i < id.n; i++)
        if (!is_space(id.p[i]))
            to[n++] = id.p[i];
    return (slice){to, n};
}

static void id_add(struct arena *a, struct msgid_list *out, size_t *capacity, slice id)
{
    id = without_space(a, slice_trim(id));
    if (!id.n)
        return;
    if (out->count == LIMIT_MSGIDS) {
        out->list[out->count - 1] = id;
        return;
    }
    out->list = arena_grow(a, out->list, out->count, capacity, sizeof(*out->list));
    out->list[out->count++] = id;
}

/* An id opened at *i ("<"), up to ">"; one that is cut off by "<" or the end is its first word. */
static slice bracketed(slice v, size_t *i)
{
    size_t from = *i + 1, to = from;
    while (to < v.n && v.p[to] != '>' && v.p[to] != '<')
        to++;
    slice id = slice_sub(v, from, to);
    *i = to + (to < v.n && v.p[to] == '>');
    if (to < v.n && v.p[to] == '>')
        return id;
    id = slice_trim(id);
    size_t word = 0;
    while (word < id.n && !is_space(id.p[word]))
        word++;
    return slice_sub(id, 0, word);
}

/* Behind the comment at *i, or behind its "(" when it never ends (*open is then false). */
static void skip_comment(slice v, size_t *i, bool *open)
{
    size_t depth = 0;
    for (size_t j = *i; *open && j < v.n; j++) {
        if (v.p[j] == '\\')
            j++;
        else if (v.p[j] == '(')
            depth++;
        else if (v.p[j] == ')' && --depth == 0) {
            *i = j + 1;
            return;
        }
    }
    *open = false;
    ++*i;
}

/* Values without brackets: the words with "@" in them, or the only word. */
static void bare_words(struct arena *a, slice v, struct msgid_list *out, size_t *capacity)
{
    size_t words = 0;
    slice only = S("");
    for (size_t i = 0; i < v.n;) {
        size_t from = i;
        while (i < v.n && !is_space(v.p[i]) && v.p[i] != ',' && v.p[i] != ';')
            i++;
        slice word = slice_sub(v, from, i);
        if (word.n > 1 && word.p[0] == '"' && word.p[word.n - 1] == '"')
            word = slice_sub(word, 1, word.n - 1);
        words += word.n > 0;
        only = word.n ? word : only;
        if (slice_find(word, '@') >= 0)
            id_add(a, out, capacity, word);
        i++;
    }
    if (words == 1 && !out->count)
        id_add(a, out, capacity, only);
}

void msgid_parse(struct arena *a, slice value, struct msgid_list *out)
{
    size_t capacity = 0;
    bool comments = true;
    *out = (struct msgid_list){0};
    for (size_t i = 0; i < value.n;) {
        if (value.p[i] == '<')
            id_add(a, out, &capacity, bracketed(value, &i));
        else if (value.p[i] == '(')
            skip_comment(value, &i, &comments);
        else
            i++;
    }
    if (!out->count && slice_find(value, '<') < 0)
        bare_words(a, value, out, &capacity);
}

slice msgid_first(struct arena *a, slice value)
{
    struct msgid_list ids;
    msgid_parse(a, value, &ids);
    return ids.count ? ids.list[0] : S("");
}
