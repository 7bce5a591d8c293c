/*
 * The toy protocol behind real sockets, and a client's hands: for the tests of net/.  Everything
 * fails the test at once when it goes wrong.
 */
#ifndef NET_TOY_SERVER_H
#define NET_TOY_SERVER_H

#include "net/listen.h"
#include "net/toy.h"

struct toy_server {
    struct net *net;
    int fd, tls_fd; /* listening: with STARTTLS, with implicit TLS */
    uint16_t port, tls_port;
    struct tls_server *tls;
    char dir[64], cert[96], key[96]; /* a self-signed certificate for north.test */
};

/* options may be NULL. */
void toy_begin(struct toy_server *server, const struct net_options *options);
/* Stops and checks that nothing is left: sessions, connections, memory of the budget. */
void toy_finish(struct toy_server *server);
/* The newest session. */
struct session *toy_last(void);

/* A connected socket that waits at most 20 s for input. */
int toy_connect(uint16_t port);
void toy_say(int fd, slice bytes);
/* Reads exactly these bytes. */
void toy_hear(int fd, slice want);
/* The server has closed in an orderly way; closes fd. */
void toy_hear_end(int fd);
/* Until true, at most 20 s. */
void toy_wait(bool (*true_now)(void *), void *ctx);

#endif
