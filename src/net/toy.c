/* The toy protocol of the tests of net/. */
#include "net/toy.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/banned.h"

enum { TOY_LINE = 128 };

struct toy {
    struct session s; /* first: a session is a toy */
    uint64_t at, end; /* "many" */
    uint64_t wait_ms;
    uint64_t body; /* bytes still to take */
    bool idle, thinks;
};

static atomic_int alive;
static _Atomic int64_t timeout = 60000;
static sem_t gate;

__attribute__((constructor)) static void toy_init(void)
{
    sem_init(&gate, 0, 0);
}

static struct toy *toy_of(struct session *s)
{
    return (struct toy *)s;
}

static void start(struct session *s)
{
    s->timeout_ms = atomic_load(&timeout);
    buf_printf(&s->out, s->peer.tls ? "hello %s\r\n" : "hello\r\n", s->peer.tls_version);
}

static void many(struct toy *t)
{
    while (t->at < t->end) {
        if (buf_length(&t->s.out) > LIMIT_OUT / 2) {
            t->s.want = SESSION_ROOM;
            return;
        }
        buf_printf(&t->s.out, "%llu\r\n", (unsigned long long)t->at++);
    }
}

static void wait_job(struct session *s)
{
    usleep((useconds_t)toy_of(s)->wait_ms * 1000);
}

static void gate_job(struct session *s)
{
    (void)s;
    sem_wait(&gate);
}

static void want_job(struct session *s, enum session_pool pool, void (*job)(struct session *))
{
    s->want = SESSION_JOB;
    s->pool = pool;
    s->job = job;
}

static uint64_t number(slice s)
{
    uint64_t n = 0;
    (void)slice_u64(s, UINT32_MAX, &n);
    return n;
}

static void command(struct toy *t, slice line, bool cut)
{
    struct session *s = &t->s;
    if (slice_eat(&line, S("echo "))) {
        buf_printf(&s->out, "%.*s\r\n", P(line));
    } else if (slice_eat(&line, S("many "))) {
        t->at = 0;
        t->end = number(line);
        many(t);
    } else if (slice_eq(line, S("job"))) {
        t->wait_ms = 0;
        want_job(s, POOL_DNS, wait_job);
    } else if (slice_eat(&line, S("sleep "))) {
        t->wait_ms = number(line);
        want_job(s, POOL_DNS, wait_job);
    } else if (slice_eq(line, S("hash"))) {
        want_job(s, POOL_HASH, gate_job);
    } else if (slice_eat(&line, S("block "))) {
        usleep((useconds_t)number(line) * 1000);
        buf_add(&s->out, S("blocked\r\n"));
    } else if (slice_eat(&line, S("body "))) {
        t->body = number(line);
    } else if (slice_eq(line, S("tls"))) {
        buf_add(&s->out, S("go\r\n"));
        s->want = SESSION_TLS;
    } else if (slice_eq(line, S("idle"))) {
        t->idle = true;
        s->want = SESSION_NOTICE;
    } else if (slice_eq(line, S("think"))) {
        t->thinks = true;
        s->want = SESSION_ROOM;
    } else if (slice_eq(line, S("cuts"))) {
        buf_printf(&s->out, cut ? "cut\r\n" : "whole\r\n");
    } else if (slice_eq(line, S("quit"))) {
        buf_add(&s->out, S("bye\r\n"));
        s->want = SESSION_CLOSE;
    } else if (slice_eq(line, S("leave"))) {
        buf_add(&s->out, S("bye\r\n"));
        s->peer_done = true;
        s->want = SESSION_CLOSE;
    } else {
        buf_add(&s->out, S("what?\r\n"));
    }
}

static size_t feed(struct session *s, slice in)
{
    static _Thread_local size_t seen; /* only "cuts" looks at it */
    struct toy *t = toy_of(s);
    if (t->body) {
        size_t n = in.n < t->body ? in.n : (size_t)t->body;
        t->body -= n;
        if (!t->body)
            buf_add(&s->out, S("taken\r\n"));
        return n;
    }
    ptrdiff_t end = slice_search(in, S("\r\n"));
    if (end < 0 && in.n < TOY_LINE) {
        seen = in.n;
        return 0;
    }
    if (end < 0 || end > TOY_LINE) {
        s->class->expire(s, END_LIMIT);
        return in.n;
    }
    t->idle = false;
    s->want = SESSION_READ;
    command(t, slice_sub(in, 0, (size_t)end), seen > 0);
    seen = 0;
    return (size_t)end + 2;
}

static void resume(struct session *s)
{
    struct toy *t = toy_of(s);
    if (t->thinks) {
        s->want = SESSION_ROOM;
    } else if (t->idle) {
        buf_add(&s->out, S("notice\r\n"));
    } else if (s->job) {
        s->job = NULL;
        buf_printf(&s->out, s->job_refused ? "job refused\r\n" : "job done\r\n");
    } else {
        many(t);
    }
}

static void tls_started(struct session *s)
{
    buf_add(&s->out, S("secure\r\n"));
}

static void expire(struct session *s, enum session_end why)
{
    static const char *const names[] = {"timeout", "shutdown", "limit"};
    buf_printf(&s->out, "end %s\r\n", names[why]);
    s->want = SESSION_CLOSE;
}

static void end(struct session *s)
{
    atomic_fetch_sub(&alive, 1);
    mem_free(s);
}

struct session *toy_new(void)
{
    static const struct session_class class = {
        .name = "toy",
        .start = start,
        .feed = feed,
        .resume = resume,
        .tls_started = tls_started,
        .expire = expire,
        .end = end,
    };
    struct toy *t = mem_alloc(sizeof(*t));
    t->s.class = &class;
    atomic_fetch_add(&alive, 1);
    return &t->s;
}

void toy_timeout(int64_t ms)
{
    atomic_store(&timeout, ms ? ms : 60000);
}

int toy_alive(void)
{
    return atomic_load(&alive);
}

void toy_release(void)
{
    sem_post(&gate);
}
