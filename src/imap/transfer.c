/* The arguments of COPY and MOVE, the call of the store, and COPYUID. */
#include "imap/transfer.h"

#include "base/log.h"
#include "store/folder.h"
#include "base/banned.h"

bool imap_transfer(struct imap *p, slice args, bool move, struct transfer *t, enum outcome *o)
{
    struct imap_set positions;
    slice name;
    struct folder target;
    struct imap_selected *sel = p->selected;
    if (!imap_messages(p, &args, &positions))
        return false;
    if (!imap_space(&args)) {
        imap_syntax(p);
        return false;
    }
    if (!imap_mailbox_name(p, &args, &name))
        return false;
    if (args.n) {
        imap_syntax(p);
        return false;
    }
    *t = (struct transfer){
        .account = sel->account, .from = sel->mailbox, .move = move, .whole = !move && !p->uid};
    t->why = REFUSED_MISSING;
    t->uids = imap_uids(p, &positions, &t->count);
    *o = folder_find(sel->store, &p->scratch, p->account, name, &target);
    if (*o != DONE)
        return true;
    t->to = target.mailbox;
    t->uidvalidity = target.info.uidvalidity;
    *o = t->count ? mailbox_transfer(sel->store, &p->scratch, t) : DONE;
    if (t->done)
        log_event(LEVEL_INFO, move ? "imap.move" : "imap.copy",
                  "session=%s account=%lld from=%lld to=%lld count=%zu", p->s.id,
                  (long long)t->account, (long long)t->from, (long long)t->to, t->done);
    return true;
}

static slice uids_print(struct imap *p, const uint32_t *uids, size_t count)
{
    struct imap_set set = {0};
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        imap_set_add(&p->scratch, &set, &size, uids[i]);
    return imap_set_print(&p->scratch, &set);
}

slice imap_copyuid(struct imap *p, const struct transfer *t)
{
    if (!t->done)
        return S("");
    slice from = uids_print(p, t->source_uids, t->done),
          to = uids_print(p, t->target_uids, t->done);
    if (from.n + to.n > LIMIT_IMAP_COPYUID)
        return S("");
    return arena_printf(&p->scratch, "COPYUID %u %.*s %.*s", t->uidvalidity, P(from), P(to));
}

void imap_transfer_refused(struct imap *p, const struct transfer *t, enum outcome o)
{
    if (o == PERMFAIL && t->why == REFUSED_MISSING)
        imap_no(p, "[TRYCREATE] No such mailbox");
    else
        imap_refused(p, o, t->why);
}
