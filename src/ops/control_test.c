/*
 * The control socket over a real store: what a good client asks is answered, and what anybody else
 * writes costs nothing but that connection.
 */
#include "base/test.h"

#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/limits.h"
#include "ops/env.h"
#include "ops/ops.h"
#include "ops/socket.h"

struct fixture {
    char dir[64];
    struct config config;
    struct control_env env;
    struct control_server *server;
    pthread_t acceptor;
    atomic_bool stop;
};

static void *accept_all(void *arg)
{
    struct fixture *f = arg;
    struct pollfd p = {.fd = control_fd(f->server), .events = POLLIN};
    while (!atomic_load(&f->stop))
        if (poll(&p, 1, 20) > 0)
            control_accept(f->server);
    return NULL;
}

static int setup(void **state)
{
    static struct fixture f;
    struct buf error = {.max = 1000};
    memcpy(f.dir, "/tmp/yizhan-control-XXXXXX", 27);
    assert_non_null(mkdtemp(f.dir));
    assert_int_equal(chdir(f.dir), 0);
    assert_int_equal(mkdir("run", 0700), 0);
    assert_true(config_parse(&f.config, S("[node]\nhostname = north.test\n"), "conf", &error));
    struct store *store = store_open(&(struct store_options){.dir = ".", .create = true}, &error);
    assert_non_null(store);
    store_close(store);
    struct secrets *secrets = secrets_open(".", true, &error);
    assert_non_null(secrets);
    secrets_close(secrets);
    assert_true(env_open(&f.env, &f.config, &error));
    f.server = control_listen(&f.env, &error);
    assert_non_null(f.server);
    assert_int_equal(pthread_create(&f.acceptor, NULL, accept_all, &f), 0);
    buf_end(&error);
    *state = &f;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    atomic_store(&f->stop, true);
    pthread_join(f->acceptor, NULL);
    control_close(f->server);
    struct stat st;
    assert_int_equal(stat("run/control.sock", &st), -1);
    env_close(&f->env);
    config_end(&f->config);
    return nftw(f->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int dial(void)
{
    int fd = socket_connect(".");
    assert_true(fd >= 0);
    struct timeval t = {.tv_sec = 20};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
    return fd;
}

/* Sends text; the next line of the answer, or NULL when the connection ends. */
static json_t *ask(int fd, slice text)
{
    struct buf b = {.max = LIMIT_CONTROL_LINE};
    slice line;
    json_t *reply = NULL;
    if (file_write_all(fd, text) == 0 && socket_read_line(fd, &b, &line))
        reply = json_loadb(line.p, line.n, 0, NULL);
    buf_end(&b);
    return reply;
}

static void test_operations(void **state)
{
    static const struct {
        const char *request, *error; /* NULL: ok */
    } rows[] = {
        {"{\"op\":\"domain.add\",\"words\":[\"north.test\"]}", NULL},
        {"{\"op\":\"domain.show\",\"words\":[\"south.test\"]}", "not one of our domains"},
        {"{\"op\":\"user.add\",\"words\":[\"one@north.test\"],\"password\":\"secret\"}", NULL},
        {"{\"op\":\"user.add\",\"words\":[\"one@north.test\"],\"password\":\"secret\"}", "taken"},
        {"{\"op\":\"user.add\",\"words\":[\"two@north.test\"],\"password\":\"\"}", "password"},
        {"{\"op\":\"user.show\",\"words\":[\"two@north.test\"]}", "no account"},
        {"{\"op\":\"user.app-add\",\"words\":[\"one@north.test\",\"phone\"],\"scope\":\"pop3\"}",
         NULL},
        {"{\"op\":\"user.app-list\",\"words\":[\"one@north.test\"]}", NULL},
        {"{\"op\":\"user.app-remove\",\"words\":[\"one@north.test\",\"77\"]}", "no app password"},
        {"{\"op\":\"alias.add\",\"words\":[\"all@north.test\"]}", "at least one"},
        {"{\"op\":\"route.add\",\"words\":[\"south.test\",\"127.0.0.1:99999\"]}", "HOST:PORT"},
        {"{\"op\":\"route.add\",\"words\":[\"south.test\",\"[::1]:2025\"]}", NULL},
        {"{\"op\":\"queue.list\"}", NULL},
        {"{\"op\":\"queue.hold\",\"words\":[\"zzzzz\"]}", "no message"},
        {"{\"op\":\"queue.recall\",\"words\":[\"0000000000001\"]}", "no message"},
        {"{\"op\":\"trace\",\"words\":[7]}", "no message id"},
        {"{\"op\":\"check\"}", NULL},
        {"{\"op\":\"shutdown\"}", "no such operation"},
        {"{\"op\":null}", "no such operation"},
        {"{}", "no such operation"},
        {"{\"op\":\"user.add\",\"words\":{\"0\":\"x\"},\"password\":[1]}", ""},
    };
    (void)state;
    int fd = dial();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char line[512];
        snprintf(line, sizeof(line), "%s\n", rows[i].request);
        json_t *reply = ask(fd, slice_c(line));
        slice error = json_slice_at(reply, "error");
        if (json_flag_at(reply, "ok") != !rows[i].error)
            fail_msg("%s says \"%.*s\"", rows[i].request, P(error));
        if (rows[i].error && slice_search(error, slice_c(rows[i].error)) < 0)
            fail_msg("%s says \"%.*s\"", rows[i].request, P(error));
        json_decref(reply);
    }
    close(fd);
}

static void test_hostile_bytes(void **state)
{
    static const slice rows[] = {
        {"\n", 1},
        {"[1,2]\n", 6},
        {"{\"op\":\"check\",\"op\":\"check\"}\n", 28}, /* the same key twice */
        {"{\"op\":\"ch\xff\xfe\"}\n", 14},
        {"\0\0\0\n", 4},
        {"GET / HTTP/1.1\r\n", 16},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int fd = dial();
        json_t *reply = ask(fd, rows[i]);
        assert_true(json_is_object(reply));
        assert_false(json_flag_at(reply, "ok"));
        json_decref(reply);
        assert_null(ask(fd, S("{\"op\":\"queue.list\"}\n"))); /* and that was all */
        close(fd);
    }
    int fd = dial(); /* half a request, then gone */
    assert_int_equal(file_write_all(fd, S("{\"op\":\"queue.li")), 0);
    close(fd);
}

static void test_deep_and_long(void **state)
{
    (void)state;
    size_t n = LIMIT_CONTROL_LINE + 100000;
    char *text = test_malloc(n);
    memset(text, '[', n);
    int fd = dial();
    assert_null(ask(fd, (slice){text, n})); /* no end in sight: cut off */
    close(fd);
    text[100000] = '\n';
    fd = dial();
    json_t *reply = ask(fd, (slice){text, 100001}); /* nested deeper than any parser should go */
    assert_false(json_flag_at(reply, "ok"));
    json_decref(reply);
    close(fd);
    test_free(text);
}

static void test_many_clients(void **state)
{
    (void)state;
    int fds[LIMIT_CONTROL_CLIENTS];
    for (int i = 0; i < LIMIT_CONTROL_CLIENTS;) {
        fds[i] = dial();
        json_t *reply = ask(fds[i], S("{\"op\":\"domain.list\"}\n"));
        if (json_flag_at(reply, "ok"))
            i++; /* it has its thread */
        else
            close(fds[i]); /* a place of the tests before is not free yet */
        json_decref(reply);
    }
    int more = dial();
    struct buf b = {.max = 1000};
    slice line;
    assert_true(socket_read_line(more, &b, &line));
    assert_true(slice_search(line, S("too many")) > 0);
    buf_end(&b);
    close(more);
    for (int i = 0; i < LIMIT_CONTROL_CLIENTS; i++)
        close(fds[i]);
}

static void test_trace_purge(void **state)
{
    (void)state;
    struct stat st;
    assert_int_equal(mkdir("log", 0700), 0);
    assert_int_equal(file_write("log/trace-2026-01-01", S("x\n"), 0600), 0);
    assert_int_equal(file_write("log/trace-2026-11-20", S("x\n"), 0600), 0);
    assert_int_equal(file_write("log/trace-notes", S("x\n"), 0600), 0);
    trace_purge(INT64_C(1795132800000)); /* 2026-11-20: that day is kept */
    assert_int_equal(stat("log/trace-2026-01-01", &st), -1);
    assert_int_equal(stat("log/trace-2026-11-20", &st), 0);
    assert_int_equal(stat("log/trace-notes", &st), 0);
}

static void test_socket_is_private(void **state)
{
    (void)state;
    struct stat st;
    assert_int_equal(stat("run/control.sock", &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_operations),        cmocka_unit_test(test_hostile_bytes),
        cmocka_unit_test(test_deep_and_long),     cmocka_unit_test(test_many_clients),
        cmocka_unit_test(test_socket_is_private), cmocka_unit_test(test_trace_purge),
    };
    json_begin();
    sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    return cmocka_run_group_tests(tests, setup, teardown);
}
