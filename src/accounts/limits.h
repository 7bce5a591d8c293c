/*
 * Slows down the guessing of passwords and never locks out anybody else: penalties are delays, kept
 * per (account name, IP) and per IP, counted in different credentials (a telephone that repeats one
 * stale password all day counts once), and they expire.  A pair that has logged in is not
 * punished for what others do behind the same IP.  Loopback is never punished: do not ask.
 * Bounded memory, all in this process.
 */
#ifndef ACCOUNTS_LIMITS_H
#define ACCOUNTS_LIMITS_H

#include "base/slice.h"

struct limits;

/* Empty limits, and their end; NULL is fine. */
struct limits *limits_new(void);
void limits_end(struct limits *l);

/* One attempt; name is the login name, ip the peer's text, credential a keyed hash of what was
 * offered. */
struct limits_try {
    slice name, ip;
    uint64_t credential;
    int64_t now_ms; /* clock_mono_ms() */
};

/*
 * Asks before a password is checked: 0, or the milliseconds to wait.  With 0 the attempt is counted
 * as failed at once (a thousand parallel guesses must not all pass); limits_passed takes it back.
 */
int64_t limits_wait(struct limits *l, const struct limits_try *t);
/* The password was right. */
void limits_passed(struct limits *l, const struct limits_try *t);
/* It could not be checked: takes the attempt back. */
void limits_undecided(struct limits *l, const struct limits_try *t);
/* Forgets what is held against an IP. */
void limits_forgive(struct limits *l, slice ip);

#endif
