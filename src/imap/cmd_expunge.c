/*
 * EXPUNGE and UID EXPUNGE (RFC 9051 6.4.3, 6.4.9; rules I19, I26): what has \Deleted at the moment
 * of the commit goes, of all messages or of those named; nothing else.  The client is told by the
 * announcement at the end, and with modseqs how new that makes it.
 */
#include "imap/command.h"

#include "base/log.h"
#include "base/banned.h"

/* The uids that have \Deleted in the newest view, ascending. */
static bool find_deleted(struct imap *p, const uint32_t **uids, size_t *count)
{
    enum { STEP = 256 };
    struct imap_selected *sel = p->selected;
    struct view *v = view_open(sel->store, sel->account, sel->mailbox);
    uint32_t *out = NULL, at = 0, n;
    size_t size = 0;
    struct entry e[STEP];
    *count = 0;
    if (!v)
        return false;
    while ((n = view_list(v, at, e, STEP)) > 0) {
        for (uint32_t i = 0; i < n; i++) {
            if (!(e[i].flags & FLAG_DELETED))
                continue;
            out = arena_grow(&p->scratch, out, *count, &size, sizeof(*out));
            out[(*count)++] = e[i].uid;
        }
        at += n;
    }
    view_release(v);
    *uids = out;
    return true;
}

static void expunge(struct imap *p, const uint32_t *uids, size_t count)
{
    struct expunge x = {.account = p->selected->account,
                        .mailbox = p->selected->mailbox,
                        .uids = uids,
                        .count = count,
                        .only_deleted = true};
    enum outcome o = count ? mailbox_expunge_uids(p->selected->store, &p->scratch, &x) : DONE;
    if (x.expunged_count)
        log_event(LEVEL_INFO, "imap.expunge", "session=%s account=%lld mailbox=%lld count=%zu",
                  p->s.id, (long long)x.account, (long long)x.mailbox, x.expunged_count);
    if (o != DONE)
        imap_refused(p, o, x.why);
    else if (x.modseq && (p->enabled & ENABLED_CONDSTORE))
        imap_ok(p, "[HIGHESTMODSEQ %lld] %zu expunged", (long long)x.modseq, x.expunged_count);
    else
        imap_ok(p, "%zu expunged", x.expunged_count);
}

void imap_cmd_expunge(struct imap *p, slice args)
{
    struct imap_set positions;
    const uint32_t *uids = NULL;
    size_t count = 0;
    if (p->selected->read_only) {
        imap_no(p, "[READ-ONLY] The mailbox is open for reading only");
        return;
    }
    if (!p->uid) {
        if (args.n)
            imap_syntax(p);
        else if (find_deleted(p, &uids, &count))
            expunge(p, uids, count);
        else
            imap_refused(p, TEMPFAIL, REFUSED_NOT);
        return;
    }
    if (!imap_messages(p, &args, &positions))
        return;
    if (args.n) {
        imap_syntax(p);
        return;
    }
    uids = imap_uids(p, &positions, &count);
    expunge(p, uids, count);
}
