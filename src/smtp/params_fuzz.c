/* Any bytes as parameters, and as xtext.  Properties: what is taken is in its bounds; xtext is a
 * round trip. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "smtp/params.h"
#include "base/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = {0};
    slice in = {(const char *)data, size}, plain;
    for (int of = PARAMS_OF_MAIL; of <= PARAMS_OF_RCPT; of++) {
        struct params p = {
            .of = (enum params_of)of, .offered = ~0U, .now_ms = 1000, .hold_max_ms = 5000};
        const char *reply = smtp_params_parse(&p, &a, in);
        assert(!reply || strncmp(reply, "501 ", 4) == 0 || strncmp(reply, "555 ", 4) == 0);
        assert(reply || p.hold_until_ms == 0 ||
               (p.hold_until_ms >= 1000 && p.hold_until_ms <= 6000));
    }
    assert(xtext_decode(&a, xtext_encode(&a, in), &plain) && slice_eq(plain, in));
    xtext_decode(&a, in, &plain);
    arena_end(&a);
    return 0;
}
