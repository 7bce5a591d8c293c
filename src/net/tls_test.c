/*
 * TLS on both ends: contexts, certificates, dial against the toy server, and what must not happen
 * at its edges (rule S15; cleartext after close_notify).
 */
#include "net/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/test.h"

#include "base/clock.h"
#include "base/log.h"
#include "net/dial.h"
#include "net/toy_server.h"

static struct dial *call(const struct toy_server *server, uint16_t port, const char *host,
                         bool with_ca)
{
    struct buf error = {.max = 1000};
    struct dial *d = dial_open(&(struct dial_options){.host = slice_c(host),
                                                      .address = S("127.0.0.1"),
                                                      .port = port,
                                                      .ca_file = with_ca ? server->cert : NULL,
                                                      .connect_ms = 5000},
                               &error);
    if (!d)
        fail_msg("%.*s", P(buf_slice(&error)));
    buf_end(&error);
    dial_timeout(d, 10000);
    return d;
}

static void line(struct dial *d, const char *want)
{
    slice got;
    if (!dial_line(d, 1000, &got))
        fail_msg("instead of \"%s\": %s", want, dial_error(d));
    assert_slice(got, slice_c(want));
}

static void test_implicit(void **state)
{
    (void)state;
    struct toy_server server;
    toy_begin(&server, NULL);
    static const char *const hosts[] = {"north.test", "localhost", "127.0.0.1"};
    for (size_t i = 0; i < 3; i++) {
        struct dial *d = call(&server, server.tls_port, hosts[i], true);
        if (!dial_start_tls(d, DIAL_VERIFY))
            fail_msg("%s: %s", hosts[i], dial_error(d));
        assert_true(dial_is_tls(d));
        assert_string_equal(dial_tls_version(d), "TLSv1.3");
        line(d, "hello TLSv1.3");
        dial_write(d, S("echo a\r\njob\r\nquit\r\n"));
        line(d, "a");
        line(d, "job done");
        line(d, "bye");
        slice none;
        assert_false(dial_line(d, 100, &none));
        dial_end(d);
    }
    toy_finish(&server);
}

/* Much, both ways: records, buffers and back-pressure. */
static void test_bulk(void **state)
{
    (void)state;
    struct toy_server server;
    toy_begin(&server, NULL);
    struct dial *d = call(&server, server.tls_port, "north.test", true);
    assert_true(dial_start_tls(d, DIAL_VERIFY));
    line(d, "hello TLSv1.3");
    static char bytes[100000];
    memset(bytes, 'x', sizeof(bytes));
    dial_write(d, S("body 3000000\r\n"));
    for (int i = 0; i < 30; i++)
        assert_true(dial_write(d, (slice){bytes, sizeof(bytes)}));
    line(d, "taken");
    dial_write(d, S("many 200000\r\necho end\r\n"));
    char want[16];
    for (int i = 0; i < 200000; i++) {
        snprintf(want, sizeof(want), "%d", i);
        line(d, want);
    }
    line(d, "end");
    dial_end(d);
    toy_finish(&server);
}

static void test_verify(void **state)
{
    (void)state;
    struct toy_server server;
    toy_begin(&server, NULL);
    static const struct {
        const char *host;
        bool with_ca;
        enum dial_tls mode;
        const char *error;
    } rows[] = {
        {"north.test", true, DIAL_VERIFY, NULL},
        {"south.test", true, DIAL_VERIFY, "the certificate does not prove south.test"},
        {"north.test", false, DIAL_VERIFY, "the certificate does not prove north.test"},
        {"south.test", false, DIAL_OPPORTUNE, NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct dial *d = call(&server, server.port, rows[i].host, rows[i].with_ca);
        line(d, "hello");
        dial_write(d, S("tls\r\n"));
        line(d, "go");
        bool ok = dial_start_tls(d, rows[i].mode);
        if (ok != !rows[i].error || (rows[i].error && !strstr(dial_error(d), rows[i].error)))
            fail_msg("%zu: %s", i, dial_error(d));
        if (ok)
            line(d, "secure");
        dial_end(d);
    }
    toy_finish(&server);
}

/* A client over plain sockets and OpenSSL, for what dial would never do. */
static SSL *secure(int fd, SSL_SESSION *resume)
{
    struct buf error = {.max = 1000};
    SSL *ssl = tls_client_ssl(NULL, S("north.test"), false, &error);
    assert_non_null(ssl);
    SSL_set_session(ssl, resume); /* NULL: not the one tls.c remembers */
    SSL_set_fd(ssl, fd);
    assert_int_equal(SSL_connect(ssl), 1);
    buf_end(&error);
    return ssl;
}

static void hear_tls(SSL *ssl, const char *want)
{
    char got[1000];
    size_t n = 0;
    while (n < strlen(want)) {
        int r = SSL_read(ssl, got + n, (int)(strlen(want) - n));
        assert_true(r > 0);
        n += (size_t)r;
    }
    assert_slice(((slice){got, n}), slice_c(want));
}

/* Rule S15 (RFC 3207 4.2): commands injected in clear behind STARTTLS never run. */
static void test_injection(void **state)
{
    (void)state;
    struct toy_server server;
    toy_begin(&server, NULL);
    int fd = toy_connect(server.port);
    toy_hear(fd, S("hello\r\n"));
    toy_say(fd, S("tls\r\necho injected\r\n"));
    toy_hear(fd, S("go\r\n"));
    SSL *ssl = secure(fd, NULL);
    hear_tls(ssl, "secure\r\n");
    SSL_write(ssl, "echo a\r\n", 8);
    hear_tls(ssl, "a\r\n");
    SSL_free(ssl);
    close(fd);
    toy_finish(&server);
}

/* After close_notify nothing is read any more: clear bytes behind it are not commands, and the
 * session ends once (as the bug of CVE-2026-45185 did not). */
static void test_cleartext_after_close_notify(void **state)
{
    (void)state;
    struct toy_server server;
    toy_begin(&server, NULL);
    for (int i = 0; i < 20; i++) {
        int fd = toy_connect(server.tls_port);
        SSL *ssl = secure(fd, NULL);
        char greeting[100];
        assert_true(SSL_read(ssl, greeting, sizeof(greeting)) > 0);
        SSL_write(ssl, "body 20\r\n0123456789", 19);
        SSL_shutdown(ssl);
        toy_say(fd, S("0123456789echo injected\r\nquit\r\n"));
        char got[2000];
        /* What comes is TLS alerts and the end, never a reply. */
        for (;;) {
            ssize_t n = recv(fd, got, sizeof(got), 0);
            if (n <= 0)
                break;
            assert_true(slice_search((slice){got, (size_t)n}, S("taken")) < 0);
            assert_true(slice_search((slice){got, (size_t)n}, S("injected")) < 0);
        }
        SSL_free(ssl);
        close(fd);
    }
    toy_finish(&server);
}

/* Not TLS at all, and silence in the hand-shake: the first fails at once, the second in time. */
static void test_bad_handshakes(void **state)
{
    (void)state;
    struct toy_server server;
    toy_begin(&server, NULL);
    int64_t before = metric_get(METRIC_TLS_FAILURES);
    int fd = toy_connect(server.tls_port);
    toy_say(fd, S("EHLO north.test\r\n"));
    char got[100];
    while (recv(fd, got, sizeof(got), 0) > 0)
        ;
    close(fd);
    assert_int_equal(metric_get(METRIC_TLS_FAILURES), before + 1);
    int silent = toy_connect(server.tls_port);
    int fine = toy_connect(server.port);
    toy_hear(fine, S("hello\r\n"));
    close(silent);
    close(fine);
    toy_finish(&server);
}

/* A client remembers the last session with a server, by its name and by who vouches for it. */
static void test_client_resumes(void **state)
{
    (void)state;
    struct toy_server server;
    toy_begin(&server, NULL);
    const struct {
        const char *name;
        bool reused;
    } rows[] = {{"one.test", false}, {"one.test", true},   {"two.test", false},
                {"one.test", true},  {"127.0.0.1", false}, {"127.0.0.1", false}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf error = {.max = 1000};
        int fd = toy_connect(server.tls_port);
        SSL *ssl = tls_client_ssl(NULL, slice_c(rows[i].name), false, &error);
        assert_non_null(ssl);
        SSL_set_fd(ssl, fd);
        assert_int_equal(SSL_connect(ssl), 1);
        hear_tls(ssl, "hello TLSv1.3\r\n");
        if (SSL_session_reused(ssl) != rows[i].reused)
            fail_msg("%zu: %s", i, rows[i].name);
        SSL_shutdown(ssl);
        SSL_free(ssl);
        close(fd);
        buf_end(&error);
    }
    toy_finish(&server);
}

/* TLS 1.2 and 1.3 resume with a ticket, also across a reload of the certificate. */
static void test_resumption_and_reload(void **state)
{
    (void)state;
    struct toy_server server;
    struct buf error = {.max = 1000};
    toy_begin(&server, NULL);
    int fd = toy_connect(server.tls_port);
    SSL *ssl = secure(fd, NULL);
    hear_tls(ssl, "hello TLSv1.3\r\n");
    assert_false(SSL_session_reused(ssl));
    SSL_SESSION *session = SSL_get1_session(ssl);
    assert_true(SSL_SESSION_is_resumable(session));
    X509 *first = SSL_get1_peer_certificate(ssl);
    SSL_shutdown(ssl); /* or OpenSSL forgets the session */
    SSL_free(ssl);
    close(fd);

    assert_true(tls_make_self_signed(server.dir, &S("north.test"), 1, &error));
    assert_true(tls_server_reload(server.tls, &error));
    fd = toy_connect(server.tls_port);
    ssl = secure(fd, session);
    hear_tls(ssl, "hello TLSv1.3\r\n");
    assert_true(SSL_session_reused(ssl));
    SSL_free(ssl);
    close(fd);

    fd = toy_connect(server.tls_port);
    ssl = secure(fd, NULL);
    X509 *second = SSL_get1_peer_certificate(ssl);
    assert_int_not_equal(X509_cmp(first, second), 0);
    SSL_free(ssl);
    close(fd);

    /* A bad file changes nothing. */
    FILE *f = fopen(server.cert, "w");
    fputs("not a certificate\n", f);
    fclose(f);
    assert_false(tls_server_reload(server.tls, &error));
    assert_true(slice_search(buf_slice(&error), S("cannot read the certificate")) >= 0);
    fd = toy_connect(server.tls_port);
    ssl = secure(fd, NULL);
    SSL_free(ssl);
    close(fd);
    X509_free(first);
    X509_free(second);
    SSL_SESSION_free(session);
    buf_end(&error);
    toy_finish(&server);
}

static bool handshakes_with(const struct toy_server *server, bool old_peers, const char *ciphers,
                            int version)
{
    struct buf error = {.max = 1000};
    struct tls_server *tls = tls_server_new(&(struct tls_server_options){.cert_file = server->cert,
                                                                         .key_file = server->key,
                                                                         .old_peers = old_peers},
                                            &error);
    assert_non_null(tls);
    SSL *a = tls_server_ssl(tls), *b = tls_client_ssl(NULL, S("north.test"), false, &error);
    SSL_set_max_proto_version(b, version);
    SSL_set_min_proto_version(b, version);
    if (ciphers)
        SSL_set_cipher_list(b, ciphers);
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    SSL_set_fd(a, pair[0]);
    SSL_set_fd(b, pair[1]);
    bool done_a = false, done_b = false;
    for (int i = 0; i < 10; i++) {
        done_b = SSL_do_handshake(b) == 1;
        done_a = SSL_do_handshake(a) == 1;
    }
    SSL_free(a);
    SSL_free(b);
    close(pair[0]);
    close(pair[1]);
    tls_server_end(tls);
    buf_end(&error);
    return done_a && done_b;
}

/* Design section 8: 1.2 (AEAD) and 1.3; on port 25 also ECDHE-CBC; nothing older. */
static void test_policy(void **state)
{
    (void)state;
    struct toy_server server;
    toy_begin(&server, NULL);
    static const struct {
        bool old_peers;
        const char *ciphers;
        int version;
        bool want;
    } rows[] = {
        {false, NULL, TLS1_3_VERSION, true},
        {false, "ECDHE-ECDSA-AES128-GCM-SHA256", TLS1_2_VERSION, true},
        {false, "ECDHE-ECDSA-CHACHA20-POLY1305", TLS1_2_VERSION, true},
        {false, "ECDHE-ECDSA-AES128-SHA256", TLS1_2_VERSION, false},
        {true, "ECDHE-ECDSA-AES128-SHA256", TLS1_2_VERSION, true},
        {true, "ECDHE-ECDSA-AES256-SHA", TLS1_2_VERSION, true},
        {true, "ALL:@SECLEVEL=0", TLS1_1_VERSION, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (handshakes_with(&server, rows[i].old_peers, rows[i].ciphers, rows[i].version) !=
            rows[i].want)
            fail_msg("row %zu", i);
    toy_finish(&server);
}

static void test_self_signed(void **state)
{
    (void)state;
    struct buf error = {.max = 1000};
    struct stat st;
    char dir[] = "/tmp/yizhan-tls-XXXXXX", path[128];
    assert_non_null(mkdtemp(dir));
    slice names[] = {S("mail.north.test"), S("192.0.2.1")};
    assert_true(tls_make_self_signed(dir, names, 2, &error));
    snprintf(path, sizeof(path), "%s/key.pem", dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    unlink(path);
    snprintf(path, sizeof(path), "%s/cert.pem", dir);
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    assert_int_equal(SSL_CTX_use_certificate_file(ctx, path, SSL_FILETYPE_PEM), 1);
    X509 *cert = SSL_CTX_get0_certificate(ctx);
    static const char *const good[] = {"mail.north.test", "localhost"};
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(X509_check_host(cert, good[i], 0, 0, NULL), 1);
    static const char *const addresses[] = {"192.0.2.1", "127.0.0.1", "::1"};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(X509_check_ip_asc(cert, addresses[i], 0), 1);
    assert_int_equal(X509_check_host(cert, "south.test", 0, 0, NULL), 0);
    int days, seconds;
    assert_int_equal(ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(cert)), 1);
    assert_in_range(days, 3640, 3660);
    SSL_CTX_free(ctx);
    unlink(path);
    assert_false(tls_make_self_signed(dir, &S("a,DNS:b"), 1, &error));
    assert_false(tls_make_self_signed("/nonexistent", &S("a"), 1, &error));
    rmdir(dir);
    buf_end(&error);
}

/* dial: a line may end in LF alone, has a cap, and patience ends. */
static void test_dial(void **state)
{
    (void)state;
    struct buf error = {.max = 1000};
    int listening = listen_bind("127.0.0.1", 0, &error);
    fcntl(listening, F_SETFL, 0);
    struct toy_server server = {.port = listen_port(listening)};
    struct dial *d = call(&server, server.port, "north.test", false);
    int fd = accept(listening, NULL, NULL);
    char want[64];
    snprintf(want, sizeof(want), "127.0.0.1:%u", server.port);
    assert_string_equal(dial_remote(d), want);
    assert_string_equal(dial_tls_version(d), "");
    toy_say(fd, S("one\r\ntwo\nrest"));
    line(d, "one");
    assert_true(dial_readable(d));
    line(d, "two");
    char byte[2];
    assert_int_equal(dial_read(d, byte, 2), 2);
    assert_slice(((slice){byte, 2}), S("re"));
    toy_say(fd, S("\r\n"));
    line(d, "st");
    assert_false(dial_readable(d));
    slice got;
    dial_timeout(d, 100);
    assert_false(dial_line(d, 100, &got));
    assert_true(dial_timed_out(d));
    assert_non_null(strstr(dial_error(d), "no answer in time"));
    assert_false(dial_write(d, S("x")) && dial_flush(d));
    dial_end(d);
    close(fd);

    d = call(&server, server.port, "north.test", false);
    fd = accept(listening, NULL, NULL);
    for (int i = 0; i < 20; i++)
        toy_say(fd, S("0123456789"));
    assert_false(dial_line(d, 100, &got));
    assert_non_null(strstr(dial_error(d), "a line longer than 100 bytes"));
    dial_end(d);
    close(fd);

    /* Text already waiting when TLS should begin (RFC 3207 4.2, the client's side of S15). */
    d = call(&server, server.port, "north.test", false);
    fd = accept(listening, NULL, NULL);
    toy_say(fd, S("220 go\r\n250 injected\r\n"));
    line(d, "220 go");
    assert_false(dial_start_tls(d, DIAL_OPPORTUNE));
    assert_non_null(strstr(dial_error(d), "before TLS began"));
    dial_end(d);
    close(fd);
    close(listening);

    assert_null(dial_open(&(struct dial_options){.host = S("north.test"),
                                                 .address = S("127.0.0.1"),
                                                 .port = server.port,
                                                 .connect_ms = 1000},
                          &error));
    snprintf(want, sizeof(want), "127.0.0.1:%u: Connection refused", server.port);
    assert_slice(buf_slice(&error), slice_c(want));
    buf_end(&error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_implicit),
        cmocka_unit_test(test_bulk),
        cmocka_unit_test(test_verify),
        cmocka_unit_test(test_injection),
        cmocka_unit_test(test_cleartext_after_close_notify),
        cmocka_unit_test(test_bad_handshakes),
        cmocka_unit_test(test_client_resumes),
        cmocka_unit_test(test_resumption_and_reload),
        cmocka_unit_test(test_policy),
        cmocka_unit_test(test_self_signed),
        cmocka_unit_test(test_dial),
    };
    return TEST_RUN(tests);
}
