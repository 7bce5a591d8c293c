/*
 * The one change log (table change): a row an operation, appends of one batch in one row.
 *
 *   uids   ranges, each two varints: first uid - (last uid of the range before), last - first
 *
 * Invariants
 *   L1  Every commit that changes an entry or a mailbox has a row with the modseq it gave.
 *   L2  Above account.change_floor no row is missing.
 *   L3  What a view says has vanished is not in it, and is all that left since.
 */
#include "store/change.h"

#include <assert.h>
#include <stdlib.h>

#include "store/internal.h"
#include "store/varint.h"
#include "base/banned.h"

static size_t range_pack(unsigned char *to, uint32_t before, uint32_t first, uint32_t last)
{
    size_t n = varint_put(to, first - before);
    return n + varint_put(to + n, last - first);
}

slice uids_pack(struct arena *a, const uint32_t *uids, size_t count)
{
    unsigned char *p = arena_alloc(a, count * 10 + 1);
    size_t n = 0;
    uint32_t before = 0;
    for (size_t i = 0, end; i < count; i = end) {
        assert(uids[i] > before);
        for (end = i + 1; end < count && uids[end] == uids[end - 1] + 1;)
            end++;
        n += range_pack(p + n, before, uids[i], uids[end - 1]);
        before = uids[end - 1];
    }
    return (slice){(const char *)p, n};
}

slice uid_ranges_pack(struct arena *a, const struct uid_range *ranges, size_t count)
{
    unsigned char *p = arena_alloc(a, count * 10 + 1);
    size_t n = 0;
    uint32_t before = 0;
    for (size_t i = 0; i < count; i++) {
        n += range_pack(p + n, before, ranges[i].low, ranges[i].high);
        before = ranges[i].high;
    }
    return (slice){(const char *)p, n};
}

bool uids_next(slice *packed, uint32_t *from, uint32_t *to, uint32_t *before)
{
    uint64_t gap, more;
    if (!varint_take(packed, &gap) || !varint_take(packed, &more))
        return false;
    if (gap == 0 || gap > UINT32_MAX - *before || more > UINT32_MAX - *before - gap)
        return false;
    *from = *before + (uint32_t)gap;
    *to = *from + (uint32_t)more;
    *before = *to;
    return true;
}

void change_add(struct store_tx *tx, int64_t account, enum change_type type, const struct change *c)
{
    sql_exec(tx->db,
             "INSERT INTO change(account, type, modseq, mailbox, kind, at, uids)"
             " VALUES (?, ?, ?, ?, ?, ?, ?)",
             "iiiiiib", account, (int64_t)type, c->modseq, c->mailbox, (int64_t)c->kind, tx->now_ms,
             c->uids);
}

void change_added(struct store_tx *tx, int64_t account, int64_t modseq, int64_t mailbox,
                  uint32_t from, uint32_t to)
{
    unsigned char packed[2 * VARINT_MAX];
    size_t n = range_pack(packed, 0, from, to);
    change_add(tx, account, CHANGE_EMAIL,
               &(struct change){modseq, mailbox, CHANGE_ADDED, {(const char *)packed, n}});
}

bool changes_since(struct db *db, int64_t account, enum change_type type, int64_t since,
                   void (*fn)(void *arg, const struct change *change), void *arg)
{
    if (since < sql_number(db, 0, "SELECT change_floor FROM account WHERE id = ?", "i", account))
        return false;
    struct sql *q = sql_query(db,
                              "SELECT modseq, mailbox, kind, uids FROM change"
                              " WHERE account = ? AND type = ? AND modseq > ? ORDER BY modseq, id",
                              "iii", account, (int64_t)type, since);
    while (sql_row(q))
        fn(arg, &(struct change){sql_int(q, 0), sql_int(q, 1), (enum change_kind)sql_int(q, 2),
                                 sql_bytes(q, 3)});
    return !sql_failed(db);
}

/* ---- vanished (RFC 7162 3.2.5) ---- */

struct ranges {
    struct arena *a;
    struct uid_range *items;
    size_t count, size;
};

/* Ranges come in order; one that touches the last is joined to it. */
static void ranges_add(struct ranges *r, uint32_t low, uint32_t high)
{
    struct uid_range *last = r->count ? &r->items[r->count - 1] : NULL;
    if (last && low <= last->high + 1 && last->high != UINT32_MAX) {
        last->high = high > last->high ? high : last->high;
        return;
    }
    r->items = arena_grow(r->a, r->items, r->count, &r->size, sizeof(*r->items));
    r->items[r->count++] = (struct uid_range){low, high};
}

static int by_low(const void *a, const void *b)
{
    uint32_t x = ((const struct uid_range *)a)->low, y = ((const struct uid_range *)b)->low;
    return (x > y) - (x < y);
}

/* What left one mailbox after since, as far as the view knows. */
struct vanishing {
    struct ranges gone; /* in the order of the log */
    int64_t mailbox, until;
};

static void vanishing_add(void *arg, const struct change *c)
{
    struct vanishing *v = arg;
    uint32_t low, high, before = 0;
    if (c->kind != CHANGE_REMOVED || c->mailbox != v->mailbox || c->modseq > v->until)
        return;
    for (slice set = c->uids; uids_next(&set, &low, &high, &before);) {
        v->gone.items = arena_grow(v->gone.a, v->gone.items, v->gone.count, &v->gone.size,
                                   sizeof(*v->gone.items));
        v->gone.items[v->gone.count++] = (struct uid_range){low, high};
    }
}

/* Every uid given so far that is not in the view. */
static void ranges_missing(struct ranges *out, const struct view *v)
{
    struct entry e[256];
    uint32_t next = 1, at = 0, n;
    while ((n = view_list(v, at, e, 256)) > 0) {
        for (uint32_t i = 0; i < n; i++) {
            if (e[i].uid > next)
                ranges_add(out, next, e[i].uid - 1);
            next = e[i].uid + 1;
        }
        at += n;
    }
    if (next < view_info(v).uidnext)
        ranges_add(out, next, view_info(v).uidnext - 1);
}

/* What is in both; both ascending. */
static void ranges_common(struct ranges *out, const struct ranges *x, const struct uid_range *y,
                          size_t y_count)
{
    for (size_t i = 0, k = 0; i < x->count && k < y_count;) {
        uint32_t low = x->items[i].low > y[k].low ? x->items[i].low : y[k].low;
        uint32_t high = x->items[i].high < y[k].high ? x->items[i].high : y[k].high;
        if (low <= high)
            ranges_add(out, low, high);
        if (x->items[i].high < y[k].high)
            i++;
        else
            k++;
    }
}

bool view_vanished(struct store *s, struct arena *a, const struct view *v, int64_t since,
                   const struct uid_range *known, size_t known_count, struct uid_range **out,
                   size_t *count)
{
    struct vanishing x = {.gone = {.a = a}, .until = view_info(v).modseq};
    struct ranges sorted = {.a = a}, common = {.a = a};
    int64_t account;
    view_place(v, &account, &x.mailbox);
    struct db *db = store_read(s);
    bool told = db && changes_since(db, account, CHANGE_EMAIL, since, vanishing_add, &x);
    bool good = db && !sql_failed(db);
    store_read_end(s, db);
    if (x.gone.count)
        qsort(x.gone.items, x.gone.count, sizeof(*x.gone.items), by_low);
    for (size_t i = 0; told && i < x.gone.count; i++)
        ranges_add(&sorted, x.gone.items[i].low, x.gone.items[i].high);
    if (good && !told)
        ranges_missing(&sorted, v);
    if (known_count)
        ranges_common(&common, &sorted, known, known_count);
    else
        common = sorted;
    *out = common.items;
    *count = common.count;
    return good;
}
