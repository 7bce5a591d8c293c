/* The HTTP session as transcripts, whole and cut at every byte (net/transcript.h). */
#include "http/server.h"

#include "base/test.h"

#include "base/budget.h"
#include "base/limits.h"
#include "http/reply.h"
#include "net/transcript.h"

static void echo(void *ctx, const struct peer *peer, const struct http_request *r,
                 struct http_reply *reply)
{
    (void)ctx;
    (void)peer;
    buf_printf(&reply->body, "%.*s %.*s?%.*s at %.*s\n%.*s", P(r->method), P(r->path), P(r->query),
               P(r->host), P(r->body));
}

static void large(void *ctx, const struct peer *peer, const struct http_request *r,
                  struct http_reply *reply)
{
    (void)ctx;
    (void)peer;
    uint64_t n = 0;
    (void)slice_u64(r->query, 1 << 30, &n);
    for (uint64_t i = 0; i < n; i++)
        buf_add(&reply->body, S("0123456\r\n"));
}

static bool well(void *ctx, struct buf *reasons)
{
    const char *why = ctx;
    if (why)
        buf_printf(reasons, "%s\n", why);
    return !why;
}

static const struct http_route routes[] = {
    {"GET", "/echo", echo, NULL},
    {"POST", "/echo", echo, NULL},
    {"GET", "/below/*", echo, NULL},
    {"GET", "/large", large, NULL},
};
static struct http_options options = {.routes = routes,
                                      .route_count = sizeof(routes) / sizeof(routes[0]),
                                      .health = well,
                                      .body_max = 1000};

static struct session *make(void *ctx)
{
    (void)ctx;
    return http_server_new(&options);
}

/* The fields every answer has. */
#define END "S: Cache-Control: no-store\nS: X-Content-Type-Options: nosniff\nS:\n"
#define CLOSE                                                                                      \
    "S: Cache-Control: no-store\nS: X-Content-Type-Options: nosniff\nS: Connection: close\nS:\n"
#define TEXT(status, length)                                                                       \
    "S: HTTP/1.1 " status "\nS:* Date: * GMT\n"                                                    \
    "S: Content-Type: text/plain; charset=utf-8\nS: Content-Length: " length "\n"
#define REFUSED(status, length, text) TEXT(status, length) CLOSE "S> " text "\\n\nCLOSED\n"

static void test_transcripts(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
    } rows[] = {
        {"keep-alive and pipelining (9.3)",
         "C: GET /echo?a HTTP/1.1\nC: Host: north.test\nC:\nC: HEAD /echo HTTP/1.1\nC: Host: "
         "b\nC:\n"
         "C: GET /below/x/y HTTP/1.1\nC: Host: c\nC: Connection: close\nC:\n"
         "C: GET /echo HTTP/1.1\nC: Host: never\nC:\n" TEXT("200 OK", "26") END
         "S> GET /echo?a at north.test\\n\n" TEXT("200 OK", "17") END TEXT("200 OK", "21") CLOSE
         "S> GET /below/x/y? at c\\n\nCLOSED\n"},
        {"body by length",
         "C: POST /echo HTTP/1.1\nC: Host: a\nC: Content-Length: 5\nC:\nC> hello\n" TEXT("200 OK",
                                                                                         "22") END
         "S> POST /echo? at a\\nhello\nC: GET /echo HTTP/1.0\nC:\n" TEXT("200 OK", "15") CLOSE
         "S> GET /echo? at \\n\nCLOSED\n"},
        {"chunks (7.1)",
         "C: POST /echo HTTP/1.1\nC: Host: a\nC: Transfer-Encoding: chunked\nC:\nC: 3;x=y\nC: hel\n"
         "C: 2\nC: lo\nC: 0\nC: Trailer: x\nC:\n" TEXT("200 OK", "22") END
         "S> POST /echo? at a\\nhello\n"},
        {"bad chunk",
         "C: POST /echo HTTP/1.1\nC: Host: a\nC: Transfer-Encoding: chunked\nC:\nC: x\n" REFUSED(
             "400 Bad Request", "12", "Bad Request")},
        {"100-continue (RFC 9110 10.1.1)",
         "C: POST /echo HTTP/1.1\nC: Host: a\nC: Content-Length: 2\nC: Expect: 100-continue\nC:\n"
         "S: HTTP/1.1 100 Continue\nS:\nC> hi\n" TEXT("200 OK", "19") END
         "S> POST /echo? at a\\nhi\n"},
        {"no continue for what is refused",
         "C: POST /nowhere HTTP/1.1\nC: Host: a\nC: Content-Length: 2\nC: Expect: "
         "100-continue\nC:\n" REFUSED("404 Not Found", "10", "Not Found")},
        {"body too large",
         "C: POST /echo HTTP/1.1\nC: Host: a\nC: Content-Length: 1001\nC:\n" REFUSED(
             "413 Content Too Large", "18", "Content Too Large")},
        {"chunks too large",
         "C: POST /echo HTTP/1.1\nC: Host: a\nC: Transfer-Encoding: chunked\nC:\nC: 3ea\nC*1002 "
         "x\n" REFUSED("413 Content Too Large", "18", "Content Too Large")},
        {"not found, connection kept", "C: GET /nowhere HTTP/1.1\nC: Host: a\nC:\n" TEXT(
                                           "404 Not Found", "10") END "S> Not Found\\n\n"
                                                                      "EOF\nCLOSED\n"},
        {"method (RFC 9110 15.5.6)",
         "C: DELETE /echo HTTP/1.1\nC: Host: a\nC:\n" TEXT("405 Method Not Allowed",
                                                           "19") "S: Allow: GET, HEAD, POST\n" END
                                                                 "S> Method Not Allowed\\n\n"},
        {"smuggling (6.1)",
         "C: POST /echo HTTP/1.1\nC: Host: a\nC: Content-Length: 5\nC: Transfer-Encoding: "
         "chunked\nC:\nC: 0\nC:\nC: GET /evil HTTP/1.1\nC: Host: a\nC:\n" REFUSED(
             "400 Bad Request", "12", "Bad Request")},
        {"no host", "C: GET / HTTP/1.1\nC:\n" REFUSED("400 Bad Request", "12", "Bad Request")},
        {"bare LF",
         "C> GET /echo HTTP/1.1\\nHost: a\\n\\n\n" REFUSED("400 Bad Request", "12", "Bad Request")},
        {"TLS on a plain port", "C> \\x16\\x03\\x01\\x02\\x00\\x01\\x00\\x01\\xfc\\x03\\x03\\r\n"
                                "C> \\n\n" REFUSED("400 Bad Request", "12", "Bad Request")},
        {"target too long",
         "C> GET /\nC*16385 a\n" REFUSED("414 URI Too Long", "13", "URI Too Long")},
        {"idle timeout is silent", "TIMEOUT\nCLOSED\n"},
        {"timeout inside a request", "C> GET /echo HTTP/1.1\\r\\n\nTIMEOUT\n" REFUSED(
                                         "408 Request Timeout", "16", "Request Timeout")},
        {"shutdown inside a request",
         "C> GET\nSHUTDOWN\n" REFUSED("503 Service Unavailable", "20", "Service Unavailable")},
        {"shutdown", "SHUTDOWN\nCLOSED\n"},
        {"limit", "LIMIT\n" REFUSED("503 Service Unavailable", "20", "Service Unavailable")},
        {"health",
         "C: GET /healthz HTTP/1.1\nC: Host: a\nC:\n" TEXT("200 OK", "3") END "S> ok\\n\n"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf error = {.max = 4096};
        struct transcript t = {.make = make, .cuts_max = 400};
        if (!transcript_run(&t, slice_c(rows[i].text), &error))
            fail_msg("%s: %.*s", rows[i].name, P(buf_slice(&error)));
        buf_end(&error);
    }
    assert_int_equal(budget_used(), 0);
}

static slice ask(struct harness *h, slice request)
{
    harness_start(h, make(NULL));
    harness_feed(h, request);
    return harness_said(h);
}

static void test_health_says_why(void **state)
{
    (void)state;
    struct harness h = {0};
    char why[] = "the disk is full";
    options.health_ctx = why;
    slice said = ask(&h, S("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_true(slice_starts(said, S("HTTP/1.1 503 Service Unavailable\r\n")));
    assert_true(slice_ends(said, S("\r\n\r\nthe disk is full\n")));
    options.health_ctx = NULL;
    harness_end(&h);
}

static void test_metrics(void **state)
{
    (void)state;
    static const struct {
        enum http_metrics metrics;
        bool loopback, shown;
    } rows[] = {
        {HTTP_METRICS_LOOPBACK, true, true}, {HTTP_METRICS_LOOPBACK, false, false},
        {HTTP_METRICS_ALL, false, true},     {HTTP_METRICS_ALL, true, true},
        {HTTP_METRICS_OFF, true, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct harness h = {0};
        options.metrics = rows[i].metrics;
        struct session *s = make(NULL);
        s->peer = (struct peer){.ip = "192.0.2.1", .loopback = rows[i].loopback};
        harness_start(&h, s);
        harness_feed(&h, S("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"));
        slice said = harness_said(&h);
        bool shown = slice_search(said, S("# TYPE yizhan_connections_open gauge\n")) > 0;
        assert_int_equal(shown, rows[i].shown);
        assert_int_equal(slice_starts(said, S("HTTP/1.1 403 ")), !rows[i].shown);
        harness_end(&h);
    }
    options.metrics = HTTP_METRICS_LOOPBACK;
}

/* An answer larger than the out buffer goes out in pieces; pipelined requests wait behind it. */
static void test_large_answer(void **state)
{
    (void)state;
    struct harness h = {.slow_reader = true};
    harness_start(&h, make(NULL));
    harness_feed(&h, S("GET /large?200000 HTTP/1.1\r\nHost: a\r\n\r\n"
                       "GET /echo HTTP/1.1\r\nHost: last\r\n\r\n"));
    size_t bytes = 0;
    bool last = false;
    for (;;) {
        assert_true(h.session->out.size <= 2 * LIMIT_OUT);
        slice said = harness_said(&h);
        if (!said.n)
            break;
        bytes += said.n;
        last = slice_ends(said, S("GET /echo? at last\n"));
    }
    assert_true(last);
    assert_in_range(bytes, 9 * 200000, 9 * 200000 + 1000);
    harness_end(&h);
}

/* Bodies are paid for from the common budget. */
static void test_budget(void **state)
{
    (void)state;
    struct harness h = {0};
    budget_set(1000);
    slice said = ask(&h, S("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"));
    assert_true(slice_starts(said, S("HTTP/1.1 503 ")));
    assert_true(h.closed);
    harness_end(&h);
    budget_set(LIMIT_MEMORY);
    assert_int_equal(budget_used(), 0);
}

static void test_date(void **state)
{
    (void)state;
    char date[30];
    http_date(784111777000, date); /* the example of RFC 9110 5.6.7 */
    assert_string_equal(date, "Sun, 06 Nov 1994 08:49:37 GMT");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transcripts), cmocka_unit_test(test_health_says_why),
        cmocka_unit_test(test_metrics),     cmocka_unit_test(test_large_answer),
        cmocka_unit_test(test_budget),      cmocka_unit_test(test_date),
    };
    return TEST_RUN(tests);
}
