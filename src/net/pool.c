/* A queue of jobs and the threads that take them; threads start on demand and exit when idle. */
#include "net/pool.h"

#include <errno.h>
#include <time.h>

#include "net/thread.h"
#include "base/banned.h"

static struct job *take(struct pool *p)
{
    struct job *j = p->first;
    p->first = j->next;
    if (!p->first)
        p->last = NULL;
    p->waiting--;
    return j;
}

/* Waits for a job with the lock held; NULL when this thread should end. */
static struct job *next_job(struct pool *p)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += THREAD_IDLE_S;
    int error = 0;
    p->idle++;
    while (!p->first && !p->ending && error != ETIMEDOUT)
        error = pthread_cond_timedwait(&p->changed, &p->lock, &until);
    p->idle--;
    return p->first ? take(p) : NULL;
}

static void *work(void *arg)
{
    struct pool *p = arg;
    struct job *j;
    pthread_mutex_lock(&p->lock);
    while ((j = next_job(p))) {
        pthread_mutex_unlock(&p->lock);
        j->run(j);
        pthread_mutex_lock(&p->lock);
    }
    p->threads--;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

void pool_start(struct pool *p, const char *name, size_t threads_max, size_t queue_max)
{
    *p = (struct pool){.name = name, .threads_max = threads_max, .queue_max = queue_max};
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&p->changed, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&p->lock, NULL);
}

/* Makes sure that somebody will take one more job. */
static bool staffed(struct pool *p)
{
    if (p->idle > p->waiting)
        return true;
    if (p->threads < p->threads_max && thread_start(work, p, p->name))
        p->threads++;
    return p->threads > 0;
}

bool pool_add(struct pool *p, struct job *j)
{
    pthread_mutex_lock(&p->lock);
    bool ok = p->waiting < p->queue_max && !p->ending && staffed(p);
    if (ok) {
        j->next = NULL;
        if (p->last)
            p->last->next = j;
        else
            p->first = j;
        p->last = j;
        p->waiting++;
        pthread_cond_signal(&p->changed);
    }
    pthread_mutex_unlock(&p->lock);
    return ok;
}

void pool_stop(struct pool *p)
{
    pthread_mutex_lock(&p->lock);
    p->ending = true;
    pthread_cond_broadcast(&p->changed);
    while (p->threads)
        pthread_cond_wait(&p->changed, &p->lock);
    pthread_mutex_unlock(&p->lock);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
}
