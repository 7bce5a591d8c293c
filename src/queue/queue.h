/*
 * The queue: durable, because between "250" and the receiver's server a mail has no other home;
 * batching, because a connection costs more than a message; open, because a mail that waits can
 * still be recalled.
 *
 * An item is one message for one destination (next-hop domain, "." for the smart host, "local" for
 * our own mailboxes).  The id people see is the message id (base/rand.h).  docs/queue.md has the
 * pictures.
 *
 *      queue_commit                 schedule_claim              batch_close
 *   o ------------> due (held) ------------------> claimed --------------> gone (done, bounced)
 *                    ^   |                            |
 *                    |   +--> recalled  <-------------+ (before the point of no return)
 *                    +------- deferred  <-------------+ (4yz, no connection)
 *                             quarantined <-----------+ (three crashes with the attempt open)
 */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include "base/outcome.h"
#include "message/derive.h"
#include "smtp/envelope.h"
#include "store/mailbox.h"

struct queue;

/* Where one recipient goes. */
struct target {
    slice address;     /* after aliases */
    slice destination; /* "local", "south.test", "." */
    int64_t account;   /* of a local one, else 0 */
    slice orcpt;       /* the address in the envelope when it differs, else "" */
    unsigned notify;
    bool known; /* out of queue_commit: a retransmission, nothing was added for it */
};
#define DESTINATION_LOCAL S("local")

/* A local delivery: what deliver_local() needs, prepared outside the transaction. */
struct local_delivery {
    const struct target *target;
    slice sender;
    slice prefix; /* common trace fields; Return-Path and Delivered-To are put before it */
    int64_t body;
    uint64_t body_bytes;
    const struct derived *derived;
    slice delivery_id; /* 32 bytes or "" */
    int64_t queue_id;
    int64_t received_ms;
    /* out */
    int64_t mailbox, message;
    uint32_t uid;
    bool duplicate;
    slice reply; /* why not, when not DONE: "552 5.2.2 …" */
};

struct batch;

/* What the queue is handed by those above it (deliver/). */
struct queue_deliverer {
    void *ctx;
    /* Stop 10, inside a transaction: into the mailbox of one account. */
    enum outcome (*local)(struct store_tx *tx, struct local_delivery *d);
    /* That transaction is durable. */
    void (*local_done)(const struct local_delivery *d);
    /*
     * Stops 8 to 10: delivers the items of a batch (local ones or to the next server) and sets the
     * results.  Runs on a delivery thread, one straight blocking function.
     */
    void (*deliver)(void *ctx, struct batch *b);
    /* Where an address goes (for bounces): targets in the arena.  TEMPFAIL when the store is busy.
     */
    enum outcome (*resolve)(void *ctx, struct arena *a, slice address, struct target **targets,
                            size_t *count);
    /* How long a destination's route gathers, and until how many items wait; 0: it does not. */
    void (*gather)(void *ctx, slice destination, int64_t *ms, int *count);
    /* A delivery thread has had nothing to do for a while: close what is kept open in vain. */
    void (*idle)(void *ctx);
};

struct queue_options {
    struct store *store;
    slice hostname;          /* in bounces: Reporting-MTA */
    const int64_t *retry_ms; /* waits after the 1st, 2nd … failure; the last repeats.  NULL: 5m 15m
                                30m 1h 2h 4h */
    size_t retry_count;
    int64_t life_ms;     /* 0: 5 days; given up after it and at least 3 attempts */
    int64_t warn_ms;     /* 0: 4 hours; then one delay notice */
    int threads;         /* delivery threads; 0: 200 */
    int per_destination; /* connections to one destination; 0: 20 */
    int per_claim;       /* items of one claim; 0: 50 */
    struct queue_deliverer deliverer;
};

/*
 * Opens the queue of a store: attempts a crash left open are closed.  Starts nothing.  NULL when
 * the store cannot be read or written.
 */
struct queue *queue_open(const struct queue_options *options);
/* Starts the scheduler and its delivery threads. */
void queue_run(struct queue *q);
/* Finishes running attempts (at most deadline_ms), stops, frees. */
void queue_close(struct queue *q, int64_t deadline_ms);

/* A message to queue, prepared by intake/. */
struct queue_mail {
    int64_t id; /* id_new(); out of a retransmission: the id of the first copy */
    const struct envelope *envelope;
    struct target *targets;
    size_t target_count;
    struct store_body *body;
    uint64_t body_bytes;
    unsigned char received_sha256[32]; /* of the bytes as received: recognises a retransmission */
    bool has_message_id;               /* without one nothing is taken for a retransmission */
    slice prefix;
    const struct derived *derived;
    int64_t now_ms;
    /* In the same transaction; NULL: nothing. */
    store_fn also;
    void *also_arg;
    /* out */
    bool duplicate; /* every target was known: nothing was added, answer 250 */
    slice reply;    /* why not, when not DONE */
};

/*
 * Stop 6.  One store transaction; only after it "250".  Splits the targets by destination.  When
 * exactly one local target is left and nothing holds it, deliver_local() runs in the same
 * transaction and the item is born done; everything else becomes due items.
 */
enum outcome queue_commit(struct queue *q, struct queue_mail *m);

/* ---- For people: queue list, show, hold, release, retry, recall.  All on committed state. ---- */

enum queue_state {
    QUEUE_HELD,
    QUEUE_DUE,
    QUEUE_CLAIMED,
    QUEUE_DEFERRED,
    QUEUE_QUARANTINED,
    QUEUE_DONE
};
const char *queue_state_name(enum queue_state s); /* "held" */

struct queue_row_recipient {
    slice address;
    const char *state; /* waiting, delivered, relayed, bounced, recalled, removed */
    int attempts;
    slice last_reply;
};

struct queue_row {
    int64_t id;
    slice sender, subject;
    uint64_t size;
    int64_t created_ms, due_ms; /* due: the next thing that happens; 0 when nothing will */
    enum queue_state state;
    struct queue_row_recipient *recipients;
    size_t recipient_count;
};

struct queue_filter {
    int64_t id;   /* 0: all that wait; else this one, finished or not */
    slice sender; /* "" any */
    slice domain; /* "" any; a recipient's domain */
};

/* Calls fn for each matching message, oldest first; returns how many. */
size_t queue_list(struct queue *q, const struct queue_filter *f,
                  void (*fn)(void *ctx, const struct queue_row *row), void *ctx);

/* Each acts on all matching messages and returns how many changed, or -1 when the store failed. */
int queue_hold(struct queue *q, const struct queue_filter *f);
int queue_release(struct queue *q, const struct queue_filter *f);
int queue_retry(struct queue *q, const struct queue_filter *f);

struct recall_row {
    slice address;
    const char *result; /* withdrawn, removed, tooLate */
    slice reason;       /* of tooLate, else "" */
};
/*
 * Withdraws one message as far as it still can be, per recipient (rows in the arena).  Durable when
 * DONE; PERMFAIL: no such id; TEMPFAIL: try again, nothing is known.
 */
enum outcome queue_recall(struct queue *q, struct arena *a, int64_t id, struct recall_row **rows,
                          size_t *count);

/* Routes were changed: how long destinations gather is asked again. */
void queue_routes_changed(struct queue *q);

/* Deletes finished messages older than 30 days and their rows; a step of at most 1,000. */
void queue_purge(struct queue *q);

#endif
