/* Filling in struct peer: addresses as text, and what TLS has agreed. */
#ifndef NET_PEER_H
#define NET_PEER_H

#include <openssl/ssl.h>
#include <sys/socket.h>

#include "net/session.h"

/*
 * The far end.  An IPv4 address inside IPv6 (::ffff:192.0.2.1) becomes IPv4.  ip_key: the address
 * for counting (IPv6: its /64), all zero for loopback.
 */
void peer_far(struct peer *p, const struct sockaddr *address, char ip_key[16]);
/* The near end of fd. */
void peer_near(struct peer *p, int fd);
bool address_is_loopback(const struct sockaddr *address);
/* 0.0.0.0 or :: */
bool address_is_any(const struct sockaddr *address);
/* "192.0.2.1" and the port. */
void address_text(const struct sockaddr *address, char ip[46], uint16_t *port);
/* "north.test:587 <- 127.0.0.1:40222", IPv6 in brackets. */
void peer_who(const struct peer *p, const char *hostname, char *out, size_t n);
void peer_secured(struct peer *p, const SSL *ssl);

#endif
