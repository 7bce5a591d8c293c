/*
 * What net/ and a protocol agree on.  A session does no socket I/O: bytes come in by feed(),
 * replies go to out, and the session says what it wants next.  The same code runs under net/, a
 * unit test, a transcript, a fuzzer and a benchmark, because a session also runs with conn == NULL.
 *
 * One thread runs a session at a time, on any thread.  A session waits for at most one thing: while
 * want is not SESSION_READ nothing is fed, and pipelined bytes stay in the caller's buffer.
 */
#ifndef NET_SESSION_H
#define NET_SESSION_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/slice.h"

enum session_want {
    SESSION_READ,   /* more bytes */
    SESSION_JOB,    /* job(session) runs on a thread of its own pool; then resume() */
    SESSION_ROOM,   /* out is (half) full: when it has drained, resume() goes on with the answer */
    SESSION_TLS,    /* after out is sent: drop unread input, hand-shake, then tls_started() */
    SESSION_NOTICE, /* as SESSION_READ, and also resume() when session_notify() was called (IDLE) */
    SESSION_CLOSE,  /* after out is sent: close */
};

/* Pools for slow work; each has its own cap on threads and queue (net/loop.h). */
enum session_pool {
    POOL_HASH, /* password hashing: as many threads as cores */
    POOL_DNS,  /* what waits for DNS: 64 threads */
    POOL_LAST
};

/* The other end and the way to it. */
struct peer {
    char ip[46]; /* text of the address: "127.0.0.1", "::1" */
    uint16_t port;
    char local_ip[46];
    uint16_t local_port;
    bool loopback;        /* the listener is on a loopback address */
    bool tls;             /* the connection is encrypted */
    char tls_version[16]; /* "TLSv1.3"; empty without TLS */
    char tls_cipher[48];
};

/* Why a session is told to end. */
enum session_end {
    END_TIMEOUT,  /* timeout_ms passed without progress */
    END_SHUTDOWN, /* the server stops: finish with 421 / BYE */
    END_LIMIT,    /* too many connections or no memory left in the budget (before start, too) */
};

struct session;
struct conn;

/* A protocol.  All functions run on the session's thread; none may be NULL but resume and
 * tls_started. */
struct session_class {
    const char *name; /* "smtp", "pop3": in logs */
    /* The connection stands (TLS too, when it is implicit): write the greeting. */
    void (*start)(struct session *s);
    /* Takes what it can of in; returns the bytes consumed.  0 with want SESSION_READ: needs more.
     * Never called with an empty slice; called again with the rest while it consumes and want
     * stays SESSION_READ or SESSION_NOTICE.  in.n == in_max must be enough for anything. */
    size_t (*feed)(struct session *s, slice in);
    /* The job is done, out has room, or a notice came.  want has been set to SESSION_READ before
     * (a SESSION_NOTICE stays); set it to what comes next. */
    void (*resume)(struct session *s);
    /* The hand-shake is done, peer.tls is true; want is SESSION_READ. */
    void (*tls_started)(struct session *s);
    /* Say why in the protocol's words and set want to SESSION_CLOSE; after END_TIMEOUT it may say
     * something and go on instead.  Called only where a command could be read (want SESSION_READ or
     * SESSION_NOTICE) or before start: never inside an answer. */
    void (*expire)(struct session *s, enum session_end why);
    /* Last call: free everything, the session itself included. */
    void (*end)(struct session *s);
};

struct session {
    const struct session_class *class;
    enum session_want want;
    struct buf out; /* max = LIMIT_OUT; net/ sends and eats it */
    size_t in_max;  /* most unread input kept; LIMIT_IN when 0 */
    /*
     * How long the peer may go without progress; the session sets it, at any time.  Progress is: a
     * reply was written to out, 1 KiB of input was consumed (so a message body has a lowest speed),
     * or the socket took bytes.  Bytes that complete no command are no progress.  0: 5 minutes.
     */
    int64_t timeout_ms;
    enum session_pool pool; /* with SESSION_JOB */
    void (*job)(struct session *s);
    bool job_refused; /* at resume(): the pool was full, job did not run: a temporary failure */
    bool peer_done;   /* with SESSION_CLOSE: the peer asked for it, so it sends nothing more */
    struct peer peer;
    struct conn *conn; /* NULL when no network is behind it */
    char who[128];     /* "north.test:587 <- 127.0.0.1:40222" for log_step */
    char id[16];       /* session id in the log */
};

/*
 * From any thread: a session whose want is SESSION_NOTICE gets resume() on its own thread, soon and
 * once for any number of calls.  For others it is remembered until they want it.  Nothing without a
 * conn.
 */
void session_notify(struct session *s);

#endif
