/*
 * A batch is what one delivery job works on: items of one destination that go over one connection.
 * The deliverer reads the items, sends, and sets each recipient's result; the queue writes them all
 * at once.
 */
#ifndef QUEUE_BATCH_H
#define QUEUE_BATCH_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/outcome.h"
#include "smtp/envelope.h"
#include "store/store.h"

/* The race between delivery and recall, decided once (docs/queue.md). */
enum claim_state { CLAIM_OPEN, CLAIM_PASSED, CLAIM_RECALLED };
struct claim {
    _Atomic int state;
    int64_t item;
};

struct batch_recipient {
    int n; /* its number in the item */
    struct recipient to;
    int64_t account; /* of a local one */
    /* Set by the deliverer. */
    enum outcome result; /* WAIT: not tried */
    slice reply;         /* "550 5.1.1 no such user", in the batch's arena */
};

struct batch_item {
    int64_t id, message;
    struct envelope envelope; /* sender, envid, ret, eight_bit, recipients */
    struct batch_recipient *recipients;
    size_t recipient_count;
    slice prefix;
    int64_t body;
    struct body_place place;
    uint64_t body_bytes;
    int attempts; /* before this one */
    int64_t created_ms, expires_ms;
    bool warned;
    struct claim claim;
    bool maybe_sent; /* set by the deliverer: passed the point of no return, and no reply came */
};

struct batch {
    struct arena arena;
    struct store *store;
    slice destination;
    struct batch_item *items;
    size_t count;
    /* Set by the deliverer: no connection could be had; every WAIT recipient counts as TEMPFAIL
     * with reply. */
    bool unreachable;
    slice reply;
    slice remote_mta; /* the host that answered last, or "" */
};

/*
 * Called by the deliverer before DATA: false when the item was recalled meanwhile (then its
 * recipients stay WAIT).  After true a recall answers tooLate.
 */
bool point_of_no_return(struct batch_item *item);

/* Reads the bytes of an item: prefix, then body.  Bytes read, 0 at the end, -1 when the body is
 * gone. */
ssize_t batch_read(struct batch *b, const struct batch_item *item, uint64_t offset, char *to,
                   size_t n);

/*
 * Inside the transaction that put the message into a mailbox: the recipient is delivered.  False
 * when it no longer waits (recalled): then the transaction must not go through.
 */
struct local_delivery;
bool batch_local_done(struct store_tx *tx, const struct batch_item *item,
                      const struct batch_recipient *r, const struct local_delivery *d);

#endif
