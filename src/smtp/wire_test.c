/*
 * Our client and our server over real sockets on loopback, with TLS: what the two say to each other
 * when a network is between them.
 */
#include "smtp/client.h"

#include "base/test.h"
#include "net/listen.h"
#include "smtp/fake_host.h"
#include "smtp/pool.h"
#include "base/banned.h"

struct post {
    struct fake_host host;
    struct net *net;
    struct tls_server *tls;
    int fd, tls_fd;
    uint16_t port, tls_port;
    char dir[64], cert[128], key[128];
};

static struct session *make(void *ctx)
{
    struct post *p = ctx;
    return smtp_server_new(&p->host.options);
}

static void must(bool ok, struct buf *error)
{
    if (!ok)
        fail_msg("%.*s", P(buf_slice(error)));
}

static void post_start(struct post *p, enum smtp_service service)
{
    struct buf error = {.max = 1000};
    *p = (struct post){.dir = "/tmp/yizhan-smtp-XXXXXX"};
    fake_host_start(&p->host, service);
    p->host.disk = p->host.options.message_size = 20 << 20;
    assert_non_null(mkdtemp(p->dir));
    must(tls_make_self_signed(p->dir, &S("north.test"), 1, &error), &error);
    snprintf(p->cert, sizeof(p->cert), "%s/cert.pem", p->dir);
    snprintf(p->key, sizeof(p->key), "%s/key.pem", p->dir);
    p->tls = tls_server_new(&(struct tls_server_options){.cert_file = p->cert, .key_file = p->key},
                            &error);
    must(p->tls, &error);
    p->fd = listen_bind("127.0.0.1", 0, &error);
    p->tls_fd = listen_bind("127.0.0.1", 0, &error);
    must(p->fd >= 0 && p->tls_fd >= 0, &error);
    p->port = listen_port(p->fd);
    p->tls_port = listen_port(p->tls_fd);
    p->net = net_start(&(struct net_options){0}, &error);
    must(p->net, &error);
    struct listener l = {.fd = p->fd,
                         .service = "smtp",
                         .hostname = "north.test",
                         .make = make,
                         .ctx = p,
                         .tls = p->tls};
    must(net_listen(p->net, &l, &error), &error);
    l.fd = p->tls_fd;
    l.implicit_tls = true;
    must(net_listen(p->net, &l, &error), &error);
    buf_end(&error);
}

static void post_stop(struct post *p)
{
    assert_true(net_stop(p->net, 5000));
    close(p->fd);
    close(p->tls_fd);
    tls_server_end(p->tls);
    unlink(p->cert);
    unlink(p->key);
    rmdir(p->dir);
    fake_host_end(&p->host);
}

static struct smtp_client_options options_for(const struct post *p)
{
    return (struct smtp_client_options){
        .dial = {.host = S("north.test"),
                 .address = S("127.0.0.1"),
                 .port = p->port,
                 .ca_file = p->cert,
                 .connect_ms = 10000},
        .helo = S("south.test"),
        .tls = SMTP_TLS_REQUIRED,
        .verify = DIAL_VERIFY,
    };
}

static struct smtp_client *open_must(const struct smtp_client_options *o, struct arena *a)
{
    struct smtp_reply reply;
    struct smtp_client *c = smtp_client_open(o, a, &reply);
    if (!c)
        fail_msg("not opened: %d %.*s", reply.code, P(reply.text));
    return c;
}

static ssize_t read_slice(void *ctx, char *to, size_t n)
{
    slice *rest = ctx;
    slice piece = slice_sub(*rest, 0, n);
    memcpy(to, piece.p, piece.n);
    *rest = slice_skip(*rest, piece.n);
    return (ssize_t)piece.n;
}

static struct recipient one = {.address = {"one@north.test", 14}};

/* Lines of all lengths and octets, many of which begin with dots. */
static slice make_text(struct arena *a, size_t size)
{
    char *p = arena_alloc(a, size);
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)(i * 7919 >> 3);
        p[i] = c == '\r' || c == '\n' || i % 37 == 0 ? '.' : (char)c;
    }
    for (size_t i = 36; i + 1 < size; i += 37 + i % 61)
        memcpy(p + i, "\r\n", 2);
    memcpy(p + size - 2, "\r\n", 2);
    for (size_t i = 1; i < size; i++) /* no CR or LF may stand alone */
        if (p[i] == '\n' && p[i - 1] != '\r')
            p[i] = '_';
    return (slice){p, size};
}

static int send_text(struct smtp_client *c, struct arena *a, slice text)
{
    struct smtp_reply reply;
    struct envelope e = {
        .sender = S(""), .recipients = &one, .recipient_count = 1, .eight_bit = true};
    struct smtp_message m = {.envelope = &e, .size = text.n, .body = read_slice, .ctx = &text};
    smtp_client_send(c, &m, a, &reply);
    return reply.code;
}

/* Every octet arrives, whatever the size, over STARTTLS; many mails over one connection. */
static void test_octets(void **state)
{
    static const size_t sizes[] = {2, 100, 4096, 65535, 65536, 65537, 300000, 5 << 20};
    (void)state;
    struct post p;
    struct arena a = {0};
    post_start(&p, SMTP_TRANSFER);
    struct smtp_client_options o = options_for(&p);
    struct smtp_client *c = open_must(&o, &a);
    assert_true(smtp_client_has(c, S("pipelining")));
    assert_int_equal(smtp_client_size(c), 20 << 20);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        slice text = make_text(&a, sizes[i]);
        assert_int_equal(send_text(c, &a, text), 250);
        assert_true(smtp_client_usable(c));
        assert_true(slice_eq(buf_slice(&p.host.last), text));
        assert_slice(p.host.envelope.protocol, S("ESMTPS"));
    }
    assert_int_equal(send_text(c, &a, make_text(&a, (20 << 20) + 2)), 552);
    smtp_client_close(c);
    assert_int_equal(p.host.accepted, sizeof(sizes) / sizeof(sizes[0]));
    arena_end(&a);
    post_stop(&p);
}

/* The logins, over TLS from the start and over STARTTLS. */
static void test_login(void **state)
{
    (void)state;
    struct post p;
    struct arena a = {0};
    struct smtp_reply reply;
    post_start(&p, SMTP_SUBMISSION);
    for (int implicit = 0; implicit < 2; implicit++) {
        struct smtp_client_options o = options_for(&p);
        o.user = S("one@north.test");
        o.password = S("secret");
        if (implicit) {
            o.dial.port = p.tls_port;
            o.tls = SMTP_TLS_IMPLICIT;
        }
        struct smtp_client *c = open_must(&o, &a); /* SCRAM-SHA-256 */
        assert_int_equal(send_text(c, &a, S("hello\r\n")), 250);
        assert_slice(p.host.envelope.login, S("one@north.test"));
        assert_slice(p.host.envelope.protocol, S("ESMTPSA"));
        smtp_client_close(c);
        o.password = S("wrong");
        assert_null(smtp_client_open(&o, &a, &reply));
        assert_int_equal(reply.code, 535);
    }
    arena_end(&a);
    post_stop(&p);
}

/* A certificate for another name is refused where it is verified, and good enough between servers.
 */
static void test_certificates(void **state)
{
    (void)state;
    struct post p;
    struct arena a = {0};
    struct smtp_reply reply;
    post_start(&p, SMTP_TRANSFER);
    struct smtp_client_options o = options_for(&p);
    o.dial.host = S("other.test");
    assert_null(smtp_client_open(&o, &a, &reply));
    assert_int_equal(reply.code, 0);
    assert_true(reply.text.n > 0);
    o.verify = DIAL_OPPORTUNE;
    o.tls = SMTP_TLS_IF_OFFERED;
    struct smtp_client *c = open_must(&o, &a);
    assert_int_equal(send_text(c, &a, S("hello\r\n")), 250);
    assert_slice(p.host.envelope.protocol, S("ESMTPS"));
    smtp_client_close(c);
    arena_end(&a);
    post_stop(&p);
}

/* Announced mails, one round trip each. */
static void test_chain(void **state)
{
    (void)state;
    enum { MAILS = 50 };
    struct post p;
    struct arena a = {0};
    struct smtp_reply reply;
    slice texts[MAILS];
    struct smtp_message m[MAILS];
    struct envelope e = {.sender = S(""), .recipients = &one, .recipient_count = 1};
    post_start(&p, SMTP_TRANSFER);
    struct smtp_client_options o = options_for(&p);
    struct smtp_client *c = open_must(&o, &a);
    for (int i = 0; i < MAILS; i++) {
        texts[i] = arena_printf(&a, "Subject: %d\r\n\r\n.%d\r\n", i, i);
        m[i] = (struct smtp_message){.envelope = &e,
                                     .size = texts[i].n,
                                     .body = read_slice,
                                     .ctx = &texts[i],
                                     .next = i + 1 < MAILS ? &m[i + 1] : NULL};
    }
    for (int i = 0; i < MAILS; i++) {
        slice text = texts[i];
        assert_true(smtp_client_usable(c));
        assert_true(smtp_client_send(c, &m[i], &a, &reply));
        assert_int_equal(reply.code, 250);
        assert_slice(buf_slice(&p.host.last), text);
    }
    smtp_client_close(c);
    assert_int_equal(p.host.accepted, MAILS);
    arena_end(&a);
    post_stop(&p);
}

/* The pool hands a connection out again until the server has gone. */
static void test_pool(void **state)
{
    (void)state;
    struct post p;
    struct arena a = {0};
    post_start(&p, SMTP_TRANSFER);
    struct smtp_pool *pool = smtp_pool_new();
    struct smtp_client_options o = options_for(&p);
    assert_null(smtp_pool_take(pool, S("north.test")));
    struct smtp_client *c = open_must(&o, &a);
    smtp_pool_give(pool, S("north.test"), c);
    assert_null(smtp_pool_take(pool, S("south.test")));
    assert_ptr_equal(smtp_pool_take(pool, S("north.test")), c);
    assert_int_equal(send_text(c, &a, S("hello\r\n")), 250);
    smtp_pool_give(pool, S("north.test"), c);
    post_stop(&p); /* says 421 and closes */
    assert_null(smtp_pool_take(pool, S("north.test")));
    smtp_pool_end(pool);
    arena_end(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_octets),       cmocka_unit_test(test_login),
        cmocka_unit_test(test_certificates), cmocka_unit_test(test_chain),
        cmocka_unit_test(test_pool),
    };
    return TEST_RUN(tests);
}
