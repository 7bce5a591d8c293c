/*
 * Connections over real sockets on loopback: the toy protocol behind net_start, clients of every
 * kind of bad manners in front.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/test.h"

#include "base/budget.h"
#include "base/clock.h"
#include "net/conn.h"
#include "net/toy_server.h"

static bool is_empty(void *ctx)
{
    return net_connections(ctx) == 0;
}

static void test_dialogue(void **state)
{
    (void)state;
    struct toy_server server;
    toy_begin(&server, NULL);
    int fd = toy_connect(server.port);
    toy_hear(fd, S("hello\r\n"));
    toy_say(fd, S("echo a\r\necho b\r\njob\r\nec"));
    toy_hear(fd, S("a\r\nb\r\njob done\r\n"));
    toy_say(fd, S("ho c\r\nquit\r\necho never\r\n"));
    toy_hear(fd, S("c\r\nbye\r\n"));
    toy_hear_end(fd);
    toy_wait(is_empty, server.net);
    toy_finish(&server);
}

/* A client that has sent everything and half-closes still gets every answer (RFC 9293 3.6). */
static void test_half_close(void **state)
{
    (void)state;
    struct toy_server server;
    toy_begin(&server, NULL);
    int fd = toy_connect(server.port);
    toy_say(fd, S("echo a\r\nsleep 50\r\necho b\r\nmany 3\r\necho unfinished"));
    shutdown(fd, SHUT_WR);
    toy_hear(fd, S("hello\r\na\r\njob done\r\nb\r\n0\r\n1\r\n2\r\n"));
    toy_hear_end(fd);
    toy_finish(&server);
}

/* Who says it is done is let go at once; who goes on all the same still gets its last reply. */
static void test_peer_done(void **state)
{
    (void)state;
    struct toy_server server;
    toy_begin(&server, NULL);
    for (int i = 0; i < 20; i++) {
        int fd = toy_connect(server.port);
        toy_say(fd, i % 2 ? S("leave\r\necho more\r\necho even more\r\n") : S("leave\r\n"));
        toy_hear(fd, S("hello\r\nbye\r\n"));
        if (i % 2 == 0)
            toy_wait(is_empty, server.net); /* without our closing */
        toy_hear_end(fd);
    }
    toy_finish(&server);
}

/* The last reply arrives although the client still sends (no reset destroys it). */
static void test_last_reply_arrives(void **state)
{
    (void)state;
    struct toy_server server;
    toy_begin(&server, NULL);
    static char junk[200000];
    memset(junk, 'x', sizeof(junk));
    for (int i = 0; i < 20; i++) {
        int fd = toy_connect(server.port);
        toy_say(fd, S("quit\r\n"));
        toy_say(fd, (slice){junk, sizeof(junk)});
        toy_hear(fd, S("hello\r\nbye\r\n"));
        toy_hear_end(fd);
    }
    toy_finish(&server);
}

struct flood {
    int fd;
    slice what;
};

static void *flood(void *arg)
{
    struct flood *f = arg;
    toy_say(f->fd, f->what);
    return NULL;
}

/* A reader who does not read costs constant memory and no thread; then gets all of it. */
static void test_slow_reader(void **state)
{
    (void)state;
    struct toy_server server;
    toy_begin(&server, NULL);
    int fd = toy_connect(server.port);
    toy_hear(fd, S("hello\r\n"));
    enum { TIMES = 40, LINES = 100000 };
    for (int i = 0; i < TIMES; i++)
        toy_say(fd, S("many 100000\r\n"));
    int other = toy_connect(server.port);
    toy_hear(other, S("hello\r\n"));
    for (int i = 0; i < 100; i++) {
        toy_say(other, S("echo a\r\n"));
        toy_hear(other, S("a\r\n"));
        assert_true(budget_used() <= 4 * LIMIT_OUT);
    }
    close(other);
    static char bytes[65536];
    size_t lines = 0;
    while (lines < (size_t)TIMES * LINES) {
        ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
        assert_true(n > 0);
        for (ssize_t i = 0; i < n; i++)
            lines += bytes[i] == '\n';
        assert_true(budget_used() <= 4 * LIMIT_OUT);
    }
    close(fd);
    toy_finish(&server);
}

/* A client that pipelines without reading is made to wait, not stored. */
static void test_pipelining_flood(void **state)
{
    (void)state;
    struct toy_server server;
    toy_begin(&server, NULL);
    int fd = toy_connect(server.port);
    struct buf all = {.max = 64 << 20};
    enum { COMMANDS = 500000 };
    for (int i = 0; i < COMMANDS; i++)
        buf_add(&all, S("echo 0123456789012345678901234567890123456789\r\n"));
    struct flood f = {fd, buf_slice(&all)};
    pthread_t thread;
    pthread_create(&thread, NULL, flood, &f);
    usleep(100000);
    assert_true(budget_used() <= LIMIT_IN * 2 + LIMIT_OUT * 2);
    toy_hear(fd, S("hello\r\n"));
    static char bytes[65536];
    size_t got = 0;
    while (got < (size_t)COMMANDS * 42) {
        ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
        assert_true(n > 0);
        got += (size_t)n;
    }
    pthread_join(thread, NULL);
    buf_end(&all);
    close(fd);
    toy_finish(&server);
}

/* Deadlines: silence, a command dripped forever, a body dripped too slowly, one fast enough. */
static void test_timeouts(void **state)
{
    (void)state;
    struct toy_server server;
    toy_begin(&server, NULL);
    toy_timeout(300);
    int silent = toy_connect(server.port), drip = toy_connect(server.port),
        body = toy_connect(server.port), fast = toy_connect(server.port),
        busy = toy_connect(server.port);
    toy_say(body, S("body 100000\r\n"));
    toy_say(fast, S("body 30000\r\n"));
    static char kilo[1500];
    memset(kilo, 'x', sizeof(kilo));
    int64_t start = clock_mono_ms();
    for (int i = 0; i < 20; i++) {
        usleep(50000);
        send(drip, "e", 1, MSG_NOSIGNAL);
        send(body, "xxxx", 4, MSG_NOSIGNAL);
        toy_say(fast, (slice){kilo, sizeof(kilo)});
        toy_say(busy, S("echo a\r\n"));
    }
    toy_hear(silent, S("hello\r\nend timeout\r\n"));
    toy_hear_end(silent);
    toy_hear(drip, S("hello\r\nend timeout\r\n"));
    close(drip);
    toy_hear(body, S("hello\r\nend timeout\r\n"));
    close(body);
    toy_hear(fast, S("hello\r\ntaken\r\n"));
    close(fast);
    toy_hear(busy, S("hello\r\na\r\na\r\n"));
    close(busy);
    assert_true(clock_mono_ms() - start >= 1000);
    toy_wait(is_empty, server.net);
    toy_finish(&server);
}

/* Nobody stays longer than a timeout: not in the hand-shake (however it is dripped), not without
 * reading. */
static void test_no_descriptor_outlives_its_timeout(void **state)
{
    (void)state;
    struct toy_server server;
    toy_begin(&server, &(struct net_options){.handshake_ms = 300});
    toy_timeout(300);
    int silent = toy_connect(server.tls_port), drip = toy_connect(server.tls_port),
        deaf = toy_connect(server.port);
    toy_say(deaf, S("many 100000000\r\n"));
    static const char hello[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    int64_t start = clock_mono_ms();
    for (size_t i = 0; i < sizeof(hello) - 1; i++) {
        send(drip, hello + i, 1, MSG_NOSIGNAL);
        usleep(50000);
    }
    toy_wait(is_empty, server.net);
    assert_true(clock_mono_ms() - start < 5000);
    close(silent);
    close(drip);
    close(deaf);
    toy_finish(&server);
}

/* LIMIT_PER_IP counts addresses; all zero (loopback) is not counted. */
static void test_per_address_limit(void **state)
{
    (void)state;
    struct table table;
    char one[16] = "one", two[16] = "two", none[16] = {0};
    table_start(&table, 8, 2);
    struct conn *a = table_take(&table, one), *b = table_take(&table, one);
    assert_true(a && b);
    assert_null(table_take(&table, one));
    struct conn *c = table_take(&table, two);
    assert_non_null(c);
    table_give(&table, a);
    a = table_take(&table, one);
    assert_non_null(a);
    struct conn *rest[5];
    for (int i = 0; i < 5; i++)
        assert_non_null(rest[i] = table_take(&table, none));
    assert_null(table_take(&table, none)); /* eight in all */
    for (int i = 0; i < 5; i++)
        table_give(&table, rest[i]);
    table_give(&table, a);
    table_give(&table, b);
    table_give(&table, c);
    table_end(&table);
}

static void test_long_line(void **state)
{
    (void)state;
    struct toy_server server;
    toy_begin(&server, NULL);
    int fd = toy_connect(server.port);
    static char line[200000];
    memset(line, 'x', sizeof(line));
    toy_say(fd, (slice){line, sizeof(line)});
    toy_hear(fd, S("hello\r\nend limit\r\n"));
    toy_hear_end(fd);
    toy_finish(&server);
}

struct notifier {
    struct session *session;
    atomic_bool stop;
};

static void *notify_often(void *arg)
{
    struct notifier *n = arg;
    while (!atomic_load(&n->stop)) {
        session_notify(n->session);
        session_notify(n->session);
        usleep(100);
    }
    return NULL;
}

/* Notices and bytes at once: none lost, none invented, each answer whole. */
static void test_notices(void **state)
{
    (void)state;
    struct toy_server server;
    toy_begin(&server, NULL);
    int fd = toy_connect(server.port);
    toy_hear(fd, S("hello\r\n"));
    struct notifier n = {.session = toy_last()};
    session_notify(n.session); /* remembered until it is wanted */
    toy_say(fd, S("echo a\r\n"));
    toy_hear(fd, S("a\r\n"));
    toy_say(fd, S("idle\r\n"));
    toy_hear(fd, S("notice\r\n"));
    for (int i = 0; i < 200; i++) {
        session_notify(n.session);
        toy_hear(fd, S("notice\r\n"));
    }
    pthread_t thread;
    pthread_create(&thread, NULL, notify_often, &n);
    char got[4096];
    for (int i = 0; i < 300; i++) {
        toy_say(fd, S("echo whole\r\nidle\r\n"));
        size_t have = 0;
        while (slice_search((slice){got, have}, S("whole\r\n")) < 0) {
            ssize_t r = recv(fd, got + have, sizeof(got) - have, 0);
            assert_true(r > 0);
            have += (size_t)r;
            if (have > 2048)
                have = 0;
        }
    }
    atomic_store(&n.stop, true);
    pthread_join(thread, NULL);
    close(fd);
    toy_wait(is_empty, server.net);
    toy_finish(&server);
}

/* POOL_HASH has a bounded queue: what does not fit is refused at once. */
static void test_full_pool(void **state)
{
    (void)state;
    struct toy_server server;
    toy_begin(&server, NULL);
    enum { CLIENTS = LIMIT_HASH_QUEUE + 40 };
    static int fds[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = toy_connect(server.port);
        toy_say(fds[i], S("hash\r\n"));
        toy_hear(fds[i], S("hello\r\n"));
    }
    int refused = 0, done = 0;
    int64_t end = clock_mono_ms() + 3000;
    while (refused < 30 && clock_mono_ms() < end) {
        refused = 0;
        for (int i = 0; i < CLIENTS; i++) {
            char c[16];
            refused += recv(fds[i], c, sizeof(c), MSG_PEEK | MSG_DONTWAIT) > 0;
        }
        usleep(1000);
    }
    assert_true(refused >= 30);
    for (int i = 0; i < CLIENTS; i++)
        toy_release();
    refused = 0;
    for (int i = 0; i < CLIENTS; i++) {
        char line[32];
        size_t n = 0;
        while (n == 0 || line[n - 1] != '\n') {
            ssize_t r = recv(fds[i], line + n, sizeof(line) - n, 0);
            assert_true(r > 0);
            n += (size_t)r;
        }
        done += slice_eq((slice){line, n}, S("job done\r\n"));
        refused += slice_eq((slice){line, n}, S("job refused\r\n"));
        close(fds[i]);
    }
    assert_int_equal(done + refused, CLIENTS);
    assert_true(done >= LIMIT_HASH_QUEUE);
    toy_finish(&server);
}

static void test_connection_limit(void **state)
{
    (void)state;
    struct toy_server server;
    toy_begin(&server, &(struct net_options){.connections_max = 3});
    int fd[4];
    for (int i = 0; i < 4; i++) {
        fd[i] = toy_connect(server.port);
        toy_hear(fd[i], i < 3 ? S("hello\r\n") : S("end limit\r\n"));
    }
    toy_hear_end(fd[3]);
    for (int i = 0; i < 3; i++)
        close(fd[i]);
    toy_wait(is_empty, server.net);
    fd[0] = toy_connect(server.port);
    toy_hear(fd[0], S("hello\r\n"));
    close(fd[0]);
    toy_finish(&server);
}

/* No descriptors left: callers wait in the backlog, nobody spins, service goes on afterwards. */
static void test_descriptors_short(void **state)
{
    (void)state;
    struct toy_server server;
    toy_begin(&server, NULL);
    int first = toy_connect(server.port);
    toy_hear(first, S("hello\r\n"));
    enum { CLIENTS = 5 };
    int fds[CLIENTS];
    for (int i = 0; i < CLIENTS; i++)
        fds[i] = socket(AF_INET, SOCK_STREAM, 0);
    struct rlimit before, none;
    getrlimit(RLIMIT_NOFILE, &before);
    none = before;
    none.rlim_cur = (rlim_t)fds[CLIENTS - 1] + 1; /* every number below is taken */
    setrlimit(RLIMIT_NOFILE, &none);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(server.port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct rusage a, b;
    getrusage(RUSAGE_SELF, &a);
    for (int i = 0; i < CLIENTS; i++)
        assert_int_equal(connect(fds[i], (struct sockaddr *)&to, sizeof(to)), 0);
    usleep(300000);
    toy_say(first, S("echo a\r\n"));
    toy_hear(first, S("a\r\n"));
    getrusage(RUSAGE_SELF, &b);
    int64_t cpu_ms =
        (b.ru_utime.tv_sec - a.ru_utime.tv_sec + b.ru_stime.tv_sec - a.ru_stime.tv_sec) * 1000 +
        (b.ru_utime.tv_usec - a.ru_utime.tv_usec + b.ru_stime.tv_usec - a.ru_stime.tv_usec) / 1000;
    assert_true(cpu_ms < 200);
    setrlimit(RLIMIT_NOFILE, &before);
    for (int i = 0; i < CLIENTS; i++) {
        toy_hear(fds[i], S("hello\r\n"));
        close(fds[i]);
    }
    close(first);
    toy_finish(&server);
}

/* The memory budget is used up: what would have to be kept is refused, in words. */
static void test_budget(void **state)
{
    (void)state;
    struct toy_server server;
    toy_begin(&server, NULL);
    budget_set(600);
    int fd = toy_connect(server.port);
    toy_hear(fd, S("hello\r\n"));
    toy_say(fd, S("echo a\r\nunfinished"));
    toy_hear(fd, S("a\r\nend limit\r\n"));
    close(fd);
    budget_set(LIMIT_MEMORY);
    toy_wait(is_empty, server.net);
    toy_finish(&server);
}

/* Shutdown: idle sessions are told, running jobs finish, a half-made answer is not cut. */
static void test_shutdown(void **state)
{
    (void)state;
    struct toy_server server;
    toy_begin(&server, NULL);
    int idle = toy_connect(server.port), job = toy_connect(server.port),
        notice = toy_connect(server.port);
    toy_hear(idle, S("hello\r\n"));
    toy_hear(notice, S("hello\r\n"));
    toy_hear(job, S("hello\r\n"));
    toy_say(notice, S("echo a\r\nidle\r\n"));
    toy_hear(notice, S("a\r\n"));
    toy_say(job, S("echo a\r\nsleep 200\r\n"));
    toy_hear(job, S("a\r\n"));
    int64_t start = clock_mono_ms();
    assert_true(net_stop(server.net, 5000));
    assert_true(clock_mono_ms() - start < 4500);
    server.net = NULL;
    toy_hear(idle, S("end shutdown\r\n"));
    toy_hear_end(idle);
    toy_hear(notice, S("end shutdown\r\n"));
    toy_hear_end(notice);
    toy_hear(job, S("job done\r\nend shutdown\r\n"));
    toy_hear_end(job);
    toy_finish(&server);
}

/* Somebody who neither reads nor goes away does not hold up the end. */
static void test_shutdown_is_bounded(void **state)
{
    (void)state;
    struct toy_server server;
    toy_begin(&server, NULL);
    int fd = toy_connect(server.port);
    toy_say(fd, S("many 100000000\r\n"));
    toy_hear(fd, S("hello\r\n0\r\n"));
    int64_t start = clock_mono_ms();
    assert_true(net_stop(server.net, 200));
    assert_true(clock_mono_ms() - start < 5000);
    server.net = NULL;
    close(fd);
    toy_finish(&server);
}

/* Sessions that block their thread (a store commit) do not block the others: threads are added. */
static void test_threads_grow(void **state)
{
    (void)state;
    struct toy_server server;
    toy_begin(&server, NULL);
    enum { CLIENTS = 100 };
    int fds[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = toy_connect(server.port);
        toy_hear(fds[i], S("hello\r\n"));
    }
    int64_t start = clock_mono_ms();
    for (int i = 0; i < CLIENTS; i++)
        toy_say(fds[i], S("block 500\r\n"));
    for (int i = 0; i < CLIENTS; i++) {
        toy_hear(fds[i], S("blocked\r\n"));
        close(fds[i]);
    }
    assert_true(clock_mono_ms() - start < 3000); /* one after another on 8 threads: 6,250 */
    toy_finish(&server);
}

/* An answer that is worked at in steps ends when its client has reset the connection; meanwhile
 * others are served. */
static void test_long_answer_for_nobody(void **state)
{
    (void)state;
    struct toy_server server;
    toy_begin(&server, NULL);
    int fd = toy_connect(server.port), other = toy_connect(server.port);
    toy_hear(fd, S("hello\r\n"));
    toy_say(fd, S("think\r\n"));
    toy_say(other, S("echo a\r\nquit\r\n"));
    toy_hear(other, S("hello\r\na\r\nbye\r\n"));
    toy_hear_end(other);
    assert_int_equal(toy_alive(), 1);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
    close(fd); /* resets it */
    toy_wait(is_empty, server.net);
    toy_finish(&server);
}

static void test_bind_errors(void **state)
{
    (void)state;
    struct buf error = {.max = 1000};
    int fd = listen_bind("127.0.0.1", 0, &error);
    assert_true(fd >= 0);
    char want[200];
    snprintf(want, sizeof(want), "127.0.0.1:%u is in use by process %d (", listen_port(fd),
             getpid());
    assert_int_equal(listen_bind("127.0.0.1", listen_port(fd), &error), -1);
    if (!slice_starts(buf_slice(&error), slice_c(want)))
        fail_msg("%.*s", P(buf_slice(&error)));
    static const struct {
        const char *ip, *want;
    } rows[] = {{"mail.north.test", "mail.north.test is not an IPv4 or IPv6 address to listen on"},
                {"192.0.2.1", "192.0.2.1:2500 is not an address of this machine"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        buf_clear(&error);
        assert_int_equal(listen_bind(rows[i].ip, 2500, &error), -1);
        assert_slice(buf_slice(&error), slice_c(rows[i].want));
    }
    buf_end(&error);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dialogue),
        cmocka_unit_test(test_half_close),
        cmocka_unit_test(test_peer_done),
        cmocka_unit_test(test_last_reply_arrives),
        cmocka_unit_test(test_slow_reader),
        cmocka_unit_test(test_pipelining_flood),
        cmocka_unit_test(test_timeouts),
        cmocka_unit_test(test_no_descriptor_outlives_its_timeout),
        cmocka_unit_test(test_per_address_limit),
        cmocka_unit_test(test_long_line),
        cmocka_unit_test(test_notices),
        cmocka_unit_test(test_full_pool),
        cmocka_unit_test(test_connection_limit),
        cmocka_unit_test(test_descriptors_short),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_shutdown),
        cmocka_unit_test(test_shutdown_is_bounded),
        cmocka_unit_test(test_threads_grow),
        cmocka_unit_test(test_long_answer_for_nobody),
        cmocka_unit_test(test_bind_errors),
    };
    return TEST_RUN(tests);
}
