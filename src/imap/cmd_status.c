/*
 * STATUS (RFC 3501 6.3.10) with SIZE (RFC 8438), HIGHESTMODSEQ (RFC 7162), DELETED and
 * DELETED-STORAGE (RFC 9208), APPENDLIMIT (RFC 7889).  Counters stand in the mailbox's row; only
 * RECENT and the DELETED pair look at entries.
 */
#include "imap/status.h"

#include "base/banned.h"

/* Of the mailbox as its row shows it; view is opened for those that need it. */
struct asked {
    struct imap *p;
    const struct folder *folder;
    struct view *view;
    bool selected;
};

static uint64_t messages(const struct asked *a)
{
    return a->folder->info.count;
}

static uint64_t recent(const struct asked *a)
{
    if (a->selected)
        return selected_recent(a->p->selected);
    uint32_t first = view_recent(a->p->options->login->store, a->p->account, a->folder->mailbox,
                                 view_info(a->view).uidnext, false);
    return view_info(a->view).count - view_seek(a->view, first);
}

static uint64_t uidnext(const struct asked *a)
{
    return a->folder->info.uidnext;
}

static uint64_t uidvalidity(const struct asked *a)
{
    return a->folder->info.uidvalidity;
}

static uint64_t unseen(const struct asked *a)
{
    return a->folder->info.unseen;
}

static uint64_t deleted(const struct asked *a)
{
    return view_deleted(a->view);
}

static uint64_t deleted_storage(const struct asked *a)
{
    enum { SOME = 256 };
    struct entry e[SOME];
    uint64_t size = 0;
    uint32_t at = 0, n;
    while (view_deleted(a->view) && (n = view_list(a->view, at, e, SOME)) > 0) {
        for (uint32_t i = 0; i < n; i++)
            size += e[i].flags & FLAG_DELETED ? e[i].size : 0;
        at += n;
    }
    return size;
}

static uint64_t size(const struct asked *a)
{
    return a->folder->info.size;
}

/* Never above what an expunge gave that the client has not been told (rule I19). */
static uint64_t highestmodseq(const struct asked *a)
{
    int64_t modseq = a->folder->info.modseq;
    if (a->selected && selected_modseq(a->p->selected) < modseq)
        modseq = selected_modseq(a->p->selected);
    return modseq > 0 ? (uint64_t)modseq : 1;
}

static uint64_t appendlimit(const struct asked *a)
{
    return a->p->options->message_size;
}

static const struct {
    slice word;
    uint64_t (*value)(const struct asked *a);
    bool needs_view;
} items_table[] = {
    {{"MESSAGES", 8}, messages, false},
    {{"RECENT", 6}, recent, true},
    {{"UIDNEXT", 7}, uidnext, false},
    {{"UIDVALIDITY", 11}, uidvalidity, false},
    {{"UNSEEN", 6}, unseen, false},
    {{"DELETED", 7}, deleted, true},
    {{"DELETED-STORAGE", 15}, deleted_storage, true},
    {{"SIZE", 4}, size, false},
    {{"HIGHESTMODSEQ", 13}, highestmodseq, false},
    {{"APPENDLIMIT", 11}, appendlimit, false},
};
enum { ITEMS = sizeof(items_table) / sizeof(*items_table) };

static bool item(struct imap *p, slice *in, unsigned *items)
{
    for (unsigned i = 0; i < ITEMS; i++)
        if (imap_word(in, items_table[i].word)) {
            *items |= 1u << i;
            if (items_table[i].value == highestmodseq)
                imap_enable_condstore(p); /* RFC 7162 3.1 */
            return true;
        }
    return false;
}

bool imap_status_items(struct imap *p, slice *in, unsigned *items)
{
    *items = 0;
    if (!slice_eat(in, S("(")))
        return false;
    do
        if (!item(p, in, items))
            return false;
    while (imap_space(in));
    return slice_eat(in, S(")"));
}

static bool needs_view(unsigned items)
{
    for (unsigned i = 0; i < ITEMS; i++)
        if ((items & 1u << i) && items_table[i].needs_view)
            return true;
    return false;
}

bool imap_put_status(struct imap *p, const struct folder *f, unsigned items)
{
    struct asked a = {.p = p, .folder = f};
    a.selected = p->selected && p->selected->mailbox == f->mailbox;
    if (needs_view(items)) {
        a.view = view_open(p->options->login->store, p->account, f->mailbox);
        if (!a.view)
            return false;
    }
    struct buf *out = imap_out(p);
    buf_add(out, S("* STATUS "));
    imap_put_mailbox(p, f->name);
    for (unsigned i = 0, said = 0; i < ITEMS; i++)
        if (items & 1u << i)
            buf_printf(out, "%s%.*s %llu", said++ ? " " : " (", P(items_table[i].word),
                       (unsigned long long)items_table[i].value(&a));
    buf_add(out, S(")\r\n"));
    view_release(a.view);
    return true;
}

void imap_cmd_status(struct imap *p, slice args)
{
    struct folder f;
    unsigned items;
    slice name;
    if (!imap_mailbox_name(p, &args, &name))
        return;
    if (!imap_space(&args) || !imap_status_items(p, &args, &items) || args.n) {
        imap_syntax(p);
        return;
    }
    enum outcome o = folder_find(p->options->login->store, &p->scratch, p->account, name, &f);
    if (o != DONE)
        imap_refused(p, o, REFUSED_MISSING);
    else if (!imap_put_status(p, &f, items))
        imap_refused(p, TEMPFAIL, REFUSED_NOT);
    else
        imap_ok(p, "That is its status");
}
