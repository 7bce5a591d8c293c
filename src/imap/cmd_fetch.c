/*
 * FETCH and UID FETCH (RFC 9051 6.4.5; RFC 7162 3.1.4, 3.2.6), stop 12 of the journey: the entries
 * asked for, taken in batches from the numbering the client knows, so a message expunged elsewhere
 * is still there; what they hold is written by fetch_write.c.
 */
#include "imap/fetch.h"

#include "base/log.h"
#include "base/rand.h"
#include "store/change.h"

#include "base/banned.h"

enum {
    SEEN_BYTES = 4 << 20, /* of messages that one commit marks as seen, before they are sent */
    VALUE_ROOM = 2048,    /* a preview is the longest short value */
};

/* ---- what the items need ---- */

/* A section that shows more than the header of the message: as much as ENVELOPE does. */
static bool is_body(const struct fetch_item *item)
{
    return item->kind == FETCH_PREVIEW || item->kind == FETCH_BINARY ||
           (item->kind == FETCH_SECTION &&
            (item->section.part.n || item->section.text == SECTION_ALL ||
             item->section.text == SECTION_TEXT));
}

static const unsigned needs[] = {
    [FETCH_INTERNALDATE] = PART_DATE,
    [FETCH_ENVELOPE] = PART_ENVELOPE,
    [FETCH_BODYSTRUCTURE] = PART_BODYSTRUCTURE,
    [FETCH_BODY] = PART_BODYSTRUCTURE,
    [FETCH_PREVIEW] = PART_PREVIEW,
    [FETCH_BINARY_SIZE] = 0,
};

static void plan(struct fetch *f)
{
    size_t label = 0;
    for (size_t i = 0; i < f->items.count; i++) {
        const struct fetch_item *item = &f->items.items[i];
        label = item->label.n > label ? item->label.n : label;
        f->parts |= needs[item->kind];
        f->sections |= item->kind >= FETCH_SECTION;
        f->reads |= is_body(item);
    }
    f->is_short = f->items.kinds >> FETCH_ENVELOPE == 0;
    f->item_room = label + VALUE_ROOM + IMAP_FLAGS_MAX;
}

static void release(struct imap *p)
{
    struct fetch *f = p->work;
    fetch_message_end(&f->message);
    arena_end(&f->batch_arena);
}

/* ---- batches ---- */

static bool is_asked(const struct fetch *f, const struct entry *e)
{
    return !f->items.has_changedsince || (uint64_t)e->modseq > f->items.changedsince;
}

/* Some more entries of the set, without those CHANGEDSINCE leaves out. */
static void take_entries(struct imap *p, struct fetch *f)
{
    const struct imap_range *r = &f->positions.ranges[f->range];
    uint32_t room = FETCH_BATCH - f->count, all = r->high - f->next + 1;
    struct entry *e = f->entries + f->count;
    uint32_t got = selected_list(p->selected, f->next, e, all < room ? all : room);
    for (uint32_t i = 0; i < got; i++)
        if (is_asked(f, &e[i])) {
            f->rows[f->count] = (struct fetch_entry){.position = f->next + i};
            f->entries[f->count++] = e[i];
        }
    if (got && got < all) {
        f->next += got;
    } else if (++f->range < f->positions.count) {
        f->next = f->positions.ranges[f->range].low;
    }
}

/* Leaves the entries from keep on for the next batch. */
static void give_back(struct fetch *f, uint32_t keep)
{
    if (keep >= f->count)
        return;
    f->next = f->rows[keep].position;
    if (f->range == f->positions.count)
        f->range--;
    while (f->next < f->positions.ranges[f->range].low)
        f->range--;
    f->count = keep;
}

/* \Seen for a batch is one commit: not for much more than is sent soon. */
static void limit_bytes(struct fetch *f)
{
    uint64_t bytes = f->entries[0].size;
    uint32_t n = 1;
    while (n < f->count && bytes + f->entries[n].size <= SEEN_BYTES)
        bytes += f->entries[n++].size;
    give_back(f, n);
}

/* What the changed entries are after the commit; all lists are ascending. */
static void refresh(struct imap *p, struct fetch *f, const struct flags_change *x)
{
    enum { SOME = 64 }; /* most stand one behind the other */
    struct entry is[SOME];
    struct view *now = view_open(p->selected->store, p->selected->account, p->selected->mailbox);
    uint32_t k = 0, n = 0;
    for (size_t i = 0, range = 0; i < f->count; i++) {
        struct entry *old = &f->entries[i];
        while (range < x->changed_count && x->changed[range].high < old->uid)
            range++;
        if (range == x->changed_count || x->changed[range].low > old->uid)
            continue;
        while (k < n && is[k].uid < old->uid)
            k++;
        if (k == n && now) {
            n = view_list(now, view_seek(now, old->uid), is, SOME);
            k = 0;
        }
        if (k < n && is[k].uid == old->uid) {
            *old = is[k];
        } else {
            old->flags |= FLAG_SEEN;
            old->modseq = x->modseq;
        }
        f->rows[i].newly_seen = true;
    }
    view_release(now);
}

/* A body without PEEK sets \Seen (rule I12); where that cannot be written, it is read all the same.
 */
static void mark_seen(struct imap *p, struct fetch *f)
{
    struct flags_change x = {.account = p->selected->account,
                             .mailbox = p->selected->mailbox,
                             .how = FLAGS_ADD,
                             .flags = FLAG_SEEN};
    struct uid_range *uids = arena_array(&f->batch_arena, f->count, sizeof(*uids));
    for (uint32_t i = 0; i < f->count; i++)
        if (!(f->entries[i].flags & FLAG_SEEN) && !selected_is_held(p->selected, f->entries[i].uid))
            uids[x.count++] = (struct uid_range){f->entries[i].uid, f->entries[i].uid};
    x.uids = uids;
    if (x.count && mailbox_change_flags(p->selected->store, &f->batch_arena, &x) == DONE)
        refresh(p, f, &x);
}

/* The next batch; false when there is none. */
static bool fill(struct imap *p, struct fetch *f)
{
    f->count = f->at = 0;
    f->opened_count = 0;
    arena_reset(&f->batch_arena);
    while (f->count < FETCH_BATCH && f->range < f->positions.count)
        take_entries(p, f);
    if (f->count && f->items.marks_seen && !p->selected->read_only) {
        limit_bytes(f);
        mark_seen(p, f);
    }
    return f->count > 0;
}

/* ---- messages whose answer needs no more than a row of the store ---- */

struct line {
    struct imap *p;
    struct fetch *f;
    bool full;
};

static bool write_line(void *arg, uint32_t i, const struct message_parts *texts)
{
    struct line *l = arg;
    (void)i;
    if (texts->message == 0) {
        l->f->is_gone = true;
        l->f->at++;
        return true;
    }
    l->full = !fetch_fits(l->p, l->f, texts);
    if (l->full)
        return false;
    fetch_write(l->p, l->f, texts);
    l->f->at++;
    return true;
}

/* As many as fit; one that alone does not is written as a long one. */
static bool write_lines(struct imap *p, struct fetch *f)
{
    struct line l = {p, f, false};
    static const struct message_parts none = {.message = 1};
    uint32_t n = f->count - f->at, done = 0;
    if (f->parts) {
        done = parts_read(p->selected->store, p->selected->account, f->entries + f->at, n, f->parts,
                          write_line, &l);
    } else {
        while (done < n && write_line(&l, done, &none))
            done++;
    }
    if (done < n && !l.full) { /* the store could not be read */
        f->failed = true;
        f->at = f->count;
    }
    return done > 0 || !l.full;
}

/* ---- messages whose bytes are needed ---- */

/* What stop 12 says of a message whose body goes to its reader. */
static void trace(const struct imap *p, const struct message *m)
{
    trace_stop(STOP_READER, m->queue_id, "account=%lld message=%lld bytes=%llu protocol=imap",
               (long long)m->account, (long long)m->id, (unsigned long long)m->size);
    metric_add(METRIC_IMAP_FETCHED, 1);
    log_step(p->s.who, "transaction", "FETCH: a message of %llu octets",
             (unsigned long long)m->size);
}

/* Opens the messages of the batch, some at a time: most are wanted soon. */
static bool open_message(struct imap *p, struct fetch *f)
{
    if (f->at - f->opened_from >= f->opened_count) {
        int64_t ids[MESSAGE_LIST];
        uint32_t n = f->count - f->at < MESSAGE_LIST ? f->count - f->at : MESSAGE_LIST;
        for (uint32_t i = 0; i < n; i++)
            ids[i] = f->entries[f->at + i].message;
        f->opened = arena_array(&f->batch_arena, MESSAGE_LIST, sizeof(*f->opened));
        f->opened_from = f->at;
        f->opened_count = n;
        message_open_list(p->selected->store, &f->batch_arena, p->selected->account, ids, n,
                          f->opened);
    }
    const struct message *m = &f->opened[f->at - f->opened_from];
    if (m->id)
        fetch_message_begin(&f->message, p->selected->store, m);
    return m->id != 0;
}

static bool copy_texts(void *arg, uint32_t i, const struct message_parts *texts)
{
    struct fetch *f = arg;
    struct arena *a = &f->message.arena;
    (void)i;
    f->texts = *texts;
    f->texts.envelope = arena_dup(a, texts->envelope);
    f->texts.bodystructure = arena_dup(a, texts->bodystructure);
    f->texts.preview = arena_dup(a, texts->preview);
    return true;
}

static bool load_texts(struct imap *p, struct fetch *f)
{
    const struct entry *e = &f->entries[f->at];
    f->texts = (struct message_parts){.message = e->message,
                                      .internaldate_ms = f->message.message.internaldate_ms,
                                      .zone_minutes = f->message.message.zone_minutes};
    if (!f->parts || (f->sections && f->parts == PART_DATE))
        return true;
    return parts_read(p->selected->store, p->selected->account, e, 1, f->parts, copy_texts, f) ==
               1 &&
           f->texts.message;
}

/* A message that cannot be opened: has it left the mailbox, or is the store out of order? */
static void say_why(struct imap *p, struct fetch *f)
{
    const struct entry *e = &f->entries[f->at];
    struct view *now = view_open(p->selected->store, p->selected->account, p->selected->mailbox);
    struct entry found;
    if (now && (!view_at(now, view_seek(now, e->uid), &found) || found.uid != e->uid))
        f->is_gone = true;
    else
        f->failed = true;
    view_release(now);
}

/* Once message_fetched is true it cannot be recalled any more: not a byte leaves before. */
static bool prepare(struct imap *p, struct fetch *f)
{
    const struct entry *e = &f->entries[f->at];
    fetch_message_begin(&f->message, p->selected->store, &(struct message){0});
    bool good =
        (!f->sections || open_message(p, f)) &&
        (!f->reads || message_fetched(p->selected->store, p->selected->account, e->message)) &&
        load_texts(p, f);
    if (!good)
        say_why(p, f);
    else if (f->reads && f->sections)
        trace(p, &f->message.message);
    return good;
}

/* One step; false when the connection is over. */
static bool write_long(struct imap *p, struct fetch *f)
{
    if (!f->is_open && !prepare(p, f)) {
        f->at++;
        return true;
    }
    enum fetch_step step = fetch_write(p, f, &f->texts);
    f->at += step == FETCH_WRITTEN;
    return step != FETCH_LOST;
}

/* ---- the answer ---- */

static void finish(struct imap *p, const struct fetch *f)
{
    if (f->failed)
        imap_no(p, "[SERVERBUG] Some of it cannot be read now");
    else if (f->unknown_cte)
        imap_no(p, "[UNKNOWN-CTE] A part has a transfer encoding nobody knows");
    else if (f->no_memory)
        imap_no(p, "[LIMIT] A message is too large to be taken apart now");
    else if (f->is_gone)
        imap_no(p, "[EXPUNGEISSUED] Some messages are gone");
    else
        imap_ok(p, "Fetched");
}

static void more(struct imap *p)
{
    struct fetch *f = p->work;
    bool is_long = f->sections || f->reads;
    for (;;) {
        if (!imap_has_room(p, more)) {
            fetch_settle(p, f);
            return;
        }
        if (!imap_put_vanished(p, S("(EARLIER) "), f->vanished, f->vanished_count, &f->vanished_at))
            continue;
        if (!f->is_open && f->at == f->count && !fill(p, f))
            break;
        if (!f->is_open && !is_long && write_lines(p, f))
            continue;
        if (!write_long(p, f))
            return;
    }
    if (fetch_settle(p, f))
        finish(p, f);
}

/* ---- CHANGEDSINCE and VANISHED ---- */

static void add_vanished(struct fetch *f, uint64_t low, uint64_t high)
{
    if (low <= high)
        f->vanished[f->vanished_count++] = (struct uid_range){(uint32_t)low, (uint32_t)high};
}

/* Without the uids that are held: the client still counts them, and VANISHED will tell. */
static void add_not_held(struct imap *p, struct fetch *f, const struct uid_range *r, size_t count)
{
    const struct imap_selected *sel = p->selected;
    uint32_t h = 0;
    f->vanished = arena_array(&p->scratch, count + sel->held_count + 1, sizeof(*r));
    for (size_t i = 0; i < count; i++) {
        uint64_t low = r[i].low;
        for (; h < sel->held_count && sel->held[h].e.uid <= r[i].high; h++)
            if (sel->held[h].e.uid >= low) {
                add_vanished(f, low, sel->held[h].e.uid - UINT64_C(1));
                low = sel->held[h].e.uid + UINT64_C(1);
            }
        add_vanished(f, low, r[i].high);
    }
}

/* What has left the mailbox since, of the known uids. */
static bool find_vanished(struct imap *p, struct fetch *f, const struct imap_set *known)
{
    const struct imap_selected *sel = p->selected;
    struct uid_range *asked = arena_array(&p->scratch, known->count + 1, sizeof(*asked)), *out;
    size_t n = 0, count;
    for (size_t i = 0; i < known->count; i++) {
        struct uid_range r = {known->ranges[i].low, known->ranges[i].high};
        r.high = r.high < sel->info.uidnext ? r.high : sel->info.uidnext - 1;
        if (r.low <= r.high)
            asked[n++] = r;
    }
    if (n == 0)
        return true;
    if (!view_vanished(sel->store, &p->scratch, sel->view, (int64_t)f->items.changedsince, asked, n,
                       &out, &count))
        return false;
    add_not_held(p, f, out, count);
    return true;
}

/* ---- the command ---- */

/*
 * The uids of UID FETCH as they stand, gone ones too.  "*" is the largest uid that ever was: the
 * last message may be the one that vanished.
 */
static bool read_known(struct imap *p, slice args, struct imap_set *known)
{
    if (slice_starts(args, S("$"))) {
        *known = p->selected->saved;
        return true;
    }
    return imap_set(&p->scratch, &args, p->selected->info.uidnext - 1, known);
}

/* What else is told of each message. */
static void add_implied(struct imap *p, struct fetch_items *items)
{
    bool flags = fetch_has(items, FETCH_FLAGS);
    if (fetch_has(items, FETCH_MODSEQ))
        imap_enable_condstore(p);
    bool condstore = flags && p->enabled & ENABLED_CONDSTORE; /* rule I18 */
    if (p->uid || condstore)
        fetch_items_lead(&p->scratch, items, FETCH_UID);
    if (condstore)
        fetch_items_add(&p->scratch, items, FETCH_MODSEQ);
}

static void begin(struct imap *p, const struct fetch_items *items, const struct imap_set *positions)
{
    struct fetch *f = arena_new(&p->scratch, struct fetch);
    f->items = *items;
    f->positions = *positions;
    f->next = positions->count ? positions->ranges[0].low : 0;
    f->entries = arena_array(&p->scratch, FETCH_BATCH, sizeof(*f->entries));
    f->rows = arena_array(&p->scratch, FETCH_BATCH, sizeof(*f->rows));
    if (!p->tree)
        p->tree = arena_new(&p->arena, struct fetch_tree);
    f->message.kept = p->tree;
    plan(f);
    p->work = f;
    p->release = release;
}

void imap_cmd_fetch(struct imap *p, slice args)
{
    struct imap_set positions, known;
    struct fetch_items items;
    slice set = args;
    if (!imap_messages(p, &args, &positions))
        return;
    if (!imap_space(&args) || !fetch_items_parse(&p->scratch, args, &items)) {
        imap_syntax(p);
        return;
    }
    if (items.vanished && (!p->uid || !items.has_changedsince || !(p->enabled & ENABLED_QRESYNC))) {
        imap_bad(p, "VANISHED needs UID FETCH, CHANGEDSINCE and ENABLE QRESYNC");
        return;
    }
    add_implied(p, &items);
    begin(p, &items, &positions);
    if (items.vanished && !(read_known(p, set, &known) && find_vanished(p, p->work, &known)))
        imap_refused(p, TEMPFAIL, REFUSED_NOT);
    else
        more(p);
}
