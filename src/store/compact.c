/*
 * The compactor: a full segment in which less than half lives is copied, record by record, into a
 * new one; then rows are turned to it in steps; then the old file goes.  Readers in between find
 * either place valid: a moved body is the same bytes.
 *
 * Invariants
 *   K1  Rows are turned only after the copy is synced and has its name.
 *   K2  A file goes only after the commit that removed its row.
 *   K3  A record whose checksum fails is not copied: its segment stays, for "check".
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "store/crc32c.h"
#include "store/fault.h"
#include "store/internal.h"

#include "base/banned.h"

struct move {
    int64_t body;
    uint64_t from, to, length;
};

struct compact {
    int64_t from, to; /* segments */
    uint64_t bytes;   /* of the copy */
    struct move *moves;
    size_t count, size, at;
    bool emptied;
    int in, out;
    struct arena arena;
};

/* Writer: the next segment worth it.  from 0: none. */
static enum outcome compact_choose(struct store_tx *tx, void *arg)
{
    struct compact *c = arg;
    c->from = sql_number(tx->db, 0,
                         "SELECT id FROM segment WHERE id <> ? AND id > ? AND live * 2 < bytes"
                         " ORDER BY id LIMIT 1",
                         "ii", tx->store->segments.current, c->from);
    return sql_failed(tx->db) ? TEMPFAIL : DONE;
}

/* Writer: the next LIMIT_STEP bodies now lie in the copy. */
static enum outcome compact_turn(struct store_tx *tx, void *arg)
{
    struct compact *c = arg;
    size_t end = c->at + LIMIT_STEP < c->count ? c->at + LIMIT_STEP : c->count;
    int64_t moved = 0;
    for (size_t i = c->at; i < end; i++) {
        const struct move *m = &c->moves[i];
        if (sql_exec(tx->db, "UPDATE body SET segment = ?, at = ? WHERE id = ? AND segment = ?",
                     "iiii", c->to, (int64_t)m->to, m->body, c->from) > 0)
            moved += (int64_t)(BODY_HEADER + m->length);
    }
    sql_exec(tx->db,
             "INSERT INTO segment(id, bytes, live, own) VALUES (?1, ?2, ?3, 1)"
             " ON CONFLICT(id) DO UPDATE SET live = live + ?3",
             "iii", c->to, (int64_t)c->bytes, moved);
    sql_exec(tx->db, "UPDATE segment SET live = live - ? WHERE id = ?", "ii", moved, c->from);
    return sql_failed(tx->db) ? TEMPFAIL : DONE;
}

/* Writer: removes the row of a segment without live records. */
static enum outcome compact_empty(struct store_tx *tx, void *arg)
{
    struct compact *c = arg;
    c->emptied =
        tx->store->segments.current != c->from &&
        sql_exec(tx->db, "DELETE FROM segment WHERE id = ? AND live = 0", "i", c->from) > 0;
    return sql_failed(tx->db) ? TEMPFAIL : DONE;
}

/* Whether a row says that the body lies here. */
static bool body_lives(struct store *s, int64_t body, int64_t segment, uint64_t at)
{
    struct body_place place;
    struct db *db = store_read(s);
    bool found = db && body_find(db, body, &place);
    store_read_end(s, db);
    return found && place.segment == segment && place.at == at;
}

static bool copy_record(struct compact *c, uint64_t from, const struct body_header *h)
{
    char piece[LIMIT_READ_STEP];
    uint64_t whole = BODY_HEADER + h->stored;
    uint32_t crc = 0;
    for (uint64_t at = 0; at < whole;) {
        size_t want = whole - at < sizeof(piece) ? (size_t)(whole - at) : sizeof(piece);
        struct iovec v = {piece, want};
        ssize_t got = fault_preadv(c->in, &v, 1, (off_t)(from + at));
        if (got <= 0 || (at == 0 && got < BODY_HEADER))
            return false;
        slice bytes = {piece, (size_t)got};
        crc = crc32c(crc, at == 0 ? slice_skip(bytes, BODY_HEADER) : bytes);
        for (size_t wrote = 0; wrote < (size_t)got;) {
            struct iovec rest = {piece + wrote, (size_t)got - wrote};
            ssize_t n = fault_pwritev(c->out, &rest, 1, (off_t)(c->bytes + at + wrote));
            if (n <= 0)
                return false;
            wrote += (size_t)n;
        }
        at += (uint64_t)got;
    }
    c->moves = arena_grow(&c->arena, c->moves, c->count, &c->size, sizeof(*c->moves));
    c->moves[c->count++] = (struct move){h->body, from, c->bytes, h->length};
    c->bytes += whole;
    return crc == h->crc32c; /* K3 */
}

/* Copies what lives in the segment. */
static bool compact_copy(struct store *s, struct compact *c, uint64_t end)
{
    for (uint64_t at = 0; at + BODY_HEADER <= end;) {
        unsigned char raw[BODY_HEADER];
        struct body_header h;
        struct iovec v = {raw, sizeof(raw)};
        if (fault_preadv(c->in, &v, 1, (off_t)at) != BODY_HEADER || !body_header_unpack(raw, &h))
            return false;
        if (body_lives(s, h.body, c->from, at) && !copy_record(c, at, &h))
            return false;
        at += BODY_HEADER + h.stored;
    }
    return true;
}

/* Gives the copy its name (K1). */
static bool compact_name(struct store *s, struct compact *c)
{
    char name[SEGMENT_NAME];
    c->to = atomic_fetch_add(&s->segments.next_segment, 1);
    segment_name(c->to, name);
    if (fault_fdatasync(c->out) < 0)
        store_die("sync of a compacted segment", errno);
    if (fault_link(c->out, s->segments.dir, name) < 0)
        return false;
    if (fault_fsync(c->out) < 0 || fault_fsync(s->segments.dir) < 0)
        store_die("sync of a compacted segment", errno);
    return true;
}

static bool compact_move(struct store *s, struct compact *c)
{
    struct db *db = store_read(s);
    int64_t end = sql_number(db, 0, "SELECT bytes FROM segment WHERE id = ?", "i", c->from);
    store_read_end(s, db);
    c->in = segment_get(&s->segments, c->from);
    c->out = c->in < 0 ? -1 : store_tmpfile(s);
    bool good = c->out >= 0 && compact_copy(s, c, (uint64_t)end);
    if (good && c->count)
        good = compact_name(s, c);
    bool turned = false;
    struct store_call turn = {.fn = compact_turn, .arg = c, .bulk = true};
    for (c->at = 0; good && c->at < c->count; c->at += LIMIT_STEP) {
        good = store_write(s, &turn) == DONE;
        turned = turned || good;
    }
    if (c->to && !turned)
        segment_remove(&s->segments, c->to); /* no row names the copy */
    if (c->in >= 0)
        segment_done(&s->segments, c->from, c->in);
    if (c->out >= 0)
        close(c->out);
    return good;
}

void segments_compact(struct store *s)
{
    struct compact c = {0};
    struct store_call choose = {.fn = compact_choose, .arg = &c, .bulk = true};
    struct store_call empty = {.fn = compact_empty, .arg = &c, .bulk = true};
    while (!atomic_load(&s->keeper.stop) && store_write(s, &choose) == DONE && c.from) {
        bool good = compact_move(s, &c) && store_write(s, &empty) == DONE;
        if (good && c.emptied)
            segment_remove(&s->segments, c.from); /* K2 */
        log_event(good ? LEVEL_INFO : LEVEL_WARNING, "store.compact",
                  "segment=%lld kept_bytes=%llu bodies=%zu result=%s", (long long)c.from,
                  (unsigned long long)c.bytes, c.count, good ? "done" : "left as it is");
        arena_end(&c.arena);
        c = (struct compact){.from = c.from};
    }
}
