/*
 * Any bytes at the HTTP session.  Properties: how TCP cuts the bytes does not matter; every answer
 * begins with a status line; memory of the budget comes back.
 */
#include <assert.h>

#include "base/budget.h"
#include "http/server.h"
#include "net/harness.h"
#include "base/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Answers without a date in the body, and lengths show what was read. */
static void show(void *ctx, const struct peer *peer, const struct http_request *r,
                 struct http_reply *reply)
{
    (void)ctx;
    (void)peer;
    buf_printf(&reply->body, "%.*s %.*s %.*s %zu fields\n%.*s\n", P(r->method), P(r->target),
               P(r->host), r->field_count, P(r->body));
}

/* Overwrites the dates: two runs may be a second apart. */
static void hide_dates(struct buf *b)
{
    slice all = buf_slice(b);
    for (size_t i = 0; i + 37 < all.n; i++)
        if (slice_starts(slice_skip(all, i), S("\r\nDate: ")))
            memset(b->p + b->at + i + 8, 'x', 29);
}

static void run(slice in, size_t step, struct buf *said)
{
    static const struct http_route routes[] = {{"GET", "/*", show, NULL},
                                               {"POST", "/*", show, NULL}};
    static const struct http_options options = {
        .routes = routes, .route_count = 2, .body_max = 4096};
    struct harness h = {0};
    harness_start(&h, http_server_new(&options));
    while (in.n && !h.closed) {
        harness_feed(&h, slice_sub(in, 0, step));
        in = slice_skip(in, step);
    }
    harness_eof(&h);
    buf_add(said, harness_said(&h));
    harness_end(&h);
    assert(budget_used() == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 40000)
        return 0;
    slice in = {(const char *)data, size};
    struct buf whole = {.max = 64 << 20}, cut = {.max = 64 << 20};
    run(in, in.n + 1, &whole);
    run(in, in.n % 7 + 1, &cut);
    hide_dates(&whole);
    hide_dates(&cut);
    assert(slice_eq(buf_slice(&whole), buf_slice(&cut)));
    assert(!buf_length(&whole) || slice_starts(buf_slice(&whole), S("HTTP/1.1 ")));
    buf_end(&whole);
    buf_end(&cut);
    return 0;
}
