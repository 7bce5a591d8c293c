/* recv, send and their TLS twins, with one set of answers. */
#include "net/stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/banned.h"

static int plain_error(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : STREAM_FAILED;
}

/* What the failure of an SSL function means. */
static int tls_answer(struct stream *s, int result)
{
    switch (SSL_get_error(s->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return STREAM_WANT_READ;
    case SSL_ERROR_WANT_WRITE:
        return STREAM_WANT_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        s->over = true;
        return STREAM_END;
    default:
        s->broken = s->over = true;
        return STREAM_FAILED;
    }
}

ssize_t stream_read(struct stream *s, char *to, size_t n)
{
    if (s->over)
        return s->broken ? STREAM_FAILED : STREAM_END;
    if (s->ssl) {
        ERR_clear_error();
        int got = SSL_read(s->ssl, to, n > INT32_MAX ? INT32_MAX : (int)n);
        return got > 0 ? got : tls_answer(s, got);
    }
    ssize_t got;
    do
        got = recv(s->fd, to, n, MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    if (got == 0)
        s->over = true;
    if (got >= 0)
        return got;
    return plain_error() ? STREAM_FAILED : STREAM_WANT_READ;
}

ssize_t stream_write(struct stream *s, slice bytes)
{
    if (s->broken)
        return STREAM_FAILED;
    if (s->ssl) {
        ERR_clear_error();
        int put = SSL_write(s->ssl, bytes.p, bytes.n > INT32_MAX ? INT32_MAX : (int)bytes.n);
        if (put > 0)
            return put;
        int answer = tls_answer(s, put);
        return answer == STREAM_END ? STREAM_FAILED : answer;
    }
    ssize_t put;
    do
        put = send(s->fd, bytes.p, bytes.n, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (put < 0 && errno == EINTR);
    if (put > 0)
        return put;
    return plain_error() ? STREAM_FAILED : STREAM_WANT_WRITE;
}

bool stream_is_lost(const struct stream *s)
{
    struct pollfd p = {.fd = s->fd};
    return poll(&p, 1, 0) == 1 && (p.revents & (POLLERR | POLLHUP));
}

void stream_secure(struct stream *s, SSL *ssl)
{
    s->ssl = ssl;
    SSL_set_fd(ssl, s->fd);
}

int stream_handshake(struct stream *s)
{
    ERR_clear_error();
    int done = SSL_do_handshake(s->ssl);
    if (done == 1)
        return 1;
    int answer = tls_answer(s, done);
    return answer == STREAM_END ? STREAM_FAILED : answer;
}

void stream_acknowledge(const struct stream *s)
{
    setsockopt(s->fd, IPPROTO_TCP, TCP_QUICKACK, &(int){1}, sizeof(int));
}

bool stream_pending(const struct stream *s)
{
    return s->ssl && !s->over && SSL_has_pending(s->ssl);
}

void stream_finish(struct stream *s)
{
    if (s->ssl && !s->broken && SSL_is_init_finished(s->ssl)) {
        ERR_clear_error();
        SSL_shutdown(s->ssl);
    }
    shutdown(s->fd, SHUT_WR);
}

void stream_end(struct stream *s)
{
    SSL_free(s->ssl);
    s->ssl = NULL;
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}

void stream_ignore_sigpipe(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGPIPE, &ignore, NULL);
}
