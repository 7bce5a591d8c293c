/*
 * The client's end of a connection, blocking, with deadlines: for outgoing SMTP (one straight
 * function on a delivery thread) and for the terminal agent.  Buffered both ways; TLS inside.
 */
#ifndef NET_DIAL_H
#define NET_DIAL_H

#include "base/arena.h"
#include "base/buf.h"

struct dial; /* an open connection */

enum dial_tls {
    DIAL_VERIFY,    /* the certificate must match host under the CA file or the system's roots */
    DIAL_OPPORTUNE, /* take any certificate (RFC 3207 between servers: better than plain text) */
};

struct dial_options {
    slice host;    /* name for SNI and verification */
    slice address; /* textual IP to connect to; "" resolves host by the system (agent only) */
    uint16_t port;
    const char *ca_file; /* NULL: the system's roots */
    int64_t connect_ms;  /* how long to try */
};

/* NULL with one line in error (what happened, what to do). */
struct dial *dial_open(const struct dial_options *options, struct buf *error);
void dial_end(struct dial *d);

/* From now on every read and write must make progress within timeout_ms. */
void dial_timeout(struct dial *d, int64_t timeout_ms);

/* TLS hand-shake now; unread plain-text input is an error (RFC 3207 section 4.2).  False: see
 * dial_error. */
bool dial_start_tls(struct dial *d, enum dial_tls mode);
bool dial_is_tls(const struct dial *d);
const char *dial_tls_version(const struct dial *d); /* "" without */
const char *dial_tls_cipher(const struct dial *d);
/* The two addresses as text "127.0.0.1:2025", for logs. */
const char *dial_remote(const struct dial *d);
const char *dial_local(const struct dial *d);

/* Queues bytes; sends when 64 KiB wait.  False once anything failed. */
bool dial_write(struct dial *d, slice bytes);
bool dial_flush(struct dial *d);
/* One line without its CRLF (a bare LF ends a line too, clients are tolerant); borrowed until the
 * next read.  At most max bytes. */
bool dial_line(struct dial *d, size_t max, slice *line);
/* At least 1, at most n bytes; 0 at the end, -1 on failure. */
ssize_t dial_read(struct dial *d, char *to, size_t n);
/* True when input is waiting already (in the buffer or the socket). */
bool dial_readable(struct dial *d);
/* Waits at most timeout_ms for input; that none came is no failure. */
bool dial_wait(struct dial *d, int64_t timeout_ms);
/* What failed, one line; "" when nothing. */
const char *dial_error(const struct dial *d);
bool dial_timed_out(const struct dial *d);

#endif
