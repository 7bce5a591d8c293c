/*
 * Any lines as the replies a server gives our client.  Properties: a whole reply has a code of
 * three digits; after reply_settle it is 2yz, 4yz or 5yz (S31).
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "smtp/client_private.h"
#include "smtp/scram_client.h"
#include "base/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = {0};
    slice in = {(const char *)data, size}, line, out;
    struct reply_lines x = {0};
    while (slice_next(&in, '\n', &line)) {
        int more = reply_take(&x, &a, line);
        if (more == 0)
            continue;
        if (more > 0) {
            assert(x.r.code >= 100 && x.r.code <= 999);
            assert(!x.r.enhanced.n || x.r.enhanced.p[0] == '0' + x.r.code / 100 || x.count > 1);
            reply_settle(&x.r, &a, x.count & 1);
            assert(x.r.code / 100 == 2 || x.r.code / 100 == 4 || x.r.code / 100 == 5);
        }
        x = (struct reply_lines){0};
    }
    struct scram_client scram = {.nonce = S("abc")};
    scram_client_first(&scram, &a, S("one@north.test"), S("secret"));
    if (slice_ends((slice){(const char *)data, size}, S(",i=4096")))
        scram_client_final(&scram, &a, (slice){(const char *)data, size}, &out);
    arena_end(&a);
    return 0;
}
