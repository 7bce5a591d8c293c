/* CLOSE (RFC 9051 6.4.1) expunges without a word; UNSELECT (RFC 3691) does not (rule I26). */
#include "imap/command.h"

#include "base/banned.h"

void imap_unselect(struct imap *p)
{
    selected_close(p->selected);
    p->selected = NULL;
    if (p->state == IMAP_SELECTED)
        p->state = IMAP_AUTHENTICATED;
}

/* The uids that have \Deleted now. */
static uint32_t *deleted(struct imap *p, const struct view *v, size_t *count)
{
    enum { SOME = 64 };
    struct entry e[SOME];
    size_t size = 0;
    uint32_t *uids = NULL;
    *count = 0;
    for (uint32_t at = 0, n; (n = view_list(v, at, e, SOME)) > 0; at += n)
        for (uint32_t i = 0; i < n; i++) {
            if (!(e[i].flags & FLAG_DELETED))
                continue;
            uids = arena_grow(&p->scratch, uids, *count, &size, sizeof(*uids));
            uids[(*count)++] = e[i].uid;
        }
    return uids;
}

static enum outcome expunge(struct imap *p)
{
    struct imap_selected *sel = p->selected;
    struct view *v = view_open(sel->store, sel->account, sel->mailbox);
    if (!v)
        return TEMPFAIL;
    struct expunge x = {.account = sel->account, .mailbox = sel->mailbox, .only_deleted = true};
    if (view_deleted(v))
        x.uids = deleted(p, v, &x.count);
    view_release(v);
    return x.count ? mailbox_expunge_uids(sel->store, &p->scratch, &x) : DONE;
}

void imap_cmd_close(struct imap *p, slice args)
{
    (void)args;
    enum outcome o = p->selected->read_only ? DONE : expunge(p);
    imap_unselect(p);
    if (o == DONE)
        imap_ok(p, "Closed");
    else
        imap_no(p, "[EXPUNGEISSUED] Closed, but what has \\Deleted could not be removed");
}

void imap_cmd_unselect(struct imap *p, slice args)
{
    (void)args;
    imap_unselect(p);
    imap_ok(p, "Closed");
}
