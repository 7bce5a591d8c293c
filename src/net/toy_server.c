/* A server of the toy protocol on loopback, for tests. */
#include "net/toy_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "base/test.h"

#include "base/budget.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/banned.h"

enum { WAIT_MS = 20000 };

static _Atomic(struct session *) last_session;

static struct session *make(void *ctx)
{
    (void)ctx;
    struct session *s = toy_new();
    atomic_store(&last_session, s);
    return s;
}

struct session *toy_last(void)
{
    return atomic_load(&last_session);
}

static void must(bool ok, struct buf *error)
{
    if (!ok)
        fail_msg("%.*s", P(buf_slice(error)));
}

void toy_begin(struct toy_server *server, const struct net_options *options)
{
    struct buf error = {.max = 1000};
    *server = (struct toy_server){.dir = "/tmp/yizhan-net-XXXXXX"};
    assert_non_null(mkdtemp(server->dir));
    must(tls_make_self_signed(server->dir, &S("north.test"), 1, &error), &error);
    snprintf(server->cert, sizeof(server->cert), "%s/cert.pem", server->dir);
    snprintf(server->key, sizeof(server->key), "%s/key.pem", server->dir);
    server->tls = tls_server_new(
        &(struct tls_server_options){.cert_file = server->cert, .key_file = server->key}, &error);
    must(server->tls, &error);
    server->fd = listen_bind("127.0.0.1", 0, &error);
    server->tls_fd = listen_bind("127.0.0.1", 0, &error);
    must(server->fd >= 0 && server->tls_fd >= 0, &error);
    server->port = listen_port(server->fd);
    server->tls_port = listen_port(server->tls_fd);
    server->net = net_start(options ? options : &(struct net_options){0}, &error);
    must(server->net, &error);
    struct listener listener = {.fd = server->fd,
                                .service = "toy",
                                .hostname = "north.test",
                                .make = make,
                                .tls = server->tls};
    must(net_listen(server->net, &listener, &error), &error);
    listener.fd = server->tls_fd;
    listener.implicit_tls = true;
    must(net_listen(server->net, &listener, &error), &error);
    buf_end(&error);
}

void toy_finish(struct toy_server *server)
{
    assert_true(net_stop(server->net, 5000));
    assert_int_equal(toy_alive(), 0);
    assert_int_equal(metric_get(METRIC_CONNECTIONS_OPEN), 0);
    assert_int_equal(budget_used(), 0);
    close(server->fd);
    close(server->tls_fd);
    tls_server_end(server->tls);
    unlink(server->cert);
    unlink(server->key);
    rmdir(server->dir);
    toy_timeout(0);
}

int toy_connect(uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_sec = WAIT_MS / 1000},
               sizeof(struct timeval));
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
        fail_msg("connect: %s", strerror(errno));
    return fd;
}

void toy_say(int fd, slice bytes)
{
    while (bytes.n) {
        ssize_t n = send(fd, bytes.p, bytes.n, MSG_NOSIGNAL);
        if (n <= 0)
            fail_msg("send: %s", strerror(errno));
        bytes = slice_skip(bytes, (size_t)n);
    }
}

/* Reads exactly as many bytes as want has. */
void toy_hear(int fd, slice want)
{
    char got[4096];
    size_t n = 0;
    assert_true(want.n <= sizeof(got));
    while (n < want.n) {
        ssize_t r = recv(fd, got + n, want.n - n, 0);
        if (r <= 0)
            fail_msg("after \"%.*s\" instead of \"%.*s\": %s", (int)n, got, P(want),
                     r ? strerror(errno) : "end");
        n += (size_t)r;
    }
    assert_slice(((slice){got, n}), want);
}

/* The server has closed in an orderly way. */
void toy_hear_end(int fd)
{
    char c;
    ssize_t n = recv(fd, &c, 1, 0);
    if (n)
        fail_msg("expected the end, got %zd %s", n, n < 0 ? strerror(errno) : "bytes");
    close(fd);
}

void toy_wait(bool (*true_now)(void *), void *ctx)
{
    int64_t end = clock_mono_ms() + WAIT_MS;
    while (!true_now(ctx)) {
        assert_true(clock_mono_ms() < end);
        usleep(1000);
    }
}
