/*
 * Any messages into a SASL exchange.  Properties: nobody gets in without the password; challenges
 * are printable ASCII; SCRAM's first one begins with the client's nonce; the same messages have the
 * same result.  Messages are the lines of the input; the first byte chooses the mechanism.
 */
#include "accounts/fuzz.h"
#include "base/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const slice mechanisms[] = {{"PLAIN", 5}, {"LOGIN", 5}, {"SCRAM-SHA-256", 13}};

static void check_reply(slice mechanism, slice message, slice reply)
{
    for (size_t i = 0; i < reply.n; i++)
        assert(reply.p[i] >= 0x20 && reply.p[i] < 0x7f);
    if (mechanism.n != 13 || reply.n == 0)
        return;
    ptrdiff_t nonce = slice_search(message, S(",r="));
    assert(nonce >= 0 && slice_starts(reply, S("r=")));
    slice theirs = slice_skip(message, (size_t)nonce + 3);
    slice_next(&(slice){theirs.p, theirs.n}, ',', &theirs);
    assert(slice_starts(slice_skip(reply, 2), theirs));
}

/* Plays the messages; a hash is not worth its time: it is taken for a wrong password. */
static enum sasl_result play(struct fuzz_post *p, slice mechanism, bool initial, slice in)
{
    struct peer peer = {.ip = "127.0.0.1", .loopback = true};
    struct arena a = {0};
    struct sasl *x = sasl_start(&p->login, mechanism, "pop3", &peer, true);
    enum sasl_result r = SASL_CHALLENGE;
    slice message, reply = S("");
    if (!initial)
        r = sasl_step(x, false, S(""), &a, &reply);
    while (r == SASL_CHALLENGE && slice_next(&in, '\n', &message)) {
        r = sasl_step(x, true, message, &a, &reply);
        check_reply(mechanism, message, reply);
    }
    sasl_end(x);
    arena_end(&a);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 16384)
        return 0;
    struct fuzz_post *p = fuzz_post_get();
    fuzz_remember(p);
    slice mechanism = mechanisms[data[0] % 3];
    slice in = {(const char *)data + 1, size - 1};
    enum sasl_result r = play(p, mechanism, data[0] & 4, in);
    assert(r != SASL_OK || (slice_search(in, S("secret")) >= 0 && mechanism.n == 5));
    assert(r == play(p, mechanism, data[0] & 4, in));
    return 0;
}
