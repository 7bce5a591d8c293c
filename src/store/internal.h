/* The open store, for the files of this folder. */
#ifndef STORE_INTERNAL_H
#define STORE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/map.h"
#include "store/body.h"
#include "store/engine.h"
#include "store/memo.h"
#include "store/view.h"
#include "store/working.h"

/* Connections nobody reads with now, and how many there are in all. */
struct readers {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    struct db *idle[LIMIT_READERS];
    int count, open, waiting;
};

/* A caller of store_write(), on its own stack. */
struct waiter {
    const struct store_call *call;
    struct waiter *next;
    struct body_write one, *bodies; /* &one, or more in an array */
    size_t body_count;
    enum outcome result;
    unsigned gate;        /* which of the two it sleeps at */
    atomic_bool answered; /* set last: the waiter may be gone right after */
};

struct waiter_list {
    struct waiter *first, **last;
};

struct writer {
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct waiter_list waiting[2]; /* interactive, bulk */
    unsigned pending_gate;         /* of those who come now */
    bool asleep, stop, shrink;
    atomic_uint gates[2]; /* futexes: even and odd batches, so a wake wakes one batch */
    struct waiter *current;
    struct db *db;
    struct arena arena;
    struct store_tx tx;
    struct working working;
    atomic_bool finish_checkpoint; /* the keeper copied most of the log; the rest is short */
    uint64_t directory_told;       /* the working directory_version the memo knows of */
    atomic_int_least64_t last_ms;  /* of the last batch */
};

struct views {
    pthread_mutex_t lock;
    struct map slots;
    size_t bytes;               /* of the newest views */
    pthread_mutex_t live_lock;  /* a leaf: of the list */
    struct view *live;          /* every view somebody holds */
    pthread_mutex_t watch_lock; /* held while watches are called */
};

/* Messages fetched and not yet written down. */
struct fetches {
    pthread_mutex_t lock;
    struct map accounts; /* opened durably since the last clean stop */
    struct map fresh, flushing;
    struct map recalled;      /* nobody may fetch these any more */
    atomic_bool any_recalled; /* so that readers need the lock only then */
    int64_t *pending;         /* recalled in the running batch, in its arena */
    size_t pending_count, pending_size;
};

/* The thread of quiet moments: log copied back, marks written, views evicted, purge. */
struct keeper {
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    atomic_bool stop;
    bool checkpoint;
    struct db *db; /* for checkpoints */
};

struct store {
    struct store_options options;
    struct arena arena;
    int dir_fd, lock_fd;
    struct readers readers;
    struct memo *memo;
    struct segments segments;
    struct writer writer;
    struct views views;
    struct fetches fetches;
    struct keeper keeper;
};

/* writer.c */
bool writer_open(struct store *s, struct buf *error);
bool writer_start(struct store *s);
void writer_stop(struct store *s);
void writer_close(struct store *s);
/* Gives caches back when nothing has happened for a while. */
void writer_shrink(struct store *s);

/* view.c */
void views_open(struct store *s);
void views_close(struct store *s);
/* The newest committed view when somebody loaded it, retained; else NULL. */
struct view *view_newest(struct store *s, int64_t account, int64_t mailbox);
void view_place(const struct view *v, int64_t *account, int64_t *mailbox);
struct chunk *const *view_chunks(const struct view *v, size_t *count);
/* After COMMIT: a newer view, if anybody holds or watches the mailbox; true: watches must be told.
 */
bool view_publish(struct store *s, const struct working_mailbox *m);
/* Calls the watches of the mailbox. */
void view_wake(struct store *s, int64_t account, int64_t mailbox);
/* Lets go of views nobody holds and nobody used for that long. */
void views_evict(struct store *s, int64_t unused_ms);
/* Writes down who has been told of what (view_recent). */
void views_write_recent(struct store *s);
/* About what the newest views keep in memory. */
size_t views_bytes(struct store *s);

/* When the oldest view was made that is not the newest and still held, less an hour. */
int64_t views_oldest_ms(struct store *s);

/* compact.c */
void segments_compact(struct store *s);

/* recall.c */
bool fetches_open(struct store *s, bool clean);
/* Writes the marks down. */
void fetches_flush(struct store *s);
/* In the transaction of a clean stop: nothing is in doubt. */
void fetches_clean(struct store *s);
void fetches_close(struct store *s);
bool message_is_recalled(struct store *s, int64_t id);
/* Takes back the claims of the running batch from the nth on; or makes all of them final. */
void recalls_undo(struct store *s, size_t from);
void recalls_keep(struct store *s);

/* store.c */
/* A connection for reading, or NULL; waits for one when all are in use.  And back. */
struct db *reader_take(struct store *s);
void reader_give(struct store *s, struct db *db);
void readers_close(struct store *s, int keep);

/* keeper.c */
bool keeper_start(struct store *s, struct buf *error);
void keeper_stop(struct store *s);
void keeper_checkpoint(struct store *s);

#endif
