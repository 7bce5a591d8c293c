/*
 * The POP3 server session (RFC 1939, 2449, 2595, 3206, 5034, 6856), pure, one per connection, over
 * net/session.h; it calls store/ and accounts/ directly.  One file a command: cmd_*.c; the table of
 * commands and capabilities is in table.c.
 */
#ifndef POP3_SERVER_H
#define POP3_SERVER_H

#include "accounts/sasl.h"
#include "net/session.h"

struct pop3_options {
    slice hostname; /* in the greeting */
    const struct login_service *login;
    bool tls_available;        /* offer STLS when the connection has no TLS */
    bool password_without_tls; /* also beyond loopback, where it always is allowed */
};

/* A new session; options live as long as it.  peer is copied later by net/ before class->start. */
struct session *pop3_server_new(const struct pop3_options *options);

#endif
