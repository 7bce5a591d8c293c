/*
 * The server's end of the network, as ops/serve.c sees it:
 *   net_start -> listen_bind (in the parent) -> net_listen (in the worker) -> net_stop
 * Everything between an accepted socket and a session is in conn.c, the threads are in loop.c.
 */
#ifndef NET_LISTEN_H
#define NET_LISTEN_H

#include "base/buf.h"
#include "net/session.h"
#include "net/tls.h"

struct net;

/* Zero means the name in base/limits.h. */
struct net_options {
    size_t threads_max;     /* LIMIT_THREADS */
    size_t connections_max; /* LIMIT_CONNECTIONS; lowered to what RLIMIT_NOFILE allows */
    size_t per_ip_max;      /* LIMIT_PER_IP; an IPv6 address counts with its /64 */
    int64_t handshake_ms;   /* LIMIT_HANDSHAKE_MS */
};

/* What listens.  Everything borrowed lives until net_stop has returned. */
struct listener {
    int fd;               /* bound and listening (listen_bind, or inherited); stays the caller's */
    const char *service;  /* "smtp", "submission": in the log */
    const char *hostname; /* "north.test": the near end in session.who */
    /* A new session for one connection; net/ fills peer, who, id, and then calls start. */
    struct session *(*make)(void *ctx);
    void *ctx;
    struct tls_server *tls; /* for STARTTLS and implicit TLS; NULL: no TLS here */
    bool implicit_tls;      /* the hand-shake comes first */
};

/*
 * A socket bound to ip ("127.0.0.1", "::1", "0.0.0.0", "::") and port (0: any free one), listening,
 * CLOEXEC, or -1 with one line in error: "127.0.0.1:1025 is in use by process 4711 (master)".
 */
int listen_bind(const char *ip, uint16_t port, struct buf *error);
/* The port a socket is bound to, 0 when it is none. */
uint16_t listen_port(int fd);

/* Starts the threads.  NULL with one line in error. */
struct net *net_start(const struct net_options *options, struct buf *error);
/* Begins to accept; from any thread. *listener is copied. */
bool net_listen(struct net *net, const struct listener *listener, struct buf *error);
/* Connections open now. */
size_t net_connections(struct net *net);
/*
 * Accepts no more, tells every session expire(END_SHUTDOWN) as soon as it could read a command,
 * waits at most grace_ms, then cuts the rest, ends the threads and frees net.  False when a session
 * or job was still running 20 s after that: then net is not freed, and only _exit() is safe.
 */
bool net_stop(struct net *net, int64_t grace_ms);

#endif
