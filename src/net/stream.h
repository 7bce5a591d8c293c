/*
 * A connected socket, with or without TLS on it.  Once TLS has begun there is no way back: its end
 * is the connection's end, and clear bytes after it are never read (RFC 8446 6.1).
 */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include <openssl/ssl.h>

#include "base/buf.h"

struct stream {
    int fd;      /* -1: none */
    SSL *ssl;    /* owned; NULL: plain text */
    bool broken; /* TLS failed: nothing more may be sent, not even its end */
    bool over;   /* nothing more will be read */
};

enum {
    STREAM_END = 0, /* the other side sends no more */
    STREAM_FAILED = -1,
    STREAM_WANT_READ = -2, /* not now: when the socket is readable */
    STREAM_WANT_WRITE = -3,
};

/* Bytes read (at least 1), or one of the above. */
ssize_t stream_read(struct stream *s, char *to, size_t n);
/* Bytes written (at least 1), or one of the above but STREAM_END.  bytes must not be empty. */
ssize_t stream_write(struct stream *s, slice bytes);
/* The peer has reset the connection: nobody is left to answer. */
bool stream_is_lost(const struct stream *s);
/* Takes ssl over.  The side is the one ssl was made for. */
void stream_secure(struct stream *s, SSL *ssl);
/* 1 when done, else as above but STREAM_END. */
int stream_handshake(struct stream *s);
/* Acknowledges what was read now rather than 40 ms later. */
void stream_acknowledge(const struct stream *s);
/* Bytes wait inside TLS, where poll and epoll do not see them. */
bool stream_pending(const struct stream *s);
/* Says that nothing more will be sent. */
void stream_finish(struct stream *s);
/* Frees and closes.  Safe twice (fd becomes -1). */
void stream_end(struct stream *s);

/* OpenSSL writes with write(2): without this a peer that is gone would end the process. */
void stream_ignore_sigpipe(void);

#endif
