/*
 * "yizhan check": proves every invariant of this folder that rows and segments can show.
 *
 *   structure   SQLite's own check of its file
 *   entries     C1-C3, M1, M2 mailbox by mailbox; M4 account by account
 *   messages    each is held by as many entries and hidden tombstones as "copy" says (M3, P1); each
 *               body is there, and its row of envelopes (D1)
 *   Recoverable what is in it has a time to go (P6)
 *   bodies      B1, B5: every record is read and its checksum compared; nobody's bodies
 *   segments    files and rows agree; live bytes; B4: the counters are above every id
 *   queue       items belong to messages, recipients to items
 * It reads one snapshot; what a running server changes meanwhile does not disturb it.
 */
#include "store/check.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/crc32c.h"
#include "store/fault.h"

#include "base/banned.h"

void check_problem(struct check *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    c->problems++;
    buf_vprintf(c->report, format, args);
    buf_add(c->report, S("\n"));
    va_end(args);
}

void check_done(struct check *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_add(c->report, S("repaired: "));
    buf_vprintf(c->report, format, args);
    buf_add(c->report, S("\n"));
    va_end(args);
}

static void check_structure(struct check *c)
{
    struct sql *q = sql_query(c->db, "PRAGMA quick_check(20)", "");
    while (sql_row(q))
        if (!slice_eq(sql_bytes(q, 0), S("ok")))
            check_problem(c, "store.db: %.*s", P(sql_bytes(q, 0)));
}

/* ---- entries ---- */

static void hold(struct check *c, int64_t message)
{
    c->held = arena_grow(&c->arena, c->held, c->held_count, &c->held_size, sizeof(*c->held));
    c->held[c->held_count++] = message;
}

/* The message of an entry is there, of this account and size. */
static bool entry_is_sound(struct check *c, int64_t account, const struct entry *e)
{
    return sql_number(c->db, 0, "SELECT 1 FROM message WHERE id = ? AND account = ? AND size = ?",
                      "iii", e->message, account, (int64_t)e->size) == 1;
}

struct sums {
    uint32_t last_uid;
    struct view_info info;
};

static void check_chunk(struct check *c, int64_t account, int64_t mailbox, struct sql *q,
                        struct sums *sums)
{
    struct chunk *chunk = chunk_open(sql_bytes(q, 3), sql_int(q, 0));
    if (!chunk || chunk->first_uid != sql_int(q, 1) || chunk->modseq != sql_int(q, 2) ||
        chunk->first_uid <= sums->last_uid) {
        check_problem(c, "mailbox %lld/%lld: chunk %lld is damaged", (long long)account,
                      (long long)mailbox, (long long)sql_int(q, 0));
        repair_chunk(c, sql_int(q, 0));
    }
    if (chunk) {
        for (struct chunk_reader r = chunk_read(chunk); chunk_next(&r);) {
            hold(c, r.e.message);
            if (!entry_is_sound(c, account, &r.e)) {
                check_problem(c, "mailbox %lld/%lld: uid %u has no message", (long long)account,
                              (long long)mailbox, r.e.uid);
                repair_entry(c, account, mailbox, r.e.uid);
            }
        }
        sums->last_uid = chunk->last.uid;
        sums->info.count += chunk->count;
        sums->info.unseen += chunk->unseen;
        sums->info.size += chunk->size;
        if (chunk->modseq > sums->info.modseq)
            sums->info.modseq = chunk->modseq;
    }
    chunk_release(chunk);
}

static void check_mailbox(struct check *c, int64_t account, int64_t mailbox,
                          const struct view_info *row)
{
    struct sums sums = {0};
    struct sql *q = sql_query(c->db,
                              "SELECT id, first, modseq, data FROM entry_chunk WHERE account = ?"
                              " AND mailbox = ? ORDER BY first",
                              "ii", account, mailbox);
    while (sql_row(q))
        check_chunk(c, account, mailbox, q, &sums);
    if (sums.info.count == row->count && sums.info.unseen == row->unseen &&
        sums.info.size == row->size && sums.info.modseq <= row->modseq &&
        sums.last_uid < row->uidnext)
        return;
    check_problem(c, "mailbox %lld/%lld: counters do not fit its entries (total %u, is %u)",
                  (long long)account, (long long)mailbox, row->count, sums.info.count);
    repair_mailbox(c, account, mailbox);
}

static void check_mailboxes(struct check *c)
{
    struct sql *q = sql_query(c->db,
                              "SELECT account, mailbox, total, unseen, size, modseq, uidnext"
                              " FROM mailbox ORDER BY account, mailbox",
                              "");
    while (sql_row(q)) {
        struct view_info row = {.count = (uint32_t)sql_int(q, 2),
                                .unseen = (uint32_t)sql_int(q, 3),
                                .size = (uint64_t)sql_int(q, 4),
                                .modseq = sql_int(q, 5),
                                .uidnext = (uint32_t)sql_int(q, 6)};
        check_mailbox(c, sql_int(q, 0), sql_int(q, 1), &row);
    }
    q = sql_query(c->db,
                  "SELECT id FROM entry_chunk e WHERE NOT EXISTS (SELECT 1 FROM mailbox m WHERE"
                  " m.account = e.account AND m.mailbox = e.mailbox)",
                  "");
    while (sql_row(q))
        check_problem(c, "chunk %lld belongs to no mailbox", (long long)sql_int(q, 0));
}

/* P6: the uids of Recoverable lie in the ranges of shown tombstones. */
static void check_recoverable_of(struct check *c, int64_t account, int64_t mailbox)
{
    uint32_t low = 0, high = 0, untimed = 0, first = 0;
    struct sql *ranges = sql_query(c->db,
                                   "SELECT first, last FROM tombstone WHERE account = ? AND"
                                   " first > 0 ORDER BY first",
                                   "i", account);
    struct sql *q = sql_query(c->db,
                              "SELECT data FROM entry_chunk WHERE account = ? AND mailbox = ?"
                              " ORDER BY first",
                              "ii", account, mailbox);
    while (sql_row(q)) {
        struct chunk *chunk = chunk_open(sql_bytes(q, 0), 0);
        for (struct chunk_reader r = chunk ? chunk_read(chunk) : (struct chunk_reader){0};
             chunk && chunk_next(&r);) {
            while (high < r.e.uid && sql_row(ranges)) {
                low = (uint32_t)sql_int(ranges, 0);
                high = (uint32_t)sql_int(ranges, 1);
            }
            bool timed = low <= r.e.uid && r.e.uid <= high;
            first = timed || untimed ? first : r.e.uid;
            untimed += !timed;
        }
        chunk_release(chunk);
    }
    sql_end(ranges);
    if (!untimed)
        return;
    check_problem(c,
                  "account %lld: %u messages in Recoverable, from uid %u on, would stay for ever",
                  (long long)account, untimed, first);
    repair_recoverable(c, account, first);
}

static void check_recoverable(struct check *c)
{
    struct sql *q = sql_query(c->db, "SELECT account, mailbox FROM mailbox WHERE role = ?", "i",
                              (int64_t)ROLE_RECOVERABLE);
    while (sql_row(q))
        check_recoverable_of(c, sql_int(q, 0), sql_int(q, 1));
}

static void check_accounts(struct check *c)
{
    struct sql *q = sql_query(
        c->db,
        "SELECT a.id FROM account a WHERE a.used <> (SELECT coalesce(sum(size), 0) FROM mailbox m"
        " WHERE m.account = a.id AND m.role <> 7) OR a.modseq < (SELECT coalesce(max(modseq), 0) "
        "FROM mailbox m"
        " WHERE m.account = a.id) OR NOT EXISTS (SELECT 1 FROM mailbox m WHERE m.account = a.id"
        " AND m.mailbox = 1)",
        "");
    while (sql_row(q)) {
        check_problem(c, "account %lld: used bytes or modseq do not fit its mailboxes",
                      (long long)sql_int(q, 0));
        repair_account(c, sql_int(q, 0));
    }
    q = sql_query(c->db, "SELECT id, data FROM tombstone WHERE first = 0", "");
    while (sql_row(q)) {
        struct chunk *chunk = chunk_open(sql_bytes(q, 1), 0);
        if (!chunk)
            check_problem(c, "tombstone %lld is damaged", (long long)sql_int(q, 0));
        for (struct chunk_reader r = chunk ? chunk_read(chunk) : (struct chunk_reader){0};
             chunk && chunk_next(&r);)
            hold(c, r.e.message);
        chunk_release(chunk);
    }
}

/* ---- messages ---- */

static int by_id(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Walks messages and holders side by side, both in order of id. */
static void check_holders(struct check *c)
{
    size_t at = 0;
    if (c->held_count)
        qsort(c->held, c->held_count, sizeof(*c->held), by_id);
    struct sql *q = sql_query(c->db,
                              "SELECT m.id, m.account, coalesce(p.extra, 0) FROM message m"
                              " LEFT JOIN copy p ON p.message = m.id ORDER BY m.id",
                              "");
    while (sql_row(q)) {
        int64_t id = sql_int(q, 0), holders = 0;
        while (at < c->held_count && c->held[at] < id)
            at++;
        for (; at < c->held_count && c->held[at] == id; at++)
            holders++;
        if (holders == 0) {
            check_problem(c, "message %lld is in no mailbox", (long long)id);
            repair_message_unheld(c, sql_int(q, 1), id);
        } else if (holders != 1 + sql_int(q, 2)) {
            check_problem(c, "message %lld: held %lld times, counted %lld", (long long)id,
                          (long long)holders, (long long)sql_int(q, 2) + 1);
            repair_message_holders(c, id, holders);
        }
    }
}

static void check_messages(struct check *c)
{
    check_holders(c);
    struct sql *q =
        sql_query(c->db,
                  "SELECT id FROM message m WHERE NOT EXISTS (SELECT 1 FROM envelope e WHERE"
                  " e.id = m.id)",
                  "");
    while (sql_row(q)) {
        check_problem(c, "message %lld has no row of envelopes", (long long)sql_int(q, 0));
        repair_envelope(c, sql_int(q, 0));
    }
    q = sql_query(c->db,
                  "SELECT m.id, m.body FROM message m LEFT JOIN body b ON b.id = m.body"
                  " WHERE b.id IS NULL OR m.size <> length(m.prefix) + b.length",
                  "");
    while (sql_row(q))
        check_problem(c, "message %lld: its body %lld is missing or has another size",
                      (long long)sql_int(q, 0), (long long)sql_int(q, 1));
    q = sql_query(c->db,
                  "SELECT q.id, q.body FROM q_message q LEFT JOIN body b ON b.id = q.body WHERE"
                  " b.id IS NULL AND EXISTS (SELECT 1 FROM q_item i WHERE i.message = q.id)",
                  "");
    while (sql_row(q))
        check_problem(c, "queued message %lld: its body %lld is missing", (long long)sql_int(q, 0),
                      (long long)sql_int(q, 1));
}

/* ---- bodies ---- */

static bool record_is_sound(int fd, uint64_t at, const struct body_header *h)
{
    char piece[16 * 1024];
    uint32_t crc = 0;
    for (uint64_t did = 0; did < h->stored;) {
        size_t want = h->stored - did < sizeof(piece) ? (size_t)(h->stored - did) : sizeof(piece);
        struct iovec v = {piece, want};
        ssize_t got = fault_preadv(fd, &v, 1, (off_t)(at + BODY_HEADER + did));
        if (got <= 0)
            return false;
        crc = crc32c(crc, (slice){piece, (size_t)got});
        did += (uint64_t)got;
    }
    return crc == h->crc32c;
}

static bool header_read(int fd, uint64_t at, struct body_header *h)
{
    unsigned char raw[BODY_HEADER];
    struct iovec v = {raw, sizeof(raw)};
    return fault_preadv(fd, &v, 1, (off_t)at) == BODY_HEADER && body_header_unpack(raw, h);
}

static bool body_is_sound(struct check *c, int64_t body, const struct body_place *place)
{
    struct body_header h;
    int fd = segment_get(&c->store->segments, place->segment);
    if (fd < 0)
        return false;
    bool good = header_read(fd, place->at, &h) && h.body == body && h.length == place->length &&
                record_is_sound(fd, place->at, &h);
    segment_done(&c->store->segments, place->segment, fd);
    return good;
}

/* As the rows are now: a body may have been moved or purged since the snapshot. */
static bool body_is_sound_now(struct check *c, int64_t body)
{
    struct body_place place;
    struct db *db = store_read(c->store);
    bool found = db && body_find(db, body, &place);
    store_read_end(c->store, db);
    return !found || body_is_sound(c, body, &place);
}

static void check_bodies(struct check *c)
{
    struct sql *q = sql_query(c->db, "SELECT id, segment, at, length FROM body ORDER BY id", "");
    while (sql_row(q)) {
        int64_t id = sql_int(q, 0);
        struct body_place place = {sql_int(q, 1), (uint64_t)sql_int(q, 2), (uint64_t)sql_int(q, 3)};
        if (!body_is_sound(c, id, &place) && !body_is_sound_now(c, id))
            check_problem(c,
                          "body %lld (segment %lld at %llu) is damaged: restore it from a backup",
                          (long long)id, (long long)place.segment, (unsigned long long)place.at);
    }
    q = sql_query(c->db,
                  "SELECT id, length FROM body b WHERE NOT EXISTS (SELECT 1 FROM message m WHERE"
                  " m.body = b.id) AND NOT EXISTS (SELECT 1 FROM q_message q WHERE q.body = b.id "
                  "AND q.body > 0)"
                  " AND NOT EXISTS (SELECT 1 FROM body_doubt d WHERE d.body = b.id)",
                  "");
    while (sql_row(q)) {
        check_problem(c, "body %lld belongs to no message", (long long)sql_int(q, 0));
        repair_body_unnamed(c, sql_int(q, 0), (uint64_t)sql_int(q, 1));
    }
}

/* ---- segments ---- */

/* Records from an offset to the end of a file that no row names; true when all were rescued. */
static bool check_records(struct check *c, int64_t segment, uint64_t at)
{
    struct body_header h;
    bool all = c->repair;
    int fd = segment_get(&c->store->segments, segment);
    for (; fd >= 0 && header_read(fd, at, &h); at += BODY_HEADER + h.stored) {
        if (!record_is_sound(fd, at, &h))
            break;
        check_problem(c, "segment %lld at %llu: a body of %llu bytes that no row names",
                      (long long)segment, (unsigned long long)at, (unsigned long long)h.length);
        all = repair_record(c, fd, at, &h) && all;
    }
    if (fd >= 0)
        segment_done(&c->store->segments, segment, fd);
    return all;
}

static uint64_t file_bytes(struct check *c, int64_t segment)
{
    char name[SEGMENT_NAME];
    struct stat st;
    segment_name(segment, name);
    return fstatat(c->store->segments.dir, name, &st, 0) < 0 ? 0 : (uint64_t)st.st_size;
}

static void file_cut(struct check *c, int64_t segment, uint64_t bytes)
{
    char name[SEGMENT_NAME];
    segment_name(segment, name);
    int fd = openat(c->store->segments.dir, name, O_RDWR | O_CLOEXEC);
    if (fd >= 0 && ftruncate(fd, (off_t)bytes) == 0)
        check_done(c, "segment %lld: cut behind its last record", (long long)segment);
    if (fd >= 0)
        close(fd);
}

static void check_segment_rows(struct check *c)
{
    struct sql *q = sql_query(
        c->db,
        "SELECT s.id, s.bytes, s.live, (SELECT coalesce(sum(length + ?), 0) FROM body b WHERE"
        " b.segment = s.id), s.id = (SELECT max(id) FROM segment WHERE own = 0) FROM segment s",
        "i", (int64_t)BODY_HEADER);
    while (sql_row(q)) {
        int64_t id = sql_int(q, 0);
        uint64_t bytes = (uint64_t)sql_int(q, 1), file = file_bytes(c, id);
        if (sql_int(q, 2) != sql_int(q, 3)) {
            check_problem(c, "segment %lld: live bytes do not fit its bodies", (long long)id);
            repair_segment_live(c, id, sql_int(q, 3) - sql_int(q, 2));
        }
        bool appended = sql_int(q, 4) && c->store->segments.current == id;
        if (file < bytes) {
            struct db *now = store_read(c->store);
            if (now && sql_number(now, 0, "SELECT 1 FROM segment WHERE id = ?", "i", id))
                check_problem(c, "segment %lld is missing or too short: restore it from a backup",
                              (long long)id);
            store_read_end(c->store, now);
        } else if (file > bytes && !appended) {
            check_problem(c, "segment %lld has %llu bytes behind its last record", (long long)id,
                          (unsigned long long)(file - bytes));
            if (check_records(c, id, bytes))
                file_cut(c, id, bytes);
        }
    }
}

static enum outcome nothing(struct store_tx *tx, void *arg)
{
    (void)tx, (void)arg;
    return DONE;
}

static bool segment_has_row(struct check *c, int64_t id)
{
    struct db *db = store_read(c->store);
    bool has = db && sql_number(db, 0, "SELECT 1 FROM segment WHERE id = ?", "i", id) == 1;
    store_read_end(c->store, db);
    return has;
}

static void check_segment_files(struct check *c)
{
    int fd = openat(c->store->segments.dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct store_call barrier = {.fn = nothing, .bulk = true};
    while (dir) {
        struct dirent *d = readdir(dir);
        int64_t id = d ? segment_of_name(d->d_name) : 0;
        if (!d)
            break;
        if (!id || segment_has_row(c, id))
            continue;
        store_write(c->store, &barrier); /* a batch under way may just be about to name it */
        if (segment_has_row(c, id) || c->store->segments.current == id || !file_bytes(c, id))
            continue;
        check_problem(c, "segment %lld is named by no row", (long long)id);
        if (check_records(c, id, 0)) {
            segment_remove(&c->store->segments, id);
            check_done(c, "segment %lld: its bodies are in Recovered", (long long)id);
        }
    }
    if (dir)
        closedir(dir);
}

static void check_counters(struct check *c)
{
    static const struct {
        const char *name, *query;
    } counters[] = {
        {"body", "SELECT max(id) + 1 FROM body"},
        {"message", "SELECT max(id) + 1 FROM message"},
        {"segment", "SELECT max(id) + 1 FROM segment"},
    };
    for (size_t i = 0; i < sizeof(counters) / sizeof(*counters); i++) {
        int64_t next = sql_number(c->db, 0, "SELECT next FROM counter WHERE name = ?", "t",
                                  slice_c(counters[i].name));
        int64_t least = sql_number(c->db, 1, counters[i].query, "");
        if (next >= least)
            continue;
        check_problem(c, "counter %s is %lld, must be %lld", counters[i].name, (long long)next,
                      (long long)least);
        repair_counter(c, counters[i].name, least);
    }
}

static void check_queue(struct check *c)
{
    struct sql *q = sql_query(c->db,
                              "SELECT id FROM q_item i WHERE NOT EXISTS (SELECT 1 FROM q_message m"
                              " WHERE m.id = i.message)",
                              "");
    while (sql_row(q))
        check_problem(c, "queue item %lld has no message", (long long)sql_int(q, 0));
    q = sql_query(c->db,
                  "SELECT message, n FROM q_recipient r WHERE NOT EXISTS (SELECT 1 FROM q_message"
                  " m WHERE m.id = r.message)",
                  "");
    while (sql_row(q))
        check_problem(c, "recipient %lld/%lld has no message in the queue",
                      (long long)sql_int(q, 0), (long long)sql_int(q, 1));
}

static int check_run(struct store *s, bool repair, struct buf *report)
{
    struct check c = {.store = s, .report = report, .repair = repair, .db = store_read(s)};
    if (sql_exec(c.db, "BEGIN", "") < 0) {
        buf_add(report, S("store.db cannot be read\n"));
        store_read_end(s, c.db);
        return 1;
    }
    check_structure(&c);
    check_mailboxes(&c);
    check_accounts(&c);
    check_recoverable(&c);
    check_messages(&c);
    check_bodies(&c);
    check_segment_rows(&c);
    check_segment_files(&c);
    check_counters(&c);
    check_queue(&c);
    if (sql_failed(c.db))
        check_problem(&c, "store.db: %s", db_error(c.db));
    db_rollback(c.db);
    store_read_end(s, c.db);
    arena_end(&c.arena);
    return c.problems;
}

int store_check(struct store *s, bool repair, struct buf *report)
{
    int problems = check_run(s, repair, report);
    if (!repair || !problems)
        return problems;
    /* One repair may show the next: a damaged chunk's messages are unheld only once it is gone. */
    for (int round = 0; round < 3 && problems; round++) {
        buf_add(report, S("checking again\n"));
        problems = check_run(s, round < 2, report);
    }
    return problems;
}
