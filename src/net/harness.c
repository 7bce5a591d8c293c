/*
 * The in-memory driver of a session.  pump() is the same loop as conn_turn() in net/conn.c with the
 * socket, the clock and the threads left out.
 */
#include "net/harness.h"

#include <assert.h>
#include <stdio.h>

#include "base/banned.h"

enum { HARNESS_SAID_MAX = 256 << 20 };

static bool reads(const struct session *s)
{
    return s->want == SESSION_READ || s->want == SESSION_NOTICE;
}

/* out "is sent". */
static void drain(struct harness *h)
{
    bool kept = buf_add(&h->said, buf_slice(&h->session->out));
    assert(kept);
    assert(!h->session->out.full);
    buf_clear(&h->session->out);
}

/* Feeds what waits; true when something was consumed or want changed. */
static bool feed_once(struct harness *h)
{
    struct session *s = h->session;
    if (!buf_length(&h->in))
        return false;
    /* A copy of its own for each call, so that AddressSanitizer sees who keeps or overruns it. */
    size_t max = s->in_max ? s->in_max : LIMIT_IN;
    slice all = slice_sub(buf_slice(&h->in), 0, max);
    char *copy = mem_alloc(all.n);
    memcpy(copy, all.p, all.n);
    size_t n = s->class->feed(s, (slice){copy, all.n});
    mem_free(copy);
    assert(n <= all.n);
    buf_eat(&h->in, n);
    if (n == 0 && reads(s) && all.n == max) {
        buf_clear(&h->in);
        s->class->expire(s, END_LIMIT);
        assert(s->want == SESSION_CLOSE);
    }
    return n > 0 || !reads(s);
}

static void run_job(struct harness *h)
{
    struct session *s = h->session;
    s->job_refused = h->pools_full;
    if (!h->pools_full)
        s->job(s);
    s->want = SESSION_READ;
    s->class->resume(s);
}

static void handshake(struct harness *h)
{
    struct session *s = h->session;
    buf_clear(&h->in); /* rule S15: what came before the hand-shake is never a command after it */
    h->handshakes++;
    s->peer.tls = true;
    snprintf(s->peer.tls_version, sizeof(s->peer.tls_version), "TLSv1.3");
    snprintf(s->peer.tls_cipher, sizeof(s->peer.tls_cipher), "TLS_AES_256_GCM_SHA384");
    s->want = SESSION_READ;
    s->class->tls_started(s);
}

/* One step; false when the session waits. */
static bool step(struct harness *h)
{
    struct session *s = h->session;
    bool sent = buf_length(&s->out) == 0;
    switch (s->want) {
    case SESSION_JOB:
        run_job(h);
        return true;
    case SESSION_ROOM:
        if (!sent)
            return false;
        s->want = SESSION_READ;
        s->class->resume(s);
        return true;
    case SESSION_TLS:
        if (sent)
            handshake(h);
        return sent;
    case SESSION_CLOSE:
        h->closed = sent;
        return false;
    case SESSION_NOTICE:
        if (h->noticed) {
            h->noticed = false;
            s->class->resume(s);
            return true;
        }
        return buf_length(&s->out) <= LIMIT_OUT / 2 && feed_once(h);
    case SESSION_READ:
        return buf_length(&s->out) <= LIMIT_OUT / 2 && feed_once(h);
    }
    return false;
}

static void pump(struct harness *h)
{
    do {
        if (!h->slow_reader)
            drain(h);
    } while (!h->closed && step(h));
    if (h->ended && reads(h->session))
        h->closed = true;
}

void harness_start(struct harness *h, struct session *s)
{
    bool slow_reader = h->slow_reader, pools_full = h->pools_full;
    harness_end(h);
    *h = (struct harness){.session = s,
                          .slow_reader = slow_reader,
                          .pools_full = pools_full,
                          .in.max = 256 << 20,
                          .said.max = HARNESS_SAID_MAX};
    s->out.max = LIMIT_OUT;
    if (!s->peer.ip[0]) {
        bool tls = s->peer.tls;
        s->peer = (struct peer){.ip = "127.0.0.1",
                                .port = 40000,
                                .local_ip = "127.0.0.1",
                                .local_port = 25,
                                .loopback = s->peer.loopback,
                                .tls = tls};
    }
    snprintf(s->who, sizeof(s->who), "north.test:%u <- %s:%u", s->peer.local_port, s->peer.ip,
             s->peer.port);
    snprintf(s->id, sizeof(s->id), "0000000000001");
    s->class->start(s);
    pump(h);
}

void harness_end(struct harness *h)
{
    if (h->session) {
        buf_end(&h->session->out);
        h->session->class->end(h->session);
    }
    h->session = NULL;
    buf_end(&h->in);
    buf_end(&h->said);
}

void harness_feed(struct harness *h, slice bytes)
{
    if (h->closed || h->ended)
        return;
    bool kept = buf_add(&h->in, bytes);
    assert(kept);
    pump(h);
}

void harness_drip(struct harness *h, slice bytes)
{
    for (size_t i = 0; i < bytes.n; i++)
        harness_feed(h, slice_sub(bytes, i, i + 1));
}

void harness_eof(struct harness *h)
{
    if (h->closed)
        return;
    h->ended = true;
    pump(h);
}

void harness_notify(struct harness *h)
{
    if (h->closed)
        return;
    h->noticed = true;
    pump(h);
}

void harness_expire(struct harness *h, enum session_end why)
{
    if (h->closed || !reads(h->session))
        return;
    h->session->class->expire(h->session, why);
    assert(h->session->want == SESSION_CLOSE || why == END_TIMEOUT);
    pump(h);
}

slice harness_said(struct harness *h)
{
    if (h->slow_reader && h->session) {
        drain(h);
        pump(h);
    }
    slice all = buf_slice(&h->said);
    h->said.at = h->said.n = 0; /* the bytes stay where they are until more are said */
    return all;
}
