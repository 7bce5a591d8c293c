#include "imap/selected.h"

#include "store/view_diff.h"
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
    view_release(sel->telling.was);
    arena_end(&sel->held_arena);
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

uint32_t selected_of_view(const struct imap_selected *sel, uint32_t position, uint32_t uid)
{
    return position + held_below(sel, uid);
}

uint32_t selected_last_uid(const struct imap_selected *sel)
{
    struct entry e;
    uint32_t count = selected_count(sel);
    return count && selected_at(sel, count - 1, &e) ? e.uid : 0;
}

int64_t selected_modseq(const struct imap_selected *sel)
{
    int64_t modseq = sel->held_count ? sel->modseq_before : sel->info.modseq;
    return modseq > 0 ? modseq : 1;
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

uint32_t selected_recent(const struct imap_selected *sel)
{
    uint32_t n = 0;
    for (size_t i = 0; i < sel->recent.count; i++) {
        const struct imap_range *r = &sel->recent.ranges[i];
        n += selected_seek(sel, r->high + 1) - selected_seek(sel, r->low);
    }
    return n;
}

/* ---- moving on ---- */

/* Adds an entry to the list whose count it returns; positions are set later. */
static uint32_t hold(struct arena *a, struct held **list, uint32_t count, size_t *size,
                     const struct held *h)
{
    *list = arena_grow(a, *list, count, size, sizeof(**list));
    (*list)[count] = *h;
    return count + 1;
}

struct view *selected_move(struct imap_selected *sel, struct view *newest)
{
    struct arena arena = {0};
    struct held *list = NULL;
    uint32_t count = 0, old = 0;
    size_t size = 0;
    struct view_diff diff;
    struct view_difference d;
    view_diff_start(&diff, sel->view, newest, 0);
    while (view_diff_next_gone(&diff, &d)) {
        for (; old < sel->held_count && sel->held[old].e.uid < d.was.uid; old++)
            count = hold(&arena, &list, count, &size, &sel->held[old]);
        count = hold(&arena, &list, count, &size, &(struct held){d.was, d.position + old});
    }
    for (; count > old && old < sel->held_count; old++)
        count = hold(&arena, &list, count, &size, &sel->held[old]);
    if (count && !sel->held_count)
        sel->modseq_before = sel->info.modseq;
    if (count) { /* else what is held stays as it is */
        arena_end(&sel->held_arena);
        sel->held_arena = arena;
        sel->held = list;
        sel->held_count = count;
    }
    struct view *was = sel->view;
    sel->view = newest;
    sel->info = view_info(newest);
    return was;
}

struct uid_range *selected_held_uids(struct imap_selected *sel, size_t *count)
{
    struct uid_range *r = arena_array(&sel->held_arena, sel->held_count + 1, sizeof(*r));
    size_t n = 0;
    for (uint32_t i = 0; i < sel->held_count; i++) {
        uint32_t uid = sel->held[i].e.uid;
        if (n > 0 && r[n - 1].high + 1 == uid)
            r[n - 1].high = uid;
        else
            r[n++] = (struct uid_range){uid, uid};
    }
    *count = n;
    return r;
}

void selected_drop_held(struct imap_selected *sel)
{
    arena_end(&sel->held_arena);
    sel->held = NULL;
    sel->held_count = 0;
}
