/*
 * Message ids, Received, Return-Path, Authentication-Results, List fields and subjects: slices stay
 * inside, ids hold no white space, a base subject is its own base.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/limits.h"
#include "message/authres.h"
#include "message/derive.h"
#include "message/listing.h"
#include "message/msgid.h"
#include "message/received.h"

#include "base/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool inside(slice s, slice whole)
{
    return s.n == 0 || (s.p >= whole.p && s.p + s.n <= whole.p + whole.n);
}

static void check_received(slice in)
{
    struct received r;
    slice address;
    received_parse(in, &r);
    assert(inside(r.from, in) && inside(r.tcp, in) && inside(r.ip, in) && inside(r.by, in) &&
           inside(r.via, in) && inside(r.with, in) && inside(r.id, in) && inside(r.for_, in));
    if (return_path_parse(in, &address))
        assert(inside(address, in));
}

static void check_ids(struct arena *a, slice in)
{
    struct msgid_list ids;
    msgid_parse(a, in, &ids);
    assert(ids.count <= LIMIT_MSGIDS);
    for (size_t i = 0; i < ids.count; i++) {
        assert(ids.list[i].n > 0 && slice_find(ids.list[i], ' ') < 0);
        assert(slice_find(ids.list[i], '\n') < 0 && slice_find(ids.list[i], '\t') < 0);
    }
    slice keys = thread_keys_make(a, in, S("1@x"), in, in);
    assert(thread_keys_count(keys) >= 1 && thread_keys_count(keys) <= LIMIT_THREAD_KEYS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = {0};
    struct authres r;
    struct listing l;
    slice in = {(const char *)data, size};
    check_received(in);
    check_ids(&a, in);
    if (authres_parse(&a, in, &r))
        assert(r.id.n <= size);
    if (listing_parse(&a, in, &l) && l.one_click)
        assert(slice_starts_icase(l.unsubscribe_https, S("https:")));
    auto_answer_forbidden(in);
    slice base = subject_base(&a, in);
    assert(base.n <= LIMIT_SUBJECT && slice_eq(subject_base(&a, base), base));
    arena_end(&a);
    return 0;
}
