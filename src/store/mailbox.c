/*
 * Mailboxes and what is added to them (tables mailbox, entry_chunk, message, envelope, delivery).
 * How entries change is in entries.c, names of mailboxes in folder.c.
 *
 * Invariants
 *   M1  mailbox.total, unseen, size, uidnext, modseq are the sums over its chunks.
 *   M2  A uid is given once; uidnext never falls.
 *   M5  Mailbox 1 of every account is INBOX.
 *   M6  A delivery id is delivered once for each account.
 */
#include "store/mailbox.h"

#include <assert.h>

#include "base/log.h"
#include "base/clock.h"
#include "message/derive.h"
#include "store/entries.h"
#include "store/internal.h"
#include "base/banned.h"

/* ---- mailboxes ---- */

static const struct {
    const char *name;
    enum mailbox_role role;
} default_mailboxes[] = {
    {"INBOX", ROLE_INBOX},
    {"Drafts", ROLE_DRAFTS},
    {"Sent", ROLE_SENT},
    {"Archive", ROLE_ARCHIVE},
    {"Junk", ROLE_JUNK},
    {"Trash", ROLE_TRASH},
    {"Recoverable", ROLE_RECOVERABLE},
};

enum outcome mailbox_create_defaults(struct store_tx *tx, int64_t account)
{
    int64_t mailbox;
    enum refusal why;
    enum outcome o = DONE;
    for (size_t i = 0; i < sizeof(default_mailboxes) / sizeof(*default_mailboxes) && o == DONE;
         i++) {
        slice name = slice_c(default_mailboxes[i].name);
        enum mailbox_role role = default_mailboxes[i].role;
        o = folder_make(tx, account, name, role, &mailbox, &why);
        if (o == DONE && role != ROLE_RECOVERABLE)
            sql_exec(tx->db, "INSERT OR IGNORE INTO subscription VALUES (?, ?)", "it", account,
                     name);
    }
    return o;
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
        " queue_id, subject, message_id, preview, prefix, thread_keys, bodystructure)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        "iiiiiiiiitttbbb", m->message, m->account, m->body, (int64_t)size, m->internaldate_ms,
        (int64_t)m->zone_minutes, m->mailbox, (int64_t)m->uid, m->queue_id, m->subject,
        m->message_id, m->preview, m->prefix, m->thread_keys, m->bodystructure);
    if (made > 0)
        sql_exec(tx->db, "INSERT OR REPLACE INTO envelope VALUES (?, ?, ?, ?, ?)", "iiiib",
                 m->message, (int64_t)(m->envelope.n ? DERIVE_VERSION : 0), m->internaldate_ms,
                 (int64_t)m->zone_minutes, m->envelope);
    if (made == -1)
        tx->store->writer.working.next_message =
            sql_number(tx->db, 1, "SELECT max(id) + 1 FROM message", "");
    return made > 0;
}

/* The body is one of this call, or has a row already. */
static bool body_resolve(struct store_tx *tx, struct mailbox_append *m)
{
    struct waiter *caller = tx->store->writer.current;
    for (size_t i = 0; i < caller->body_count; i++) {
        if (m->body != 0 && m->body != caller->bodies[i].body->id)
            continue;
        caller->bodies[i].named = true;
        m->body = caller->bodies[i].body->id;
        return true;
    }
    return m->body && sql_number(tx->db, 0, "SELECT 1 FROM body WHERE id = ?", "i", m->body) == 1;
}

static enum outcome append_refuse(struct mailbox_append *m, enum refusal why)
{
    m->why = why;
    return PERMFAIL;
}

enum outcome mailbox_append(struct store_tx *tx, struct mailbox_append *m)
{
    struct working_account *a = working_account(tx, m->account);
    struct working_mailbox *box = a ? working_mailbox(tx, m->account, m->mailbox, false) : NULL;
    m->why = box ? REFUSED_NOT : REFUSED_MISSING;
    if (!box)
        return working_refusal(tx);
    uint64_t size = m->prefix.n + m->body_bytes, flags = m->flags;
    assert(m->prefix.n <= LIMIT_PREFIX);
    m->uid = box->info.uidnext;
    m->uidvalidity = box->info.uidvalidity;
    m->message = working_new_message(tx);
    m->duplicate = false;
    if (box->role == ROLE_RECOVERABLE) /* M7 */
        return append_refuse(m, REFUSED_READ_ONLY);
    if (m->uid == UINT32_MAX)
        return append_refuse(m, REFUSED_LIMIT);
    enum outcome o =
        keyword_bits(tx, m->account, m->keywords, m->keyword_count, true, &flags, &m->why);
    if (o != DONE)
        return o;
    if (!delivery_note(tx, m))
        return sql_failed(tx->db) ? TEMPFAIL : DONE;
    if (a->quota > 0 && size > (uint64_t)(a->quota > a->used ? a->quota - a->used : 0))
        return append_refuse(m, REFUSED_QUOTA);
    if (!body_resolve(tx, m))
        return sql_failed(tx->db) ? TEMPFAIL : PERMFAIL;
    if (!message_insert(tx, m, size))
        return TEMPFAIL;
    working_append(box, &(struct entry){.uid = m->uid,
                                        .message = m->message,
                                        .modseq = working_modseq(tx, a),
                                        .flags = flags,
                                        .size = size});
    a->used += (int64_t)size;
    return sql_failed(tx->db) ? TEMPFAIL : DONE;
}

struct append_all {
    struct mailbox_append *m;
    struct store_body *bodies;
    size_t count;
};

static enum outcome append_all_fn(struct store_tx *tx, void *arg)
{
    struct append_all *x = arg;
    enum outcome o = DONE;
    for (size_t i = 0; i < x->count && o == DONE; i++) {
        x->m[i].body = x->bodies[i].id;
        o = mailbox_append(tx, &x->m[i]);
    }
    return o;
}

enum outcome mailbox_append_all(struct store *s, struct mailbox_append *m,
                                struct store_body *bodies, size_t count)
{
    struct append_all x = {m, bodies, count};
    assert(count > 0);
    for (size_t i = 0; i < count; i++)
        bodies[i].next = i + 1 < count ? &bodies[i + 1] : NULL;
    struct store_call call = {
        .account = m->account, .fn = append_all_fn, .arg = &x, .body = bodies};
    return store_write(s, &call);
}

void mailbox_trace(int64_t queue_id, int64_t mailbox, uint32_t uid)
{
    trace_stop(STOP_MAILBOX, queue_id, "mailbox=%lld uid=%u", (long long)mailbox, uid);
}
