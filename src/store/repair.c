/*
 * "yizhan check --repair": derived data is computed anew from rows and segments; what belongs to
 * nobody goes into the mailbox "Recovered" of the postmaster, else of the first account.
 * Nothing is ever thrown away that cannot be computed.
 */
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/change.h"
#include "store/check.h"
#include "store/fault.h"

#include "base/banned.h"

/* What a repairing function needs; each uses some of it. */
struct fix {
    struct check *check;
    int64_t account, mailbox, id, value;
    uint32_t uid;
    const char *name;
    struct mailbox_append append;
};

static bool fix_run(struct check *c, store_fn fn, struct fix *f, struct store_body *body)
{
    f->check = c;
    struct store_call call = {
        .account = f->account, .fn = fn, .arg = f, .body = body, .bulk = true};
    return store_write(c->store, &call) == DONE;
}

static enum outcome fixed(const struct store_tx *tx)
{
    return sql_failed(tx->db) ? TEMPFAIL : DONE;
}

/* The entries that can still be read stay; the rest of the row is given up. */
static enum outcome fix_chunk(struct store_tx *tx, void *arg)
{
    struct fix *f = arg;
    slice data;
    if (!sql_slice(tx->db, tx->arena, &data, "SELECT data FROM entry_chunk WHERE id = ?", "i",
                   f->id))
        return fixed(tx);
    struct chunk *c = chunk_new(0);
    int64_t before = sql_number(tx->db, 0,
                                "SELECT max(o.first) FROM entry_chunk o, entry_chunk e WHERE"
                                " e.id = ? AND o.account = e.account AND o.mailbox = e.mailbox"
                                " AND o.first < e.first",
                                "i", f->id);
    struct chunk_reader r = {.rest = slice_skip(data, 1)};
    while (before == 0 && data.n <= LIMIT_CHUNK && chunk_next(&r) && chunk_add(c, &r.e))
        ;
    if (c->count)
        sql_exec(tx->db,
                 "UPDATE OR REPLACE entry_chunk SET first = ?, modseq = ?, data = ? WHERE id = ?",
                 "iibi", (int64_t)c->first_uid, c->modseq, chunk_bytes(c), f->id);
    else
        sql_exec(tx->db, "DELETE FROM entry_chunk WHERE id = ?", "i", f->id);
    chunk_release(c);
    return fixed(tx);
}

void repair_chunk(struct check *c, int64_t row)
{
    if (c->repair && fix_run(c, fix_chunk, &(struct fix){.id = row}, NULL)) {
        writer_shrink(c->store); /* copies in memory are of the damaged row */
        check_done(c, "chunk %lld: what can be read stays", (long long)row);
    }
}

/* Counts the mailbox anew from its chunks, through the working copy so that memory agrees. */
static enum outcome fix_mailbox(struct store_tx *tx, void *arg)
{
    struct fix *f = arg;
    struct working_account *a = working_account(tx, f->account);
    struct working_mailbox *m = a ? working_mailbox(tx, f->account, f->mailbox, true) : NULL;
    if (!m)
        return TEMPFAIL;
    m->info.count = m->info.unseen = 0;
    m->info.size = 0;
    for (size_t i = 0; i < m->count; i++) {
        m->info.count += m->chunks[i]->count;
        m->info.unseen += m->chunks[i]->unseen;
        m->info.size += m->chunks[i]->size;
        if (m->chunks[i]->modseq > a->modseq)
            a->modseq = m->chunks[i]->modseq;
    }
    if (m->count && m->chunks[m->count - 1]->last.uid >= m->info.uidnext)
        m->info.uidnext = m->chunks[m->count - 1]->last.uid + 1;
    m->info.modseq = working_modseq(tx, a);
    return fixed(tx);
}

void repair_mailbox(struct check *c, int64_t account, int64_t mailbox)
{
    struct fix f = {.account = account, .mailbox = mailbox};
    if (c->repair && fix_run(c, fix_mailbox, &f, NULL))
        check_done(c, "mailbox %lld/%lld: counted anew", (long long)account, (long long)mailbox);
}

static enum outcome fix_account(struct store_tx *tx, void *arg)
{
    struct fix *f = arg;
    struct working_account *a = working_account(tx, f->account);
    if (!a)
        return TEMPFAIL;
    if (!sql_number(tx->db, 0, "SELECT 1 FROM mailbox WHERE account = ? AND mailbox = 1", "i",
                    f->account))
        sql_exec(tx->db,
                 "INSERT INTO mailbox(account, mailbox, name, role, uidvalidity, modseq, created)"
                 " VALUES (?, 1, 'INBOX', 1, ?, ?, ?)",
                 "iiii", f->account, tx->now_ms / SECOND_MS & UINT32_MAX, working_modseq(tx, a),
                 tx->now_ms);
    a->used = sql_number(
        tx->db, 0, "SELECT coalesce(sum(size), 0) FROM mailbox WHERE account = ? AND role <> ?",
        "ii", f->account, (int64_t)ROLE_RECOVERABLE);
    int64_t highest =
        sql_number(tx->db, 0, "SELECT coalesce(max(modseq), 0) FROM mailbox WHERE account = ?", "i",
                   f->account);
    if (a->modseq < highest)
        a->modseq = highest;
    return fixed(tx);
}

void repair_account(struct check *c, int64_t account)
{
    struct fix f = {.account = account};
    if (c->repair && fix_run(c, fix_account, &f, NULL))
        check_done(c, "account %lld: counted anew", (long long)account);
}

static bool drop_uid(void *arg, struct entry *e, uint32_t *n)
{
    const uint32_t *uid = arg;
    uint32_t stay = 0, all = *n;
    for (uint32_t i = 0; i < all; i++)
        if (e[i].uid != *uid)
            e[stay++] = e[i];
    *n = stay;
    return stay < all;
}

/* An entry without a message shows nothing: it goes without a tombstone. */
static enum outcome fix_entry(struct store_tx *tx, void *arg)
{
    struct fix *f = arg;
    struct working_account *a = working_account(tx, f->account);
    struct working_mailbox *m = a ? working_mailbox(tx, f->account, f->mailbox, true) : NULL;
    if (!m)
        return TEMPFAIL;
    uint64_t before = m->info.size;
    working_rewrite(m, f->uid, f->uid, drop_uid, &f->uid);
    m->info.modseq = working_modseq(tx, a);
    a->used -= m->role == ROLE_RECOVERABLE ? 0 : (int64_t)(before - m->info.size);
    change_add(tx, f->account, CHANGE_EMAIL,
               &(struct change){m->info.modseq, f->mailbox, CHANGE_REMOVED,
                                uids_pack(tx->arena, &f->uid, 1)});
    return fixed(tx);
}

void repair_entry(struct check *c, int64_t account, int64_t mailbox, uint32_t uid)
{
    struct fix f = {.account = account, .mailbox = mailbox, .uid = uid};
    if (c->repair && fix_run(c, fix_entry, &f, NULL))
        check_done(c, "mailbox %lld/%lld: uid %u removed", (long long)account, (long long)mailbox,
                   uid);
}

static enum outcome fix_recoverable(struct store_tx *tx, void *arg)
{
    struct fix *f = arg;
    int64_t mailbox = mailbox_by_role(tx->db, f->account, ROLE_RECOVERABLE);
    struct working_account *a = working_account(tx, f->account);
    struct working_mailbox *m = a ? working_mailbox(tx, f->account, mailbox, false) : NULL;
    if (!m)
        return TEMPFAIL;
    sql_exec(tx->db,
             "INSERT INTO tombstone(account, mailbox, modseq, at, data, first, last)"
             " VALUES (?, ?, ?, ?, x'', ?, ?)",
             "iiiiii", f->account, mailbox, a->modseq, tx->now_ms, (int64_t)f->uid,
             (int64_t)m->info.uidnext - 1);
    return fixed(tx);
}

void repair_recoverable(struct check *c, int64_t account, uint32_t first)
{
    struct fix f = {.account = account, .uid = first};
    if (c->repair && fix_run(c, fix_recoverable, &f, NULL))
        check_done(c, "account %lld: what is in Recoverable goes in time", (long long)account);
}

static enum outcome fix_envelope(struct store_tx *tx, void *arg)
{
    struct fix *f = arg;
    sql_exec(tx->db,
             "INSERT OR IGNORE INTO envelope SELECT id, 0, internaldate, zone, x'' FROM message"
             " WHERE id = ?",
             "i", f->id);
    return fixed(tx);
}

void repair_envelope(struct check *c, int64_t message)
{
    struct fix f = {.id = message};
    if (c->repair && fix_run(c, fix_envelope, &f, NULL))
        check_done(c, "message %lld: its envelope is made when it is read", (long long)message);
}

/* ---- into Recovered ---- */

/* A message that lost its entry gets a new one, in its own account. */
static enum outcome fix_unheld(struct store_tx *tx, void *arg)
{
    struct fix *f = arg;
    int64_t mailbox;
    enum outcome o = mailbox_by_name(tx, f->account, S("Recovered"), true, &mailbox);
    struct working_account *a = o == DONE ? working_account(tx, f->account) : NULL;
    struct working_mailbox *m = a ? working_mailbox(tx, f->account, mailbox, false) : NULL;
    if (!m)
        return TEMPFAIL;
    struct entry e = {.uid = m->info.uidnext, .message = f->id, .modseq = working_modseq(tx, a)};
    e.size = (uint64_t)sql_number(tx->db, 0, "SELECT size FROM message WHERE id = ?", "i", f->id);
    sql_exec(tx->db, "UPDATE message SET mailbox = ?, uid = ? WHERE id = ?", "iii", mailbox,
             (int64_t)e.uid, f->id);
    sql_exec(tx->db, "DELETE FROM copy WHERE message = ?", "i", f->id);
    working_append(m, &e);
    a->used += (int64_t)e.size;
    return fixed(tx);
}

static enum outcome fix_drop_message(struct store_tx *tx, void *arg)
{
    struct fix *f = arg;
    sql_exec(tx->db, "DELETE FROM message WHERE id = ?", "i", f->id);
    return fixed(tx);
}

void repair_message_unheld(struct check *c, int64_t account, int64_t message)
{
    struct fix f = {.account = account, .id = message};
    if (!c->repair)
        return;
    bool gone = !sql_number(c->db, 0, "SELECT 1 FROM account WHERE id = ?", "i", account);
    if (gone && fix_run(c, fix_drop_message, &f, NULL))
        check_done(c, "message %lld: its account is gone, so it goes too", (long long)message);
    else if (fix_run(c, fix_unheld, &f, NULL))
        check_done(c, "message %lld: in Recovered of account %lld", (long long)message,
                   (long long)account);
}

static enum outcome fix_holders(struct store_tx *tx, void *arg)
{
    struct fix *f = arg;
    sql_exec(tx->db, "DELETE FROM copy WHERE message = ?", "i", f->id);
    if (f->value > 1)
        sql_exec(tx->db, "INSERT INTO copy VALUES (?, ?)", "ii", f->id, f->value - 1);
    return fixed(tx);
}

void repair_message_holders(struct check *c, int64_t message, int64_t holders)
{
    struct fix f = {.id = message, .value = holders};
    if (c->repair && fix_run(c, fix_holders, &f, NULL))
        check_done(c, "message %lld: counted anew", (long long)message);
}

static enum outcome fix_recover(struct store_tx *tx, void *arg)
{
    struct fix *f = arg;
    struct mailbox_append *m = &f->append;
    m->account = sql_number(tx->db, 0,
                            "SELECT account FROM address WHERE address LIKE 'postmaster@%'"
                            " AND account > 0 ORDER BY account LIMIT 1",
                            "");
    if (!m->account)
        m->account = sql_number(tx->db, 0, "SELECT min(id) FROM account", "");
    if (!m->account)
        return TEMPFAIL;
    enum outcome o = mailbox_by_name(tx, m->account, S("Recovered"), true, &m->mailbox);
    return o == DONE ? mailbox_append(tx, m) : o;
}

void repair_body_unnamed(struct check *c, int64_t body, uint64_t length)
{
    struct fix f = {.append = {.body = body, .body_bytes = length, .internaldate_ms = clock_ms()}};
    if (c->repair && fix_run(c, fix_recover, &f, NULL))
        check_done(c, "body %lld: in Recovered of account %lld", (long long)body,
                   (long long)f.append.account);
}

/* Reads a record's bytes into memory, or behind the reserved header of a fresh file. */
static bool record_copy(int from, uint64_t at, uint64_t length, char *memory, int to)
{
    char piece[16 * 1024];
    for (uint64_t did = 0; did < length;) {
        size_t want = length - did < sizeof(piece) ? (size_t)(length - did) : sizeof(piece);
        struct iovec v = {memory ? memory + did : piece, want};
        ssize_t got = fault_preadv(from, &v, 1, (off_t)(at + BODY_HEADER + did));
        struct iovec out = {piece, got > 0 ? (size_t)got : 0};
        if (got <= 0 || (!memory && fault_pwritev(to, &out, 1, (off_t)(BODY_HEADER + did)) != got))
            return false;
        did += (uint64_t)got;
    }
    return true;
}

bool repair_record(struct check *c, int fd, uint64_t at, const struct body_header *h)
{
    if (!c->repair)
        return false;
    struct arena a = {0};
    bool large = h->length >= LIMIT_OWN_SEGMENT;
    char *memory = large ? NULL : arena_alloc(&a, (size_t)h->length + 1);
    struct store_body body = {.fd = large ? store_tmpfile(c->store) : -1, .date_ms = h->date_ms};
    body.file_bytes = large ? h->length : 0;
    body.pieces[0] = (slice){memory, (size_t)h->length};
    body.piece_count = large ? 0 : 1;
    memcpy(body.sha256, h->sha256, sizeof(body.sha256));
    struct fix f = {.append = {.body_bytes = h->length, .internaldate_ms = h->date_ms}};
    bool good = (!large || body.fd >= 0) && record_copy(fd, at, h->length, memory, body.fd) &&
                fix_run(c, fix_recover, &f, &body);
    if (body.fd >= 0)
        close(body.fd);
    arena_end(&a);
    if (good)
        check_done(c, "a body of %llu bytes: in Recovered of account %lld",
                   (unsigned long long)h->length, (long long)f.append.account);
    return good;
}

/* ---- segments and counters ---- */

static enum outcome fix_live(struct store_tx *tx, void *arg)
{
    struct fix *f = arg;
    sql_exec(tx->db, "UPDATE segment SET live = live + ? WHERE id = ?", "ii", f->value, f->id);
    return fixed(tx);
}

void repair_segment_live(struct check *c, int64_t segment, int64_t more)
{
    struct fix f = {.id = segment, .value = more};
    if (c->repair && fix_run(c, fix_live, &f, NULL))
        check_done(c, "segment %lld: counted anew", (long long)segment);
}

static enum outcome fix_counter(struct store_tx *tx, void *arg)
{
    struct fix *f = arg;
    sql_exec(tx->db, "UPDATE counter SET next = max(next, ?) WHERE name = ?", "it", f->value,
             slice_c(f->name));
    tx->store->writer.working.next_message = 0; /* read again */
    atomic_int_least64_t *body = &tx->store->segments.next_body;
    if (slice_eq(slice_c(f->name), S("body")) && atomic_load(body) < f->value)
        atomic_store(body, f->value);
    return fixed(tx);
}

void repair_counter(struct check *c, const char *name, int64_t next)
{
    struct fix f = {.name = name, .value = next};
    if (c->repair && fix_run(c, fix_counter, &f, NULL))
        check_done(c, "counter %s is %lld", name, (long long)next);
}
