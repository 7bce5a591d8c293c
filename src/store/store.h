/*
 * The store: one process opens it (flock DIR/lock), one writer thread commits for all, readers have
 * their own connections (design: docs/store.md).
 *
 * A transaction is a function.  store_write() hands {fn, arg, bodies} to the writer, which takes
 * every waiting call, appends all bodies to the segments, one fdatasync, then one SQL transaction
 * with a savepoint per caller, COMMIT (synchronous=FULL), and answers the callers.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/outcome.h"
#include "store/sql.h"

struct store;

struct store_options {
    const char *dir;        /* holds store.db, segments/, tmp/, lock */
    bool create;            /* make a new one where none is */
    size_t cache_bytes;     /* page cache of a connection; 0: a good default */
    uint32_t segment_bytes; /* a new segment begins beyond; 0: 64 MiB */
};

/* NULL on failure, with one line in error: what happened and what to do. */
struct store *store_open(const struct store_options *options, struct buf *error);
/* Waits for running writes; closes. */
void store_close(struct store *s);
const char *store_dir(const struct store *s);

/* The writer's side of a transaction. */
struct store_tx {
    struct db *db;
    struct arena *arena; /* reset after the commit */
    int64_t now_ms;      /* one clock reading for the batch */
    struct store *store;
};

/*
 * Reads and writes one account (and the queue).  No I/O, no parsing, no allocation outside
 * tx->arena. DONE keeps its changes, anything else rolls its savepoint back.  Its results count
 * only after store_write returns DONE.  May be run again, from the start, in a new transaction.
 */
typedef enum outcome (*store_fn)(struct store_tx *tx, void *arg);

enum { BODY_PIECES = 8, BODY_HEADER = 128 };

/* A body to append: the bytes of all pieces in order, or the file. */
struct store_body {
    slice pieces[BODY_PIECES];
    int piece_count;
    /*
     * >= 0 with file_bytes > 0: instead, an unlinked file under DIR/tmp whose first BODY_HEADER
     * bytes are reserved and whose message follows; it is linked in as a segment of its own.  The
     * caller keeps the fd.
     */
    int fd;
    uint64_t file_bytes;      /* of the message, header not counted */
    unsigned char sha256[32]; /* of the bytes; the caller has it */
    int64_t date_ms;
    struct store_body *next; /* further bodies of the same call, at most LIMIT_CALL_BODIES */
    int64_t id;              /* out: the body id, set before fn runs */
};

struct store_call {
    int64_t account; /* 0: no account, the queue alone */
    store_fn fn;
    void *arg;
    struct store_body *body; /* NULL: none */
    bool bulk; /* runs after interactive work; the caller cuts it into steps of <= 1,000 entries */
};

/*
 * Blocks until durable.  DONE, or what fn returned when that was not DONE, or TEMPFAIL when the
 * engine failed or the disk is full (nothing has changed).  A failed fsync aborts the process.
 */
enum outcome store_write(struct store *s, const struct store_call *call);

/* For reading, for one output step at most; never across a wait.  Never NULL: when there is no
 * connection to be had, queries give no row and sql_failed() is true. */
struct db *store_read(struct store *s);
void store_read_end(struct store *s, struct db *db);

/* Reads at most n bytes of a body from offset; bytes read, 0 at its end, -1 when it is damaged or
 * gone. */
ssize_t body_read(struct store *s, int64_t body, uint64_t offset, char *to, size_t n);

/* Where a body lies, until the compactor moves it. */
struct body_place {
    int64_t segment;
    uint64_t at;     /* of its header */
    uint64_t length; /* of its bytes */
};
/* False when there is no such body. */
bool body_find(struct db *db, int64_t body, struct body_place *place);
/* As body_read, looking where it was found before: no SQL unless it has moved. */
ssize_t body_read_found(struct store *s, int64_t body, const struct body_place *place,
                        uint64_t offset, char *to, size_t n);

/* An unlinked file under DIR/tmp for a large message (its first BODY_HEADER bytes reserved), or -1.
 */
int store_tmpfile(struct store *s);

/*
 * Removes what retention has let go of: tombstones older than 7 days with their messages, bodies
 * nobody refers to, delivery ids older than 30 days; compacts segments.  In bulk steps; the store
 * calls it itself once an hour.
 */
void store_purge(struct store *s, int64_t now_ms);
#define STORE_RETENTION_MS (7 * DAY_MS)
#define STORE_DELIVERY_MS  (30 * DAY_MS)

/*
 * Proves the store sound, or repairs derived data and rescues orphan bodies into the mailbox
 * "Recovered". Prints one line per finding into report; returns the number of problems (that
 * remain).
 */
int store_check(struct store *s, bool repair, struct buf *report);

#endif
