#include "imap/selected.h"

#include "base/banned.h"

/* How many held entries stand before a position. */
static uint32_t held_before(const struct imap_selected *sel, uint32_t position)
{
    uint32_t low = 0, high = sel->held_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (sel->held[middle].position < position)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* How many held entries have a smaller uid. */
static uint32_t held_below(const struct imap_selected *sel, uint32_t uid)
{
    uint32_t low = 0, high = sel->held_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (sel->held[middle].e.uid < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct imap_selected *selected_open(struct store *s, int64_t account, int64_t mailbox,
                                    bool read_only)
{
    struct view *v = view_open(s, account, mailbox);
    if (!v)
        return NULL;
    struct arena arena = {0};
    struct imap_selected *sel = arena_new(&arena, struct imap_selected);
    *sel = (struct imap_selected){.arena = arena,
                                  .store = s,
                                  .account = account,
                                  .mailbox = mailbox,
                                  .read_only = read_only,
                                  .view = v,
                                  .info = view_info(v)};
    selected_ask_recent(sel);
    return sel;
}

void selected_close(struct imap_selected *sel)
{
    if (!sel)
        return;
    view_release(sel->view);
    struct arena arena = sel->arena;
    arena_end(&arena);
}

void selected_ask_recent(struct imap_selected *sel)
{
    uint32_t end = sel->info.uidnext;
    uint32_t first = view_recent(sel->store, sel->account, sel->mailbox, end, !sel->read_only);
    if (first < sel->recent_until)
        first = sel->recent_until;
    sel->recent_until = end;
    if (first >= end)
        return;
    imap_set_add(&sel->arena, &sel->recent, &sel->recent_size, first);
    sel->recent.ranges[sel->recent.count - 1].high = end - 1;
}

uint32_t selected_count(const struct imap_selected *sel)
{
    return sel->info.count + sel->held_count;
}

uint32_t selected_list(const struct imap_selected *sel, uint32_t position, struct entry *e,
                       uint32_t n)
{
    if (sel->held_count == 0)
        return view_list(sel->view, position, e, n);
    uint32_t got = 0, count = selected_count(sel);
    for (uint32_t h = held_before(sel, position); got < n && position < count; h++) {
        uint32_t until = h < sel->held_count ? sel->held[h].position : count;
        uint32_t run = until - position < n - got ? until - position : n - got;
        if (run && view_list(sel->view, position - h, e + got, run) != run)
            return got;
        got += run;
        position += run;
        if (got < n && h < sel->held_count) {
            e[got++] = sel->held[h].e;
            position++;
        }
    }
    return got;
}

bool selected_at(const struct imap_selected *sel, uint32_t position, struct entry *e)
{
    return selected_list(sel, position, e, 1) == 1;
}

uint32_t selected_seek(const struct imap_selected *sel, uint32_t uid)
{
    return view_seek(sel->view, uid) + held_below(sel, uid);
}

uint32_t selected_last_uid(const struct imap_selected *sel)
{
    struct entry e;
    uint32_t count = selected_count(sel);
    return count && selected_at(sel, count - 1, &e) ? e.uid : 0;
}

bool selected_is_recent(const struct imap_selected *sel, uint32_t uid)
{
    return sel->recent.count && imap_set_has(&sel->recent, uid);
}

bool selected_is_held(const struct imap_selected *sel, uint32_t uid)
{
    uint32_t h = held_below(sel, uid);
    return h < sel->held_count && sel->held[h].e.uid == uid;
}
