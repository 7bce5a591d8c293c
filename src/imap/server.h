/*
 * The IMAP server session (RFC 3501; RFC 9051 where both agree), pure, one per connection, over
 * net/session.h; it calls store/ and accounts/ directly.  One file a command: cmd_*.c; the table of
 * commands and capabilities is in table.c (docs/imap.md).
 */
#ifndef IMAP_SERVER_H
#define IMAP_SERVER_H

#include "accounts/sasl.h"
#include "net/session.h"

struct imap_options {
    slice hostname;                    /* in the greeting */
    const struct login_service *login; /* and the store */
    uint64_t message_size;             /* APPENDLIMIT (RFC 7889) */
    bool tls_available;                /* offer STARTTLS when the connection has no TLS */
    bool password_without_tls;         /* also beyond loopback, where it always is allowed */
};

/* A new session; options live as long as it.  peer is copied later by net/ before class->start. */
struct session *imap_server_new(const struct imap_options *options);

#endif
