/* Sockets that listen, and the life of the network. */
#include "net/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/conn.h"
#include "net/inuse.h"
#include "net/peer.h"
#include "base/banned.h"

enum {
    LISTEN_BACKLOG = 4096,
    LISTEN_RETRY_MS = 100,  /* after EMFILE: the kernel keeps the callers waiting meanwhile */
    LISTEN_SPARE_FDS = 256, /* for files, outgoing connections, the resolver */
    NET_CUT_MS = 20 * 1000, /* the longest a session or job may hold a thread */
};

/* ---- binding ---- */

static bool parse_address(const char *ip, uint16_t port, struct sockaddr_storage *out, socklen_t *n)
{
    struct sockaddr_in *four = (struct sockaddr_in *)out;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)out;
    *out = (struct sockaddr_storage){0};
    if (inet_pton(AF_INET, ip, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons(port);
        *n = sizeof(*four);
        return true;
    }
    if (inet_pton(AF_INET6, ip, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons(port);
        *n = sizeof(*six);
        return true;
    }
    return false;
}

static void say_why(const char *ip, uint16_t port, int why, struct buf *error)
{
    bool six = strchr(ip, ':');
    buf_printf(error, "%s%s%s:%u ", six ? "[" : "", ip, six ? "]" : "", port);
    switch (why) {
    case EADDRINUSE:
        buf_add(error, S("is in use"));
        inuse_describe(port, error);
        buf_add(error, S(": stop it, or choose another port"));
        break;
    case EACCES:
        buf_add(error, S("may only be bound by root or with CAP_NET_BIND_SERVICE"));
        break;
    case EADDRNOTAVAIL:
        buf_add(error, S("is not an address of this machine"));
        break;
    default:
        buf_printf(error, "cannot be bound: %s", strerror(why));
    }
}

int listen_bind(const char *ip, uint16_t port, struct buf *error)
{
    struct sockaddr_storage address;
    socklen_t n;
    if (!parse_address(ip, port, &address, &n)) {
        buf_printf(error, "%s is not an IPv4 or IPv6 address to listen on", ip);
        return -1;
    }
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1},
                   sizeof(int)); /* accepted ones inherit it */
        if (address.ss_family == AF_INET6)
            setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){1}, sizeof(int));
        if (bind(fd, (struct sockaddr *)&address, n) == 0 && listen(fd, LISTEN_BACKLOG) == 0)
            return fd;
    }
    int why = errno;
    say_why(ip, port, why, error);
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool local_address(int fd, struct sockaddr_storage *address)
{
    socklen_t n = sizeof(*address);
    return getsockname(fd, (struct sockaddr *)address, &n) == 0;
}

uint16_t listen_port(int fd)
{
    struct sockaddr_storage address;
    char ip[46];
    uint16_t port = 0;
    if (local_address(fd, &address))
        address_text((struct sockaddr *)&address, ip, &port);
    return port;
}

/* ---- accepting ---- */

static enum task_next stop_listening(struct listening *l)
{
    struct net *net = l->net;
    loop_forget(&net->loop, l->how.fd);
    timer_clear(&net->timers, &l->timer);
    task_dead(&l->task);
    pthread_mutex_lock(&net->table.lock);
    l->closed = true;
    pthread_cond_broadcast(&net->table.changed);
    pthread_mutex_unlock(&net->table.lock);
    return TASK_GONE;
}

/* A connection at a time: the listener is armed again before the new session runs, so another
 * thread may already accept the next. */
static enum task_next listen_run(struct task *t, unsigned events, struct worker *w)
{
    struct listening *l = (struct listening *)t;
    if (events & TASK_STOP)
        return stop_listening(l);
    int why = conn_accept(l->net, l, w);
    bool short_of = why && why != EAGAIN && why != ECONNABORTED && why != EINTR;
    if (short_of && !l->short_of)
        log_event(LEVEL_WARNING, "net.accept_failed", "service=%s error=\"%s\"", l->how.service,
                  strerror(why));
    l->short_of = short_of;
    if (short_of) {
        timer_set(&l->net->timers, &l->timer, clock_mono_ms() + LISTEN_RETRY_MS);
    } else {
        loop_arm(&l->net->loop, l->how.fd, EPOLLIN, t, false);
    }
    return TASK_PARK;
}

bool net_listen(struct net *net, const struct listener *listener, struct buf *error)
{
    struct sockaddr_storage address;
    if (!local_address(listener->fd, &address)) {
        buf_printf(error, "%s: not a socket to listen on: %s", listener->service, strerror(errno));
        return false;
    }
    struct listening *l = mem_alloc(sizeof(*l));
    l->how = *listener;
    l->net = net;
    l->loopback = address_is_loopback((struct sockaddr *)&address);
    l->any = address_is_any((struct sockaddr *)&address);
    address_text((struct sockaddr *)&address, l->ip, &l->port);
    l->task.run = listen_run;
    timer_init(&l->timer, &l->task);
    pthread_mutex_lock(&net->table.lock);
    l->next = net->listening;
    net->listening = l;
    pthread_mutex_unlock(&net->table.lock);
    if (loop_arm(&net->loop, l->how.fd, EPOLLIN, &l->task, true))
        return true;
    buf_printf(error, "%s: cannot watch the socket: %s", listener->service, strerror(errno));
    l->closed = true;
    task_dead(&l->task);
    return false;
}

/* ---- the whole ---- */

/* As many descriptors as the system lets us have; returns how many connections that allows. */
static size_t raise_descriptors(size_t wanted)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit))
        return wanted;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    size_t most = (size_t)limit.rlim_cur;
    size_t usable = most > 2 * LISTEN_SPARE_FDS ? most - LISTEN_SPARE_FDS : most / 2;
    return wanted < usable ? wanted : usable;
}

static size_t or_default(size_t n, size_t otherwise)
{
    return n ? n : otherwise;
}

struct net *net_start(const struct net_options *options, struct buf *error)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    size_t n = cores > 0 ? (size_t)cores : 1;
    size_t threads_max = or_default(options->threads_max, LIMIT_THREADS);
    size_t seats = n > 2 ? n : 2; /* one may compute or wait unannounced */
    struct net *net = mem_alloc(sizeof(*net));
    net->handshake_ms = options->handshake_ms ? options->handshake_ms : LIMIT_HANDSHAKE_MS;
    stream_ignore_sigpipe();
    table_start(&net->table,
                raise_descriptors(or_default(options->connections_max, LIMIT_CONNECTIONS)),
                or_default(options->per_ip_max, LIMIT_PER_IP));
    pool_start(&net->pools[POOL_HASH], "hash", n, LIMIT_HASH_QUEUE);
    pool_start(&net->pools[POOL_DNS], "dns", LIMIT_DNS_THREADS, LIMIT_DNS_QUEUE);
    if (loop_start(&net->loop, seats < threads_max ? seats : threads_max, threads_max) &&
        timers_start(&net->timers, &net->loop))
        return net;
    buf_printf(error, "cannot start the network threads: %s", strerror(errno));
    return NULL; /* the caller exits */
}

size_t net_connections(struct net *net)
{
    struct table *t = &net->table;
    pthread_mutex_lock(&t->lock);
    size_t open = t->open;
    pthread_mutex_unlock(&t->lock);
    return open;
}

static bool all_closed(const struct net *net)
{
    for (const struct listening *l = net->listening; l; l = l->next)
        if (!l->closed)
            return false;
    return true;
}

static void stop_listeners(struct net *net)
{
    for (struct listening *l = net->listening; l; l = l->next)
        task_post(&net->loop, &l->task, TASK_STOP);
    pthread_mutex_lock(&net->table.lock);
    while (!all_closed(net))
        pthread_cond_wait(&net->table.changed, &net->table.lock);
    pthread_mutex_unlock(&net->table.lock);
}

bool net_stop(struct net *net, int64_t grace_ms)
{
    if (!net)
        return true;
    atomic_store(&net->stopping, true);
    stop_listeners(net);
    table_post(&net->table, &net->loop, TASK_STOP);
    if (!table_wait_empty(&net->table, clock_mono_ms() + grace_ms)) {
        table_post(&net->table, &net->loop, TASK_KILL);
        if (!table_wait_empty(&net->table, clock_mono_ms() + NET_CUT_MS))
            return false;
    }
    for (size_t i = 0; i < POOL_LAST; i++)
        pool_stop(&net->pools[i]);
    loop_stop(&net->loop);
    timers_stop(&net->timers);
    table_end(&net->table);
    while (net->listening) {
        struct listening *l = net->listening;
        net->listening = l->next;
        mem_free(l);
    }
    mem_free(net);
    return true;
}
