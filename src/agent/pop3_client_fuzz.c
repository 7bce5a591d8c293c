/*
 * Any bytes as a POP3 server: the client ends, and what it sees does not depend on how TCP cuts
 * them.
 */
#include <assert.h>

#include "agent/fake_dial.h"
#include "agent/pop3_client.h"
#include "base/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool begin(void *ctx, const struct pop3_item *item)
{
    return buf_printf(ctx, "%u:%.*s[", item->number, P(item->uidl));
}

static bool bytes(void *ctx, slice run)
{
    return buf_add(ctx, run);
}

static bool end(void *ctx, const struct pop3_item *item)
{
    return buf_printf(ctx, "]%llu", (unsigned long long)item->size);
}

static bool refused(void *ctx, const struct pop3_item *item, slice text)
{
    return buf_printf(ctx, "%u{%.*s}", item->number, P(text));
}

static void play(slice server, size_t step, struct buf *seen)
{
    struct arena a = {0};
    struct pop3_item *items;
    size_t count, marked = 0;
    const struct agent_account account = {.dial = {.host = S("localhost"), .port = 1110},
                                          .tls = AGENT_PLAIN,
                                          .user = S("one@north.test")};
    const struct pop3_sink sink = {seen, begin, bytes, end, refused};
    struct buf error = {.max = 16384};
    fake_dial_feed(server, step);
    struct pop3_client *c = pop3_client_open(&account, S("secret"), &error);
    bool ok = c && pop3_client_list(c, &a, &items, &count, &error) &&
              pop3_client_retrieve(c, items, count, &sink, &error) &&
              pop3_client_delete(c, items, count, &marked, &error);
    if (!ok)
        pop3_client_abort(c);
    else
        pop3_client_quit(c, &error);
    buf_printf(seen, " %zu %.*s", marked, P(buf_slice(&error)));
    arena_end(&a);
    buf_end(&error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole = {.max = 1 << 20}, cut = {.max = 1 << 20};
    slice server = {(const char *)data, size};
    if (slice_search(server, S("SCRAM")) >= 0)
        return 0; /* its nonce is random */
    play(server, size + 1, &whole);
    play(server, 1, &cut);
    assert(slice_eq(buf_slice(&whole), buf_slice(&cut)));
    buf_end(&whole);
    buf_end(&cut);
    fake_dial_feed(S(""), 1);
    return 0;
}
