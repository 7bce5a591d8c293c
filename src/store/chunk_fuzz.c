/*
 * Any bytes as a chunk: either refused, or packing what they unpack to gives the same bytes (C2).
 * The same bytes as a uid set: ranges rise and end.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "store/change.h"
#include "store/chunk.h"

#include "base/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    slice in = {(const char *)data, size};
    struct chunk *c = chunk_open(in, 0);
    if (c) {
        struct chunk *again = chunk_new(0);
        for (struct chunk_reader r = chunk_read(c); chunk_next(&r);)
            assert(chunk_add(again, &r.e));
        assert(slice_eq(chunk_bytes(again), in));
        assert(again->count == c->count && again->size == c->size && again->unseen == c->unseen &&
               again->modseq == c->modseq);
        chunk_release(again);
    }
    chunk_release(c);
    uint32_t from, to, before = 0, last = 0;
    for (slice set = in; uids_next(&set, &from, &to, &before); last = to)
        assert(from > last && to >= from);
    return 0;
}
