/* The chunked transfer coding of a request body (RFC 9112 section 7.1), decoded as it comes. */
#ifndef HTTP_CHUNKED_H
#define HTTP_CHUNKED_H

#include "base/slice.h"

/* {0} is the start. */
struct chunked {
    enum { CHUNK_SIZE, CHUNK_DATA, CHUNK_END, CHUNK_TRAILER, CHUNK_DONE } at;
    uint64_t left;   /* of the chunk's data */
    size_t overhead; /* bytes of sizes, extensions and trailers so far; capped */
};

/*
 * Takes what it can of in.  Returns the bytes consumed and in *data (borrowed from in) what of them
 * is content; 0 when more is needed; -1 when it is not chunked coding.  Call again until at is
 * CHUNK_DONE.  Trailer fields are checked and dropped.
 */
ssize_t chunked_eat(struct chunked *c, slice in, slice *data);

#endif
