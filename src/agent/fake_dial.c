/* The bytes come from memory, at most step at a time; what the client writes is kept. */
#include "agent/fake_dial.h"

#include "net/dial.h"
#include "base/banned.h"

struct dial {
    slice in;
    size_t step;
    bool tls;
};

static struct dial fake;
static struct buf sent = {.max = 1 << 20};

void fake_dial_feed(slice bytes, size_t step)
{
    fake = (struct dial){.in = bytes, .step = step};
    buf_end(&sent);
}

slice fake_dial_sent(void)
{
    return buf_slice(&sent);
}

struct dial *dial_open(const struct dial_options *options, struct buf *error)
{
    (void)options, (void)error;
    return &fake;
}

void dial_end(struct dial *d)
{
    (void)d;
}

void dial_timeout(struct dial *d, int64_t timeout_ms)
{
    (void)d, (void)timeout_ms;
}

bool dial_start_tls(struct dial *d, enum dial_tls mode)
{
    (void)mode;
    d->tls = true;
    slice_eat(&d->in, S("\1"));
    return true;
}

bool dial_is_tls(const struct dial *d)
{
    return d->tls;
}

const char *dial_tls_version(const struct dial *d)
{
    return d->tls ? "TLSv1.3" : "";
}

const char *dial_tls_cipher(const struct dial *d)
{
    return d->tls ? "TLS_AES_256_GCM_SHA384" : "";
}

const char *dial_remote(const struct dial *d)
{
    (void)d;
    return "127.0.0.1:1110";
}

const char *dial_error(const struct dial *d)
{
    (void)d;
    return "";
}

bool dial_write(struct dial *d, slice bytes)
{
    (void)d;
    return buf_add(&sent, bytes);
}

bool dial_flush(struct dial *d)
{
    (void)d;
    return true;
}

ssize_t dial_read(struct dial *d, char *to, size_t n)
{
    ptrdiff_t wait = slice_find(d->in, '\1');
    size_t there = wait < 0 ? d->in.n : (size_t)wait, got = there < n ? there : n;
    if (got > d->step)
        got = d->step;
    memcpy(to, d->in.p, got);
    d->in = slice_skip(d->in, got);
    return (ssize_t)got;
}

bool dial_wait(struct dial *d, int64_t timeout_ms)
{
    (void)d, (void)timeout_ms;
    return true;
}
