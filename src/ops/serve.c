/*
 * yizhan serve: the parent.  It binds all ports, forks the worker, starts it again when it dies,
 * hands on SIGTERM and SIGHUP, and does nothing else: it opens no store and reads no byte of a
 * stranger, so it may keep the right to bind ports below 1024.
 *
 *   parent --fork--> worker --"ready" byte--> parent prints "ready", tells systemd
 *          --SIGTERM-> drains, exits 0 ------> exits 0
 *          --SIGHUP--> reads certificates again; exits WORKER_CHANGED when the configuration has
 *                      changed: the parent reads it, binds what is new, forks the next worker.
 *                      The ports stay bound, callers wait in the backlog.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/listen.h"
#include "ops/ops.h"
#include "ops/process.h"
#include "ops/worker.h"
#include "base/banned.h"

enum { PORTS_MAX = 128, BACKOFF_FIRST_MS = 100, BACKOFF_MAX_MS = 30000, CALM_MS = 60000 };

const struct option_row serve_options[] = {CONTROL_DIR_OPTION, {0}};

struct parent {
    struct call *call;
    const char *config_name; /* as people know it: the reader has not seen our chdir */
    struct config config;
    struct port ports[PORTS_MAX];
    size_t port_count;
    uid_t uid;
    gid_t gid;
    int signals;  /* signalfd */
    int ready_fd; /* of the running worker; -1 */
    pid_t worker; /* 0: none */
    bool was_ready, stopping;
    int64_t started_ms, backoff_ms;
};

/* The socket for ip and port: an old one, or a new one. */
static int find_socket(struct port *old, size_t count, const char *ip, uint16_t port,
                       struct buf *error)
{
    for (size_t i = 0; i < count; i++)
        if (old[i].fd >= 0 && old[i].port == port && strcmp(old[i].ip, ip) == 0) {
            int fd = old[i].fd;
            old[i].fd = -1;
            return fd;
        }
    return listen_bind(ip, port, error);
}

/* Binds what the configuration wants; sockets of before are used again, the others closed. */
static bool bind_ports(struct parent *p, struct port *old, size_t old_count, struct buf *error)
{
    const struct config *c = &p->config;
    p->port_count = 0;
    for (const struct service_row *s = service_rows; s->role; s++)
        for (size_t i = 0; i < c->listen.count && config_list_has(&c->roles, s->role); i++) {
            struct port port = {s, c->listen.items[i], config_port(c, s->port), -1};
            if (p->port_count == PORTS_MAX) {
                buf_printf(error, "too many addresses in \"listen\"");
                return false;
            }
            port.fd = find_socket(old, old_count, port.ip, port.port, error);
            if (port.fd < 0)
                return false;
            p->ports[p->port_count++] = port;
        }
    for (size_t i = 0; i < old_count; i++)
        if (old[i].fd >= 0)
            close(old[i].fd);
    if (!p->port_count)
        buf_printf(error,
                   "nothing to serve: \"roles\" names none of smtp submission pop3 imap http");
    return p->port_count > 0;
}

/* The child. */
static _Noreturn void run_worker(struct parent *p, int ready_fd)
{
    struct buf error = {.max = 1024};
    int code = WORKER_FAILED;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (process_become(p->uid, p->gid, &error) && process_confine(&error)) {
        prctl(PR_SET_PDEATHSIG, SIGTERM); /* the change of user has cleared it */
        code = worker_run(&p->config, p->ports, p->port_count, ready_fd);
    } else {
        call_fail(p->call, "%.*s", P(buf_slice(&error)));
    }
    buf_end(&error);
    config_end(&p->config);
    fflush(NULL);
    _exit(code);
}

static bool start_worker(struct parent *p)
{
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return false;
    fflush(NULL);
    p->started_ms = clock_mono_ms();
    p->worker = fork();
    if (p->worker == 0) {
        close(pipe_fds[0]);
        close(p->signals);
        run_worker(p, pipe_fds[1]);
    }
    close(pipe_fds[1]);
    if (p->ready_fd >= 0)
        close(p->ready_fd);
    p->ready_fd = pipe_fds[0];
    if (p->worker < 0) {
        p->worker = 0;
        return false;
    }
    return true;
}

/* The worker spoke, or its end of the pipe is gone. */
static void read_ready(struct parent *p)
{
    char byte;
    if (read(p->ready_fd, &byte, 1) == 1) {
        p->was_ready = true;
        puts("ready");
        fflush(stdout);
        process_notify("READY=1");
    }
    close(p->ready_fd);
    p->ready_fd = -1;
}

/* Reads the configuration anew and binds what it wants; what is wrong leaves the old one. */
static void change_config(struct parent *p)
{
    struct config fresh, old = p->config;
    struct port ports[PORTS_MAX];
    size_t count = p->port_count;
    struct buf error = {.max = 1024};
    memcpy(ports, p->ports, sizeof(ports));
    if (!config_load(&fresh, "yizhan.conf", p->config_name, &error)) {
        call_fail(p->call, "%.*s; going on as before", P(buf_slice(&error)));
        config_end(&fresh);
    } else {
        p->config = fresh;
        if (!bind_ports(p, ports, count, &error)) /* the worker will serve what could be bound */
            call_fail(p->call, "%.*s", P(buf_slice(&error)));
        config_end(&old);
    }
    buf_end(&error);
}

/* A worker that dies again and again is started more and more slowly. */
static void back_off(struct parent *p, int status)
{
    int64_t lived = clock_mono_ms() - p->started_ms;
    p->backoff_ms = lived > CALM_MS || !p->backoff_ms ? BACKOFF_FIRST_MS : p->backoff_ms * 2;
    if (p->backoff_ms > BACKOFF_MAX_MS)
        p->backoff_ms = BACKOFF_MAX_MS;
    log_event(LEVEL_ERROR, "serve.crash", "%s=%d restart_ms=%lld",
              WIFSIGNALED(status) ? "signal" : "exit",
              WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
              (long long)p->backoff_ms);
}

/* The worker has ended.  The parent's exit code, or -1 to go on. */
static int reap(struct parent *p)
{
    int status;
    if (waitpid(p->worker, &status, WNOHANG) != p->worker)
        return -1;
    p->worker = 0;
    if (p->ready_fd >= 0)
        read_ready(p);
    if (p->stopping)
        return WIFEXITED(status) && WEXITSTATUS(status) == WORKER_STOPPED ? EXIT_DONE : EXIT_FAILED;
    if (WIFEXITED(status) && WEXITSTATUS(status) == WORKER_CHANGED) {
        change_config(p);
        p->backoff_ms = 0;
        return -1;
    }
    if (!p->was_ready && WIFEXITED(status))
        return EXIT_FAILED; /* it said why */
    if (!p->was_ready)
        return call_fail(p->call, "the worker was ended by signal %d before it was ready",
                         WTERMSIG(status));
    back_off(p, status);
    return -1;
}

static void handle_signal(struct parent *p)
{
    struct signalfd_siginfo info;
    if (read(p->signals, &info, sizeof(info)) != sizeof(info) || info.ssi_signo == SIGCHLD)
        return;
    if (info.ssi_signo != SIGHUP) {
        p->stopping = true;
        process_notify("STOPPING=1");
    }
    if (p->worker)
        kill(p->worker, info.ssi_signo == SIGHUP ? SIGHUP : SIGTERM);
}

/* Until the worker has stopped; the exit code. */
static int watch(struct parent *p)
{
    for (;;) {
        int64_t wait_ms = -1;
        if (!p->worker) {
            if (p->stopping)
                return EXIT_DONE;
            wait_ms = p->backoff_ms - (clock_mono_ms() - p->started_ms);
            if (wait_ms <= 0 && !start_worker(p))
                wait_ms = BACKOFF_MAX_MS;
            else if (wait_ms <= 0)
                wait_ms = -1;
        }
        struct pollfd fds[] = {{.fd = p->signals, .events = POLLIN},
                               {.fd = p->ready_fd, .events = POLLIN}};
        if (poll(fds, 2, (int)wait_ms) < 0 && errno != EINTR)
            return call_fail(p->call, "poll: %s", strerror(errno));
        if (fds[1].revents)
            read_ready(p);
        if (fds[0].revents)
            handle_signal(p);
        int code = p->worker ? reap(p) : -1;
        if (code >= 0)
            return code;
    }
}

static bool prepare(struct parent *p, struct buf *error)
{
    const char *dir = control_dir(p->call);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    p->signals = signalfd(-1, &set, SFD_CLOEXEC);
    if (p->signals < 0) {
        buf_printf(error, "signalfd: %s", strerror(errno));
        return false;
    }
    p->config_name = arena_printf(p->call->arena, "%s/yizhan.conf", dir).p;
    return process_go(dir, error) &&
           config_load(&p->config, "yizhan.conf", p->config_name, error) &&
           process_owner(p->config.user, &p->uid, &p->gid, error) && bind_ports(p, NULL, 0, error);
}

int serve_run(struct call *c)
{
    struct parent p = {.call = c, .signals = -1, .ready_fd = -1};
    struct buf error = {.max = 1024};
    int code = prepare(&p, &error) ? watch(&p) : call_fail(c, "%.*s", P(buf_slice(&error)));
    for (size_t i = 0; i < p.port_count; i++)
        close(p.ports[i].fd);
    if (p.signals >= 0)
        close(p.signals);
    if (p.ready_fd >= 0)
        close(p.ready_fd);
    config_end(&p.config);
    buf_end(&error);
    return code;
}
