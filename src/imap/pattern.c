/*
 * The matcher walks the name once and keeps the set of places in the pattern where it could be:
 * time is at most name x pattern, whatever wildcards there are.
 */
#include "imap/pattern.h"

#include "base/limits.h"
#include "base/banned.h"

enum { PLACES = 2 * LIMIT_MAILBOX_NAME + 1 };

static bool is_wildcard(char c)
{
    return c == '*' || c == '%';
}

bool imap_pattern(struct arena *a, slice text, struct imap_pattern *out)
{
    char *p = arena_alloc(a, text.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        bool again = n && is_wildcard(text.p[i]) && is_wildcard(p[n - 1]);
        if (!again)
            p[n++] = text.p[i];
        else if (text.p[i] == '*') /* "%*" is "*" */
            p[n - 1] = '*';
    }
    out->text = (slice){p, n};
    return n < PLACES;
}

/* Marks a place, and the one behind it when it is a wildcard, which may stand for nothing. */
static void reach(const slice *pattern, bool *at, size_t place, size_t *end)
{
    at[place] = true;
    if (place < pattern->n && is_wildcard(pattern->p[place]))
        at[++place] = true;
    *end = place >= *end ? place + 1 : *end;
}

static bool takes(char p, char c, bool any_case)
{
    return any_case ? ascii_upper(p) == ascii_upper(c) : p == c;
}

bool imap_pattern_matches(const struct imap_pattern *pattern, slice name)
{
    const slice *t = &pattern->text;
    bool sets[2][PLACES + 1] = {{0}};
    bool *now = sets[0], *next = sets[1];
    size_t end = 0; /* places from here on are not reached */
    bool inbox = slice_eq(name, S("INBOX")) || slice_starts(name, S("INBOX/"));
    reach(t, now, 0, &end);
    for (size_t i = 0; i < name.n && end; i++) {
        size_t reached = 0;
        memset(next, 0, end + 3 < PLACES + 1 ? end + 3 : PLACES + 1);
        for (size_t k = 0; k < end && k < t->n; k++) {
            if (!now[k])
                continue;
            if (t->p[k] == '*' || (t->p[k] == '%' && name.p[i] != '/'))
                reach(t, next, k, &reached);
            if (!is_wildcard(t->p[k]) && takes(t->p[k], name.p[i], inbox && i < 5))
                reach(t, next, k + 1, &reached);
        }
        bool *swap = now;
        now = next;
        next = swap;
        end = reached;
    }
    return end > t->n && now[t->n];
}
