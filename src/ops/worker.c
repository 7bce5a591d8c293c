/*
 * The worker's life: open store, secrets, queue; serve; watch for signals and control clients;
 * drain; close in the opposite order.
 */
#include "ops/worker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/budget.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/log.h"
#include "deliver/deliver.h"
#include "http/server.h"
#include "imap/server.h"
#include "intake/intake.h"
#include "net/dns.h"
#include "net/listen.h"
#include "ops/control.h"
#include "ops/env.h"
#include "ops/ops.h"
#include "pop3/server.h"
#include "base/banned.h"

enum {
    DRAIN_NET_MS = 5000,
    DRAIN_QUEUE_MS = 10000,
    PURGE_EVERY_MS = 10 * 60 * 1000,
    HEALTHY_DISK_BYTES = 64 << 20
};

const struct service_row service_rows[] = {
    {"smtp", "smtp", 25, false},
    {"submission", "submission", 587, false},
    {"submission", "submissions", 465, true},
    {"pop3", "pop3", 110, false},
    {"pop3", "pop3s", 995, true},
    {"imap", "imap", 143, false},
    {"imap", "imaps", 993, true},
    {"http", "http", 80, false},
    {0},
};

struct worker {
    const struct config *config;
    const struct port *ports;
    size_t port_count;
    struct control_env env;
    struct limits *limits;
    struct login_service login;
    struct deliver *deliver;
    struct queue_deliverer deliverer;
    struct intake intake;
    struct smtp_host host;
    struct smtp_options transfer, submission;
    struct pop3_options pop3;
    struct imap_options imap;
    struct http_options http;
    struct tls_server *tls_transfer, *tls; /* port 25 also takes old peers */
    struct net *net;
    struct control_server *control;
    int signals;
    struct buf error;
};

/* ---- Start. ---- */

static void start_log(const struct config *c)
{
    log_start(&(struct log_options){.fd = STDERR_FILENO,
                                    .least = (enum log_level)c->level,
                                    .node = c->hostname,
                                    .trace_dir = "log",
                                    .narrate_fd = c->narrate ? STDOUT_FILENO : -1});
}

static bool open_tls(struct worker *w)
{
    struct tls_server_options options = {.cert_file = w->config->certificate,
                                         .key_file = w->config->key};
    w->tls = tls_server_new(&options, &w->error);
    options.old_peers = true;
    w->tls_transfer = w->tls ? tls_server_new(&options, &w->error) : NULL;
    return w->tls_transfer != NULL;
}

/* All addresses we listen on are loopback or private: a demo, a test, an inner network. */
static bool is_inner_node(const struct config *c)
{
    for (size_t i = 0; i < c->listen.count; i++)
        if (!ip_is_private(slice_c(c->listen.items[i])) ||
            strcmp(c->listen.items[i], "0.0.0.0") == 0 || strcmp(c->listen.items[i], "::") == 0)
            return false;
    return true;
}

static bool open_delivery(struct worker *w)
{
    const struct config *c = w->config;
    struct deliver_options options = {
        .store = w->env.store,
        .hostname = slice_c(c->hostname),
        .port = (uint16_t)c->mx_port,
        .allow_private = c->private_hosts == PRIVATE_YES ||
                         (c->private_hosts == PRIVATE_AUTO && is_inner_node(c)),
        .per_connection = (size_t)c->per_connection,
        .catch_all = slice_c(c->catch_all),
    };
    w->deliver = deliver_new(&options);
    w->deliverer = deliver_functions(w->deliver);
    w->env.queue = env_open_queue(&w->env, &w->deliverer, &w->error);
    return w->env.queue != NULL;
}

/* For /healthz: the store answers, and the disk will take mail. */
static bool is_healthy(void *ctx, struct buf *reasons)
{
    struct worker *w = ctx;
    struct statvfs disk;
    struct db *db = store_read(w->env.store);
    if (sql_number(db, 0, "SELECT 1", "") != 1)
        buf_printf(reasons, "the store does not answer\n");
    store_read_end(w->env.store, db);
    if (statvfs(".", &disk) < 0 || disk.f_bavail * disk.f_frsize < HEALTHY_DISK_BYTES)
        buf_printf(reasons, "less than %d MiB are left on the disk\n", HEALTHY_DISK_BYTES >> 20);
    return buf_length(reasons) == 0;
}

/* What sessions are made with. */
static void fill_services(struct worker *w)
{
    static const enum smtp_reverse reverse[] = {[REVERSE_AUTO] = SMTP_REVERSE_AUTO,
                                                [REVERSE_NO] = SMTP_REVERSE_NO,
                                                [REVERSE_YES] = SMTP_REVERSE_ALL};
    const struct config *c = w->config;
    w->login = (struct login_service){w->env.store, w->env.secrets, w->limits};
    w->intake = (struct intake){.store = w->env.store,
                                .login = w->login,
                                .queue = w->env.queue,
                                .deliver = w->deliver,
                                .hostname = slice_c(c->hostname),
                                .message_size = (uint64_t)c->message_size,
                                .undo_ms = c->undo_ms,
                                .password_without_tls = c->password_without_tls};
    w->host = intake_host(&w->intake);
    w->transfer = (struct smtp_options){.service = SMTP_TRANSFER,
                                        .hostname = slice_c(c->hostname),
                                        .message_size = (uint64_t)c->message_size,
                                        .tls_available = true,
                                        .reverse = reverse[c->reverse],
                                        .host = &w->host};
    w->submission = w->transfer;
    w->submission.service = SMTP_SUBMISSION;
    w->submission.hold_max_ms = c->hold_max_ms;
    w->submission.password_without_tls = c->password_without_tls;
    w->pop3 = (struct pop3_options){.hostname = slice_c(c->hostname),
                                    .login = &w->login,
                                    .tls_available = true,
                                    .password_without_tls = c->password_without_tls};
    w->imap = (struct imap_options){.hostname = slice_c(c->hostname),
                                    .login = &w->login,
                                    .message_size = (uint64_t)c->message_size,
                                    .tls_available = true,
                                    .password_without_tls = c->password_without_tls};
    w->http = (struct http_options){
        .health = is_healthy, .health_ctx = w, .metrics = (enum http_metrics)c->metrics};
}

static bool open_all(struct worker *w)
{
    const struct config *c = w->config;
    dns_configure(&(struct dns_options){.server = *c->dns_server ? c->dns_server : NULL,
                                        .port = (uint16_t)c->dns_port});
    budget_set((size_t)c->memory);
    w->env = (struct control_env){.dir = ".", .config = c, .live = true};
    w->env.store = store_open(&(struct store_options){.dir = "."}, &w->error);
    if (!w->env.store)
        return false;
    w->env.secrets = secrets_open(".", false, &w->error);
    if (!w->env.secrets)
        return false;
    w->limits = limits_new();
    if (!open_tls(w) || !open_delivery(w))
        return false;
    fill_services(w);
    return true;
}

static struct session *make_transfer(void *ctx)
{
    return smtp_server_new(&((struct worker *)ctx)->transfer);
}

static struct session *make_submission(void *ctx)
{
    return smtp_server_new(&((struct worker *)ctx)->submission);
}

static struct session *make_pop3(void *ctx)
{
    return pop3_server_new(&((struct worker *)ctx)->pop3);
}

static struct session *make_imap(void *ctx)
{
    return imap_server_new(&((struct worker *)ctx)->imap);
}

static struct session *make_http(void *ctx)
{
    return http_server_new(&((struct worker *)ctx)->http);
}

/* Begins to accept on one port. */
static bool listen_on(struct worker *w, const struct port *port)
{
    static const struct {
        const char *role;
        struct session *(*make)(void *ctx);
    } makers[] = {{"smtp", make_transfer},
                  {"submission", make_submission},
                  {"pop3", make_pop3},
                  {"imap", make_imap},
                  {"http", make_http}};
    const struct service_row *s = port->service;
    bool transfer = strcmp(s->role, "smtp") == 0;
    struct listener listener = {.fd = port->fd,
                                .service = s->name,
                                .hostname = w->config->hostname,
                                .ctx = w,
                                .tls = transfer ? w->tls_transfer : w->tls,
                                .implicit_tls = s->implicit_tls};
    for (size_t i = 0; i < sizeof(makers) / sizeof(makers[0]); i++)
        if (strcmp(makers[i].role, s->role) == 0)
            listener.make = makers[i].make;
    return net_listen(w->net, &listener, &w->error);
}

static bool serve_all(struct worker *w)
{
    const struct net_options options = {.connections_max = (size_t)w->config->connections,
                                        .per_ip_max = (size_t)w->config->connections_per_ip};
    w->net = net_start(&options, &w->error);
    if (!w->net)
        return false;
    for (size_t i = 0; i < w->port_count; i++)
        if (!listen_on(w, &w->ports[i]))
            return false;
    queue_run(w->env.queue);
    w->control = control_listen(&w->env, &w->error);
    return w->control != NULL;
}

/* ---- Run. ---- */

static bool same_text(const char *path, slice text)
{
    struct arena a = {0};
    slice now;
    bool same = file_read(&a, path, LIMIT_CONFIG_FILE, &now) == 0 && slice_eq(now, text);
    arena_end(&a);
    return same;
}

/*
 * SIGHUP: the certificates now; a changed configuration by a new worker (true), unless it is wrong.
 */
static bool reload(struct worker *w)
{
    struct config fresh;
    bool changed = !same_text("yizhan.conf", w->config->text), good = true;
    if (changed) {
        good = config_load(&fresh, "yizhan.conf", "yizhan.conf", &w->error);
        config_end(&fresh);
    }
    if (good && changed)
        return true;
    if (good)
        good =
            tls_server_reload(w->tls, &w->error) && tls_server_reload(w->tls_transfer, &w->error);
    if (good)
        log_event(LEVEL_INFO, "serve.reload", "certificate=%s", w->config->certificate);
    else
        log_event(LEVEL_ERROR, "serve.reload", "error=%s effect=\"going on as before\"",
                  log_quote(buf_slice(&w->error)));
    buf_clear(&w->error);
    return false;
}

/* Until a signal says to end; how. */
static int watch(struct worker *w)
{
    int64_t purged_ms = clock_mono_ms();
    for (;;) {
        struct pollfd fds[] = {{.fd = w->signals, .events = POLLIN},
                               {.fd = control_fd(w->control), .events = POLLIN}};
        struct signalfd_siginfo info;
        if (poll(fds, 2, PURGE_EVERY_MS) < 0 && errno != EINTR)
            return WORKER_FAILED;
        if (fds[1].revents)
            control_accept(w->control);
        if (clock_mono_ms() - purged_ms >= PURGE_EVERY_MS) {
            queue_purge(w->env.queue);
            trace_purge(clock_ms() - w->config->trace_keep_ms);
            purged_ms = clock_mono_ms();
        }
        if (!fds[0].revents || read(w->signals, &info, sizeof(info)) != sizeof(info))
            continue;
        if (info.ssi_signo != SIGHUP)
            return WORKER_STOPPED;
        if (reload(w))
            return WORKER_CHANGED;
    }
}

/* ---- Stop. ---- */

/* Commands finish, then deliveries, then the store closes.  Safe at any stage of the start. */
static void close_all(struct worker *w)
{
    control_close(w->control);
    if (w->net && !net_stop(w->net, DRAIN_NET_MS)) {
        log_event(LEVEL_ERROR, "serve.stuck", "effect=\"a session did not end; leaving at once\"");
        log_stop();
        _exit(WORKER_FAILED);
    }
    if (w->env.queue)
        queue_close(w->env.queue, DRAIN_QUEUE_MS);
    w->env.queue = NULL;
    if (w->deliver)
        deliver_end(w->deliver);
    tls_server_end(w->tls);
    tls_server_end(w->tls_transfer);
    if (w->limits)
        limits_end(w->limits);
    env_close(&w->env);
}

int worker_run(const struct config *config, const struct port *ports, size_t count, int ready_fd)
{
    struct worker w = {
        .config = config, .ports = ports, .port_count = count, .error = {.max = 4096}};
    int end = WORKER_FAILED;
    int64_t start_us = clock_mono_us();
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    w.signals = signalfd(-1, &set, SFD_CLOEXEC);
    start_log(config);
    if (w.signals >= 0 && open_all(&w) && serve_all(&w)) {
        log_event(LEVEL_INFO, "serve.ready", "ports=%zu us=%lld", count,
                  (long long)(clock_mono_us() - start_us));
        (void)!write(ready_fd, "r", 1);
        close(ready_fd);
        end = watch(&w);
        log_event(LEVEL_INFO, "serve.stop", "why=%s",
                  end == WORKER_CHANGED ? "configuration" : "signal");
    } else {
        fprintf(stderr, "yizhan serve: %.*s\n", P(buf_slice(&w.error)));
    }
    close_all(&w);
    if (w.signals >= 0)
        close(w.signals);
    buf_end(&w.error);
    log_stop();
    return end;
}
