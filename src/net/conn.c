/*
 * A connection: bytes <-> session, and the patience we have with its peer.
 *
 * conn_run is called by the thread that owns the connection, with the events that have come.  One
 * turn feeds all input there is, sends all output there is with one write, and does what the
 * session wants; it repeats until the connection waits for something (park) or others should have a
 * turn (yield).  Input is read into the thread's buffer; only what the session leaves is kept.
 */
#include "net/conn.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/budget.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "net/peer.h"
#include "base/banned.h"

enum {
    KEEP_OUT = 1024, /* an idle connection keeps no more of its out buffer */
    BULK = 1024,     /* who sends so much at once sends a message, not a command */
};

enum step {
    STEP_AGAIN, /* something happened: look again */
    STEP_PARK,  /* wait for an event */
    STEP_END,   /* close now */
};

static bool reads(const struct session *s)
{
    return s->want == SESSION_READ || s->want == SESSION_NOTICE;
}

static bool all_sent(const struct conn *c)
{
    return buf_length(&c->session->out) == 0;
}

/* A slow reader gets no more answers before it has taken the earlier ones. */
static bool congested(const struct conn *c)
{
    return buf_length(&c->session->out) > LIMIT_OUT / 2;
}

static size_t in_max(const struct conn *c)
{
    return c->session->in_max ? c->session->in_max : LIMIT_IN;
}

static void progress(struct conn *c, int64_t now)
{
    c->progress_ms = now;
    c->quiet = 0;
}

static void expire(struct conn *c, enum session_end why)
{
    c->session->class->expire(c->session, why);
    assert(c->session->want == SESSION_CLOSE || (why == END_TIMEOUT && !all_sent(c)));
    if (c->session->want == SESSION_CLOSE)
        buf_end(&c->in);
    progress(c, clock_mono_ms());
}

static void resume(struct conn *c)
{
    if (c->session->want != SESSION_NOTICE)
        c->session->want = SESSION_READ;
    c->chewed = false;
    c->session->class->resume(c->session);
    progress(c, clock_mono_ms());
}

/* ---- input ---- */

/* Gives the session what it takes of in; returns what it consumed. */
static size_t feed(struct conn *c, slice in, int64_t until)
{
    struct session *s = c->session;
    size_t from = in.n;
    while (in.n && reads(s) && !congested(c)) {
        size_t before = buf_length(&s->out);
        size_t n = s->class->feed(s, slice_sub(in, 0, in_max(c)));
        assert(n <= in.n);
        in = slice_skip(in, n);
        c->quiet += n;
        int64_t now = clock_mono_ms();
        if (buf_length(&s->out) > before || !reads(s) || c->quiet >= LIMIT_QUIET)
            progress(c, now);
        c->chewed = n == 0;
        if (n == 0 && reads(s) && in.n >= in_max(c)) {
            expire(c, END_LIMIT);
            return from;
        }
        if (n == 0 || now >= until)
            break;
    }
    return from - in.n;
}

/* Input is left that the session has not seen yet, and it may see it now. */
static bool feedable(const struct conn *c)
{
    return buf_length(&c->in) && !c->chewed && reads(c->session) && !congested(c);
}

/* Feeds what was left; true when some of it went. */
static bool feed_rest(struct conn *c, int64_t until)
{
    if (!feedable(c))
        return false;
    size_t n = feed(c, buf_slice(&c->in), until);
    if (buf_length(&c->in)) /* expire() empties it */
        buf_eat(&c->in, n);
    return true;
}

/* Reads once and feeds. */
static enum step read_some(struct conn *c, struct worker *w, int64_t until)
{
    if (c->stream.over)
        return all_sent(c) ? STEP_END : STEP_PARK;
    size_t kept = buf_length(&c->in);
    size_t room = in_max(c) > kept ? in_max(c) - kept : 0;
    if (c->dry || room == 0)
        return STEP_PARK;
    if (room > LOOP_BUFFER)
        room = LOOP_BUFFER;
    ssize_t n = stream_read(&c->stream, w->bytes, room);
    if (n == STREAM_FAILED)
        return STEP_END;
    if (n == STREAM_END)
        return STEP_AGAIN;
    if (n < 0) {
        c->dry = true;
        if (n == STREAM_WANT_WRITE)
            c->waits |= EPOLLOUT;
        return STEP_PARK;
    }
    c->dry = c->stream.ssl ? !stream_pending(&c->stream) : (size_t)n < room;
    c->bytes_in += (uint64_t)n;
    slice in = {w->bytes, (size_t)n};
    if (!kept)
        in = slice_skip(in, feed(c, in, until));
    /* In the middle of a message no reply carries the acknowledgement that a peer with Nagle's
     * algorithm waits for before it sends the rest. */
    if (c->dry && n >= BULK && reads(c->session) && all_sent(c))
        stream_acknowledge(&c->stream);
    c->in.max = in_max(c);
    if (in.n && c->session->want == SESSION_CLOSE) {
        c->session->peer_done = false; /* it goes on all the same */
    } else if (in.n) {
        c->chewed = c->chewed && !kept;
        buf_add(&c->in, in);
    }
    return STEP_AGAIN;
}

/* ---- output ---- */

/* Sends what there is; false when the connection is lost. */
static bool flush(struct conn *c)
{
    struct buf *out = &c->session->out;
    bool sent = false;
    c->waits = 0;
    if (out->full) { /* part of an answer is lost: better no connection than a wrong one */
        log_event(LEVEL_ERROR, "net.out_full", "session=%s service=%s", c->session->id,
                  c->from->how.service);
        return false;
    }
    while (buf_length(out)) {
        ssize_t n = stream_write(&c->stream, buf_slice(out));
        if (n == STREAM_FAILED)
            return false;
        if (n < 0) {
            c->waits = n == STREAM_WANT_READ ? EPOLLIN : EPOLLOUT;
            break;
        }
        sent = true;
        c->bytes_out += (uint64_t)n;
        buf_eat(out, (size_t)n);
    }
    if (sent)
        progress(c, clock_mono_ms());
    return true;
}

/* ---- what the session wants ---- */

static void run_job(struct job *j)
{
    struct conn *c = (struct conn *)((char *)j - offsetof(struct conn, job));
    c->session->job(c->session);
    task_post(&c->net->loop, &c->task, TASK_JOB);
}

static enum step start_job(struct conn *c)
{
    c->job.run = run_job;
    c->session->job_refused = false;
    c->job_runs = true;
    if (pool_add(&c->net->pools[c->session->pool], &c->job))
        return STEP_PARK;
    c->job_runs = false;
    c->session->job_refused = true;
    resume(c);
    return STEP_AGAIN;
}

static enum step start_tls(struct conn *c)
{
    const struct listener *how = &c->from->how;
    SSL *ssl = how->tls ? tls_server_ssl(how->tls) : NULL;
    if (!ssl)
        return STEP_END;
    /* Rule S15: what came in clear is never a command after the hand-shake. */
    buf_end(&c->in);
    c->dry = c->chewed = false;
    stream_secure(&c->stream, ssl);
    c->stage = CONN_HANDSHAKE;
    c->deadline_ms = clock_mono_ms() + c->net->handshake_ms;
    return STEP_AGAIN;
}

static void say_closed(struct conn *c, const char *why)
{
    const struct session *s = c->session;
    int64_t ms = clock_mono_ms() - c->started_ms;
    log_step(s->who, "closure", "%s", why);
    log_event(LEVEL_INFO, "net.close",
              "session=%s service=%s peer=%s why=\"%s\" ms=%lld in=%llu out=%llu", s->id,
              c->from->how.service, s->peer.ip, why, (long long)ms, (unsigned long long)c->bytes_in,
              (unsigned long long)c->bytes_out);
}

static void end_session(struct conn *c, const char *why)
{
    if (!c->session)
        return;
    say_closed(c, why);
    buf_end(&c->session->out);
    c->session->class->end(c->session);
    c->session = NULL;
    buf_end(&c->in);
}

/* The last reply is in the socket: closing at once could destroy it while the peer still sends (TLS
 * always says a last word). */
static enum step start_linger(struct conn *c)
{
    bool sends = !c->session->peer_done || buf_length(&c->in) || !c->dry || c->stream.ssl;
    end_session(c, "connection closed");
    if (!sends)
        return STEP_END;
    stream_finish(&c->stream);
    c->stage = CONN_LINGER;
    c->quiet = 0;
    c->deadline_ms = clock_mono_ms() + LIMIT_LINGER_MS;
    return STEP_AGAIN;
}

/* One step of CONN_OPEN. */
static enum step act(struct conn *c, struct worker *w, int64_t until)
{
    struct session *s = c->session;
    if (feed_rest(c, until))
        return STEP_AGAIN;
    if (!flush(c))
        return STEP_END;
    switch (s->want) {
    case SESSION_JOB:
        return start_job(c);
    case SESSION_ROOM:
        if (!all_sent(c))
            return STEP_PARK;
        resume(c);
        return STEP_AGAIN;
    case SESSION_TLS:
        return all_sent(c) ? start_tls(c) : STEP_PARK;
    case SESSION_CLOSE:
        return all_sent(c) ? start_linger(c) : STEP_PARK;
    case SESSION_NOTICE:
        if (c->noticed && !congested(c)) {
            c->noticed = false;
            resume(c);
            return STEP_AGAIN;
        }
        break;
    case SESSION_READ:
        break;
    }
    if (congested(c))
        return STEP_PARK;
    if (feedable(c)) /* it was not, before the output went */
        return STEP_AGAIN;
    if (c->stopping) {
        expire(c, END_SHUTDOWN);
        return STEP_AGAIN;
    }
    return read_some(c, w, until);
}

/* ---- hand-shake and linger ---- */

static void start_session(struct conn *c)
{
    c->stage = CONN_OPEN;
    progress(c, clock_mono_ms());
    c->session->class->start(c->session);
}

static enum step handshake(struct conn *c)
{
    struct session *s = c->session;
    c->waits = 0;
    int answer = stream_handshake(&c->stream);
    if (answer == STREAM_WANT_READ || answer == STREAM_WANT_WRITE) {
        c->waits = answer == STREAM_WANT_READ ? EPOLLIN : EPOLLOUT;
        return STEP_PARK;
    }
    if (answer != 1) {
        struct buf error = {.max = 256};
        tls_error(&error);
        metric_add(METRIC_TLS_FAILURES, 1);
        log_event(LEVEL_INFO, "net.tls_failed", "session=%s peer=%s error=%s", s->id, s->peer.ip,
                  log_quote(buf_slice(&error)));
        log_step(s->who, "TLS", "handshake failed");
        buf_end(&error);
        return STEP_END;
    }
    metric_add(METRIC_TLS_HANDSHAKES, 1);
    peer_secured(&s->peer, c->stream.ssl);
    log_step(s->who, "TLS", "%s %s%s", s->peer.tls_version, s->peer.tls_cipher,
             SSL_session_reused(c->stream.ssl) ? ", resumed" : "");
    if (c->from->how.implicit_tls) {
        start_session(c);
        return STEP_AGAIN;
    }
    c->stage = CONN_OPEN;
    s->want = SESSION_READ;
    progress(c, clock_mono_ms());
    s->class->tls_started(s);
    return STEP_AGAIN;
}

/* Throws away what the peer still sends.  Below TLS: nobody will look at it. */
static enum step linger(struct conn *c, struct worker *w)
{
    for (;;) {
        ssize_t n = -1;
        if (!c->dry)
            n = recv(c->stream.fd, w->bytes, LOOP_BUFFER, MSG_DONTWAIT);
        if (c->dry || (n < 0 && errno == EAGAIN)) {
            c->waits = EPOLLIN;
            return STEP_PARK;
        }
        if (n <= 0 || (c->quiet += (size_t)n) > LIMIT_LINGER)
            return STEP_END;
    }
}

/* ---- patience ---- */

static int64_t deadline(const struct conn *c, int64_t now)
{
    if (c->stage != CONN_OPEN)
        return c->deadline_ms;
    const struct session *s = c->session;
    if (c->job_runs) /* jobs have deadlines of their own; here one is only missed, and said so */
        return now + LIMIT_HANDSHAKE_MS;
    int64_t patience = s->timeout_ms > 0 ? s->timeout_ms : LIMIT_TIMEOUT_MS;
    if (s->want == SESSION_CLOSE && patience > LIMIT_CLOSE_MS)
        patience = LIMIT_CLOSE_MS;
    return c->progress_ms + patience;
}

/* The deadline may have passed: false when the connection must be cut. */
static bool on_timer(struct conn *c, int64_t now)
{
    if (c->job_runs) {
        if (!c->overdue_said)
            log_event(LEVEL_WARNING, "net.job_slow", "session=%s service=%s", c->session->id,
                      c->from->how.service);
        c->overdue_said = true;
        return true;
    }
    if (now < deadline(c, now))
        return true;
    if (c->stage != CONN_OPEN || !reads(c->session) || !all_sent(c))
        return false;
    expire(c, END_TIMEOUT);
    return true;
}

/* Memory kept for the peer, from the common budget; false when there is no more. */
static bool account(struct conn *c)
{
    size_t now = c->stream.ssl ? LIMIT_TLS_MEMORY : 0;
    if (c->session) {
        if (!buf_length(&c->in))
            buf_end(&c->in);
        if (!buf_length(&c->session->out) && c->session->out.size > KEEP_OUT)
            buf_end(&c->session->out);
        now += c->in.size + c->session->out.size;
    }
    if (now > c->held && !budget_take(now - c->held))
        return false;
    if (now < c->held)
        budget_give(c->held - now);
    c->held = now;
    return true;
}

/* ---- turns ---- */

static uint32_t wanted_events(const struct conn *c)
{
    uint32_t events = c->waits;
    if (c->stage == CONN_OPEN && reads(c->session) && !congested(c) && !c->stream.over)
        events |= EPOLLIN;
    return events;
}

/* Lets epoll watch; false when it cannot. */
static bool watch(struct conn *c)
{
    if (c->job_runs)
        return true;
    uint32_t events = wanted_events(c);
    if (c->armed == events && c->registered)
        return true;
    if (!loop_arm(&c->net->loop, c->stream.fd, events, &c->task, !c->registered))
        return false;
    c->registered = true;
    c->armed = events;
    return true;
}

static enum task_next close_now(struct conn *c, const char *why)
{
    end_session(c, why);
    timer_clear(&c->net->timers, &c->timer);
    stream_end(&c->stream);
    budget_give(c->held);
    table_give(&c->net->table, c);
    return TASK_GONE;
}

static enum task_next park(struct conn *c)
{
    if (!c->job_runs && !account(c)) { /* a job has the session for itself */
        if (c->stage != CONN_OPEN || !reads(c->session) || !all_sent(c))
            return close_now(c, "no memory left in the budget");
        buf_end(&c->in);
        expire(c, END_LIMIT);
        return TASK_YIELD;
    }
    timer_set(&c->net->timers, &c->timer, deadline(c, clock_mono_ms()));
    if (!watch(c))
        return close_now(c, "epoll refused it");
    return TASK_PARK;
}

static enum task_next turn(struct conn *c, struct worker *w)
{
    int64_t until = clock_mono_ms() + LIMIT_TURN_MS;
    bool last = false; /* the time is up: one more step, so that a reply that waited for the disk
                        * goes out and, most often, nothing is left to do */
    for (;;) {
        enum step step = c->stage == CONN_OPEN        ? act(c, w, until)
                         : c->stage == CONN_HANDSHAKE ? handshake(c)
                                                      : linger(c, w);
        if (step == STEP_END) {
            bool polite = c->stream.over && !c->stream.broken;
            if (polite)
                stream_finish(&c->stream);
            return close_now(c, polite ? "closed by the peer" : "connection lost");
        }
        if (step == STEP_PARK)
            return park(c);
        if (last && c->stage == CONN_OPEN && c->session->want == SESSION_ROOM &&
            stream_is_lost(&c->stream)) /* a long answer: is it still wanted? */
            return close_now(c, "connection lost");
        if (last)
            return TASK_YIELD;
        last = clock_mono_ms() >= until;
    }
}

static enum task_next conn_run(struct task *t, unsigned events, struct worker *w)
{
    struct conn *c = (struct conn *)t;
    if (events & TASK_IO) {
        c->armed = 0;
        c->dry = false;
    }
    c->noticed |= (events & TASK_NOTICE) != 0;
    c->stopping |= (events & TASK_STOP) != 0;
    c->killed |= (events & TASK_KILL) != 0;
    if (events & TASK_JOB) {
        c->job_runs = c->overdue_said = false;
        resume(c);
    }
    if ((events & TASK_TIMER) && !on_timer(c, clock_mono_ms()))
        return close_now(c, "timed out");
    if (c->job_runs)
        return park(c);
    if (c->killed || (c->stopping && c->stage == CONN_HANDSHAKE))
        return close_now(c, "cut at shutdown");
    return turn(c, w);
}

/* ---- accept ---- */

/* Too many: the session says so in its protocol's words, without ever having begun. */
static void refuse(const struct listening *from, struct session *s, int fd)
{
    struct stream stream = {.fd = fd};
    metric_add(METRIC_CONNECTIONS_REFUSED, 1);
    log_event(LEVEL_INFO, "net.refused", "service=%s peer=%s why=\"too many connections\"",
              from->how.service, s->peer.ip);
    if (!from->how.implicit_tls) {
        char unread[512];
        s->class->expire(s, END_LIMIT);
        (void)!recv(fd, unread, sizeof(unread), MSG_DONTWAIT); /* unread input would reset it */
        if (buf_length(&s->out))
            stream_write(&stream, buf_slice(&s->out));
    }
    buf_end(&s->out);
    s->class->end(s);
    stream_finish(&stream);
    stream_end(&stream);
}

static void greet(struct conn *c)
{
    struct session *s = c->session;
    metric_add(METRIC_CONNECTIONS, 1);
    trace_stop(STOP_LISTEN, 0, "session=%s service=%s peer=%s port=%u local=%s local_port=%u",
               s->id, c->from->how.service, s->peer.ip, s->peer.port, s->peer.local_ip,
               s->peer.local_port);
    log_step(s->who, "handshake", "connection accepted");
    c->dry = true; /* who connects listens first; epoll tells of who does not */
    if (!c->from->how.implicit_tls)
        start_session(c);
    else if (start_tls(c) == STEP_END)
        c->killed = true;
}

int conn_accept(struct net *net, const struct listening *from, struct worker *w)
{
    struct sockaddr_storage address;
    socklen_t n = sizeof(address);
    int fd = accept4(from->how.fd, (struct sockaddr *)&address, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return errno;
    struct session *s = from->how.make(from->how.ctx);
    char id[ID_TEXT], ip_key[16];
    id_text(id_new(), id);
    snprintf(s->id, sizeof(s->id), "%.*s", ID_TEXT, id);
    s->out.max = LIMIT_OUT;
    peer_far(&s->peer, (struct sockaddr *)&address, ip_key);
    memcpy(s->peer.local_ip, from->ip, sizeof(s->peer.local_ip));
    s->peer.local_port = from->port;
    if (from->any)
        peer_near(&s->peer, fd);
    s->peer.loopback = from->loopback;
    peer_who(&s->peer, from->how.hostname, s->who, sizeof(s->who));
    struct conn *c = table_take(&net->table, ip_key);
    if (!c) {
        refuse(from, s, fd);
        return 0;
    }
    c->task.run = conn_run;
    c->net = net;
    c->from = from;
    c->session = s;
    c->stream.fd = fd;
    c->started_ms = clock_mono_ms();
    c->stopping = atomic_load(&net->stopping);
    s->conn = c;
    timer_init(&c->timer, &c->task);
    task_born(&c->task);
    greet(c);
    w->then = &c->task;
    return 0;
}

void session_notify(struct session *s)
{
    if (s->conn)
        task_post(&s->conn->net->loop, &s->conn->task, TASK_NOTICE);
}
