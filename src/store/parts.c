/*
 * Parts of many messages (tables envelope, message).  What ENVELOPE and INTERNALDATE need lies in a
 * narrow table of its own, in order of message id, so that a long FETCH reads some ten messages a
 * page; messages of one mailbox mostly have ids close together and are read by one range scan.
 *
 * Invariants
 *   D1  envelope has one row for each message; parser_version says who made the parts, 0: nobody.
 *   D2  Parts of another parser_version than ours are never shown: they are made anew from the
 * body, shown, and written down.
 */
#include "store/parts.h"

#include "base/budget.h"
#include "message/derive.h"
#include "store/internal.h"
#include "base/banned.h"

/* Parts made anew, to be written down. */
struct redone {
    int64_t message;
    struct derived d;
};

struct reading {
    struct store *store;
    struct db *db;
    unsigned which;
    struct arena arena; /* of what was made anew */
    struct redone *redone;
    size_t redone_count, redone_size;
};

/* ---- making anew (D2) ---- */

/* The bytes of a body, mem_alloc'ed and taken from the budget; NULL when they are not to be had. */
static char *body_load(struct reading *r, int64_t message, size_t *n)
{
    struct body_place place;
    int64_t body = sql_number(r->db, 0, "SELECT body FROM message WHERE id = ?", "i", message);
    if (!body || !body_find(r->db, body, &place) || !budget_take((size_t)place.length + 1))
        return NULL;
    char *p = mem_alloc((size_t)place.length + 1);
    for (*n = 0; *n < place.length;) {
        size_t want = (size_t)place.length - *n;
        want = want < LIMIT_READ_STEP ? want : LIMIT_READ_STEP;
        ssize_t got = body_read(r->store, body, *n, p + *n, want);
        if (got <= 0) {
            mem_free(p);
            budget_give((size_t)place.length + 1);
            return NULL;
        }
        *n += (size_t)got;
    }
    return p;
}

/* All parts in the arena; those of an empty message when the body cannot be read now. */
static const struct derived *parts_make(struct reading *r, int64_t message)
{
    size_t n = 0;
    char *p = body_load(r, message, &n);
    struct derived d;
    message_derive((slice){p ? p : "", n}, &r->arena, &d);
    d.envelope = arena_dup(&r->arena, d.envelope);
    d.bodystructure = arena_dup(&r->arena, d.bodystructure);
    d.preview = arena_dup(&r->arena, d.preview);
    d.subject = arena_dup(&r->arena, d.subject);
    d.message_id = arena_dup(&r->arena, d.message_id);
    d.thread_keys = arena_dup(&r->arena, d.thread_keys);
    r->redone =
        arena_grow(&r->arena, r->redone, r->redone_count, &r->redone_size, sizeof(*r->redone));
    struct redone *last = &r->redone[r->redone_count];
    *last = (struct redone){message, d};
    r->redone_count += p != NULL; /* else only shown */
    if (p)
        budget_give(n + 1);
    mem_free(p);
    return &last->d;
}

static enum outcome redone_write(struct store_tx *tx, void *arg)
{
    const struct reading *r = arg;
    for (size_t i = 0; i < r->redone_count; i++) {
        const struct derived *d = &r->redone[i].d;
        sql_exec(tx->db, "UPDATE envelope SET parser_version = ?, envelope = ? WHERE id = ?", "ibi",
                 (int64_t)DERIVE_VERSION, d->envelope, r->redone[i].message);
        sql_exec(tx->db,
                 "UPDATE message SET bodystructure = ?, preview = ?, subject = ?, message_id = ?,"
                 " thread_keys = ? WHERE id = ?",
                 "btttbi", d->bodystructure, d->preview, d->subject, d->message_id, d->thread_keys,
                 r->redone[i].message);
    }
    return sql_failed(tx->db) ? TEMPFAIL : DONE;
}

/* ---- reading ---- */

/* Two statements of each kind: the narrow table alone, or with the wide one. */
#define NARROW "SELECT id, parser_version, internaldate, zone, envelope FROM envelope WHERE id "
#define WIDE                                                                                       \
    "SELECT e.id, e.parser_version, e.internaldate, e.zone, e.envelope, m.bodystructure,"          \
    " m.preview, m.subject FROM envelope e JOIN message m ON m.id = e.id WHERE e.id "

static struct sql *parts_query(struct reading *r, int64_t from, int64_t to)
{
    bool wide = (r->which & (PART_BODYSTRUCTURE | PART_PREVIEW | PART_SUBJECT)) != 0;
    if (from == to)
        return sql_query(r->db, wide ? WIDE "= ?" : NARROW "= ?", "i", from);
    return sql_query(
        r->db, wide ? WIDE "BETWEEN ? AND ? ORDER BY e.id" : NARROW "BETWEEN ? AND ? ORDER BY id",
        "ii", from, to);
}

/* What was asked for of a message; nothing else is taken out of its row. */
static void parts_row(struct reading *r, struct sql *q, int64_t message, struct message_parts *out)
{
    if (message_is_recalled(r->store, message))
        return;
    out->message = message;
    if (r->which & PART_DATE) {
        out->internaldate_ms = sql_int(q, 2);
        out->zone_minutes = (int)sql_int(q, 3);
    }
    if ((r->which & ~(unsigned)PART_DATE) && sql_int(q, 1) != DERIVE_VERSION) {
        const struct derived *d = parts_make(r, message);
        out->envelope = d->envelope;
        out->bodystructure = d->bodystructure;
        out->preview = d->preview;
        out->subject = d->subject;
        return;
    }
    if (r->which & PART_ENVELOPE)
        out->envelope = sql_bytes(q, 4);
    if (r->which & PART_BODYSTRUCTURE)
        out->bodystructure = sql_bytes(q, 5);
    if (r->which & PART_PREVIEW)
        out->preview = sql_bytes(q, 6);
    if (r->which & PART_SUBJECT)
        out->subject = sql_bytes(q, 7);
}

/* Ids rise and are close together: one scan passes over few rows of others. */
static bool is_dense(const struct entry *e, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++)
        if (e[i].message <= e[i - 1].message)
            return false;
    return n > 1 && e[n - 1].message - e[0].message < (int64_t)n * 4;
}

static uint32_t read_dense(struct reading *r, const struct entry *e, uint32_t n,
                           bool (*fn)(void *arg, uint32_t i, const struct message_parts *p),
                           void *arg)
{
    struct sql *q = parts_query(r, e[0].message, e[n - 1].message);
    int64_t row = 0; /* the message of the row at hand, INT64_MAX behind the last */
    uint32_t i = 0;
    for (bool more = true; i < n && more; i += more) {
        struct message_parts p = {0};
        while (row < e[i].message)
            row = sql_row(q) ? sql_int(q, 0) : INT64_MAX;
        if (sql_failed(r->db))
            break;
        if (row == e[i].message)
            parts_row(r, q, row, &p);
        more = fn(arg, i, &p);
    }
    sql_end(q);
    return i;
}

static uint32_t read_each(struct reading *r, const struct entry *e, uint32_t n,
                          bool (*fn)(void *arg, uint32_t i, const struct message_parts *p),
                          void *arg)
{
    uint32_t i = 0;
    for (bool more = true; i < n && more; i += more) {
        struct message_parts p = {0};
        struct sql *q = parts_query(r, e[i].message, e[i].message);
        if (sql_row(q))
            parts_row(r, q, e[i].message, &p);
        more = !sql_failed(r->db) && fn(arg, i, &p);
        sql_end(q);
    }
    return i;
}

uint32_t parts_read(struct store *s, int64_t account, const struct entry *e, uint32_t n,
                    unsigned which,
                    bool (*fn)(void *arg, uint32_t i, const struct message_parts *p), void *arg)
{
    struct reading r = {.store = s, .which = which, .db = n ? store_read(s) : NULL};
    if (!r.db)
        return 0;
    uint32_t did = is_dense(e, n) ? read_dense(&r, e, n, fn, arg) : read_each(&r, e, n, fn, arg);
    store_read_end(s, r.db);
    struct store_call call = {.account = account, .fn = redone_write, .arg = &r, .bulk = true};
    if (r.redone_count)
        store_write(s, &call); /* if it fails they are made anew another time */
    arena_end(&r.arena);
    return did;
}
