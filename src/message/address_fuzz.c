/*
 * Address lists: nothing grows beyond the input, and what is a mailbox for SMTP is read back as
 * that mailbox from a header.
 */
#include "message/address.h"

#include <assert.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(struct arena *a, const struct address *x)
{
    slice email = address_email(a, x), local, domain;
    struct address again;
    if (!address_is_mailbox(email, &local, &domain))
        return;
    assert(address_first(a, email, &again));
    assert(slice_eq(again.local, x->local) && slice_eq(again.domain, x->domain));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = {0};
    struct address_list l;
    slice in = {(const char *)data, size}, local, domain;
    size_t total = 0, depth = 0;
    address_parse(&a, in, &l);
    assert(l.count <= LIMIT_ADDRESSES);
    for (size_t i = 0; i < l.count; i++) {
        struct address *x = &l.list[i];
        total += x->name.n + x->local.n + x->domain.n + x->route.n;
        depth += x->kind == ADDRESS_GROUP_START;
        assert(x->kind != ADDRESS_GROUP_END || depth-- > 0);
        address_name(&a, x);
        if (x->kind == ADDRESS_MAILBOX)
            check_round_trip(&a, x);
    }
    assert(depth == 0 && total <= 2 * size);
    if (address_is_mailbox(in, &local, &domain))
        assert(local.n + 1 + domain.n == size);
    arena_end(&a);
    return 0;
}
