/*
 * A small line protocol for the tests of net/: it uses everything a session may want.
 *   echo TEXT   says TEXT          many N      says 0 .. N-1, pausing whenever out is half full
 *   job         a job on POOL_DNS  sleep N     a job of N ms
 *   hash        a job on POOL_HASH that waits until toy_release
 *   tls         STARTTLS           idle        says "notice" for each notice until the next line
 *   block N     holds the thread N ms          body N  takes N bytes in silence, says "taken"
 *   think       steps of a long answer, one after the other, that never say anything
 *   cuts        "whole" or "cut", depending on how the bytes came (what no protocol may do)
 *   quit                               leave       as quit, with peer_done
 */
#ifndef NET_TOY_H
#define NET_TOY_H

#include "net/session.h"

struct session *toy_new(void);
/* timeout_ms of sessions made from now on; 0: a minute. */
void toy_timeout(int64_t ms);
/* Sessions alive. */
int toy_alive(void);
/* Lets one waiting "hash" job go on. */
void toy_release(void);

#endif
