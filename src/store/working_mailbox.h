/* One mailbox's working copy, for the three files working*.c. */
#ifndef STORE_WORKING_MAILBOX_H
#define STORE_WORKING_MAILBOX_H

#include "store/internal.h"

static inline struct working *working_of(const struct store_tx *tx)
{
    return &tx->store->writer.working;
}

/* Before a rewrite: remembers all chunks as the call found them. */
void working_mailbox_note_whole(struct working_mailbox *m);
/* Goes back to where the call began; or forgets where that was. */
void working_mailbox_undo(struct working_mailbox *m);
void working_mailbox_settle(struct working_mailbox *m);
/* Writes its rows. */
void working_mailbox_flush(struct store_tx *tx, struct working_mailbox *m);
/* Keeps the last chunk alone: all that the next append needs. */
void working_mailbox_trim(struct working_mailbox *m);
void working_mailbox_free(struct working_mailbox *m);

/* Lets go of each. */
void chunks_release(struct chunk **chunks, size_t count);

#endif
