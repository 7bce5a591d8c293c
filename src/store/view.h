/*
 * A view is an open mailbox as of one commit: immutable, refcounted, an array of chunk pointers
 * plus the modseq.  A commit publishes a new view that shares all unchanged chunks.  A session
 * holds the view its client knows; what to tell is the difference to the newest (IMAP EXISTS,
 * EXPUNGE, FETCH).
 */
#ifndef STORE_VIEW_H
#define STORE_VIEW_H

#include "store/mailbox.h"

struct view; /* refcounted */

struct entry {
    uint32_t uid;
    int64_t message;
    int64_t modseq;
    uint64_t flags;
    uint64_t size; /* octets, prefix included */
};

struct view_info {
    uint32_t count, uidvalidity, uidnext;
    uint32_t unseen;
    int64_t modseq;
    uint64_t size; /* sum over entries: POP3 STAT without a scan */
};

/*
 * The newest committed view of a mailbox, or NULL when there is no such mailbox (or TEMPFAIL).
 * Release it.  A mailbox deleted under somebody who watches it shows an empty view.
 */
struct view *view_open(struct store *s, int64_t account, int64_t mailbox);
struct view *view_retain(struct view *v);
void view_release(struct view *v);
struct view_info view_info(const struct view *v);

/* The entry at position 0..count-1 in uid order.  Costs a walk of its chunk (some 0.5 us). */
bool view_at(const struct view *v, uint32_t position, struct entry *e);
/* Up to n entries from a position on; how many there were.  For lists: some ns an entry. */
uint32_t view_list(const struct view *v, uint32_t position, struct entry *e, uint32_t n);
/* Position of the first entry whose uid is >= uid; count when there is none. */
uint32_t view_seek(const struct view *v, uint32_t uid);

/* How many entries have \Deleted. */
uint32_t view_deleted(const struct view *v);

/*
 * IMAP4rev1's \Recent (RFC 3501 2.3.2): the first uid no session was told of before.  claim: this
 * session is the one for those below uidnext (of the view it was told), for all that come later ask
 * again.
 */
uint32_t view_recent(struct store *s, int64_t account, int64_t mailbox, uint32_t uidnext,
                     bool claim);

/* Wakes fn(arg) after each commit that changes the mailbox, from the writer's thread: be short. */
struct watch;
struct watch *view_watch(struct store *s, int64_t account, int64_t mailbox, void (*fn)(void *arg),
                         void *arg);
void view_unwatch(struct watch *w);

#endif
