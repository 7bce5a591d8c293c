/*
 * SELECT and EXAMINE (RFC 9051 6.3.2, RFC 3501 6.3.1), with CONDSTORE and QRESYNC (RFC 7162 3.1.8,
 * 3.2.5): a client that comes back is told only what went and what changed since.
 */
#include "imap/command.h"

#include "base/log.h"
#include "imap/announce.h"
#include "store/change.h"
#include "store/view_scan.h"
#include "base/banned.h"

/* A SELECT under way, in scratch. */
struct selecting {
    bool condstore, qresync;
    uint64_t uidvalidity, modseq;
    struct imap_set known;         /* count 0: all */
    struct imap_set numbers, uids; /* pairs (RFC 7162 3.2.5.2) */
    struct uid_range *vanished;
    size_t vanished_count, vanished_at;
    uint32_t position; /* of the next to look at */
};

/* ---- arguments ---- */

/* "(1:2 5:6)": some numbers and the uids they had. */
static bool match_data(struct imap *p, slice *in, struct selecting *w)
{
    return slice_eat(in, S("(")) && imap_set(&p->scratch, in, 0, &w->numbers) &&
           !w->numbers.has_star && imap_space(in) && imap_set(&p->scratch, in, 0, &w->uids) &&
           !w->uids.has_star && slice_eat(in, S(")"));
}

/* "(67890007 20050715194045000 41,43:211 (…))" */
static bool qresync(struct imap *p, slice *in, struct selecting *w)
{
    w->qresync = true;
    if (!imap_space(in) || !slice_eat(in, S("(")) ||
        !imap_number(in, UINT32_MAX, &w->uidvalidity) || !imap_space(in) ||
        !imap_number(in, INT64_MAX, &w->modseq) || !w->uidvalidity || !w->modseq)
        return false;
    if (imap_space(in)) {
        bool first = in->n && in->p[0] != '(';
        if (first && (!imap_set(&p->scratch, in, 0, &w->known) || w->known.has_star))
            return false;
        if ((!first || imap_space(in)) && !match_data(p, in, w))
            return false;
    }
    return slice_eat(in, S(")"));
}

static bool parameters(struct imap *p, slice *in, struct selecting *w)
{
    if (!slice_eat(in, S("(")))
        return false;
    do {
        if (imap_word(in, S("CONDSTORE")))
            w->condstore = true;
        else if (!imap_word(in, S("QRESYNC")) || !(p->enabled & ENABLED_QRESYNC) || w->qresync ||
                 !qresync(p, in, w))
            return false;
    } while (imap_space(in));
    return slice_eat(in, S(")"));
}

/* ---- the answer ---- */

static void finish(struct imap *p)
{
    imap_ok(p, "[READ-%s] Selected", p->selected->read_only ? "ONLY" : "WRITE");
}

/* What changed since, among what the client knows. */
static void tell_changed(struct imap *p)
{
    enum { SOME = 16 }; /* whose flags fit in one step, whatever they are */
    struct selecting *w = p->work;
    const struct imap_selected *sel = p->selected;
    struct entry e[SOME];
    uint32_t at[SOME], n;
    do {
        if (!imap_has_room(p, tell_changed))
            return;
        n = view_list_changed(sel->view, &w->position, (int64_t)w->modseq, e, at, SOME);
        for (uint32_t i = 0; i < n; i++)
            if (w->known.count == 0 || imap_set_has(&w->known, e[i].uid))
                imap_put_fetch_flags(p, at[i], &e[i]);
    } while (n);
    finish(p);
}

static void tell_vanished(struct imap *p)
{
    struct selecting *w = p->work;
    if (imap_put_vanished(p, S("(EARLIER) "), w->vanished, w->vanished_count, &w->vanished_at))
        tell_changed(p);
    else
        p->next = tell_vanished;
}

/* The nth number of a set, from *range on; 0 when it has fewer. */
static uint32_t nth(const struct imap_set *s, size_t *range, uint32_t *before, uint32_t n)
{
    for (; *range < s->count; ++*range) {
        const struct imap_range *r = &s->ranges[*range];
        if (n - *before <= r->high - r->low)
            return r->low + (n - *before);
        *before += r->high - r->low + 1;
    }
    return 0;
}

/*
 * The highest uid of a pair that still is so: the client knows what went below it, however long
 * ago.  Only the first pairs are looked at.
 */
static uint32_t matched(const struct imap_selected *sel, const struct selecting *w)
{
    size_t number_range = 0, uid_range = 0;
    uint32_t numbers_before = 0, uids_before = 0, found = 0;
    struct entry e;
    for (uint32_t n = 0; n < LIMIT_IMAP_MATCHES; n++) {
        uint32_t number = nth(&w->numbers, &number_range, &numbers_before, n);
        uint32_t uid = nth(&w->uids, &uid_range, &uids_before, n);
        if (!number || !uid || !selected_at(sel, number - 1, &e) || e.uid != uid)
            break;
        found = uid;
    }
    return found;
}

/* The uids the client may not know the end of; none: all. */
static struct uid_range *may_have_vanished(struct imap *p, const struct selecting *w, size_t *count)
{
    uint32_t above = matched(p->selected, w);
    struct uid_range *r = arena_array(&p->scratch, w->known.count + 1, sizeof(*r));
    *count = 0;
    if (w->known.count == 0 && above && above < UINT32_MAX)
        r[(*count)++] = (struct uid_range){above + 1, UINT32_MAX};
    for (size_t i = 0; i < w->known.count; i++) {
        uint32_t low = w->known.ranges[i].low, high = w->known.ranges[i].high;
        if (high > above)
            r[(*count)++] = (struct uid_range){low > above ? low : above + 1, high};
    }
    return r;
}

static void resync(struct imap *p)
{
    struct selecting *w = p->work;
    const struct imap_selected *sel = p->selected;
    size_t count;
    struct uid_range *asked = may_have_vanished(p, w, &count);
    if (count == 0 && w->known.count) {
        tell_changed(p);
    } else if (view_vanished(sel->store, &p->scratch, sel->view, (int64_t)w->modseq, asked, count,
                             &w->vanished, &w->vanished_count)) {
        tell_vanished(p);
    } else {
        imap_unselect(p);
        imap_refused(p, TEMPFAIL, REFUSED_NOT);
    }
}

static void describe(struct imap *p)
{
    const struct imap_selected *sel = p->selected;
    announce_flags(p);
    imap_untagged(p, "%u EXISTS", sel->info.count);
    imap_untagged(p, "%u RECENT", selected_recent(sel));
    if (sel->info.unseen)
        imap_untagged(p, "OK [UNSEEN %u] The first unseen", view_first_unseen(sel->view) + 1);
    imap_untagged(p, "OK [UIDVALIDITY %u] UIDs stay", sel->info.uidvalidity);
    imap_untagged(p, "OK [UIDNEXT %u] The next UID", sel->info.uidnext);
    imap_untagged(p, "OK [HIGHESTMODSEQ %lld] The highest", (long long)selected_modseq(sel));
}

/* ---- the command ---- */

/* Failed, it leaves nothing selected. */
static bool open_mailbox(struct imap *p, slice name, bool read_only)
{
    struct store *store = p->options->login->store;
    struct folder folder;
    if (p->selected) {
        imap_unselect(p);
        imap_untagged(p, "OK [CLOSED] The mailbox before is closed");
    }
    enum outcome o = folder_find(store, &p->scratch, p->account, name, &folder);
    if (o != DONE) {
        imap_refused(p, o, REFUSED_MISSING);
        return false;
    }
    read_only = read_only || folder.role == ROLE_RECOVERABLE;
    if (imap_keywords_load(p))
        p->selected = selected_open(store, p->account, folder.mailbox, read_only);
    if (!p->selected) {
        imap_refused(p, TEMPFAIL, REFUSED_NOT);
        return false;
    }
    p->state = IMAP_SELECTED;
    return true;
}

static void select_mailbox(struct imap *p, slice args, bool read_only)
{
    struct selecting *w = p->work = arena_new(&p->scratch, struct selecting);
    slice name;
    if (!imap_mailbox_name(p, &args, &name))
        return;
    if ((imap_space(&args) && !parameters(p, &args, w)) || args.n) {
        imap_syntax(p);
        return;
    }
    if (!open_mailbox(p, name, read_only))
        return;
    if (w->condstore || w->qresync)
        p->enabled |= ENABLED_CONDSTORE;
    log_step(p->s.who, "transaction", "%.*s is open: %u messages", P(name),
             p->selected->info.count);
    describe(p);
    if (w->qresync && w->uidvalidity == p->selected->info.uidvalidity)
        resync(p);
    else
        finish(p);
}

void imap_cmd_select(struct imap *p, slice args)
{
    select_mailbox(p, args, false);
}

void imap_cmd_examine(struct imap *p, slice args)
{
    select_mailbox(p, args, true);
}
