/* Changing entries inside a transaction, for the files of this folder. */
#ifndef STORE_ENTRIES_H
#define STORE_ENTRIES_H

#include "store/working.h"

/* Where entries go when they leave. */
enum burial {
    BURIAL_RECOVERABLE, /* the mailbox */
    BURIAL_HIDDEN,      /* a tombstone nobody sees: recalled */
    BURIAL_EXPIRED,     /* the same, and retention has passed: out of Recoverable, by the purger */
};

/* uids NULL: all. out: may be NULL, else room for count uids (that many entries for all). */
struct burying {
    int64_t account, mailbox;
    const uint32_t *uids;
    size_t count;
    enum burial how;
    bool only_deleted;
    uint32_t *out;
    size_t done;
    int64_t modseq;
    enum refusal why;
};
enum outcome entries_bury(struct store_tx *tx, struct burying *b);

/* As mailbox_change_flags(), with what it finds in x->arena. */
enum outcome entries_flag(struct store_tx *tx, struct flags_change *x);

/* As mailbox_transfer() of t->uids (NULL: all) in one piece; pairs are added at t->done, if there
 * is room for them. */
enum outcome entries_transfer(struct store_tx *tx, struct transfer *t);

/* Bits of keywords by name, added to *flags; create: new ones get a bit. */
enum outcome keyword_bits(struct store_tx *tx, int64_t account, const slice *names, size_t count,
                          bool create, uint64_t *flags, enum refusal *why);

/* Makes a mailbox of a canonical name that is not there; parents are the caller's business. */
enum outcome folder_make(struct store_tx *tx, int64_t account, slice name, enum mailbox_role role,
                         int64_t *mailbox, enum refusal *why);

#endif
