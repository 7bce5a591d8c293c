/*
 * The difference is looked at twice: once to find what is gone (announce_start), which is held
 * until it is told, and once, step by step, for changed flags.  What is shared by both views costs
 * nothing either time.
 */
#include "imap/announce.h"

#include "store/view_diff.h"
#include "base/banned.h"

enum { VANISHED_LINE = 4096 };

/* What the client knows already, or asked not to hear. */
struct told {
    uint32_t uid;
    int64_t modseq;
};

struct imap_expected {
    const struct flags_change *change; /* NULL: none */
    uint64_t remove, add;
    struct told *told; /* ascending uids */
    size_t told_count, told_size;
};

static struct imap_expected *expected(struct imap *p)
{
    if (!p->expected)
        p->expected = arena_new(&p->scratch, struct imap_expected);
    return p->expected;
}

void imap_expect(struct imap *p, const struct flags_change *x, uint64_t remove, uint64_t add)
{
    struct imap_expected *e = expected(p);
    e->change = x;
    e->remove = remove;
    e->add = add;
}

void imap_told(struct imap *p, const struct entry *e)
{
    struct imap_expected *x = expected(p);
    if (x->told_count && x->told[x->told_count - 1].uid >= e->uid)
        return;
    x->told = arena_grow(&p->scratch, x->told, x->told_count, &x->told_size, sizeof(*x->told));
    x->told[x->told_count++] = (struct told){e->uid, e->modseq};
}

void announce_forget(struct imap *p)
{
    p->expected = NULL;
}

static bool was_told(const struct imap_expected *x, const struct entry *e)
{
    size_t low = 0, high = x->told_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (x->told[middle].uid < e->uid)
            low = middle + 1;
        else
            high = middle;
    }
    return low < x->told_count && x->told[low].uid == e->uid && x->told[low].modseq == e->modseq;
}

static bool was_asked(const struct flags_change *x, uint32_t uid)
{
    size_t low = 0, high = x->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (x->uids[middle].high < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return low < x->count && x->uids[low].low <= uid;
}

/* The client knows what its own change did, if it saw all before. */
static bool was_expected(const struct imap_expected *x, const struct view_difference *d)
{
    return x->change && was_asked(x->change, d->is.uid) &&
           d->is.flags == ((d->was.flags & ~x->remove) | x->add);
}

/* Whether nothing but that change happened between two modseqs of the mailbox. */
static bool is_all_expected(const struct imap *p, int64_t was, int64_t is)
{
    const struct flags_change *x = p->expected ? p->expected->change : NULL;
    return x && !(p->enabled & ENABLED_CONDSTORE) && x->modseq && x->modseq_before == was &&
           x->modseq == is;
}

/* ---- the start: what is gone, what came ---- */

void announce_start(struct imap *p, bool expunges)
{
    struct imap_selected *sel = p->selected;
    if (!sel)
        return;
    struct view *newest = view_open(sel->store, sel->account, sel->mailbox);
    if (!newest)
        return;
    sel->telling = (struct imap_telling){.active = true, .expunges = expunges && sel->held_count};
    if (newest == sel->view) {
        view_release(newest);
        sel->telling.active = sel->telling.expunges;
        return;
    }
    uint32_t uidnext = sel->info.uidnext;
    sel->telling.is_known = is_all_expected(p, sel->info.modseq, view_info(newest).modseq);
    sel->telling.was = selected_move(sel, newest);
    sel->telling.expunges = expunges && sel->held_count;
    sel->telling.came = view_seek(newest, uidnext) < sel->info.count;
}

/* ---- its steps ---- */

/* "* 3 EXPUNGE" for each, as the numbers are when it is said. */
static bool tell_expunge(struct imap *p)
{
    struct imap_selected *sel = p->selected;
    for (uint32_t *i = &sel->telling.at; *i < sel->held_count; ++*i) {
        if (!imap_has_room(p, NULL))
            return false;
        imap_untagged(p, "%u EXPUNGE", sel->held[*i].position - *i + 1);
    }
    return true;
}

bool imap_put_vanished(struct imap *p, slice earlier, const struct uid_range *uids, size_t count,
                       size_t *at)
{
    struct buf *out = imap_out(p);
    while (*at < count) {
        if (!imap_has_room(p, NULL))
            return false;
        size_t from = buf_length(out);
        buf_printf(out, "* VANISHED %.*s", P(earlier));
        for (bool first = true; *at < count && buf_length(out) - from < VANISHED_LINE;
             first = false) {
            const struct uid_range *r = &uids[(*at)++];
            buf_printf(out, r->low == r->high ? "%s%u" : "%s%u:%u", first ? "" : ",", r->low,
                       r->high);
        }
        buf_add(out, S("\r\n"));
    }
    return true;
}

static bool tell_vanished(struct imap *p)
{
    struct imap_telling *t = &p->selected->telling;
    if (!t->vanished)
        t->vanished = selected_held_uids(p->selected, &t->vanished_count);
    return imap_put_vanished(p, S(""), t->vanished, t->vanished_count, &t->vanished_at);
}

static void tell_count(struct imap *p)
{
    struct imap_selected *sel = p->selected;
    selected_ask_recent(sel);
    imap_untagged(p, "%u EXISTS", selected_count(sel));
    imap_untagged(p, "%u RECENT", selected_recent(sel));
}

void announce_flags(struct imap *p)
{
    static const char system[] = "\\Answered \\Flagged \\Deleted \\Seen \\Draft";
    struct buf *out = imap_out(p);
    struct buf words = {.max = LIMIT_OUT};
    p->selected->keywords_told = p->keyword_mask;
    for (int bit = KEYWORD_FIRST; bit < KEYWORD_END; bit++)
        if (p->keyword_mask >> bit & 1)
            buf_printf(&words, " %.*s", P(p->keywords[bit]));
    bool more = p->keyword_mask >> KEYWORD_FIRST != UINT64_MAX >> KEYWORD_FIRST;
    slice keywords = buf_slice(&words);
    buf_printf(out, "* FLAGS (%s%.*s)\r\n", system, P(keywords));
    if (p->selected->read_only)
        buf_add(out, S("* OK [PERMANENTFLAGS ()] Nothing can be changed\r\n"));
    else
        buf_printf(out, "* OK [PERMANENTFLAGS (%s%.*s%s)] These stay\r\n", system, P(keywords),
                   more ? " \\*" : "");
    buf_end(&words);
}

/* One entry that changed. */
static void tell_entry(struct imap *p, const struct view_difference *d)
{
    const struct imap_expected *x = p->expected;
    bool condstore = p->enabled & ENABLED_CONDSTORE;
    if (!condstore && d->was.flags == d->is.flags)
        return;
    if (x && was_told(x, &d->is))
        return;
    uint32_t position = selected_of_view(p->selected, d->position, d->is.uid);
    if (x && was_expected(x, d)) {
        if (condstore)
            imap_untagged(p, "%u FETCH (UID %u MODSEQ (%lld))", position + 1, d->is.uid,
                          (long long)d->is.modseq);
        return;
    }
    imap_put_fetch_flags(p, position, &d->is);
}

static bool tell_changes(struct imap *p)
{
    struct imap_selected *sel = p->selected;
    struct view_diff diff;
    struct view_difference d;
    if (!sel->telling.was || sel->telling.is_known)
        return true;
    view_diff_start(&diff, sel->telling.was, sel->view, sel->telling.at);
    while (view_diff_next(&diff, &d)) {
        if (d.what != VIEW_CHANGED)
            continue;
        sel->telling.at = d.is.uid;
        if (!imap_has_room(p, NULL))
            return false;
        tell_entry(p, &d);
    }
    return true;
}

static bool tell_flags(struct imap *p)
{
    if (p->keyword_mask & ~p->selected->keywords_told)
        announce_flags(p);
    return true;
}

bool announce_step(struct imap *p)
{
    struct imap_selected *sel = p->selected;
    if (!sel || !sel->telling.active)
        return true;
    struct imap_telling *t = &sel->telling;
    if (!imap_has_room(p, NULL))
        return false;
    if (t->expunges) {
        if (!(p->enabled & ENABLED_QRESYNC ? tell_vanished(p) : tell_expunge(p)))
            return false;
        selected_drop_held(sel);
        t->expunges = false;
        t->vanished = NULL;
        t->at = 0;
    }
    if (t->came)
        tell_count(p);
    t->came = false;
    if (!tell_changes(p) || !tell_flags(p))
        return false;
    view_release(t->was);
    *t = (struct imap_telling){0};
    return true;
}
