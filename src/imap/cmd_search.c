/*
 * SEARCH and UID SEARCH (RFC 9051 6.4.4, RFC 3501 6.4.4, RFC 4731, RFC 5182; rule I11).  The
 * messages are decided in steps (search_scan.h), others having their turn in between; a long search
 * says from time to time how far it is (RFC 9585), which also finds out that the client has gone.
 *
 *   reading -> scanning, block by block -> saving -> answering, in steps
 *
 * Only for MIN the scan goes up to the first match, only for MAX down to the last one.
 */
#include "imap/command.h"

#include "base/clock.h"
#include "imap/search_scan.h"
#include "base/banned.h"

enum { TELL_MS = 10 * SECOND_MS };

struct searching {
    struct search search;
    struct search_scan scan;
    uint32_t from, until; /* positions still to be decided */
    bool down;            /* from the end */
    int64_t told_ms;
    /* What was found; numbers as the client asked for them. */
    struct imap_set numbers, uids; /* uids only when they are to be saved */
    size_t numbers_size, uids_size;
    uint32_t count, min, max, min_uid, max_uid;
    int64_t modseq, min_modseq, max_modseq; /* of all, of the first, of the last */
    size_t said;                            /* ranges of numbers already answered */
    uint32_t said_in;                       /* numbers of the next one already answered */
};

static struct searching *searching_of(struct imap *p)
{
    return p->work;
}

static void release(struct imap *p)
{
    search_scan_end(&searching_of(p)->scan);
}

/* Everything that matches is wanted, not only the first and the last one. */
static bool wants_all(const struct searching *x)
{
    unsigned results = x->search.results;
    return (results & (RESULT_ALL | RESULT_COUNT)) || !(results & (RESULT_MIN | RESULT_MAX));
}

/* ---- saving ---- */

/* The "$" of the session becomes the set; its memory is kept for the next one. */
static void save(struct imap_selected *sel, const struct imap_set *uids)
{
    if (uids->count > sel->saved_size) {
        sel->saved_size = 2 * uids->count;
        sel->saved.ranges = arena_array(&sel->arena, sel->saved_size, sizeof(*uids->ranges));
    }
    if (uids->count)
        memcpy(sel->saved.ranges, uids->ranges, uids->count * sizeof(*uids->ranges));
    sel->saved.count = uids->count;
}

/* A SEARCH that wanted to save and was answered NO leaves nothing (RFC 9051 6.4.4.1). */
static void forget_saved(struct imap *p, const struct search *s)
{
    if (s->results & RESULT_SAVE)
        p->selected->saved.count = 0;
}

static void save_result(struct imap *p, struct searching *x)
{
    if (!(x->search.results & RESULT_SAVE))
        return;
    if (!wants_all(x)) {
        x->uids.count = 0;
        if (x->count && (x->search.results & RESULT_MIN))
            imap_set_add(&p->scratch, &x->uids, &x->uids_size, x->min_uid);
        if (x->count && (x->search.results & RESULT_MAX) &&
            !((x->search.results & RESULT_MIN) && x->max_uid == x->min_uid))
            imap_set_add(&p->scratch, &x->uids, &x->uids_size, x->max_uid);
    }
    save(p->selected, p->uid && wants_all(x) ? &x->numbers : &x->uids);
}

/* ---- answering ---- */

static void done(struct imap *p)
{
    imap_ok(p, searching_of(p)->search.results & RESULT_SAVE ? "Searched, and saved" : "Searched");
}

/* " 1 2 5": numbers one by one. */
static void say_numbers(struct imap *p)
{
    struct searching *x = searching_of(p);
    char text[1 + IMAP_NUMBER_MAX] = " ";
    for (; x->said < x->numbers.count; x->said++, x->said_in = 0) {
        struct imap_range r = x->numbers.ranges[x->said];
        for (; x->said_in <= r.high - r.low; x->said_in++) {
            if (!imap_has_room(p, say_numbers))
                return;
            char *end = imap_print_number(r.low + x->said_in, text + 1);
            buf_add(imap_out(p), (slice){text, (size_t)(end - text)});
        }
    }
    if (x->search.modseq && x->count)
        buf_printf(imap_out(p), " (MODSEQ %lld)", (long long)x->modseq);
    buf_add(imap_out(p), S("\r\n"));
    done(p);
}

/* The end of ESEARCH: "ALL 1:3,5", and the modseq of what was returned (RFC 4731 3.2). */
static void say_set(struct imap *p)
{
    struct searching *x = searching_of(p);
    for (; x->said < x->numbers.count && (x->search.results & RESULT_ALL); x->said++) {
        struct imap_range r = x->numbers.ranges[x->said];
        if (!imap_has_room(p, say_set))
            return;
        buf_printf(imap_out(p), "%s%u", x->said ? "," : " ALL ", r.low);
        if (r.high > r.low)
            buf_printf(imap_out(p), ":%u", r.high);
    }
    if (x->search.modseq && x->count)
        buf_printf(imap_out(p), " MODSEQ %lld", (long long)x->modseq);
    buf_add(imap_out(p), S("\r\n"));
    done(p);
}

static void say_extended(struct imap *p)
{
    struct searching *x = searching_of(p);
    unsigned results = x->search.results;
    if (results == RESULT_SAVE) {
        done(p);
        return;
    }
    buf_printf(imap_out(p), "* ESEARCH (TAG \"%.*s\")%s", P(p->tag), p->uid ? " UID" : "");
    if (x->count && (results & RESULT_MIN))
        buf_printf(imap_out(p), " MIN %u", x->min);
    if (x->count && (results & RESULT_MAX))
        buf_printf(imap_out(p), " MAX %u", x->max);
    if (results & RESULT_COUNT)
        buf_printf(imap_out(p), " COUNT %u", x->count);
    say_set(p);
}

static void answer(struct imap *p)
{
    struct searching *x = searching_of(p);
    save_result(p, x);
    if (x->search.extended) {
        say_extended(p);
        return;
    }
    buf_add(imap_out(p), S("* SEARCH"));
    say_numbers(p);
}

/* ---- scanning ---- */

static void found(struct imap *p, struct searching *x, const struct entry *e, uint32_t position)
{
    uint32_t number = p->uid ? e->uid : position + 1;
    if (x->count++ == 0 || number < x->min) {
        x->min = number;
        x->min_uid = e->uid;
        x->min_modseq = e->modseq;
    }
    if (number >= x->max) {
        x->max = number;
        x->max_uid = e->uid;
        x->max_modseq = e->modseq;
    }
    if (e->modseq > x->modseq)
        x->modseq = e->modseq;
    if (!wants_all(x))
        return;
    imap_set_add(&p->scratch, &x->numbers, &x->numbers_size, number);
    if (!p->uid && (x->search.results & RESULT_SAVE))
        imap_set_add(&p->scratch, &x->uids, &x->uids_size, e->uid);
}

/* The modseq of what is returned, when that is only the first, the last, or both. */
static void settle_modseq(struct searching *x)
{
    unsigned results = x->search.results;
    if (wants_all(x))
        return;
    x->modseq = results & RESULT_MIN ? x->min_modseq : x->max_modseq;
    if ((results & RESULT_MAX) && x->max_modseq > x->modseq)
        x->modseq = x->max_modseq;
}

/* Takes the first or the last match of a block alone; true when there was one. */
static bool take_edge(struct imap *p, struct searching *x)
{
    const struct search_scan *s = &x->scan;
    for (uint32_t k = 0; k < s->count; k++) {
        uint32_t i = x->down ? s->count - 1 - k : k;
        if (s->answer[i] != SEARCH_YES)
            continue;
        found(p, x, &s->e[i], s->from + i);
        return true;
    }
    return false;
}

/* The block has been decided. */
static void take_block(struct imap *p, struct searching *x)
{
    const struct search_scan *s = &x->scan;
    if (wants_all(x)) {
        for (uint32_t i = 0; i < s->count; i++)
            if (s->answer[i] == SEARCH_YES)
                found(p, x, &s->e[i], s->from + i);
    } else if (take_edge(p, x)) {
        bool turn = !x->down && (x->search.results & RESULT_MAX);
        if (turn)
            x->from = s->from; /* the last one may be in this block, too */
        x->until = turn ? selected_count(p->selected) : x->from;
        x->down = turn;
    }
}

/* Begins the next block; false when there is none. */
static bool next_block(struct searching *x)
{
    uint32_t left = x->until - x->from, n = left < SEARCH_BLOCK ? left : SEARCH_BLOCK;
    if (n == 0)
        return false;
    search_scan_block(&x->scan, x->down ? x->until - n : x->from, n);
    if (x->down)
        x->until -= n;
    else
        x->from += n;
    return true;
}

static void tell_progress(struct imap *p, struct searching *x)
{
    int64_t now = clock_mono_ms();
    if (now - x->told_ms < TELL_MS)
        return;
    x->told_ms = now;
    uint32_t all = selected_count(p->selected), left = x->until - x->from;
    imap_untagged(p, "OK [INPROGRESS (\"%.*s\" %u %u)] Still searching", P(p->tag),
                  all > left ? all - left - 1 : 0, all);
}

static void fail(struct imap *p, const char *text)
{
    forget_saved(p, &searching_of(p)->search);
    imap_no(p, "%s", text);
}

/* One step, then others. */
static void scan(struct imap *p)
{
    struct searching *x = searching_of(p);
    switch (search_scan_step(&x->scan)) {
    case SCAN_UNREADABLE:
        fail(p, "[UNAVAILABLE] Not now, try again later");
        return;
    case SCAN_NO_MEMORY:
        fail(p, "[LIMIT] No memory for a message that large now");
        return;
    case SCAN_DONE:
        take_block(p, x);
        if (!next_block(x)) {
            settle_modseq(x);
            answer(p);
            return;
        }
        break;
    case SCAN_MORE:
        break;
    }
    tell_progress(p, x);
    p->next = scan;
    p->s.want = SESSION_ROOM;
}

/* ---- reading ---- */

static void refuse(struct imap *p, const struct search *s, enum search_reading why)
{
    if (why == SEARCH_BAD) {
        imap_syntax(p);
        return;
    }
    forget_saved(p, s);
    if (why == SEARCH_BADCHARSET)
        imap_no(p, "[BADCHARSET (UTF-8 US-ASCII)] That charset is unknown");
    else
        imap_no(p, "[LIMIT] That is too much for one search");
}

static uint64_t keyword_bit(void *ctx, slice name)
{
    return imap_keyword_bit(ctx, name);
}

void imap_cmd_search(struct imap *p, slice args)
{
    struct imap_selected *sel = p->selected;
    struct search_context context = {.messages = selected_count(sel),
                                     .last_uid = selected_last_uid(sel),
                                     .utf8 = p->enabled & ENABLED_UTF8};
    struct searching *x = arena_new(&p->scratch, struct searching);
    enum search_reading reading = search_read(&p->scratch, args, &context, &x->search);
    if (reading != SEARCH_READ) {
        refuse(p, &x->search, reading);
        return;
    }
    search_keywords(&x->search, keyword_bit, p);
    if (x->search.modseq)
        imap_enable_condstore(p);
    x->scan = (struct search_scan){.sel = sel, .search = &x->search, .now_ms = clock_ms()};
    x->until = context.messages;
    x->down = !wants_all(x) && !(x->search.results & RESULT_MIN);
    x->told_ms = clock_mono_ms();
    p->work = x;
    p->release = release;
    scan(p);
}
