/*
 * Drives a session in memory, as net/conn.c does over a socket: unit tests, transcripts and fuzzers
 * of all protocols use it.  Bytes may be cut anywhere; jobs run inline; a hand-shake just happens.
 */
#ifndef NET_HARNESS_H
#define NET_HARNESS_H

#include "net/session.h"

struct harness {
    struct session *session; /* NULL after harness_end */
    struct buf in;           /* what the session has not consumed yet */
    struct buf said;         /* what the session said and nobody looked at; harness_said empties */
    bool closed;             /* the session wanted SESSION_CLOSE (or the input ended) */
    bool slow_reader;        /* true: what the session says goes out only by harness_said */
    bool pools_full;         /* true: every job is refused */
    bool ended;              /* harness_eof was called */
    bool noticed;            /* a notice not yet delivered */
    unsigned handshakes;     /* how many SESSION_TLS happened */
};

/*
 * Takes the session over (loopback peer 127.0.0.1:40000 -> 127.0.0.1:25 where peer is empty) and
 * starts it.  h may be {0} or come from an earlier harness_end.
 */
void harness_start(struct harness *h, struct session *s);
/* Calls class->end.  Safe twice. */
void harness_end(struct harness *h);

/* Bytes from the client, as one piece. */
void harness_feed(struct harness *h, slice bytes);
/* The same bytes, one at a time. */
void harness_drip(struct harness *h, slice bytes);
/* The client closed its side. */
void harness_eof(struct harness *h);
/* What session_notify() does. */
void harness_notify(struct harness *h);
/* expire(): does nothing when the session is not at a place to read. */
void harness_expire(struct harness *h, enum session_end why);

/* All bytes said since the last call; borrowed until the next call into the harness. */
slice harness_said(struct harness *h);

#endif
