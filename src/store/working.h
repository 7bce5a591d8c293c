/*
 * The writer's copy of what a batch touches: accounts and mailboxes.  Calls change it in memory;
 * the rows are written once, at the end of the batch.  Only the writer's thread comes here.
 */
#ifndef STORE_WORKING_H
#define STORE_WORKING_H

#include "base/map.h"
#include "store/chunk.h"

/* The key of a mailbox in a map. */
struct mailbox_key {
    int64_t account, mailbox;
};
slice mailbox_key_slice(const struct mailbox_key *k);

struct working_account {
    int64_t id;
    int64_t modseq, used;
    int64_t quota; /* as of directory_version */
    bool exists;
    uint64_t directory_version;
    bool in_batch;
    struct working_account *next, *next_touched; /* in the batch; by the running call */
    uint64_t call;                               /* the last one that touched it */
    int64_t undo_modseq, undo_used;
};

struct working_mailbox {
    int64_t account, mailbox, row;
    enum mailbox_role role;
    bool dead; /* deleted in this batch: its row is gone, the copy goes with the commit */
    struct view_info info, before; /* now; when the batch began */
    struct chunk **chunks;         /* all, or only from the last committed one on */
    size_t count, size;
    bool whole;
    int64_t added_modseq; /* of the last append in this batch */
    int64_t *gone;        /* rows of chunks this batch removed */
    size_t gone_count, gone_size;
    bool in_batch;
    struct working_mailbox *next, *next_touched;
    uint64_t call;
    struct { /* to go back to where the call began */
        struct view_info info;
        struct chunk **chunks; /* all of them once the call rewrites, else only the last one */
        size_t count, gone_count;
        bool whole, dead;
        int64_t added_modseq;
    } undo;
};

struct working {
    bool damaged; /* the call met a chunk that cannot be read */
    struct map accounts, mailboxes;
    struct working_account *batch_accounts;
    struct working_mailbox *batch_mailboxes;
    struct working_account *touched_accounts;
    struct working_mailbox *touched_mailboxes;
    uint64_t call;              /* number of the running call */
    uint64_t directory_version; /* rises when an account row changed behind our back */
    int64_t next_message;       /* 0: not read yet */
    bool message_counted;       /* next_message differs from its row */
    /* Watched mailboxes of the batch just kept, in the batch's arena. */
    struct mailbox_key *changed;
    size_t changed_count, changed_size;
};

/* After a NULL: TEMPFAIL when the engine failed or a row is damaged, PERMFAIL when there is none.
 */
enum outcome working_refusal(struct store_tx *tx);
/* NULL: no such account, or a failure. */
struct working_account *working_account(struct store_tx *tx, int64_t account);
/* A new modseq of the account: one for each call that asks, the same within it. */
int64_t working_modseq(struct store_tx *tx, struct working_account *a);
/* NULL: no such mailbox, or a failure.  whole: with all chunks, else only what appending needs. */
struct working_mailbox *working_mailbox(struct store_tx *tx, int64_t account, int64_t mailbox,
                                        bool whole);
/* Adds an entry at the end. */
void working_append(struct working_mailbox *m, const struct entry *e);
/*
 * Rewrites the chunks that hold uids in [from, to], some of whose entries may lie outside: fn
 * changes the *n entries of one in place, leaves the first *n to stay, and says whether anything is
 * different now.  The mailbox is whole.
 */
void working_rewrite(struct working_mailbox *m, uint32_t from, uint32_t to,
                     bool (*fn)(void *arg, struct entry *e, uint32_t *n), void *arg);
/* Calls fn with all entries whose uid is in [from, to], some at a time, in order.  The mailbox is
 * whole. */
void working_each(const struct working_mailbox *m, uint32_t from, uint32_t to,
                  void (*fn)(void *arg, const struct entry *e, uint32_t n), void *arg);
/* The mailbox, emptied before, is no more: the caller has deleted its row. */
void working_delete(struct working_mailbox *m);
int64_t working_new_message(struct store_tx *tx);

/* A call begins; its changes are taken back. */
void working_call(struct working *w);
void working_undo(struct working *w);
/* Writes the batch's rows. */
void working_flush(struct store_tx *tx);
/* After COMMIT: publishes views; the memory is now what the database holds. */
void working_keep(struct store_tx *tx);
/* After ROLLBACK: forgets everything the batch touched. */
void working_forget(struct working *w);
/* Forgets all; between batches. */
void working_end(struct working *w);
/* Notes that rows of account changed by SQL of others. */
void working_directory_changed(void *arg);

#endif
