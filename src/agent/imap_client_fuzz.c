/*
 * Any bytes as an IMAP server: the client ends, and what it understands does not depend on how TCP
 * cuts them.
 */
#include <assert.h>

#include "agent/fake_dial.h"
#include "agent/imap_client_play.h"
#include "base/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    slice server = {(const char *)data, size};
    if (slice_search(server, S("SCRAM")) >= 0)
        return 0; /* its nonce is random */
    struct buf whole[2] = {{.max = 1 << 20}, {.max = 1 << 14}};
    struct buf cut[2] = {{.max = 1 << 20}, {.max = 1 << 14}};
    imap_client_play(server, size + 1, AGENT_PLAIN, &whole[0], &whole[1]);
    imap_client_play(server, 1, AGENT_PLAIN, &cut[0], &cut[1]);
    for (int i = 0; i < 2; i++) {
        assert(slice_eq(buf_slice(&whole[i]), buf_slice(&cut[i])));
        buf_end(&whole[i]);
        buf_end(&cut[i]);
    }
    fake_dial_feed(S(""), 1);
    return 0;
}
