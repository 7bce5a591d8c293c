/* Any bytes as a path.  Property: the normal form is a fixed point, and short enough. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "smtp/path.h"
#include "base/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct arena *a, slice address, unsigned allow)
{
    slice again;
    if (address.n == 0 || slice_eq(address, S("postmaster")))
        return;
    assert(address.n + 2 <= LIMIT_PATH);
    assert(smtp_mailbox_parse(a, address, allow, &again) == PATH_OK);
    assert(slice_eq(address, again));
    slice path = arena_printf(a, "<%.*s>", P(address));
    assert(smtp_path_parse(a, &path, allow, &again) == PATH_OK && path.n == 0);
    assert(slice_eq(address, again));
    assert(smtp_address_local(address).n && smtp_address_domain(address).n);
    assert(slice_is_ascii(smtp_address_domain(address)));
    smtp_literal_ip(smtp_address_domain(address));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = {0};
    slice in = {(const char *)data, size}, address;
    for (unsigned allow = 0; allow < 8; allow++) {
        slice path = in;
        if (smtp_path_parse(&a, &path, allow, &address) == PATH_OK)
            check(&a, address, allow);
        if (smtp_mailbox_parse(&a, in, allow, &address) == PATH_OK)
            check(&a, address, allow);
    }
    smtp_helo_valid(in);
    arena_end(&a);
    return 0;
}
