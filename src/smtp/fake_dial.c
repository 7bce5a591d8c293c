/* The scripted dial: one connection at a time, state in this file, tests only. */
#include "smtp/fake_dial.h"

#include <stdio.h>

#include "base/limits.h"
#include "net/dial.h"
#include "base/banned.h"

struct dial {
    slice script; /* what is still to happen */
    struct buf sent;
    bool open, tls, lost;
    int64_t timeout_ms;
    char wrong[1024];
};

static struct dial the;
const char *fake_dial_remote = "192.0.2.1:25";

void fake_dial_script(slice text)
{
    the = (struct dial){.script = text, .sent = {.max = LIMIT_OUT}};
}

static void complain(const char *what, slice got)
{
    slice want = the.script, line = S("the end");
    slice_next(&want, '\n', &line);
    if (!the.wrong[0])
        snprintf(the.wrong, sizeof(the.wrong), "%s: script \"%.*s\", client \"%.*s\"", what,
                 P(line), P(slice_sub(got, 0, 300)));
    the.lost = true;
}

static bool eat_word(slice word)
{
    slice rest = the.script, line;
    if (!slice_next(&rest, '\n', &line) || !slice_eq(line, word))
        return false;
    the.script = rest;
    return true;
}

/* Matches what was sent with the C lines that come next. */
static bool match_sent(void)
{
    while (slice_starts(the.script, S("C:"))) {
        slice rest = the.script, line, sent = buf_slice(&the.sent);
        slice_next(&rest, '\n', &line);
        line = slice_skip(line, line.n > 3 ? 3 : 2);
        if (!slice_starts(sent, line) || !slice_starts(slice_skip(sent, line.n), S("\r\n"))) {
            complain("the client should have sent", sent);
            return false;
        }
        buf_eat(&the.sent, line.n + 2);
        the.script = rest;
    }
    if (buf_length(&the.sent))
        complain("the client sent more", buf_slice(&the.sent));
    return !the.lost;
}

const char *fake_dial_end(void)
{
    static char wrong[sizeof(the.wrong)];
    if (the.open)
        complain("not closed", S(""));
    if (the.script.n && !the.wrong[0])
        complain("left over", buf_slice(&the.sent));
    buf_end(&the.sent);
    memcpy(wrong, the.wrong, sizeof(wrong));
    return wrong[0] ? wrong : NULL;
}

struct dial *dial_open(const struct dial_options *options, struct buf *error)
{
    (void)options;
    if (eat_word(S("LOST"))) {
        buf_add(error, S("connection refused"));
        return NULL;
    }
    the.open = true;
    the.tls = the.lost = false;
    return &the;
}

void dial_end(struct dial *d)
{
    if (!d)
        return;
    match_sent();
    eat_word(S("DIAL"));
    d->open = false;
}

void dial_timeout(struct dial *d, int64_t timeout_ms)
{
    d->timeout_ms = timeout_ms;
}

bool dial_start_tls(struct dial *d, enum dial_tls mode)
{
    (void)mode;
    d->tls = match_sent() && eat_word(S("TLS"));
    d->lost |= !d->tls;
    if (!d->tls && !eat_word(S("TLS!")))
        complain("TLS", S(""));
    return d->tls;
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
    return d->tls ? "FAKE" : "";
}

const char *dial_remote(const struct dial *d)
{
    (void)d;
    return fake_dial_remote;
}

const char *dial_local(const struct dial *d)
{
    (void)d;
    return "192.0.2.2:40000";
}

bool dial_write(struct dial *d, slice bytes)
{
    return !d->lost && buf_add(&d->sent, bytes);
}

bool dial_flush(struct dial *d)
{
    return !d->lost;
}

bool dial_line(struct dial *d, size_t max, slice *line)
{
    (void)max;
    slice rest, wait;
    if (!match_sent() || eat_word(S("LOST"))) {
        d->lost = true;
        return false;
    }
    if (slice_starts(d->script, S("WAIT "))) {
        uint64_t ms = 0;
        slice_next(&d->script, '\n', &wait);
        if (!slice_u64(slice_skip(wait, 5), UINT64_MAX, &ms) || (int64_t)ms != d->timeout_ms)
            complain("it waits another time", wait);
    }
    rest = d->script;
    if (!slice_starts(rest, S("S:"))) {
        complain("the client waits", S(""));
        return false;
    }
    slice_next(&rest, '\n', line);
    *line = slice_skip(*line, line->n > 3 ? 3 : 2);
    d->script = rest;
    return true;
}

ssize_t dial_read(struct dial *d, char *to, size_t n)
{
    (void)d;
    (void)to;
    (void)n;
    return -1;
}

bool dial_readable(struct dial *d)
{
    return eat_word(S("EOF")) || (buf_length(&d->sent) == 0 && slice_starts(d->script, S("S:")));
}

const char *dial_error(const struct dial *d)
{
    return d->lost ? "connection lost" : "";
}

bool dial_timed_out(const struct dial *d)
{
    (void)d;
    return false;
}
