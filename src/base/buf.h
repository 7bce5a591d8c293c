/*
 * Growing bytes with a cap.  Set max before use (a name from base/limits.h).  What would exceed it
 * is not added and sets full, which stays set until buf_clear: write a whole reply, then look once.
 * {.max = N} is an empty buffer.  Bytes are taken from the front with buf_eat.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>

#include "base/slice.h"

struct buf {
    char *p;     /* owned */
    size_t at;   /* first byte not yet eaten */
    size_t n;    /* end of the bytes; the content is p[at..n) */
    size_t size; /* allocated */
    size_t max;  /* cap on n - at */
    bool full;   /* something did not fit */
};

/* The content; borrowed until the buffer changes. */
slice buf_slice(const struct buf *b);
size_t buf_length(const struct buf *b);
/* How many bytes may still be added. */
size_t buf_room(const struct buf *b);

/* All return false, adding nothing, when the cap does not allow it. */
bool buf_add(struct buf *b, slice s);
bool buf_add_byte(struct buf *b, char c);
bool buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool buf_vprintf(struct buf *b, const char *format, va_list args);

/* n bytes to write into at the end, then buf_wrote() says how many were; NULL when the cap forbids
 * it. */
char *buf_space(struct buf *b, size_t n);
void buf_wrote(struct buf *b, size_t n);

/* Takes n bytes from the front. */
void buf_eat(struct buf *b, size_t n);
/* Cuts the content to its first n bytes. */
void buf_cut(struct buf *b, size_t n);
/* Empties it; keeps at most 16 KiB of memory. */
void buf_clear(struct buf *b);
/* Empties it and gives all memory back.  Safe twice and on {0}. */
void buf_end(struct buf *b);

#endif
