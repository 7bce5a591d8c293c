/*
 * Inside net/: a connection and the network it belongs to.
 *
 *   HANDSHAKE  TLS is being agreed          (30 s in all)
 *   OPEN       bytes go to and from the session (session.timeout_ms between two steps of progress)
 *   LINGER     the session is gone, the last reply travels; the peer closes (2 s in all)
 *
 * Every connection has a deadline in every state.
 */
#ifndef NET_CONN_H
#define NET_CONN_H

#include "base/map.h"
#include "net/listen.h"
#include "net/loop.h"
#include "net/pool.h"
#include "net/session.h"
#include "net/stream.h"
#include "net/timer.h"

enum conn_stage { CONN_HANDSHAKE, CONN_OPEN, CONN_LINGER };

/* A listener at work. */
struct listening {
    struct task task;   /* first */
    struct timer timer; /* when descriptors were short: try again */
    struct listener how;
    struct net *net;
    char ip[46]; /* the near end of all it accepts, unless any */
    uint16_t port;
    bool any; /* of the addresses of this machine */
    bool loopback;
    bool short_of; /* descriptors were short the last time (said once) */
    bool closed;   /* under net->table.lock */
    struct listening *next;
};

struct conn {
    struct task task; /* first */
    struct timer timer;
    struct job job;
    struct net *net;
    struct conn *next_free;
    const struct listening *from;
    struct session *session; /* NULL from CONN_LINGER on */
    struct stream stream;
    struct buf in;       /* unread input */
    size_t held;         /* bytes taken from the budget */
    int64_t deadline_ms; /* clock_mono_ms */
    int64_t progress_ms; /* when the peer last got on */
    size_t quiet;        /* bytes consumed since then */
    int64_t started_ms;
    uint64_t bytes_in, bytes_out;
    char ip_key[16]; /* what LIMIT_PER_IP counts; all zero: not counted */
    enum conn_stage stage;
    uint32_t waits;  /* what TLS or a full socket wants: EPOLLIN, EPOLLOUT */
    uint32_t armed;  /* what epoll watches now */
    bool registered; /* with epoll */
    bool dry;        /* the socket had no more when we last looked */
    bool chewed;     /* the session could not use the input it has seen */
    bool job_runs, noticed, stopping, killed, overdue_said;
};

/* The connections there are, and how many may be. */
struct table {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* open went down, or a listener closed */
    struct conn **chunks;   /* never given back while the loop lives, see loop.h */
    size_t chunk_count;
    struct conn *free;
    size_t open, open_max, per_ip_max;
    struct map per_ip;
};

struct net {
    struct loop loop;
    struct timers timers;
    struct pool pools[POOL_LAST];
    struct table table;
    struct listening *listening;
    int64_t handshake_ms;
    atomic_bool stopping;
};

/* A slot, born (TASK_OWNED), fd set; NULL when a limit is reached.  ip_key: all zero is not
 * counted. */
struct conn *table_take(struct table *t, const char ip_key[16]);
/* Back among the free ones; the last thing its owner does. */
void table_give(struct table *t, struct conn *c);
/* Posts events to all connections. */
void table_post(struct table *t, struct loop *loop, unsigned events);
/* Waits until none is open; false at deadline_ms (clock_mono_ms). */
bool table_wait_empty(struct table *t, int64_t deadline_ms);
void table_start(struct table *t, size_t open_max, size_t per_ip_max);
void table_end(struct table *t);

/*
 * Stop 3 of the journey.  Accepts one connection of a listener, makes its session, and gives it to
 * the worker to run.  0, or errno of accept4: EAGAIN when there was none, EMFILE and the like when
 * descriptors or memory are short.
 */
int conn_accept(struct net *net, const struct listening *from, struct worker *w);

#endif
