/*
 * A host in memory for the tests, fuzzers and the benchmark of smtp/: one user, a few addresses
 * whose names say what happens to them.
 *   user       one@north.test, password "secret"; may send as itself and as <>
 *   recipients one@ two@ postmaster@north.test are taken; later@ takes its RCPT, its message gets
 *              451; never@ the same with 550; full@ is refused with 452, anybody else with 550;
 *              other domains only after login
 */
#ifndef SMTP_FAKE_HOST_H
#define SMTP_FAKE_HOST_H

#include "smtp/server.h"

struct fake_host {
    struct smtp_host host;
    struct smtp_options options; /* .host is this one */
    uint64_t disk;               /* octets a message may have; 0: body_open fails */
    bool keep;                   /* keep the last message */
    unsigned accepted;           /* messages accepted */
    struct buf last;             /* the last message's bytes */
    struct arena arena;          /* the last envelope */
    struct envelope envelope;
};

/* A host with these options; fake_host_end gives everything back. */
void fake_host_start(struct fake_host *f, enum smtp_service service);
void fake_host_end(struct fake_host *f);

#endif
