/* The arguments of COPY and MOVE, the call of the store, and COPYUID. */
#include "imap/transfer.h"

#include "base/log.h"
#include "store/folder.h"
#include "base/banned.h"

enum { STEP = LIMIT_OUT / 4 };

/* ---- COPYUID ---- */

static size_t digits(uint32_t n)
{
    char text[IMAP_NUMBER_MAX];
    return (size_t)(imap_print_number(n, text) - text);
}

slice imap_copyuid(struct arena *a, const struct transfer *t, size_t max, size_t *at)
{
    struct imap_set from = {0}, to = {0};
    size_t from_size = 0, to_size = 0;
    if (*at >= t->done)
        return S("");
    uint32_t last = t->source_uids[t->done - 1], last_to = t->target_uids[t->done - 1];
    size_t a_range = 2 * (digits(last > last_to ? last : last_to) + 1);
    do {
        imap_set_add(a, &from, &from_size, t->source_uids[*at]);
        imap_set_add(a, &to, &to_size, t->target_uids[*at]);
    } while (++*at < t->done && (from.count + to.count + 2) * a_range <= max);
    slice sources = imap_set_print(a, &from), targets = imap_set_print(a, &to);
    return arena_printf(a, "COPYUID %u %.*s %.*s", t->uidvalidity, P(sources), P(targets));
}

/* A line may be longer than out has room for. */
static void tell(struct imap *p)
{
    struct transferred *x = p->work;
    for (;;) {
        while (x->line.n) {
            if (!imap_has_room(p, tell))
                return;
            slice piece = slice_sub(x->line, 0, STEP);
            buf_add(imap_out(p), piece);
            x->line = slice_skip(x->line, piece.n);
        }
        p->code = imap_copyuid(&p->scratch, &x->t, LIMIT_IMAP_COPYUID, &x->told);
        if (!p->code.n || (!x->t.move && x->told == x->t.done))
            break;
        x->line = arena_printf(&p->scratch, "* OK [%.*s] %zu %s\r\n", P(p->code), x->t.done,
                               x->t.move ? "moved" : "copied");
    }
    x->then(p);
}

/* ---- the command ---- */

static enum outcome transfer(struct imap *p, slice name, struct transfer *t)
{
    struct folder target;
    struct imap_selected *sel = p->selected;
    enum outcome o = folder_find(sel->store, &p->scratch, p->account, name, &target);
    t->why = REFUSED_MISSING;
    if (o != DONE)
        return o;
    t->to = target.mailbox;
    t->uidvalidity = target.info.uidvalidity;
    o = t->count ? mailbox_transfer(sel->store, &p->scratch, t) : DONE;
    if (t->done)
        log_event(LEVEL_INFO, t->move ? "imap.move" : "imap.copy",
                  "session=%s account=%lld from=%lld to=%lld count=%zu", p->s.id,
                  (long long)t->account, (long long)t->from, (long long)t->to, t->done);
    return o;
}

void imap_transfer(struct imap *p, slice args, bool move, void (*then)(struct imap *p))
{
    struct imap_set positions;
    slice name;
    if (!imap_messages(p, &args, &positions))
        return;
    if (!imap_space(&args)) {
        imap_syntax(p);
        return;
    }
    if (!imap_mailbox_name(p, &args, &name))
        return;
    if (args.n) {
        imap_syntax(p);
        return;
    }
    struct transferred *x = p->work = arena_new(&p->scratch, struct transferred);
    x->then = then;
    x->t = (struct transfer){.account = p->selected->account,
                             .from = p->selected->mailbox,
                             .move = move,
                             .whole = !move && !p->uid};
    x->t.uids = imap_uids(p, &positions, &x->t.count);
    x->outcome = transfer(p, name, &x->t);
    tell(p);
}

void imap_transfer_refused(struct imap *p, const struct transferred *x)
{
    if (x->outcome == PERMFAIL && x->t.why == REFUSED_MISSING)
        imap_no(p, "[TRYCREATE] No such mailbox");
    else
        imap_refused(p, x->outcome, x->t.why);
}
