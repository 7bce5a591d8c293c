/*
 * Who is about to wait for the disk says so: whoever lends this thread may let another one work
 * meanwhile (net/loop.h).  A wait nobody tells of is found out, only later.
 */
#ifndef BASE_BLOCKING_H
#define BASE_BLOCKING_H

/* Before a wait that is likely to last longer than two switches between threads (10 us). */
void blocking_ahead(void);

/* Whom blocking_ahead() tells on this thread; none (NULL) at its start. */
void blocking_tell(void (*fn)(void *arg), void *arg);

#endif
