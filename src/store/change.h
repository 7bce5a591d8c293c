/*
 * The change log: what happened to an account since a modseq.  CONDSTORE, QRESYNC (RFC 7162),
 * JMAP /changes and push read it.
 */
#ifndef STORE_CHANGE_H
#define STORE_CHANGE_H

#include "store/view.h"

enum change_type { CHANGE_EMAIL = 1, CHANGE_MAILBOX };
enum change_kind { CHANGE_ADDED = 1, CHANGE_UPDATED, CHANGE_REMOVED };

struct change {
    int64_t modseq, mailbox;
    enum change_kind kind;
    slice uids; /* packed; "" for a mailbox */
};

/* Packs ascending uids; or ascending ranges that do not touch. */
slice uids_pack(struct arena *a, const uint32_t *uids, size_t count);
slice uid_ranges_pack(struct arena *a, const struct uid_range *ranges, size_t count);
/* The next range of a packed set, taken from its front; false at the end or when it is broken. */
bool uids_next(slice *packed, uint32_t *from, uint32_t *to, uint32_t *before);

void change_add(struct store_tx *tx, int64_t account, enum change_type type,
                const struct change *change);
/* Entries [from, to] were added to a mailbox. */
void change_added(struct store_tx *tx, int64_t account, int64_t modseq, int64_t mailbox,
                  uint32_t from, uint32_t to);

/*
 * Calls fn for each change above since, oldest first.  False when the log does not reach back that
 * far: compare everything instead.
 */
bool changes_since(struct db *db, int64_t account, enum change_type type, int64_t since,
                   void (*fn)(void *arg, const struct change *change), void *arg);

/*
 * The uids among known (ascending; count 0: all) that have left the mailbox between modseq since
 * and the view (RFC 7162 3.2.5, 3.2.6), ascending in the arena.  When the log does not reach back
 * that far: all of known that are not in the view.  False: the store could not be read.
 */
bool view_vanished(struct store *s, struct arena *a, const struct view *v, int64_t since,
                   const struct uid_range *known, size_t known_count, struct uid_range **out,
                   size_t *count);

#endif
