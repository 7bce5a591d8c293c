/*
 * Mailboxes and the entries in them (tables mailbox, entry_chunk, tombstone).
 *
 *   tombstone.data   a chunk (chunk.c) of the entries that left in one operation, with the
 *                    operation's modseq
 *
 * Invariants
 *   M1  mailbox.total, unseen, size, uidnext, modseq are the sums over its chunks.
 *   M2  A uid is given once; uidnext never falls.
 *   M3  An entry leaves only by becoming a tombstone; its message stays.
 *   M4  account.used is the sum of the sizes of its entries.
 *   M5  Mailbox 1 of every account is INBOX.
 *   M6  A delivery id is delivered once for each account.
 */
#include "store/mailbox.h"

#include <assert.h>

#include "base/log.h"
#include "base/clock.h"
#include "store/change.h"
#include "store/internal.h"
#include "base/banned.h"

/* ---- mailboxes ---- */

static const struct {
    const char *name;
    enum mailbox_role role;
} default_mailboxes[] = {
    {"INBOX", ROLE_INBOX},     {"Drafts", ROLE_DRAFTS}, {"Sent", ROLE_SENT},
    {"Archive", ROLE_ARCHIVE}, {"Junk", ROLE_JUNK},     {"Trash", ROLE_TRASH},
};

static enum outcome mailbox_create(struct store_tx *tx, int64_t account, slice name,
                                   enum mailbox_role role, int64_t *mailbox)
{
    struct working_account *a = working_account(tx, account);
    if (!a)
        return working_refusal(tx);
    *mailbox = sql_number(tx->db, 0,
                          "UPDATE account SET next_mailbox = next_mailbox + 1 WHERE id = ?"
                          " RETURNING next_mailbox - 1",
                          "i", account);
    int64_t modseq = working_modseq(tx, a);
    int made = sql_exec(tx->db,
                        "INSERT INTO mailbox(account, mailbox, name, role, uidvalidity, modseq,"
                        " created) VALUES (?, ?, ?, ?, ?, ?, ?)",
                        "iitiiii", account, *mailbox, name, (int64_t)role,
                        tx->now_ms / SECOND_MS & UINT32_MAX, modseq, tx->now_ms);
    change_add(tx, account, CHANGE_MAILBOX,
               &(struct change){.modseq = modseq, .mailbox = *mailbox, .kind = CHANGE_ADDED});
    return sql_failed(tx->db) ? TEMPFAIL : made < 0 ? PERMFAIL : DONE;
}

enum outcome mailbox_create_defaults(struct store_tx *tx, int64_t account)
{
    int64_t mailbox;
    enum outcome o = DONE;
    for (size_t i = 0; i < sizeof(default_mailboxes) / sizeof(*default_mailboxes) && o == DONE; i++)
        o = mailbox_create(tx, account, slice_c(default_mailboxes[i].name),
                           default_mailboxes[i].role, &mailbox);
    return o;
}

/* A path of non-empty names between "/", without control characters. */
static bool name_is_good(slice name)
{
    if (!name.n || name.n > LIMIT_MAILBOX_NAME || !slice_is_utf8(name))
        return false;
    for (size_t i = 0; i < name.n; i++)
        if ((unsigned char)name.p[i] < ' ' || name.p[i] == 0x7f ||
            (name.p[i] == '/' && (i == 0 || i + 1 == name.n || name.p[i + 1] == '/')))
            return false;
    return true;
}

enum outcome mailbox_by_name(struct store_tx *tx, int64_t account, slice name, bool create,
                             int64_t *mailbox)
{
    if (slice_eq_icase(name, S("INBOX"))) /* RFC 9051 5.1: in any case */
        name = S("INBOX");
    *mailbox = sql_number(tx->db, 0, "SELECT mailbox FROM mailbox WHERE account = ? AND name = ?",
                          "it", account, name);
    if (sql_failed(tx->db))
        return TEMPFAIL;
    if (*mailbox || !create)
        return DONE;
    int64_t have =
        sql_number(tx->db, 0, "SELECT count(*) FROM mailbox WHERE account = ?", "i", account);
    if (!name_is_good(name) || have >= LIMIT_MAILBOXES)
        return PERMFAIL;
    return mailbox_create(tx, account, name, ROLE_NONE, mailbox);
}

int64_t mailbox_by_role(struct db *db, int64_t account, enum mailbox_role role)
{
    if (role == ROLE_INBOX)
        return MAILBOX_INBOX;
    return sql_number(db, 0,
                      "SELECT mailbox FROM mailbox WHERE account = ? AND role = ? ORDER BY mailbox",
                      "ii", account, (int64_t)role);
}

/* ---- appending ---- */

/* Notes the delivery; false when it was there already (M6). */
static bool delivery_note(struct store_tx *tx, struct mailbox_append *m)
{
    if (!m->delivery_id.n)
        return true;
    if (sql_exec(tx->db,
                 "INSERT INTO delivery(account, delivery_id, message, mailbox, uid, at)"
                 " VALUES (?, ?, ?, ?, ?, ?)",
                 "ibiiii", m->account, m->delivery_id, m->message, m->mailbox, (int64_t)m->uid,
                 tx->now_ms) != -1)
        return true;
    struct sql *q = sql_query(tx->db,
                              "SELECT message, uid, mailbox FROM delivery WHERE account = ? AND"
                              " delivery_id = ?",
                              "ib", m->account, m->delivery_id);
    if (sql_row(q)) {
        m->message = sql_int(q, 0);
        m->uid = (uint32_t)sql_int(q, 1);
        m->mailbox = sql_int(q, 2);
    }
    sql_end(q);
    m->duplicate = true;
    return false;
}

/* False when the id was taken: the counter was behind its rows. */
static bool message_insert(struct store_tx *tx, const struct mailbox_append *m, uint64_t size)
{
    int made = sql_exec(
        tx->db,
        "INSERT INTO message(id, account, body, size, internaldate, zone, mailbox, uid,"
        " queue_id, subject, message_id, preview, prefix, thread_keys, envelope,"
        " bodystructure) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        "iiiiiiiiitttbbbb", m->message, m->account, m->body, (int64_t)size, m->internaldate_ms,
        (int64_t)m->zone_minutes, m->mailbox, (int64_t)m->uid, m->queue_id, m->subject,
        m->message_id, m->preview, m->prefix, m->thread_keys, m->envelope, m->bodystructure);
    if (made == -1)
        tx->store->writer.working.next_message =
            sql_number(tx->db, 1, "SELECT max(id) + 1 FROM message", "");
    return made > 0;
}

/* The body is that of this call, or has a row already. */
static bool body_resolve(struct store_tx *tx, struct mailbox_append *m)
{
    struct waiter *caller = tx->store->writer.current;
    int64_t mine = caller->call->body ? caller->call->body->id : 0;
    if (mine && (m->body == 0 || m->body == mine)) {
        caller->body.named = true;
        m->body = mine;
        return true;
    }
    return sql_number(tx->db, 0, "SELECT 1 FROM body WHERE id = ?", "i", m->body) == 1;
}

enum outcome mailbox_append(struct store_tx *tx, struct mailbox_append *m)
{
    struct working_account *a = working_account(tx, m->account);
    struct working_mailbox *box = a ? working_mailbox(tx, m->account, m->mailbox, false) : NULL;
    if (!box)
        return working_refusal(tx);
    uint64_t size = m->prefix.n + m->body_bytes;
    assert(m->prefix.n <= LIMIT_PREFIX);
    m->uid = box->info.uidnext;
    m->message = working_new_message(tx);
    m->duplicate = false;
    if (m->uid == UINT32_MAX)
        return PERMFAIL;
    if (!delivery_note(tx, m))
        return sql_failed(tx->db) ? TEMPFAIL : DONE;
    if (a->quota > 0 && size > (uint64_t)(a->quota > a->used ? a->quota - a->used : 0))
        return PERMFAIL;
    if (!body_resolve(tx, m))
        return sql_failed(tx->db) ? TEMPFAIL : PERMFAIL;
    if (!message_insert(tx, m, size))
        return TEMPFAIL;
    working_append(box, &(struct entry){.uid = m->uid,
                                        .message = m->message,
                                        .modseq = working_modseq(tx, a),
                                        .flags = m->flags,
                                        .size = size});
    a->used += (int64_t)size;
    return sql_failed(tx->db) ? TEMPFAIL : DONE;
}

/* ---- changing entries ---- */

/* What a rewrite of some uids needs. */
struct entries {
    struct store_tx *tx;
    struct working_mailbox *box;
    const uint32_t *uids;
    size_t count, at;
    int64_t modseq;
    uint64_t add, remove;    /* flags */
    struct chunk *tombstone; /* being filled */
    uint32_t *done;          /* uids that were there (and changed) */
    size_t done_count;
    uint64_t bytes;
};

/* Whether the entry is one of the uids; entries come in order of uid. */
static bool entries_hit(struct entries *x, const struct entry *e)
{
    while (x->at < x->count && x->uids[x->at] < e->uid)
        x->at++;
    return x->at < x->count && x->uids[x->at] == e->uid;
}

static enum outcome entries_begin(struct entries *x, struct store_tx *tx, int64_t account,
                                  int64_t mailbox, const uint32_t *uids, size_t count,
                                  struct working_account **a)
{
    *x = (struct entries){.tx = tx, .uids = uids, .count = count};
    *a = working_account(tx, account);
    x->box = *a ? working_mailbox(tx, account, mailbox, true) : NULL;
    if (!x->box)
        return working_refusal(tx);
    x->done = arena_array(tx->arena, count + 1, sizeof(*x->done));
    x->modseq = (*a)->modseq + ((*a)->modseq == (*a)->undo_modseq);
    return DONE;
}

/* The change-log row, and the mailbox's modseq. */
static void entries_log(struct entries *x, struct working_account *a, enum change_kind kind)
{
    int64_t modseq = working_modseq(x->tx, a);
    assert(modseq == x->modseq);
    x->box->info.modseq = modseq;
    change_add(x->tx, a->id, CHANGE_EMAIL,
               &(struct change){modseq, x->box->mailbox, kind,
                                uids_pack(x->tx->arena, x->done, x->done_count)});
}

static void tombstone_insert(struct entries *x)
{
    if (!x->tombstone)
        return;
    sql_exec(x->tx->db,
             "INSERT INTO tombstone(account, mailbox, modseq, at, data) VALUES (?, ?, ?, ?, ?)",
             "iiiib", x->box->account, x->box->mailbox, x->modseq, x->tx->now_ms,
             chunk_bytes(x->tombstone));
    chunk_release(x->tombstone);
    x->tombstone = NULL;
}

static bool entry_bury(void *arg, struct entry *e)
{
    struct entries *x = arg;
    if (!entries_hit(x, e))
        return true;
    struct entry buried = *e;
    buried.modseq = x->modseq;
    if (x->tombstone && !chunk_add(x->tombstone, &buried))
        tombstone_insert(x);
    if (!x->tombstone) {
        x->tombstone = chunk_new(0);
        chunk_add(x->tombstone, &buried);
    }
    x->done[x->done_count++] = e->uid;
    x->bytes += e->size;
    return false;
}

enum outcome mailbox_expunge(struct store_tx *tx, int64_t account, int64_t mailbox,
                             const uint32_t *uids, size_t count, size_t *expunged)
{
    struct entries x;
    struct working_account *a;
    *expunged = 0;
    enum outcome o = entries_begin(&x, tx, account, mailbox, uids, count, &a);
    if (o != DONE || !count)
        return o;
    working_rewrite(x.box, uids[0], uids[count - 1], entry_bury, &x);
    tombstone_insert(&x);
    if (x.done_count)
        entries_log(&x, a, CHANGE_REMOVED);
    a->used -= (int64_t)x.bytes;
    *expunged = x.done_count;
    return sql_failed(tx->db) ? TEMPFAIL : DONE;
}

static bool entry_flag(void *arg, struct entry *e)
{
    struct entries *x = arg;
    uint64_t flags = (e->flags | x->add) & ~x->remove;
    if (!entries_hit(x, e) || flags == e->flags)
        return true;
    e->flags = flags;
    e->modseq = x->modseq;
    x->done[x->done_count++] = e->uid;
    return true;
}

enum outcome mailbox_flags(struct store_tx *tx, int64_t account, int64_t mailbox,
                           const uint32_t *uids, size_t count, uint64_t add, uint64_t remove,
                           size_t *changed)
{
    struct entries x;
    struct working_account *a;
    *changed = 0;
    enum outcome o = entries_begin(&x, tx, account, mailbox, uids, count, &a);
    if (o != DONE || !count)
        return o;
    x.add = add;
    x.remove = remove;
    working_rewrite(x.box, uids[0], uids[count - 1], entry_flag, &x);
    if (x.done_count)
        entries_log(&x, a, CHANGE_UPDATED);
    *changed = x.done_count;
    return sql_failed(tx->db) ? TEMPFAIL : DONE;
}

void mailbox_trace(int64_t queue_id, int64_t mailbox, uint32_t uid)
{
    trace_stop(STOP_MAILBOX, queue_id, "mailbox=%lld uid=%u", (long long)mailbox, uid);
}
