/*
 * What differs between two views of a mailbox, in uid order.  Chunks both share are stepped over
 * without a look, so a commit that touched little costs little.
 */
#ifndef STORE_VIEW_DIFF_H
#define STORE_VIEW_DIFF_H

#include "store/chunk.h"

/* One side: the next entry not yet taken. */
struct view_cursor {
    struct chunk *const *chunks;
    size_t count, chunk;
    struct chunk_reader reader;
    bool fresh;        /* nothing of the chunk was read yet */
    bool has;          /* e holds the next entry */
    uint32_t position; /* of that entry, or of the chunk's first when fresh */
    struct entry e;
};

struct view_diff {
    struct view_cursor was, is;
    bool only_gone; /* the rest is not asked for */
};

enum view_change { VIEW_GONE, VIEW_CHANGED, VIEW_ADDED };

struct view_difference {
    enum view_change what;
    struct entry was, is; /* GONE has no is, ADDED no was */
    uint32_t position;    /* in the older view when GONE, else in the newer */
};

/* From the first entry whose uid is >= uid on; the caller holds both views meanwhile. */
void view_diff_start(struct view_diff *d, const struct view *was, const struct view *is,
                     uint32_t uid);
/* The next entry that is gone, alone: chunks with the same uids are stepped over, too. */
bool view_diff_next_gone(struct view_diff *d, struct view_difference *out);
/* The next difference; an entry is CHANGED when its flags or its modseq differ. */
bool view_diff_next(struct view_diff *d, struct view_difference *out);

#endif
