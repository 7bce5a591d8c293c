/*
 * The one change log (table change): a row an operation, appends of one batch in one row.
 *
 *   uids   ranges, each two varints: first uid - (last uid of the range before), last - first
 *
 * Invariants
 *   L1  Every commit that changes an entry or a mailbox has a row with the modseq it gave.
 *   L2  Above account.change_floor no row is missing.
 */
#include "store/change.h"

#include <assert.h>

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
