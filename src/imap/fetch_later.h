/*
 * Whole messages whose bytes come a little later: their place in the answer is kept free until some
 * are together, since neighbours in a mailbox mostly lie side by side on disk and are read at once,
 * straight to where they are sent from.  Nothing may leave before fetch_later_read().
 */
#ifndef IMAP_FETCH_LATER_H
#define IMAP_FETCH_LATER_H

#include "base/buf.h"
#include "store/mailbox.h"

struct fetch_later {
    struct message messages[MESSAGE_LIST];
    size_t at[MESSAGE_LIST]; /* where each body goes, from the start of out */
    size_t count;
};

/* Adds m->size bytes to out, which has room for them.  False: as below. */
bool fetch_later_add(struct fetch_later *l, struct store *s, const struct message *m,
                     struct buf *out);
/* Fills what was kept free.  False: something cannot be read, and out ends before it. */
bool fetch_later_read(struct fetch_later *l, struct store *s, struct buf *out);

#endif
