/*
 * One mailbox as POP3 sees it: the view taken at login gives the numbers, the marks are bits, and
 * QUIT turns them into one transaction.
 */
#include "pop3/maildrop.h"

#include "base/banned.h"

enum maildrop_opening maildrop_open(struct maildrop *d, struct store *store, int64_t account)
{
    struct db *db = store_read(store);
    int64_t mailbox = mailbox_by_role(db, account, ROLE_INBOX);
    store_read_end(store, db);
    if (!mailbox)
        return MAILDROP_TEMPFAIL;
    if (!mailbox_lock(store, account, mailbox))
        return MAILDROP_IN_USE;
    *d = (struct maildrop){.store = store, .account = account, .mailbox = mailbox};
    d->view = view_open(store, account, mailbox);
    if (!d->view) {
        mailbox_unlock(store, account, mailbox);
        return MAILDROP_TEMPFAIL;
    }
    d->info = view_info(d->view);
    return MAILDROP_OPEN;
}

void maildrop_close(struct maildrop *d)
{
    if (!d->view)
        return;
    view_release(d->view);
    mailbox_unlock(d->store, d->account, d->mailbox);
    arena_end(&d->arena);
    arena_end(&d->ahead);
    *d = (struct maildrop){0};
}

bool maildrop_is_deleted(const struct maildrop *d, uint32_t position)
{
    return d->deleted && d->deleted[position / 8] & 1u << position % 8;
}

bool maildrop_entry(struct maildrop *d, uint32_t position, struct entry *e)
{
    if (position >= d->info.count || maildrop_is_deleted(d, position))
        return false;
    if (position - d->entry_from >= d->entry_count) {
        d->entry_from = position;
        d->entry_count = view_list(d->view, position, d->entries, MESSAGE_LIST);
    }
    if (d->entry_count == 0)
        return false;
    *e = d->entries[position - d->entry_from];
    return true;
}

bool maildrop_message(struct maildrop *d, uint32_t position, struct message *m)
{
    if (position - d->message_from >= d->message_count) {
        int64_t ids[MESSAGE_LIST];
        uint32_t first = position - d->entry_from;
        uint32_t n = position == d->expected ? d->entry_count - first : 1;
        for (uint32_t i = 0; i < n; i++)
            ids[i] = d->entries[first + i].message;
        arena_reset(&d->ahead);
        d->messages = arena_array(&d->ahead, MESSAGE_LIST, sizeof(*d->messages));
        d->message_from = position;
        d->message_count = n;
        message_open_list(d->store, &d->ahead, d->account, ids, n, d->messages);
    }
    d->expected = position + 1;
    *m = d->messages[position - d->message_from];
    if (m->id == 0)
        d->message_count = 0; /* the next try reads again */
    return m->id != 0;
}

bool maildrop_is_gone(const struct maildrop *d, const struct entry *e)
{
    struct view *now = view_open(d->store, d->account, d->mailbox);
    struct entry found;
    bool gone = false;
    if (now && view_info(now).modseq != d->info.modseq)
        gone = !view_at(now, view_seek(now, e->uid), &found) || found.uid != e->uid;
    if (now)
        view_release(now);
    return gone || !now;
}

void maildrop_delete(struct maildrop *d, uint32_t position, const struct entry *e)
{
    if (!d->deleted)
        d->deleted = arena_alloc(&d->arena, d->info.count / 8 + 1);
    d->deleted[position / 8] |= (unsigned char)(1u << position % 8);
    d->deleted_count++;
    d->deleted_bytes += e->size;
}

void maildrop_undelete_all(struct maildrop *d)
{
    arena_end(&d->arena);
    d->deleted = NULL;
    d->deleted_count = 0;
    d->deleted_bytes = 0;
}

/* ---- update ---- */

struct removal {
    int64_t account, mailbox;
    uint32_t *uids;
    size_t count;
};

static enum outcome remove_all(struct store_tx *tx, void *arg)
{
    struct removal *r = arg;
    size_t expunged;
    return mailbox_expunge(tx, r->account, r->mailbox, r->uids, r->count, &expunged);
}

enum outcome maildrop_update(struct maildrop *d)
{
    if (d->deleted_count == 0)
        return DONE;
    struct removal r = {.account = d->account, .mailbox = d->mailbox};
    struct entry e;
    r.uids = arena_array(&d->arena, d->deleted_count, sizeof(*r.uids));
    for (uint32_t i = 0; i < d->info.count; i++)
        if (maildrop_is_deleted(d, i) && view_at(d->view, i, &e))
            r.uids[r.count++] = e.uid;
    return store_write(
        d->store, &(struct store_call){
                      .account = d->account, .fn = remove_all, .arg = &r, .bulk = r.count > 1000});
}
