/* The client's end: a non-blocking stream, and poll() for as long as patience allows. */
#include "net/dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "net/peer.h"
#include "net/stream.h"
#include "net/tls.h"
#include "base/banned.h"

enum { DIAL_CHUNK = 64 * 1024, DIAL_READ = 16 * 1024, DIAL_TIMEOUT_MS = 300 * 1000 };

struct dial {
    struct stream stream;
    struct buf in, out;
    size_t scanned; /* bytes of in that hold no LF */
    int64_t timeout_ms;
    bool failed, timed_out;
    char error[256], host[256], remote[64], local[64];
    char ca_file[512];
    bool has_ca_file;
};

__attribute__((format(printf, 2, 3))) static bool fail(struct dial *d, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (!d->failed)
        vsnprintf(d->error, sizeof(d->error), format, args);
    va_end(args);
    d->failed = true;
    return false;
}

/* Waits for the socket until the deadline; false when it came first. */
static bool wait_for(struct dial *d, short events, int64_t deadline_ms, const char *what)
{
    for (;;) {
        int64_t left = deadline_ms - clock_mono_ms();
        struct pollfd p = {.fd = d->stream.fd, .events = events};
        int n = left > 0 ? poll(&p, 1, left > INT32_MAX ? INT32_MAX : (int)left) : 0;
        if (n > 0)
            return true;
        if (n == 0) {
            d->timed_out = true;
            return fail(d, "%s: no answer in time while %s", d->remote, what);
        }
        if (errno != EINTR)
            return fail(d, "%s: %s", d->remote, strerror(errno));
    }
}

/* After a STREAM_ answer below 0. */
static bool wait_more(struct dial *d, ssize_t answer, int64_t deadline_ms, const char *what)
{
    if (answer == STREAM_WANT_READ || answer == STREAM_WANT_WRITE)
        return wait_for(d, answer == STREAM_WANT_READ ? POLLIN : POLLOUT, deadline_ms, what);
    return fail(d, "%s: connection lost while %s%s%s", d->remote, what, d->stream.ssl ? "" : ": ",
                d->stream.ssl ? "" : strerror(errno));
}

/* ---- connecting ---- */

static void text_of(const struct sockaddr *address, char *out, size_t n)
{
    char ip[46];
    uint16_t port;
    address_text(address, ip, &port);
    snprintf(out, n, strchr(ip, ':') ? "[%s]:%u" : "%s:%u", ip, port);
}

static bool connect_to(struct dial *d, const struct sockaddr *to, socklen_t n, int64_t deadline_ms)
{
    int error = 0;
    socklen_t size = sizeof(error);
    d->failed = d->timed_out = false;
    text_of(to, d->remote, sizeof(d->remote));
    stream_end(&d->stream);
    d->stream.fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (d->stream.fd < 0)
        return fail(d, "%s: %s", d->remote, strerror(errno));
    setsockopt(d->stream.fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (connect(d->stream.fd, to, n) && errno != EINPROGRESS)
        return fail(d, "%s: %s", d->remote, strerror(errno));
    if (!wait_for(d, POLLOUT, deadline_ms, "connecting"))
        return false;
    getsockopt(d->stream.fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error)
        return fail(d, "%s: %s", d->remote, strerror(error));
    struct sockaddr_storage near = {0};
    size = sizeof(near);
    getsockname(d->stream.fd, (struct sockaddr *)&near, &size);
    text_of((struct sockaddr *)&near, d->local, sizeof(d->local));
    return true;
}

/* Asks the system for the host and tries its addresses in turn. */
static bool connect_all(struct dial *d, const char *node, uint16_t port, int flags,
                        int64_t deadline_ms)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | flags};
    struct addrinfo *list = NULL;
    char service[8];
    snprintf(service, sizeof(service), "%u", port);
    int why = getaddrinfo(node, service, &hints, &list);
    if (why)
        return fail(d, "%s: %s", node, gai_strerror(why));
    bool ok = false;
    for (struct addrinfo *a = list; a && !ok; a = a->ai_next)
        ok = connect_to(d, a->ai_addr, a->ai_addrlen, deadline_ms);
    freeaddrinfo(list);
    return ok;
}

static bool copy_name(char *to, size_t size, slice from)
{
    snprintf(to, size, "%.*s", P(from));
    return from.n < size && strlen(to) == from.n;
}

struct dial *dial_open(const struct dial_options *o, struct buf *error)
{
    struct dial *d = mem_alloc(sizeof(*d));
    char address[64];
    stream_ignore_sigpipe();
    d->stream.fd = -1;
    d->in.max = d->out.max = 2 * DIAL_CHUNK;
    d->timeout_ms = DIAL_TIMEOUT_MS;
    d->has_ca_file = o->ca_file;
    bool ok = (copy_name(d->host, sizeof(d->host), o->host) &&
               copy_name(address, sizeof(address), o->address) &&
               copy_name(d->ca_file, sizeof(d->ca_file), slice_c(o->ca_file))) ||
              fail(d, "\"%.*s\" is not the name of a host", P(o->host));
    int64_t deadline_ms = clock_mono_ms() + o->connect_ms;
    if (ok)
        ok = connect_all(d, address[0] ? address : d->host, o->port,
                         address[0] ? AI_NUMERICHOST : AI_ADDRCONFIG, deadline_ms);
    if (ok)
        return d;
    buf_printf(error, "%s", d->error);
    dial_end(d);
    return NULL;
}

void dial_end(struct dial *d)
{
    if (!d)
        return;
    if (d->stream.fd >= 0 && !d->failed)
        stream_finish(&d->stream);
    stream_end(&d->stream);
    buf_end(&d->in);
    buf_end(&d->out);
    mem_free(d);
}

void dial_timeout(struct dial *d, int64_t timeout_ms)
{
    d->timeout_ms = timeout_ms;
}

/* ---- TLS ---- */

static bool handshake(struct dial *d)
{
    int64_t deadline_ms = clock_mono_ms() + d->timeout_ms;
    for (;;) {
        int answer = stream_handshake(&d->stream);
        if (answer == 1)
            return true;
        if (answer != STREAM_FAILED) {
            if (!wait_more(d, answer, deadline_ms, "agreeing on TLS"))
                return false;
            continue;
        }
        long verdict = SSL_get_verify_result(d->stream.ssl);
        if (verdict != X509_V_OK && SSL_get_verify_mode(d->stream.ssl) != SSL_VERIFY_NONE)
            return fail(d, "%s: the certificate does not prove %s: %s", d->remote, d->host,
                        X509_verify_cert_error_string(verdict));
        struct buf why = {.max = 200};
        tls_error(&why);
        fail(d, "%s: TLS failed: %.*s", d->remote, P(buf_slice(&why)));
        buf_end(&why);
        return false;
    }
}

bool dial_start_tls(struct dial *d, enum dial_tls mode)
{
    if (d->failed || d->stream.ssl || !dial_flush(d))
        return false;
    if (buf_length(&d->in))
        return fail(d, "%s: the server sent text before TLS began (RFC 3207 section 4.2)",
                    d->remote);
    struct buf why = {.max = 200};
    SSL *ssl = tls_client_ssl(d->has_ca_file ? d->ca_file : NULL, slice_c(d->host),
                              mode == DIAL_VERIFY, &why);
    if (!ssl) {
        fail(d, "%s: %.*s", d->remote, P(buf_slice(&why)));
        buf_end(&why);
        return false;
    }
    stream_secure(&d->stream, ssl);
    return handshake(d);
}

bool dial_is_tls(const struct dial *d)
{
    return d->stream.ssl && SSL_is_init_finished(d->stream.ssl);
}

const char *dial_tls_version(const struct dial *d)
{
    return dial_is_tls(d) ? SSL_get_version(d->stream.ssl) : "";
}

const char *dial_tls_cipher(const struct dial *d)
{
    return dial_is_tls(d) ? SSL_get_cipher_name(d->stream.ssl) : "";
}

const char *dial_remote(const struct dial *d)
{
    return d->remote;
}

const char *dial_local(const struct dial *d)
{
    return d->local;
}

/* ---- bytes ---- */

static bool send_all(struct dial *d, slice bytes)
{
    while (bytes.n) {
        ssize_t n = stream_write(&d->stream, bytes);
        if (n > 0)
            bytes = slice_skip(bytes, (size_t)n);
        else if (!wait_more(d, n, clock_mono_ms() + d->timeout_ms, "sending"))
            return false;
    }
    return true;
}

bool dial_flush(struct dial *d)
{
    if (d->failed)
        return false;
    bool ok = send_all(d, buf_slice(&d->out));
    buf_clear(&d->out);
    return ok;
}

bool dial_write(struct dial *d, slice bytes)
{
    if (d->failed)
        return false;
    while (bytes.n) {
        slice piece = slice_sub(bytes, 0, DIAL_CHUNK);
        buf_add(&d->out, piece);
        bytes = slice_skip(bytes, piece.n);
        if (buf_length(&d->out) >= DIAL_CHUNK && !dial_flush(d))
            return false;
    }
    return true;
}

/* At least one byte from the stream; 0 at its end, -1 on failure. */
static ssize_t receive(struct dial *d, char *to, size_t n, int64_t deadline_ms)
{
    if (!dial_flush(d))
        return -1;
    for (;;) {
        ssize_t got = stream_read(&d->stream, to, n);
        if (got >= 0)
            return got;
        if (!wait_more(d, got, deadline_ms, "waiting for an answer"))
            return -1;
    }
}

ssize_t dial_read(struct dial *d, char *to, size_t n)
{
    size_t have = buf_length(&d->in);
    if (!have)
        return d->failed ? -1 : receive(d, to, n, clock_mono_ms() + d->timeout_ms);
    if (have > n)
        have = n;
    memcpy(to, buf_slice(&d->in).p, have);
    buf_eat(&d->in, have);
    d->scanned = 0;
    return (ssize_t)have;
}

/* Takes a line from the buffer, if there is a whole one. */
static bool take_line(struct dial *d, size_t max, slice *line)
{
    slice all = buf_slice(&d->in);
    ptrdiff_t end = slice_find(slice_skip(all, d->scanned), '\n');
    if (end < 0) {
        d->scanned = all.n;
        return false;
    }
    size_t n = d->scanned + (size_t)end;
    *line = slice_sub(all, 0, n);
    if (slice_ends(*line, S("\r")))
        line->n--;
    buf_eat(&d->in, n + 1);
    d->scanned = 0;
    return line->n <= max || fail(d, "%s: a line longer than %zu bytes", d->remote, max);
}

bool dial_line(struct dial *d, size_t max, slice *line)
{
    int64_t deadline_ms = clock_mono_ms() + d->timeout_ms;
    if (d->failed)
        return false;
    if (max > DIAL_CHUNK)
        max = DIAL_CHUNK;
    while (!take_line(d, max, line)) {
        if (d->failed)
            return false;
        if (buf_length(&d->in) > max + 2)
            return fail(d, "%s: a line longer than %zu bytes", d->remote, max);
        char *to = buf_space(&d->in, DIAL_READ);
        ssize_t n = receive(d, to, DIAL_READ, deadline_ms);
        if (n == 0)
            return fail(d, "%s: the server closed the connection", d->remote);
        if (n < 0)
            return false;
        buf_wrote(&d->in, (size_t)n);
    }
    return true;
}

bool dial_wait(struct dial *d, int64_t timeout_ms)
{
    struct pollfd p = {.fd = d->stream.fd, .events = POLLIN};
    int ms = timeout_ms < INT_MAX ? (int)timeout_ms : INT_MAX;
    return buf_length(&d->in) || stream_pending(&d->stream) || poll(&p, 1, ms) > 0;
}

bool dial_readable(struct dial *d)
{
    return dial_wait(d, 0);
}

const char *dial_error(const struct dial *d)
{
    return d->error;
}

bool dial_timed_out(const struct dial *d)
{
    return d->timed_out;
}
