/* What the files of queue/ share; nobody else includes it. */
#ifndef QUEUE_INTERNAL_H
#define QUEUE_INTERNAL_H

#include <pthread.h>

#include "base/limits.h"
#include "base/map.h"
#include "queue/batch.h"
#include "queue/queue.h"

/* q_item.state; the order is on disk.  An item that is finished has no row. */
enum item_state { ITEM_DUE, ITEM_HELD, ITEM_CLAIMED, ITEM_QUARANTINED };

/* q_recipient.state; the order is on disk. */
enum recipient_state {
    RECIPIENT_WAITING,
    RECIPIENT_DELIVERED, /* in one of our mailboxes */
    RECIPIENT_RELAYED,   /* accepted by another server */
    RECIPIENT_BOUNCED,
    RECIPIENT_RECALLED, /* withdrawn from the queue */
    RECIPIENT_REMOVED,  /* recalled after delivery, unread */
};

/* q_message.flags */
enum { MESSAGE_WARNED = 1, MESSAGE_EIGHT_BIT = 2 };

enum { CRASHES_TO_QUARANTINE = 3, ATTEMPTS_TO_EXPIRE = 3, QUEUE_KEEP_DAYS = 30, DEDUP_DAYS = 3 };

/* A destination the scheduler knows; lives as long as the queue. */
struct destination {
    char *name;
    size_t name_length;
    int64_t next_attempt_ms; /* back-off: not before */
    int64_t earliest_due_ms; /* INT64_MAX: nothing waits, as far as we know */
    int failures;            /* in a row; each was a real attempt */
    int active;              /* jobs working on it */
    int waiting;             /* items due, about: for gathering and the number of connections */
    int64_t gather_ms;       /* of its route */
    int gather_count;
    bool gather_known;
};

struct queue {
    struct queue_options options;
    pthread_mutex_t mutex;
    pthread_cond_t wake;     /* the scheduler (wall clock: schedules are) */
    pthread_cond_t work;     /* idle delivery threads */
    pthread_cond_t quiet;    /* queue_close waits */
    struct map destinations; /* name -> struct destination */
    struct map claims;       /* item id (8 bytes) -> struct claim */
    struct destination *ready[LIMIT_DELIVERY_THREADS]; /* jobs for idle threads, a ring */
    size_t ready_at, ready_count;
    pthread_mutex_t recall_mutex; /* held for the whole of a recall */
    pthread_t scheduler;
    bool running, stopping;
    int threads, idle, busy;
};

/* queue.c */
slice destination_slice(const struct destination *d);
/* Finds or makes it; the mutex is held. */
struct destination *queue_destination(struct queue *q, slice name);
/* Something of this destination is due at that time; wakes the scheduler. */
void queue_due(struct queue *q, slice destination, int64_t due_ms, int items);
int64_t queue_retry_after(const struct queue *q, int failures);
/* After an item is gone: when it was the message's last, its body is given up. */
void queue_finish_message(struct db *db, int64_t message);
/* The destination's back-off is kept in its row, so that a restart keeps schedules. */

/* schedule.c */
/* Stop 7: claims up to n items of a destination in one transaction.  NULL: nothing is due. */
struct batch *schedule_claim(struct queue *q, struct destination *d);
void *schedule_run(void *queue);
void *schedule_deliver(void *queue);

/* batch.c */
/* Writes all results in one transaction and frees the batch; the destination's back-off with it. */
void batch_close(struct queue *q, struct destination *d, struct batch *b);

/* bounce.c */
/* A notice about some recipients of one item to the sender of its message. */
struct bounce_recipient {
    int n;
    slice address, orcpt;
    slice reply; /* what the remote said, or our own reason */
    bool remote; /* a remote said it */
    unsigned notify;
};
struct bounce {
    int64_t message, item;
    bool failed; /* else delayed */
    int64_t
        item_state; /* what the item must be for this to happen: ITEM_CLAIMED (by us) or ITEM_DUE */
    struct bounce_recipient *recipients;
    size_t count;
    slice remote_mta;
};
/*
 * Gives up recipients (or warns about them): their state and the notice to the sender in one
 * transaction. False: nothing happened, try later.
 */
bool bounce_send(struct queue *q, struct arena *a, const struct bounce *b);
/* Expires and warns the waiting items of a destination that failed once more. */
void bounce_sweep(struct queue *q, slice destination, slice reply, int destination_failures);

#endif
