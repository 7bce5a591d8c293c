/*
 * Where fetched messages go: a file each in a directory (UIDL.eml), one mbox file, or standard
 * output.  A message counts as saved only after save_sync(): then it is durable.
 */
#ifndef AGENT_SAVE_H
#define AGENT_SAVE_H

#include "base/arena.h"
#include "base/buf.h"

enum save_kind { SAVE_DIR, SAVE_MBOX, SAVE_PRINT };

struct save {
    enum save_kind kind;
    const char *path; /* of the directory or the mbox file */
    int dir_fd, fd;   /* fd: the message being written, or the mbox */
    off_t start;      /* where the message began in the mbox */
    struct buf out;   /* gathered for one write */
    /* mbox: where in ">>From " the line is */
    bool line_start; /* it may still become one */
    size_t quotes, from_at;
    bool writing; /* a message has begun and not ended */
    bool failed;
    int error; /* errno of the failure */
};

/* Locks it against another fetch.  False with one line in error.  save_close() in both cases. */
bool save_open(struct save *s, enum save_kind kind, const char *path, struct buf *error);
/* One message: begin, bytes …, end (or cancel).  False: save_error() says why. */
bool save_begin(struct save *s);
bool save_bytes(struct save *s, slice bytes);
/* *name: the file's name in the directory, in the arena; never overwrites another message. */
bool save_end(struct save *s, struct arena *a, slice uidl, slice *name);
void save_cancel(struct save *s);
/* Everything that has ended is durable now. */
bool save_sync(struct save *s);
void save_close(struct save *s);
slice save_error(const struct save *s, struct arena *a);

#endif
