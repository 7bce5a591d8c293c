/*
 * Threads for slow work, each kind with a cap on threads and on what waits: a job that finds the
 * queue full is refused at once.
 */
#ifndef NET_POOL_H
#define NET_POOL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct job {
    void (*run)(struct job *j); /* the job may be gone when it returns */
    struct job *next;
};

struct pool {
    const char *name;
    size_t threads_max, queue_max;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct job *first, *last;
    size_t waiting, threads, idle;
    bool ending;
};

void pool_start(struct pool *p, const char *name, size_t threads_max, size_t queue_max);
/* False: full (or no thread could be started), run will not be called. */
bool pool_add(struct pool *p, struct job *j);
/* Waits until the jobs are done and the threads have ended. */
void pool_stop(struct pool *p);

#endif
