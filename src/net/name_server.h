/* A real name server (nsd) on a free loopback port, for tests; dns_configure() then points at it.
 */
#ifndef NET_NAME_SERVER_H
#define NET_NAME_SERVER_H

#include <stdbool.h>
#include <stddef.h>

struct name_server_zone {
    const char *name; /* "north.test" */
    const char *text; /* what stands behind its SOA and NS, which are written for it */
};

struct name_server;

/*
 * Starts it with these zones and waits until it answers.  NULL: nsd is not installed; a message has
 * been printed, the test should skip().
 */
struct name_server *name_server_start(const struct name_server_zone *zones, size_t count);
/* It answers no more; its port and files stay. */
void name_server_kill(struct name_server *s);
/* Stops it, removes its files, empties the DNS cache.  NULL is fine. */
void name_server_stop(struct name_server *s);

#endif
