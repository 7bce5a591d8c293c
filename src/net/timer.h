/*
 * One deadline per task, posted as TASK_TIMER: a min-heap under a lock and one thread that waits
 * for its top.  Deadlines nearly always move away: that is one atomic store; the heap keeps the
 * earlier key, and finds out when the key is due.
 */
#ifndef NET_TIMER_H
#define NET_TIMER_H

#include "net/loop.h"

struct timer {
    struct task *task;
    _Atomic int64_t due; /* when it is wanted, clock_mono_ms */
    _Atomic int64_t key; /* when the heap looks at it next; INT64_MAX: not in the heap */
    size_t slot;         /* in the heap */
};

struct timers {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct timer **heap;
    size_t count, capacity;
    struct loop *loop;
    bool ending, ended;
};

/* Starts and ends the thread; no timer may be set at the end. */
bool timers_start(struct timers *timers, struct loop *loop);
void timers_stop(struct timers *timers);

/* Before the first timer_set. */
void timer_init(struct timer *t, struct task *task);
/* By the task's owner.  TASK_TIMER comes once, not before due (it may come early after due was
 * moved away: look at the clock and set it again). */
void timer_set(struct timers *timers, struct timer *t, int64_t due_ms);
/* After this no TASK_TIMER is posted. */
void timer_clear(struct timers *timers, struct timer *t);

#endif
