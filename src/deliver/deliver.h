/*
 * Where a mail goes and its way there: routes and aliases (route.c), MX (mx.c), our own mailboxes
 * (local.c), the next server (remote.c).  The queue is handed the functions of deliver_functions().
 */
#ifndef DELIVER_DELIVER_H
#define DELIVER_DELIVER_H

#include "queue/batch.h"
#include "queue/queue.h"

struct deliver;

struct deliver_options {
    struct store *store;
    slice hostname; /* our name: EHLO, own MX level, Received */
    uint16_t port;  /* of servers found by MX; 0: 25 */
    bool
        allow_private; /* MX hosts on loopback and private addresses: tests, demo, inner networks */
    size_t per_connection; /* mails sent over one; 0: as many as the server takes */
    slice catch_all;       /* an account that gets what would leave the machine (demo); "": none */
};

struct deliver *deliver_new(const struct deliver_options *options);
void deliver_end(struct deliver *d);
/* What queue_options.deliverer wants. */
struct queue_deliverer deliver_functions(struct deliver *d);

/* ---- Stop 8 ---- */

enum route_kind {
    ROUTE_LOCAL,   /* ours: targets hold mailboxes, and what aliases point to elsewhere */
    ROUTE_REMOTE,  /* not ours: one target */
    ROUTE_UNKNOWN, /* our domain, but nobody there: 550 5.1.1 */
};

/* Where an address goes; targets in the arena (rule: exact, without +tag, alias, catch-all). */
enum route_kind route_find(struct deliver *d, struct db *db, struct arena *a, slice address,
                           struct target **targets, size_t *count);

/* ---- The next servers of a destination ---- */

struct hop {
    slice name; /* host name, for TLS and logs */
    slice ip;
    uint16_t port;
};

/*
 * The servers of a destination in the order to try: its route, else its MX (RFC 5321 5.1, rule
 * S30). PERMFAIL or TEMPFAIL with one line in *reply.
 */
enum outcome hops_find(struct deliver *d, struct arena *a, slice destination, int64_t deadline_ms,
                       struct hop **hops, size_t *count, slice *reply);

/*
 * Stop 8 of a batch: where its items go.  DONE with no hops: our own mailboxes.  As hops_find else,
 * the line in b->reply.
 */
enum outcome route_batch(struct deliver *d, struct batch *b, struct hop **hops, size_t *count);

/* mx.c: MX of a domain to hops (pure over dns_query). */
struct mx_options {
    slice hostname;
    uint16_t port;
    bool allow_private;
};
enum outcome mx_find(struct arena *a, slice domain, const struct mx_options *options,
                     int64_t deadline_ms, struct hop **hops, size_t *count, slice *reply);
/* A name or address literal to hops, appended; rules as for MX hosts. */
enum outcome mx_addresses(struct arena *a, slice host, const struct mx_options *options,
                          int64_t deadline_ms, struct hop **hops, size_t *count, slice *reply);
/* Whether an address is loopback, private, link-local, unspecified or multicast. */
bool ip_is_private(slice ip);

/* ---- Stop 9 and 10 ---- */

/* After the transaction with deliver_local() in it is DONE: stops 10 and 11 are behind us. */
void deliver_local_trace(const struct local_delivery *l);

/* Stop 9: a batch to the next server; several messages over one connection. */
void deliver_remote(struct deliver *d, struct batch *b);
/* A batch of our own mailboxes. */
void deliver_local_batch(struct deliver *d, struct batch *b);
/* Stop 10, inside a transaction: into the account's mailbox, Return-Path and Delivered-To in front.
 */
enum outcome deliver_local(struct store_tx *tx, struct local_delivery *l);

#endif
