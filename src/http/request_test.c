/*
 * Heads and chunks: our own table by section of RFC 9112, and the vectors of llhttp, read in place
 * at ../shared/vectors (skipped when they are not there).
 */
#include "http/request.h"

#include <dirent.h>
#include <errno.h>

#include "base/test.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/limits.h"
#include "http/chunked.h"

#define VECTORS "../shared/vectors/http1-llhttp/request"

static void test_heads(void **state)
{
    (void)state;
    static const struct {
        const char *name, *in;
        int status; /* 0: good */
        const char *path, *query, *host;
        bool keep_alive, chunked;
        uint64_t length;
    } rows[] = {
        {"simple", "GET /a?b=c HTTP/1.1\r\nHost: north.test\r\n\r\n", 0, "/a", "b=c", "north.test",
         true, false, 0},
        {"empty line before (2.2)", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 0, "/", "", "a", true,
         false, 0},
        {"1.0", "GET / HTTP/1.0\r\n\r\n", 0, "/", "", "", false, false, 0},
        {"1.0 keep-alive", "GET / HTTP/1.0\r\nConnection: a, Keep-Alive\r\n\r\n", 0, "/", "", "",
         true, false, 0},
        {"close", "GET / HTTP/1.1\r\nHost: a\r\nConnection: CLOSE\r\n\r\n", 0, "/", "", "a", false,
         false, 0},
        {"absolute (3.2.2)", "GET http://south.test:8080/x?y HTTP/1.1\r\nHost: a\r\n\r\n", 0, "/x",
         "y", "south.test:8080", true, false, 0},
        {"absolute, no path", "GET http://[::1] HTTP/1.1\r\nHost: a\r\n\r\n", 0, "/", "", "[::1]",
         true, false, 0},
        {"asterisk", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 0, "*", "", "a", true, false, 0},
        {"length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:  12 \r\n\r\n", 0, "/", "", "a",
         true, false, 12},
        {"chunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n", 0, "/", "",
         "a", true, true, 0},
        {"obs-text", "GET / HTTP/1.1\r\nHost: a\r\nX: \xe9\r\n\r\n", 0, "/", "", "a", true, false,
         0},
        {.name = "no host (3.2)", .in = "GET / HTTP/1.1\r\n\r\n", .status = 400},
        {.name = "two hosts", .in = "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", .status = 400},
        {.name = "bad host", .in = "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", .status = 400},
        {.name = "empty host", .in = "GET / HTTP/1.1\r\nHost:\r\n\r\n", .status = 400},
        {.name = "user in host",
         .in = "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n",
         .status = 400},
        {.name = "bare LF (2.2)", .in = "GET / HTTP/1.1\nHost: a\n\n", .status = 400},
        {.name = "bare LF in fields",
         .in = "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
         .status = 400},
        {.name = "bare CR", .in = "GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n", .status = 400},
        {.name = "obs-fold (5.2)",
         .in = "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n",
         .status = 400},
        {.name = "space before colon (5.1)",
         .in = "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
         .status = 400},
        {.name = "space after request line",
         .in = "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
         .status = 400},
        {.name = "no colon", .in = "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", .status = 400},
        {.name = "empty name", .in = "GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n", .status = 400},
        {.name = "both lengths (6.1)",
         .in = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: "
               "chunked\r\n\r\n",
         .status = 400},
        {.name = "two lengths (6.3)",
         .in = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
         .status = 400},
        {.name = "list of lengths",
         .in = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n",
         .status = 400},
        {.name = "signed length",
         .in = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n",
         .status = 400},
        {.name = "hexadecimal length",
         .in = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\n",
         .status = 400},
        {.name = "empty length",
         .in = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n",
         .status = 400},
        {.name = "length overflow",
         .in = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551617\r\n\r\n",
         .status = 400},
        {.name = "two codings",
         .in = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
               "identity\r\n\r\n",
         .status = 400},
        {.name = "other coding",
         .in = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
         .status = 501},
        {.name = "disguised coding",
         .in = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0b"
               "chunked\r\n\r\n",
         .status = 400},
        {.name = "coding in 1.0",
         .in = "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
         .status = 400},
        {.name = "expectation",
         .in = "GET / HTTP/1.1\r\nHost: a\r\nExpect: more\r\n\r\n",
         .status = 417},
        {.name = "connect", .in = "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", .status = 501},
        {.name = "HTTP/2", .in = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", .status = 505},
        {.name = "version", .in = "GET / HTTP/1.10\r\nHost: a\r\n\r\n", .status = 400},
        {.name = "lower-case version", .in = "GET / http/1.1\r\nHost: a\r\n\r\n", .status = 400},
        {.name = "HTTP/0.9", .in = "GET /\r\n\r\n", .status = 400},
        {.name = "space in target", .in = "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", .status = 400},
        {.name = "no slash", .in = "GET a HTTP/1.1\r\nHost: a\r\n\r\n", .status = 400},
        {.name = "fragment", .in = "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", .status = 400},
        {.name = "non-ASCII target", .in = "GET /\xe9 HTTP/1.1\r\nHost: a\r\n\r\n", .status = 400},
        {.name = "bad method", .in = "G=T / HTTP/1.1\r\nHost: a\r\n\r\n", .status = 400},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena a = {0};
        struct http_request r;
        int status = 0;
        slice in = slice_c(rows[i].in);
        ssize_t n = http_head_parse(&a, in, &r, &status);
        if (n < 0 ? status != rows[i].status : rows[i].status || (size_t)n != in.n)
            fail_msg("%s: %zd, status %d", rows[i].name, n, status);
        if (n > 0) {
            assert_slice(r.path, slice_c(rows[i].path));
            assert_slice(r.query, slice_c(rows[i].query));
            assert_slice(r.host, slice_c(rows[i].host));
            assert_int_equal(r.keep_alive, rows[i].keep_alive);
            assert_int_equal(r.chunked, rows[i].chunked);
            assert_int_equal(r.content_length, rows[i].length);
            for (size_t cut = 0; cut < in.n; cut++) /* a part of a good head is never bad */
                assert_int_equal(http_head_parse(&a, slice_sub(in, 0, cut), &r, &status), 0);
        }
        arena_end(&a);
    }
}

static void test_limits(void **state)
{
    (void)state;
    struct buf in = {.max = 1 << 20};
    struct arena a = {0};
    struct http_request r;
    int status = 0;
    buf_add(&in, S("GET /"));
    while (buf_length(&in) <= LIMIT_HTTP_HEAD)
        buf_add(&in, S("aaaaaaaaaaaaaaaa"));
    assert_int_equal(http_head_parse(&a, buf_slice(&in), &r, &status), -1);
    assert_int_equal(status, 414);
    buf_clear(&in);
    buf_add(&in, S("GET / HTTP/1.1\r\nHost: a\r\n"));
    for (int i = 0; i < LIMIT_HTTP_FIELDS + 1; i++)
        buf_add(&in, S("X: y\r\n"));
    buf_add(&in, S("\r\n"));
    assert_int_equal(http_head_parse(&a, buf_slice(&in), &r, &status), -1);
    assert_int_equal(status, 431);
    arena_end(&a);
    buf_end(&in);
}

static void decode(slice in, size_t step, bool *done, bool *bad, struct buf *data)
{
    struct chunked c = {0};
    size_t have = 0;
    *done = *bad = false;
    while (!*bad && c.at != CHUNK_DONE) {
        slice piece;
        ssize_t n = have ? chunked_eat(&c, slice_sub(in, 0, have), &piece) : 0;
        *bad = n < 0;
        if (n > 0) {
            buf_add(data, piece);
            in = slice_skip(in, (size_t)n);
            have -= (size_t)n;
        } else if (have == in.n) {
            break;
        } else {
            have = have + step < in.n ? have + step : in.n;
        }
    }
    *done = c.at == CHUNK_DONE && in.n == 0;
}

static void test_chunks(void **state)
{
    (void)state;
    static const struct {
        const char *name, *in, *want; /* want NULL: bad */
    } rows[] = {
        {"two", "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world"},
        {"upper case", "A\r\n0123456789\r\n000\r\n\r\n", "0123456789"},
        {"extensions (7.1.1)", "1;a;b=c ; d = \"e\\\"f\"\r\nx\r\n0;g\r\n\r\n", "x"},
        {"trailer (7.1.2)", "1\r\nx\r\n0\r\nA: b\r\nC: d\r\n\r\n", "x"},
        {"no extension", "1;\r\nx\r\n0\r\n\r\n", NULL},
        {"space", "1 \r\nx\r\n0\r\n\r\n", NULL},
        {"not hexadecimal", "g\r\nx\r\n0\r\n\r\n", NULL},
        {"0x", "0x1\r\nx\r\n0\r\n\r\n", NULL},
        {"sign", "+1\r\nx\r\n0\r\n\r\n", NULL},
        {"empty", "\r\nx\r\n0\r\n\r\n", NULL},
        {"bare LF", "1\nx\r\n0\r\n\r\n", NULL},
        {"bare LF after data", "1\r\nx\n0\r\n\r\n", NULL},
        {"too much data", "1\r\nxy\r\n0\r\n\r\n", NULL},
        {"LF in extension", "1;a=\"\n\"\r\nx\r\n0\r\n\r\n", NULL},
        {"overflow", "10000000000000001\r\nx\r\n0\r\n\r\n", NULL},
        {"folded trailer", "0\r\nA: b\r\n c\r\n\r\n", NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (size_t step = 1; step < 100; step += 33) {
            struct buf data = {.max = 1000};
            bool done, bad;
            decode(slice_c(rows[i].in), step, &done, &bad, &data);
            if (bad != !rows[i].want || done != (rows[i].want != NULL))
                fail_msg("%s by %zu", rows[i].name, step);
            if (rows[i].want)
                assert_slice(buf_slice(&data), slice_c(rows[i].want));
            buf_end(&data);
        }
}

/* ---- llhttp ---- */

/* Inputs there are shown with LF for CRLF and with escapes. */
static slice vector_input(struct arena *a, slice text)
{
    char *to = arena_alloc(a, text.n * 2 + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i], next = i + 1 < text.n ? text.p[i + 1] : '\0';
        if (c == '\\' && next == '\n') {
            i++; /* a line that goes on */
        } else if (c == '\\' && next && strchr("rntf0", next)) {
            to[n++] = next == 'r'   ? '\r'
                      : next == 'n' ? '\n'
                      : next == 't' ? '\t'
                      : next == 'f' ? '\f'
                                    : '\0';
            i++;
        } else if (c == '\\' && next == 'x' &&
                   slice_unhex(slice_sub(text, i + 2, i + 4), to + n, 1)) {
            n++;
            i += 3;
        } else if (c == '\n') {
            to[n++] = '\r';
            to[n++] = '\n';
        } else {
            to[n++] = c;
        }
    }
    return (slice){to, n};
}

/* The text between the next fence of that kind and its end. */
static bool next_block(slice *text, slice fence, slice *block)
{
    ptrdiff_t from = slice_search(*text, fence);
    if (from < 0)
        return false;
    *text = slice_skip(*text, (size_t)from + fence.n);
    ptrdiff_t to = slice_search(*text, S("\n```"));
    if (to < 0)
        return false;
    *block = slice_sub(*text, 0, (size_t)to);
    *text = slice_skip(*text, (size_t)to);
    return true;
}

/* What llhttp saw, from its log: the value of the first span of that name, as shown. */
static slice span(slice log, const char *name)
{
    char mark[64];
    snprintf(mark, sizeof(mark), "span[%s]=\"", name);
    ptrdiff_t at = slice_search(log, slice_c(mark));
    if (at < 0)
        return S("");
    slice rest = slice_skip(log, (size_t)at + strlen(mark));
    ptrdiff_t end = slice_search(rest, S("\"\n"));
    return slice_sub(rest, 0, end < 0 ? (rest.n ? rest.n - 1 : 0) : (size_t)end);
}

/* The body llhttp saw: all its spans. */
static size_t body_bytes(slice log)
{
    size_t sum = 0;
    slice line;
    while (slice_next(&log, '\n', &line)) {
        if (slice_search(line, S("message begin")) > 0 && sum)
            break; /* the first message only */
        uint64_t n;
        ptrdiff_t at = slice_search(line, S("len="));
        if (slice_search(line, S(" span[body]")) < 0 || at < 0)
            continue;
        slice digits = slice_skip(line, (size_t)at + 4);
        digits = slice_sub(digits, 0, (size_t)slice_find(digits, ' '));
        if (slice_u64(digits, SIZE_MAX, &n))
            sum += n;
    }
    return sum;
}

/* Runs head and body over the input: the status (0 good, 1 not complete). */
static int judge(struct arena *a, slice in, struct http_request *r, size_t *body)
{
    int status = 0;
    *body = 0;
    ssize_t n = http_head_parse(a, in, r, &status);
    if (n <= 0)
        return n < 0 ? status : 1;
    in = slice_skip(in, (size_t)n);
    if (!r->chunked) {
        *body = r->content_length < in.n ? (size_t)r->content_length : in.n;
        return *body < r->content_length ? 1 : 0;
    }
    struct chunked c = {0};
    while (c.at != CHUNK_DONE) {
        slice data;
        n = in.n ? chunked_eat(&c, in, &data) : 0;
        if (n <= 0)
            return n < 0 ? 400 : 1;
        *body += data.n;
        in = slice_skip(in, (size_t)n);
    }
    return 0;
}

struct tally {
    int same, refused, stricter;
};

/* Where both accept, they must have read the same; what llhttp refuses before the end of the first
 * message, we refuse. */
static void compare(slice input, slice log, const char *file, struct tally *t)
{
    struct arena a = {0};
    struct http_request r;
    size_t body;
    slice in = vector_input(&a, input);
    /* Most inputs have no Host, which llhttp does not ask for. */
    ptrdiff_t line = slice_search(in, S(" HTTP/1.1\r\n"));
    if (line >= 0 && slice_search(in, S("\nHost:")) < 0 && slice_search(in, S("\nHOST:")) < 0) {
        size_t cut = (size_t)line + 11;
        in = arena_printf(&a, "%.*sHost: a\r\n%.*s", P(slice_sub(in, 0, cut)),
                          P(slice_skip(in, cut)));
    }
    ptrdiff_t error = slice_search(log, S("error code=")),
              done = slice_search(log, S("message complete"));
    bool pause = slice_search(log, S("Pause on")) >= 0 ||
                 slice_search(log, S("error code=21")) >= 0 ||
                 slice_search(log, S("error code=5 ")) >= 0;
    int status = judge(&a, in, &r, &body);
    if (slice_search(log, S("Invalid method for")) >= 0 ||
        slice_search(log, S("Expected space after method")) >=
            0) { /* which methods there are, routes say */
        arena_end(&a);
        return;
    }
    if (error >= 0 && !pause && (done < 0 || error < done)) {
        if (status == 0)
            fail_msg("%s: llhttp refuses, we accept: %.*s", file, P(input));
        t->refused++;
    } else if (status == 0) {
        if (!slice_eq(r.method, span(log, "method")) || !slice_eq(r.target, span(log, "url")) ||
            (body != body_bytes(log) && !pause))
            fail_msg("%s: read differently: %.*s", file, P(input));
        t->same++;
    } else {
        t->stricter++;
    }
    arena_end(&a);
}

static void test_vectors(void **state)
{
    (void)state;
    DIR *dir = opendir(VECTORS);
    if (!dir) {
        print_message("no %s here\n", VECTORS);
        skip();
    }
    struct tally t = {0};
    struct dirent *entry;
    while ((entry = readdir(dir))) {
        char path[512];
        struct arena a = {0};
        slice text, meta, input, log;
        snprintf(path, sizeof(path), "%s/%s", VECTORS, entry->d_name);
        bool lenient = slice_starts(slice_c(entry->d_name), S("lenient"));
        if (!slice_ends(slice_c(entry->d_name), S(".md")) || lenient)
            continue;
        assert_int_equal(file_read(&a, path, 1 << 20, &text), 0);
        for (;;) {
            ptrdiff_t at = slice_search(text, S("<!-- meta="));
            if (at < 0)
                break;
            text = slice_skip(text, (size_t)at);
            meta = slice_sub(text, 0, (size_t)slice_find(text, '\n'));
            if (!next_block(&text, S("```http\n"), &input) ||
                !next_block(&text, S("```log\n"), &log))
                break;
            if (slice_search(meta, S("\"request\"")) >= 0 && slice_search(meta, S("pause")) < 0 &&
                slice_search(meta, S("skipBody")) < 0)
                compare(input, log, entry->d_name, &t);
        }
        arena_end(&a);
    }
    closedir(dir);
    print_message("llhttp: %d read alike, %d refused alike, %d refused or unfinished here only\n",
                  t.same, t.refused, t.stricter);
    assert_true(t.same >= 45 && t.refused >= 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heads),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_vectors),
    };
    return TEST_RUN(tests);
}
