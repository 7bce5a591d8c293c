/*
 * Which messages were fetched: their UIDLs, one a line, in a file that is replaced as a whole.  It
 * lies where the messages lie, so another directory is another client.
 */
#ifndef AGENT_SEEN_H
#define AGENT_SEEN_H

#include "base/buf.h"
#include "base/map.h"

struct seen {
    const char *path;
    struct map uidls;
    bool changed;
};

/* A missing file is an empty one.  False with one line in error. */
bool seen_load(struct seen *s, const char *path, struct buf *error);
bool seen_has(const struct seen *s, slice uidl);
void seen_add(struct seen *s, slice uidl);
void seen_remove(struct seen *s, slice uidl);
/* Writes it durably when it has changed. */
bool seen_save(struct seen *s, struct buf *error);
void seen_end(struct seen *s);

#endif
