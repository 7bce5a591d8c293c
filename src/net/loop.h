/*
 * The threads that wait: one epoll, EPOLLONESHOT, any thread runs any task.
 *
 * Seats: as many threads as there are cores wait for events and run tasks; more would only take the
 * next event from each other, at the price of a switch between threads for each.  A thread that
 * waits for the disk (base/blocking.h) gives up its seat, ends its turn without one, and then
 * stands aside as a spare until one is free.  A free seat is filled as soon as nobody waits for
 * events; and a turn of WATCH_MS costs its seat whatever it does, so nothing can hold up the rest.
 *
 * A task (a connection, a listener) is owned by at most one thread.  Its state is one atomic word:
 * the events that have come, and whether somebody owns it.  Whoever posts an event to a task nobody
 * owns becomes its owner and queues it; an event for an owned task stays in the word, and the owner
 * cannot let go before it has taken it.  So readable, timer, job-done and notify never race and are
 * never lost.
 *
 * The memory of a task is never given back while the loop lives (only reused), so a late epoll
 * event for a closed descriptor finds a dead or a new task: the first ignores it, the second reads,
 * gets EAGAIN and waits again.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct task;

/* A thread of the loop, and what it lends to the task it runs. */
struct worker {
    struct loop *loop;
    char *bytes;       /* LOOP_BUFFER bytes of scratch memory */
    struct task *then; /* run this next; already owned by this thread */
    /* Inside the loop. */
    atomic_bool seated;
    atomic_uint turn;          /* odd: it runs tasks */
    unsigned seen;             /* what the watch saw of turn */
    sem_t seat;                /* posted when a spare gets one, or at the end */
    struct worker *next, **at; /* among all */
    struct worker *next_spare;
};
enum { LOOP_BUFFER = 64 * 1024 };

enum task_event {
    TASK_IO = 1,     /* epoll fired (and is disarmed) */
    TASK_TIMER = 2,  /* its timer came; the timer is no longer set */
    TASK_JOB = 4,    /* its job is done */
    TASK_NOTICE = 8, /* session_notify */
    TASK_STOP = 16,  /* the server stops */
    TASK_KILL = 32,  /* the grace time is over */
    TASK_OWNED = 64, /* internal: a thread has it */
    TASK_DEAD = 128, /* internal: memory waiting for its next use */
};

enum task_next {
    TASK_PARK,  /* let go; epoll, a timer or another thread will post */
    TASK_YIELD, /* others first, then go on */
    TASK_GONE,  /* task_dead was called, do not touch it any more */
};

struct task {
    _Atomic unsigned state; /* TASK_DEAD before its first use */
    enum task_next (*run)(struct task *t, unsigned events, struct worker *w);
    struct task *next; /* in the run queue */
};

struct loop {
    int epoll_fd, wake_fd;
    size_t seats, threads_max;
    atomic_size_t seated;  /* grows under lock only */
    atomic_size_t polling; /* in epoll_wait */
    atomic_bool watching;  /* the watch looks every WATCH_MS */
    atomic_bool ending;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t changed, look;
    struct task *first, *last;
    struct worker *workers, *spare;
    size_t threads; /* the watch is one */
};

/* False with errno. */
bool loop_start(struct loop *loop, size_t seats, size_t threads_max);
/* Ends the threads; no task may be alive. */
void loop_stop(struct loop *loop);

/* From any thread. */
void task_post(struct loop *loop, struct task *t, unsigned events);
/* A dead task begins, owned by this thread (give it to worker.then). */
void task_born(struct task *t);
/* By its owner, last of all before TASK_GONE. */
void task_dead(struct task *t);

/* By the owner: one report of events (EPOLLIN, EPOLLOUT) on fd, as TASK_IO.  add: the first time.
 */
bool loop_arm(struct loop *loop, int fd, uint32_t events, struct task *t, bool add);
void loop_forget(struct loop *loop, int fd);

#endif
