/* Entries all at once, rows all at once, messages one a step. */
#include "imap/search_scan.h"

#include "base/budget.h"
#include "base/limits.h"
#include "base/log.h"
#include "message/header.h"
#include "store/parts.h"

#include "base/banned.h"

/* A header is read in pieces of that; a message takes about so many times its size while it is
 * taken apart, which is asked of the budget for a large one. */
enum { HEADER_STEP = 16 * 1024, LARGE = 1 << 20, TIMES = 3 };

static struct search_subject subject_of(struct search_scan *s, uint32_t i)
{
    const struct search_row *row = &s->row[i];
    return (struct search_subject){
        .known = KNOWS_ENTRY,
        .entry = s->e[i],
        .number = s->from + i + 1,
        .recent = selected_is_recent(s->sel, s->e[i].uid),
        .saved = &s->sel->saved,
        .now_ms = s->now_ms,
        .internaldate_ms = row->internaldate_ms,
        .zone_minutes = row->zone_minutes,
        .envelope = row->envelope,
        .arena = &s->one,
        .room = &s->room,
    };
}

void search_scan_block(struct search_scan *s, uint32_t from, uint32_t n)
{
    s->from = from;
    s->count = selected_list(s->sel, from, s->e, n);
    s->open_count = s->at = s->ahead_from = s->ahead_count = 0;
    s->rows_read = false;
    arena_reset(&s->rows);
    memset(s->row, 0, sizeof(s->row));
    struct search_subject subject = subject_of(s, 0);
    for (uint32_t i = 0; i < s->count; i++) {
        subject.entry = s->e[i];
        subject.number = from + i + 1;
        subject.recent = selected_is_recent(s->sel, s->e[i].uid);
        s->answer[i] = search_match(s->search->root, &subject);
        if (s->answer[i] > SEARCH_YES)
            s->open[s->open_count++] = i;
    }
}

/* ---- rows ---- */

struct rows {
    struct search_scan *scan;
    const uint32_t *index; /* in the block, of each that was asked for */
};

static bool take_row(void *arg, uint32_t i, const struct message_parts *p)
{
    struct rows *r = arg;
    struct search_scan *s = r->scan;
    uint32_t n = r->index[i];
    if (!p->message) {
        s->answer[n] = SEARCH_NO;
        return true;
    }
    s->row[n] = (struct search_row){p->internaldate_ms, p->zone_minutes, p->envelope};
    struct search_subject subject = subject_of(s, n);
    subject.known = KNOWS_ROW;
    s->answer[n] = search_match(s->search->root, &subject);
    s->row[n].envelope = s->answer[n] > SEARCH_YES ? arena_dup(&s->rows, p->envelope) : S("");
    arena_reset(&s->one);
    return true;
}

/* All rows that are needed, in one reading; what is open afterwards moves together. */
static enum scan_step read_rows(struct search_scan *s)
{
    struct entry e[SEARCH_BLOCK];
    uint32_t index[SEARCH_BLOCK], n = 0, still = 0;
    struct rows r = {s, index};
    s->rows_read = true;
    for (uint32_t k = 0; k < s->open_count; k++)
        if (s->answer[s->open[k]] == SEARCH_NEEDS_ROW) {
            index[n] = s->open[k];
            e[n++] = s->e[s->open[k]];
        }
    if (n && parts_read(s->sel->store, s->sel->account, e, n, PART_DATE | PART_ENVELOPE, take_row,
                        &r) < n)
        return SCAN_UNREADABLE;
    for (uint32_t k = 0; k < s->open_count; k++)
        if (s->answer[s->open[k]] > SEARCH_YES)
            s->open[still++] = s->open[k];
    s->open_count = still;
    return SCAN_MORE;
}

/* ---- messages ---- */

/* The next open one's message; NULL: it is gone. */
static const struct message *open_next(struct search_scan *s)
{
    if (s->at - s->ahead_from >= s->ahead_count) {
        int64_t ids[MESSAGE_LIST];
        uint32_t n = s->open_count - s->at;
        n = n < MESSAGE_LIST ? n : MESSAGE_LIST;
        for (uint32_t k = 0; k < n; k++)
            ids[k] = s->e[s->open[s->at + k]].message;
        arena_reset(&s->opened);
        message_open_list(s->sel->store, &s->opened, s->sel->account, ids, n, s->ahead);
        s->ahead_from = s->at;
        s->ahead_count = n;
    }
    const struct message *m = &s->ahead[s->at - s->ahead_from];
    return m->id ? m : NULL;
}

/* Reads on until s->bytes holds n bytes of m, or all of it. */
static bool read_until(struct search_scan *s, const struct message *m, uint64_t n)
{
    n = n < m->size ? n : m->size;
    s->bytes.max = (size_t)m->size;
    size_t have = buf_length(&s->bytes);
    while (have < n) {
        char *to = buf_space(&s->bytes, (size_t)n - have);
        ssize_t got = message_read(s->sel->store, m, have, to, (size_t)n - have);
        if (got <= 0)
            return false;
        buf_wrote(&s->bytes, (size_t)got);
        have += (size_t)got;
    }
    return true;
}

/* Has the empty line behind the header been read? */
static bool has_header(slice bytes)
{
    return slice_search(bytes, S("\n\r\n")) >= 0 || slice_search(bytes, S("\n\n")) >= 0;
}

static bool read_header(struct search_scan *s, const struct message *m, slice *header)
{
    bool good = true, whole = false;
    for (uint64_t n = HEADER_STEP; good && !whole; n *= 2) {
        good = read_until(s, m, n);
        slice bytes = buf_slice(&s->bytes);
        whole = bytes.n == m->size || bytes.n > LIMIT_HEADER || has_header(bytes);
    }
    *header = header_of(buf_slice(&s->bytes));
    return good;
}

static enum search_answer decide(struct search_scan *s, const struct message *m, uint32_t i)
{
    struct search_subject subject = subject_of(s, i);
    enum search_answer a = s->answer[i];
    bool good = true;
    if (a == SEARCH_NEEDS_HEADER && m->size <= HEADER_STEP) /* whole at once */
        a = SEARCH_NEEDS_MESSAGE;
    if (a == SEARCH_NEEDS_HEADER) {
        good = read_header(s, m, &subject.header);
        subject.known = KNOWS_HEADER;
        a = search_match(s->search->root, &subject);
    }
    if (good && a == SEARCH_NEEDS_MESSAGE) {
        good = read_until(s, m, m->size);
        subject.known = KNOWS_MESSAGE;
        subject.message = buf_slice(&s->bytes);
        subject.header = header_of(subject.message);
        a = search_match(s->search->root, &subject);
    }
    if (good)
        return a;
    log_event(LEVEL_ERROR, "imap.unreadable", "account=%lld message=%lld", (long long)m->account,
              (long long)m->id);
    return SEARCH_NO;
}

static enum scan_step read_message(struct search_scan *s)
{
    uint32_t i = s->open[s->at];
    const struct message *m = open_next(s);
    size_t taken = m && m->size > LARGE ? TIMES * (size_t)m->size : 0;
    if (taken && !budget_take(taken))
        return SCAN_NO_MEMORY;
    s->answer[i] = m ? decide(s, m, i) : SEARCH_NO;
    budget_give(taken);
    buf_clear(&s->bytes);
    arena_reset(&s->one);
    s->at++;
    return SCAN_MORE;
}

enum scan_step search_scan_step(struct search_scan *s)
{
    if (!s->rows_read && s->open_count)
        return read_rows(s);
    return s->at < s->open_count ? read_message(s) : SCAN_DONE;
}

void search_scan_end(struct search_scan *s)
{
    arena_end(&s->rows);
    arena_end(&s->opened);
    arena_end(&s->one);
    buf_end(&s->room);
    buf_end(&s->bytes);
}
