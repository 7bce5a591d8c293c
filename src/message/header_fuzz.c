/*
 * Headers: every slice lies inside the input and in order, the header of a header is itself, what
 * is looked up is what is walked over, and nothing left out means the same bytes.
 */
#include "message/header.h"

#include <assert.h>
#include <stdlib.h>

#include "base/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool inside(slice s, slice whole)
{
    return s.p >= whole.p && s.p + s.n <= whole.p + whole.n;
}

static void check_fields(slice in, slice header)
{
    struct header_field f, found;
    const char *end = in.p;
    size_t fields = 0;
    for (slice rest = header; header_next(&rest, &f); fields++) {
        assert(f.whole.p >= end && inside(f.whole, header));
        assert(inside(f.name, f.whole) && inside(f.raw, f.whole) && inside(f.value, f.raw));
        end = f.whole.p + f.whole.n;
        assert(header_find_field(in, f.name, &found) && found.whole.p <= f.whole.p);
    }
    struct header_facts facts;
    header_facts(in, &facts);
    assert(facts.fields == fields && facts.length == header.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const slice names[] = {{"Bcc", 3}, {"Received", 8}};
    struct arena a = {0};
    slice in = {(const char *)data, size}, header = header_of(in), *pieces;
    assert(header.n <= size && header_length(header) == header.n);
    check_fields(in, header);
    for (size_t drop = 0; drop <= 2; drop++) {
        size_t total = 0, count = header_without(&a, in, names, drop, &pieces);
        for (size_t i = 0; i < count; i++) {
            assert(inside(pieces[i], in));
            total += pieces[i].n;
        }
        assert(drop ? total <= size : total == size);
    }
    arena_end(&a);
    return 0;
}
