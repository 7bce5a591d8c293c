/*
 * STORE and UID STORE (RFC 9051 6.4.6; UNCHANGEDSINCE and MODIFIED of RFC 7162 3.1.3; rules I17,
 * I18).  One transaction changes all; the announcement at the end of the command tells the new
 * flags, so what remains here are entries whose flags were so before: those are told, too.
 */
#include "imap/command.h"

#include "base/banned.h"

enum { STORE_BATCH = 256 };

struct storing {
    bool silent;
    struct flags_change x;
    struct imap_set positions;
    struct view *now; /* after the commit */
    size_t range;     /* what is told up to here */
    uint32_t next;
};

/* ---- reading ---- */

/* store-modifiers = SP "(UNCHANGEDSINCE n)": there is no other, and each may stand once. */
static bool eat_modifiers(slice *args, struct flags_change *x)
{
    uint64_t n;
    slice rest = *args;
    if (!slice_eat(&rest, S("(")))
        return true;
    if (!imap_word(&rest, S("UNCHANGEDSINCE")) || !imap_space(&rest) ||
        !imap_number(&rest, INT64_MAX, &n) || !slice_eat(&rest, S(")")) || !imap_space(&rest))
        return false;
    x->conditional = true;
    x->unchanged_since = (int64_t)n;
    *args = rest;
    return true;
}

/* ["+" / "-"] "FLAGS" [".SILENT"] */
static bool eat_how(slice *args, struct storing *s)
{
    s->x.how = slice_eat(args, S("+"))   ? FLAGS_ADD
               : slice_eat(args, S("-")) ? FLAGS_REMOVE
                                         : FLAGS_REPLACE;
    s->silent = imap_word(args, S("FLAGS.SILENT"));
    return (s->silent || imap_word(args, S("FLAGS"))) && imap_space(args);
}

static bool read_args(struct imap *p, slice args, struct storing *s)
{
    struct imap_flags flags;
    if (!imap_messages(p, &args, &s->positions))
        return false;
    if (!imap_space(&args) || !eat_modifiers(&args, &s->x) || !eat_how(&args, s)) {
        imap_syntax(p);
        return false;
    }
    if (!imap_flag_list(p, &args, true, &flags))
        return false;
    if (args.n) {
        imap_syntax(p);
        return false;
    }
    s->x.flags = flags.flags;
    s->x.keywords = flags.keywords;
    s->x.keyword_count = flags.keyword_count;
    return true;
}

/* ---- the tagged reply ---- */

/* The uids or numbers that UNCHANGEDSINCE left as they were. */
static slice modified(struct imap *p, const struct flags_change *x)
{
    struct imap_set set = {0};
    size_t capacity = 0;
    for (size_t i = 0; i < x->failed_count; i++)
        imap_set_add(&p->scratch, &set, &capacity,
                     p->uid ? x->failed[i] : selected_seek(p->selected, x->failed[i]) + 1);
    return imap_set_print(&p->scratch, &set);
}

/* Numbers of messages that are gone: they could not be changed (RFC 2180 4.2). */
static bool has_held(struct imap *p, const struct imap_set *positions)
{
    for (uint32_t i = 0; i < p->selected->held_count; i++)
        if (imap_set_has(positions, p->selected->held[i].position))
            return true;
    return false;
}

static void finish(struct imap *p, struct storing *s)
{
    bool gone = !p->uid && has_held(p, &s->positions);
    if (gone && s->x.failed_count)
        imap_no(p, "[MODIFIED %.*s] Some messages are gone", P(modified(p, &s->x)));
    else if (gone)
        imap_no(p, "[EXPUNGEISSUED] Some messages are gone");
    else if (s->x.failed_count)
        imap_ok(p, "[MODIFIED %.*s] These have changed since", P(modified(p, &s->x)));
    else
        imap_ok(p, "Stored");
}

/* ---- telling what did not change for the client ---- */

/* Of n entries from a position on, those the announcement will not tell (announce.c). */
static void tell(struct imap *p, const struct view *now, uint32_t position, const struct entry *e,
                 uint32_t n)
{
    struct entry is[STORE_BATCH];
    uint32_t count = view_list(now, view_seek(now, e[0].uid), is, n);
    bool condstore = p->enabled & ENABLED_CONDSTORE;
    for (uint32_t i = 0, k = 0; i < n; i++) {
        while (k < count && is[k].uid < e[i].uid)
            k++;
        if (k < count && is[k].uid == e[i].uid && is[k].flags == e[i].flags &&
            !(condstore && is[k].modseq != e[i].modseq))
            imap_put_fetch_flags(p, position + i, &is[k]);
    }
}

static void release(struct imap *p)
{
    const struct storing *s = p->work;
    view_release(s->now);
}

static void more(struct imap *p)
{
    struct storing *s = p->work;
    struct entry e[STORE_BATCH];
    while (s->range < s->positions.count) {
        if (!imap_has_room(p, more))
            return;
        const struct imap_range *r = &s->positions.ranges[s->range];
        if (s->next < r->low)
            s->next = r->low;
        uint32_t left = r->high - s->next + 1;
        uint32_t n =
            selected_list(p->selected, s->next, e, left < STORE_BATCH ? left : STORE_BATCH);
        if (n)
            tell(p, s->now, s->next, e, n);
        s->next += n;
        s->range += n == 0 || n == left;
    }
    finish(p, s);
}

/* ---- the command ---- */

/* With .SILENT the announcement leaves out what the client can work out itself. */
static void expect(struct imap *p, const struct storing *s)
{
    uint64_t remove = s->x.how == FLAGS_REPLACE  ? UINT64_MAX
                      : s->x.how == FLAGS_REMOVE ? s->x.mask
                                                 : 0;
    imap_expect(p, &s->x, remove, s->x.how == FLAGS_REMOVE ? 0 : s->x.mask);
}

void imap_cmd_store(struct imap *p, slice args)
{
    struct imap_selected *sel = p->selected;
    struct storing *s = arena_new(&p->scratch, struct storing);
    if (!read_args(p, args, s))
        return;
    if (sel->read_only) {
        imap_no(p, "[READ-ONLY] Nothing can be changed here");
        return;
    }
    if (s->x.conditional)
        imap_enable_condstore(p);
    s->x.account = sel->account;
    s->x.mailbox = sel->mailbox;
    s->x.uids = imap_uid_ranges(p, &s->positions, &s->x.count);
    enum outcome o = mailbox_change_flags(sel->store, &p->scratch, &s->x);
    if (o != DONE) {
        imap_refused(p, o, s->x.why);
        return;
    }
    if (s->x.mask >> KEYWORD_FIRST << KEYWORD_FIRST & ~p->keyword_mask)
        imap_keywords_load(p);
    s->now = s->silent ? NULL : view_open(sel->store, sel->account, sel->mailbox);
    if (!s->now) {
        expect(p, s);
        finish(p, s);
        return;
    }
    p->work = s;
    p->release = release;
    more(p);
}
