/*
 * The request of LIST (RFC 9051 6.3.9, RFC 5258, 5819, 6154) and LSUB (RFC 3501 6.3.9), and the one
 * rule that decides: a name is listed when it matches a pattern and either meets the selection
 * criteria itself, or something below it does that matches no pattern and so is not listed itself.
 */
#include "imap/list.h"

#include "imap/utf7.h"

#include "base/banned.h"

/* ---- reading ---- */

static bool add_pattern(struct imap *p, struct list_request *r, size_t *size, slice reference,
                        slice spelled)
{
    slice text, whole = arena_printf(&p->scratch, "%.*s%.*s", P(reference), P(spelled));
    struct imap_pattern pattern;
    if (p->enabled & ENABLED_UTF8)
        text = whole;
    else if (!utf7_decode(&p->scratch, whole, &text))
        return true; /* what is no name matches none (rule I20) */
    if (!folder_normalise(&p->scratch, text, &text) || !imap_pattern(&p->scratch, text, &pattern))
        return true;
    if (r->pattern_count >= LIMIT_IMAP_PATTERNS)
        return false;
    r->patterns = arena_grow(&p->scratch, r->patterns, r->pattern_count, size, sizeof(pattern));
    r->patterns[r->pattern_count++] = pattern;
    return true;
}

/* list-mailbox, or "(" list-mailbox … ")" */
static bool patterns(struct imap *p, slice *in, slice reference, struct list_request *r)
{
    size_t size = 0;
    slice text;
    if (!slice_eat(in, S("("))) {
        if (!imap_list_mailbox(&p->scratch, in, &text))
            return false;
        if (!text.n && !(r->options & LIST_EXTENDED))
            r->options |= LIST_ROOT;
        return add_pattern(p, r, &size, reference, text);
    }
    r->options |= LIST_EXTENDED;
    do
        if (!imap_list_mailbox(&p->scratch, in, &text) ||
            !add_pattern(p, r, &size, reference, text))
            return false;
    while (imap_space(in));
    return slice_eat(in, S(")"));
}

static bool select_option(slice *in, struct list_request *r)
{
    static const struct {
        slice word;
        unsigned option;
    } rows[] = {
        {{"SUBSCRIBED", 10}, LIST_SUBSCRIBED | LIST_RETURN_SUBSCRIBED},
        {{"SPECIAL-USE", 11}, LIST_SPECIAL_USE},
        {{"RECURSIVEMATCH", 14}, LIST_RECURSIVEMATCH},
        {{"REMOTE", 6}, LIST_REMOTE},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (imap_word(in, rows[i].word)) {
            r->options |= rows[i].option;
            return true;
        }
    return false;
}

/* "(SUBSCRIBED RECURSIVEMATCH) " or nothing */
static bool selection(slice *in, struct list_request *r)
{
    if (!slice_eat(in, S("(")))
        return true;
    r->options |= LIST_EXTENDED;
    if (!slice_eat(in, S(")"))) {
        do
            if (!select_option(in, r))
                return false;
        while (imap_space(in));
        if (!slice_eat(in, S(")")))
            return false;
    }
    bool base = (r->options & (LIST_SUBSCRIBED | LIST_SPECIAL_USE)) != 0;
    return imap_space(in) && (base || !(r->options & LIST_RECURSIVEMATCH));
}

static bool return_option(struct imap *p, slice *in, struct list_request *r)
{
    if (imap_word(in, S("SUBSCRIBED"))) {
        r->options |= LIST_RETURN_SUBSCRIBED;
        return true;
    }
    if (imap_word(in, S("CHILDREN")) || imap_word(in, S("SPECIAL-USE")))
        return true; /* told always */
    r->options |= LIST_RETURN_STATUS;
    return imap_word(in, S("STATUS")) && imap_space(in) && imap_status_items(p, in, &r->status);
}

/* " RETURN (CHILDREN STATUS (MESSAGES))" or nothing */
static bool returns(struct imap *p, slice *in, struct list_request *r)
{
    if (!imap_space(in))
        return in->n == 0;
    r->options |= LIST_EXTENDED;
    r->options &= ~(unsigned)LIST_ROOT;
    if (!imap_word(in, S("RETURN")) || !imap_space(in) || !slice_eat(in, S("(")))
        return false;
    if (slice_eat(in, S(")")))
        return in->n == 0;
    do
        if (!return_option(p, in, r))
            return false;
    while (imap_space(in));
    return slice_eat(in, S(")")) && in->n == 0;
}

bool list_parse(struct imap *p, slice args, bool lsub, struct list_request *out)
{
    slice reference;
    *out = (struct list_request){.options = lsub ? LIST_LSUB | LIST_SUBSCRIBED : 0};
    if (!lsub && !selection(&args, out))
        return false;
    if (!imap_astring(&p->scratch, &args, &reference) || !imap_space(&args))
        return false;
    if (lsub) {
        slice text;
        size_t size = 0;
        return imap_list_mailbox(&p->scratch, &args, &text) && args.n == 0 &&
               add_pattern(p, out, &size, reference, text);
    }
    return patterns(p, &args, reference, out) && returns(p, &args, out);
}

/* ---- deciding ---- */

static bool matches(const struct list_request *r, slice name)
{
    for (size_t i = 0; i < r->pattern_count; i++)
        if (imap_pattern_matches(&r->patterns[i], name))
            return true;
    return false;
}

static bool meets(const struct list_request *r, const struct folder *f)
{
    if ((r->options & LIST_SUBSCRIBED) && !f->subscribed)
        return false;
    if ((r->options & LIST_SPECIAL_USE) && !imap_role_word(f->role).n)
        return false;
    return f->mailbox || (r->options & LIST_SUBSCRIBED);
}

static bool is_below(slice name, slice parent)
{
    return name.n > parent.n && slice_starts(name, parent) && name.p[parent.n] == '/';
}

struct list_answer list_answer(const struct list_request *r, const struct folder_list *all,
                               size_t at)
{
    const struct folder *f = &all->items[at];
    struct list_answer answer = {0};
    bool recursive = (r->options & LIST_RECURSIVEMATCH) != 0;
    if (!matches(r, f->name))
        return answer;
    answer.listed = meets(r, f);
    if (answer.listed ? !recursive : f->mailbox && !recursive && !(r->options & LIST_LSUB))
        return answer;
    bool hidden = false; /* something below that meets them is not listed itself */
    for (size_t i = at + 1; i < all->count && is_below(all->items[i].name, f->name); i++)
        if (meets(r, &all->items[i])) {
            answer.child_info = recursive;
            hidden = hidden || !matches(r, all->items[i].name);
            if (hidden)
                break;
        }
    bool criteria = (r->options & (LIST_SUBSCRIBED | LIST_SPECIAL_USE)) != 0;
    bool implied = recursive || (r->options & LIST_LSUB) || !criteria;
    answer.listed = answer.listed || (hidden && implied);
    return answer;
}
