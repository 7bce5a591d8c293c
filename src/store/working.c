/*
 * Working copies: accounts, calls and batches.  A copy is made when a batch first touches an
 * account or mailbox, and kept for the next batch; what a call did to it can be taken back, as its
 * savepoint is.
 *
 *   working_mailbox.c   one mailbox's copy
 *   working_rewrite.c   its entries changed, chunk by chunk
 *
 * Invariants
 *   W1  Between batches a copy equals the committed rows.
 *   W2  A call that is rolled back leaves every copy as it found it.
 *   W3  The last chunk of a copy is the mailbox's last chunk; a whole copy has all of them.
 *   W4  A batch writes each touched row once, at its end; until then the rows are the committed
 *       ones.
 *   W5  A modseq is given to one call only; it is higher than every one before in that account.
 *   W6  A deleted mailbox is no more from its call on; its copy goes with the commit.
 */
#include "store/working.h"

#include <assert.h>

#include "base/log.h"
#include "store/internal.h"
#include "store/working_mailbox.h"
#include "base/banned.h"

/* ---- accounts ---- */

static void account_load(struct store_tx *tx, struct working_account *a)
{
    struct sql *q =
        sql_query(tx->db, "SELECT quota, used, modseq FROM account WHERE id = ?", "i", a->id);
    a->exists = sql_row(q);
    a->quota = sql_int(q, 0);
    if (!a->in_batch) { /* else the copy is newer than the row (W4) */
        a->used = sql_int(q, 1);
        a->modseq = sql_int(q, 2);
    }
    sql_end(q);
    a->directory_version = working_of(tx)->directory_version;
}

struct working_account *working_account(struct store_tx *tx, int64_t account)
{
    struct working *w = working_of(tx);
    slice key = {(const char *)&account, sizeof(account)};
    struct working_account *a = map_get(&w->accounts, key);
    if (!a) {
        a = mem_alloc(sizeof(*a));
        *a = (struct working_account){.id = account};
        map_set(&w->accounts, key, a);
    }
    if (!a->exists || a->directory_version != w->directory_version)
        account_load(tx, a);
    if (!a->exists || sql_failed(tx->db))
        return NULL;
    if (a->call != w->call) {
        a->call = w->call;
        a->next_touched = w->touched_accounts;
        w->touched_accounts = a;
        a->undo_modseq = a->modseq;
        a->undo_used = a->used;
    }
    if (!a->in_batch) {
        a->in_batch = true;
        a->next = w->batch_accounts;
        w->batch_accounts = a;
    }
    return a;
}

int64_t working_modseq(struct store_tx *tx, struct working_account *a)
{
    assert(a->call == working_of(tx)->call);
    if (a->modseq == a->undo_modseq)
        a->modseq++;
    return a->modseq;
}

int64_t working_new_message(struct store_tx *tx)
{
    struct working *w = working_of(tx);
    if (!w->next_message)
        w->next_message =
            sql_number(tx->db, 1, "SELECT next FROM counter WHERE name = 'message'", "");
    w->message_counted = true;
    return w->next_message++;
}

enum outcome working_refusal(struct store_tx *tx)
{
    if (working_of(tx)->damaged)
        log_event(LEVEL_ERROR, "store.damaged", "what=\"a chunk of entries\" do=\"yizhan check\"");
    return sql_failed(tx->db) || working_of(tx)->damaged ? TEMPFAIL : PERMFAIL;
}

/* ---- calls and batches ---- */

void working_call(struct working *w)
{
    for (struct working_mailbox *m = w->touched_mailboxes; m; m = m->next_touched)
        working_mailbox_settle(m);
    w->touched_mailboxes = NULL;
    w->touched_accounts = NULL;
    w->damaged = false;
    w->call++;
}

void working_undo(struct working *w)
{
    for (struct working_mailbox *m = w->touched_mailboxes; m; m = m->next_touched)
        working_mailbox_undo(m);
    for (struct working_account *a = w->touched_accounts; a; a = a->next_touched) {
        a->modseq = a->undo_modseq;
        a->used = a->undo_used;
    }
    w->directory_version++; /* the savepoint may have held changes of account rows */
}

void working_flush(struct store_tx *tx)
{
    struct working *w = working_of(tx);
    for (struct working_mailbox *m = w->batch_mailboxes; m; m = m->next)
        working_mailbox_flush(tx, m);
    uint64_t version = w->directory_version; /* our own updates are no news */
    for (struct working_account *a = w->batch_accounts; a; a = a->next)
        sql_exec(tx->db, "UPDATE account SET modseq = ?, used = ? WHERE id = ?", "iii", a->modseq,
                 a->used, a->id);
    w->directory_version = version;
    if (w->message_counted)
        sql_exec(tx->db, "UPDATE counter SET next = max(next, ?) WHERE name = 'message'", "i",
                 w->next_message);
}

static void mailbox_drop(struct working *w, struct working_mailbox *m)
{
    struct mailbox_key k = {m->account, m->mailbox};
    map_remove(&w->mailboxes, mailbox_key_slice(&k));
    working_mailbox_free(m);
}

void working_keep(struct store_tx *tx)
{
    struct working *w = working_of(tx);
    working_call(w);
    w->changed = NULL;
    w->changed_count = w->changed_size = 0;
    for (struct working_mailbox *m = w->batch_mailboxes, *next; m; m = next) {
        next = m->next;
        for (size_t i = 0; i < m->count; i++)
            m->chunks[i]->dirty = false;
        if (memcmp(&m->info, &m->before, sizeof(m->info)) != 0 && view_publish(tx->store, m)) {
            w->changed = arena_grow(tx->arena, w->changed, w->changed_count, &w->changed_size,
                                    sizeof(*w->changed));
            w->changed[w->changed_count++] = (struct mailbox_key){m->account, m->mailbox};
        }
        working_mailbox_trim(m);
        m->gone_count = 0;
        m->added_modseq = 0;
        m->in_batch = false;
        if (m->dead)
            mailbox_drop(w, m);
    }
    for (struct working_account *a = w->batch_accounts; a; a = a->next)
        a->in_batch = false;
    w->batch_mailboxes = NULL;
    w->batch_accounts = NULL;
    w->message_counted = false;
    if (w->mailboxes.count > LIMIT_MAILBOX_CACHE || w->accounts.count > LIMIT_ACCOUNT_CACHE)
        working_end(w);
}

void working_forget(struct working *w)
{
    working_call(w);
    for (struct working_mailbox *m = w->batch_mailboxes, *next; m; m = next) {
        next = m->next;
        mailbox_drop(w, m);
    }
    for (struct working_account *a = w->batch_accounts, *next; a; a = next) {
        next = a->next;
        map_remove(&w->accounts, (slice){(const char *)&a->id, sizeof(a->id)});
        mem_free(a);
    }
    w->batch_mailboxes = NULL;
    w->batch_accounts = NULL;
    w->next_message = 0;
    w->message_counted = false;
}

void working_end(struct working *w)
{
    slice key;
    void *value;
    assert(!w->batch_mailboxes && !w->batch_accounts);
    for (size_t at = 0; map_next(&w->mailboxes, &at, &key, &value);)
        working_mailbox_free(value);
    for (size_t at = 0; map_next(&w->accounts, &at, &key, &value);)
        mem_free(value);
    map_end(&w->mailboxes);
    map_end(&w->accounts);
    w->next_message = 0;
}

void working_directory_changed(void *arg)
{
    struct working *w = arg;
    w->directory_version++;
}
