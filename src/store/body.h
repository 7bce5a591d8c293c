/*
 * Bodies: immutable bytes in append-only segment files: the records in body.c, the files in
 * segment.c. Functions of the writer run on its thread; the rest on any.
 */
#ifndef STORE_BODY_H
#define STORE_BODY_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/uio.h>

#include "base/limits.h"
#include "store/store.h"

/* The header of a record, unpacked. */
struct body_header {
    int version, codec;
    uint32_t key_id;
    uint64_t stored, length; /* bytes in the segment, bytes when decoded */
    int64_t body, date_ms;
    uint32_t crc32c; /* of the stored bytes */
    unsigned char sha256[32];
};

/* A body of the running batch. */
struct body_write {
    struct store_body *body;
    uint64_t length;
    bool own;    /* a segment of its own */
    bool linked; /* its file has a name */
    bool named;  /* some row refers to it */
    struct body_place place;
    unsigned char header[BODY_HEADER];
};

struct segment_fd {
    int64_t segment;
    int fd;
    int readers;
    uint64_t used; /* clock of the last use */
};

/* The segments of an open store. */
struct segments {
    struct store *store;
    int dir;        /* DIR/segments */
    uint32_t limit; /* a new segment begins beyond */
    atomic_int_least64_t next_body, next_segment;
    int64_t counted_segment, counting_segment; /* what its counter row says, will say */
    int fd;                                    /* the shared segment being written, or -1 */
    int64_t current;                           /* its id, 0: none yet */
    uint64_t end;                              /* its committed end */
    uint64_t batch_end;                        /* its end when the running batch commits */
    bool in_batch;                             /* the running batch appends to it */
    slice log;       /* what the running batch puts into body_log; empty: it syncs the segment */
    uint64_t logged; /* bytes in body_log */
    pthread_mutex_t lock; /* of the descriptors for reading */
    uint64_t clock;
    struct segment_fd open[LIMIT_SEGMENTS_OPEN];
};

/*
 * Opens DIR/segments.  After a crash (clean false) what no row names is what nobody was told about:
 * the tail of the last segment is cut, unnamed files are removed; what body_log holds is put back.
 */
bool segments_open(struct segments *g, struct store *s, struct db *db, bool clean,
                   struct buf *error);
/* In the transaction of a clean stop: syncs the segment, empties body_log. */
void segments_settle(struct segments *g, struct db *db);
void segments_close(struct segments *g);

void body_header_pack(unsigned char out[BODY_HEADER], const struct body_header *h);
/* False when it is not a whole header. */
bool body_header_unpack(const unsigned char in[BODY_HEADER], struct body_header *h);

/* On the caller's thread: gives the id, computes the checksum; writes and syncs an own file. */
enum outcome body_prepare(struct segments *g, struct store_body *body, struct body_write *w);

/* Writer: appends or links the bodies, then syncs.  TEMPFAIL: nothing of it counts. */
enum outcome bodies_append(struct segments *g, struct body_write **w, size_t count);
/* Writer, in the savepoint of the call: the rows of a body; false when they could not be made. */
bool body_insert(struct db *db, const struct body_write *w);
/* Writer, at the end of the batch: the row of the shared segment; live: bytes that got a row. */
void segments_flush(struct segments *g, struct db *db, uint64_t live, int64_t highest_body);
/* Writer, after COMMIT or ROLLBACK. */
void segments_keep(struct segments *g);
void segments_forget(struct segments *g);
/* Takes back the file of an own segment no row names. */
void body_unlink(struct segments *g, const struct body_write *w);

/* As body_read, without asking the database. */
ssize_t body_read_at(struct segments *g, int64_t body, const struct body_place *place,
                     uint64_t offset, char *to, size_t n);

/*
 * Whole bodies that lie one behind the other in a segment, each into to[i], in one call.  False:
 * not all of them are (any more), or one is damaged.
 */
enum { BODY_RUN = 32 };
struct body_run {
    int64_t body;
    struct body_place place;
    char *to;
};
bool body_run_follows(const struct body_run *before, const struct body_run *r);
bool body_run_read(struct segments *g, const struct body_run *runs, size_t n);

/* A descriptor for reading, or -1; segment_done() gives it back. */
int segment_get(struct segments *g, int64_t segment);
void segment_done(struct segments *g, int64_t segment, int fd);
/* pwritev until all is written; the iovecs are used up.  0, or -1 and errno. */
int segment_write(int fd, struct iovec *v, int n, uint64_t at);
/* The name of a segment's file in DIR/segments. */
enum { SEGMENT_NAME = 32 };
void segment_name(int64_t segment, char out[SEGMENT_NAME]);
/* The id behind a file name, or 0. */
int64_t segment_of_name(const char *name);
/* Removes the file of a segment no row names any more. */
void segment_remove(struct segments *g, int64_t segment);

#endif
