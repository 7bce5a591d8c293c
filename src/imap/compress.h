/*
 * COMPRESS=DEFLATE (RFC 4978): raw DEFLATE both ways, in constant memory.  What the session says in
 * one turn is gathered, then deflated and flushed; what comes is inflated piece by piece, and a
 * piece is read before the next one is made, so that a bomb costs time of its sender alone.
 */
#ifndef IMAP_COMPRESS_H
#define IMAP_COMPRESS_H

#include "imap/command.h"

/* NULL when there is no memory in the budget. */
struct imap_compress *compress_new(void);
/* NULL is fine. */
void compress_end(struct imap_compress *c);

/* Bytes it holds now, zlib's included. */
size_t compress_held(const struct imap_compress *c);

/* Where replies go. */
struct buf *compress_out(struct imap_compress *c);
/* Deflates them into to, whole. */
void compress_flush(struct imap_compress *c, struct buf *to);
/* Nothing will be said for a while: gives the memory of the way out back until then. */
void compress_rest(struct imap_compress *c);

/* Inflates the next piece of in, at most LIMIT_IMAP_INFLATED; returns the bytes of it consumed, -1
 * when it is no DEFLATE. */
ssize_t compress_take(struct imap_compress *c, slice in);
/* The piece, as far as it is not read; empty: perhaps compress_take makes more of nothing. */
slice compress_piece(const struct imap_compress *c);
void compress_read(struct imap_compress *c, size_t n);
/* An earlier take has more inside. */
bool compress_has_more(const struct imap_compress *c);

#endif
