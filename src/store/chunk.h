/*
 * A chunk: up to 3.9 KB of packed entries of one mailbox, ordered by uid; immutable, refcounted,
 * one row of entry_chunk.  The format is in chunk.c.
 */
#ifndef STORE_CHUNK_H
#define STORE_CHUNK_H

#include <stdatomic.h>

#include "base/limits.h"
#include "store/view.h"

struct chunk {
    atomic_uint refs;
    bool dirty;        /* not in the database yet: for the writer alone, before it is published */
    int64_t row;       /* of entry_chunk; 0: none yet */
    struct entry last; /* the next one is packed against it */
    uint32_t first_uid, count, unseen, deleted;
    int64_t modseq; /* highest inside */
    uint64_t size;  /* sum of the entries' sizes */
    size_t n, room; /* bytes in use, allocated */
    unsigned char data[];
};

/* More entries do not fit: each of their five numbers takes a byte. */
enum { CHUNK_ENTRIES = LIMIT_CHUNK / 5 };

/* Steps through packed entries. */
struct chunk_reader {
    slice rest;
    struct entry e; /* the one before */
};

/* Unpacks a row; NULL when the bytes are not a chunk.  The caller owns one reference. */
struct chunk *chunk_open(slice data, int64_t row);
/* A chunk like old (NULL: none) with one more entry at its end, or NULL when it is full.  more:
 * room for others after it. */
struct chunk *chunk_append(const struct chunk *old, const struct entry *e, bool more);
/* An empty chunk to fill; not published before it holds an entry. */
struct chunk *chunk_new(int64_t row);
/* One more entry, or false when the chunk is full. */
bool chunk_add(struct chunk *c, const struct entry *e);
/* As many of n more entries as there is room for; how many. */
uint32_t chunk_fill(struct chunk *c, const struct entry *e, uint32_t n);
struct chunk *chunk_retain(struct chunk *c);
void chunk_release(struct chunk *c);

slice chunk_bytes(const struct chunk *c);
/* Up to n entries from the nth one on (from 0); how many there were. */
uint32_t chunk_list(const struct chunk *c, uint32_t from, struct entry *e, uint32_t n);
/* How many entries have a smaller uid. */
uint32_t chunk_seek(const struct chunk *c, uint32_t uid);
/* for (struct chunk_reader r = chunk_read(c); chunk_next(&r);) … r.e */
struct chunk_reader chunk_read(const struct chunk *c);
bool chunk_next(struct chunk_reader *r);

#endif
