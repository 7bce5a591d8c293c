/*
 * Any bytes into the server session.  Properties: the replies do not depend on how the bytes are
 * cut; a message is accepted at most as often as CRLF "." CRLF stands in the input; replies are
 * lines of printable ASCII.  The first byte chooses service and TLS and seeds the cuts.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "net/harness.h"
#include "smtp/fake_host.h"
#include "base/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_replies(slice said)
{
    slice line;
    assert(said.n == 0 || slice_ends(said, S("\r\n")));
    while (slice_next(&said, '\n', &line)) {
        assert(line.n >= 4 && line.n <= LIMIT_SMTP_AUTH_LINE && slice_ends(line, S("\r")));
        for (size_t i = 0; i + 1 < line.n; i++)
            assert(i < 3 ? ascii_is_digit(line.p[i]) : line.p[i] >= 0x20 && line.p[i] < 0x7f);
    }
}

static unsigned count_ends(slice in)
{
    unsigned n = 0;
    for (ptrdiff_t at; (at = slice_search(in, S("\r\n.\r\n"))) >= 0; n++)
        in = slice_skip(in, (size_t)at + 3); /* the last CRLF may begin the next */
    return n;
}

/* Plays in, cut into pieces of 1 .. most bytes; the replies go to said. */
static unsigned play(uint8_t how, slice in, size_t most, struct buf *said)
{
    struct fake_host f;
    struct harness h = {0};
    fake_host_start(&f, how & 1 ? SMTP_SUBMISSION : SMTP_TRANSFER);
    f.options.password_without_tls = how & 2;
    f.options.tls_available = false; /* what STARTTLS drops does depend on the cuts */
    f.options.hold_max_ms = 0;       /* the EHLO line of FUTURERELEASE holds the time of day */
    harness_start(&h, smtp_server_new(&f.options));
    unsigned random = how;
    while (in.n) {
        random = random * 1103515245 + 12345;
        slice piece = slice_sub(in, 0, 1 + (random >> 16) % most);
        harness_feed(&h, piece);
        in = slice_skip(in, piece.n);
    }
    harness_eof(&h);
    bool kept = buf_add(said, harness_said(&h));
    assert(kept);
    harness_end(&h);
    unsigned accepted = f.accepted;
    fake_host_end(&f);
    return accepted;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t most[] = {SIZE_MAX >> 1, 1, 7, 100};
    if (size < 1)
        return 0;
    slice in = {(const char *)data + 1, size - 1};
    struct buf first = {.max = 64 << 20};
    unsigned accepted = play(data[0], in, most[0], &first);
    assert(accepted <= count_ends(in));
    check_replies(buf_slice(&first));
    for (size_t i = 1; i < sizeof(most) / sizeof(most[0]); i++) {
        struct buf again = {.max = 64 << 20};
        assert(play(data[0], in, most[i], &again) == accepted);
        assert(slice_eq(buf_slice(&first), buf_slice(&again)));
        buf_end(&again);
    }
    buf_end(&first);
    return 0;
}
