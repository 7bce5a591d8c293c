/* The heap of deadlines and its thread. */
#include "net/timer.h"

#include <time.h>

#include "base/arena.h"
#include "base/clock.h"
#include "net/thread.h"
#include "base/banned.h"

#define NEVER INT64_MAX

static void put(struct timers *h, size_t slot, struct timer *t)
{
    h->heap[slot] = t;
    t->slot = slot;
}

static void sift_up(struct timers *h, size_t slot)
{
    struct timer *t = h->heap[slot];
    while (slot && h->heap[(slot - 1) / 2]->key > t->key) {
        put(h, slot, h->heap[(slot - 1) / 2]);
        slot = (slot - 1) / 2;
    }
    put(h, slot, t);
}

static void sift_down(struct timers *h, size_t slot)
{
    struct timer *t = h->heap[slot];
    for (;;) {
        size_t child = slot * 2 + 1;
        if (child + 1 < h->count && h->heap[child + 1]->key < h->heap[child]->key)
            child++;
        if (child >= h->count || h->heap[child]->key >= t->key)
            break;
        put(h, slot, h->heap[child]);
        slot = child;
    }
    put(h, slot, t);
}

static void add(struct timers *h, struct timer *t)
{
    if (h->count == h->capacity) {
        h->capacity = h->capacity ? h->capacity * 2 : 64;
        h->heap = mem_realloc(h->heap, h->capacity * sizeof(struct timer *));
    }
    put(h, h->count++, t);
    sift_up(h, t->slot);
}

static void take_out(struct timers *h, struct timer *t)
{
    size_t slot = t->slot;
    t->key = NEVER;
    struct timer *last = h->heap[--h->count];
    if (last == t)
        return;
    put(h, slot, last);
    sift_up(h, slot);
    sift_down(h, last->slot);
}

/* Posts what is due. */
static void fire(struct timers *h, int64_t now)
{
    while (h->count && h->heap[0]->key <= now) {
        struct timer *t = h->heap[0];
        int64_t due = t->due;
        if (due > now) {
            t->key = due;
            sift_down(h, 0);
        } else {
            take_out(h, t);
            task_post(h->loop, t->task, TASK_TIMER);
        }
    }
}

static void *tick(void *arg)
{
    struct timers *h = arg;
    pthread_mutex_lock(&h->lock);
    while (!h->ending) {
        fire(h, clock_mono_ms());
        if (h->count) {
            int64_t key = h->heap[0]->key;
            struct timespec until = {.tv_sec = key / 1000, .tv_nsec = key % 1000 * 1000000};
            pthread_cond_timedwait(&h->changed, &h->lock, &until);
        } else {
            pthread_cond_wait(&h->changed, &h->lock);
        }
    }
    h->ended = true;
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->lock);
    return NULL;
}

bool timers_start(struct timers *h, struct loop *loop)
{
    *h = (struct timers){.loop = loop};
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&h->changed, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&h->lock, NULL);
    return thread_start(tick, h, "clock");
}

void timers_stop(struct timers *h)
{
    pthread_mutex_lock(&h->lock);
    h->ending = true;
    pthread_cond_broadcast(&h->changed);
    while (!h->ended)
        pthread_cond_wait(&h->changed, &h->lock);
    pthread_mutex_unlock(&h->lock);
    pthread_cond_destroy(&h->changed);
    pthread_mutex_destroy(&h->lock);
    mem_free(h->heap);
    h->heap = NULL;
}

void timer_init(struct timer *t, struct task *task)
{
    t->task = task;
    t->due = t->key = NEVER;
}

void timer_set(struct timers *h, struct timer *t, int64_t due_ms)
{
    t->due = due_ms;
    if (t->key <= due_ms)
        return; /* the heap looks at it before that */
    pthread_mutex_lock(&h->lock);
    bool in_heap = t->key != NEVER;
    t->key = due_ms;
    if (in_heap)
        sift_up(h, t->slot);
    else
        add(h, t);
    if (h->heap[0] == t)
        pthread_cond_signal(&h->changed);
    pthread_mutex_unlock(&h->lock);
}

void timer_clear(struct timers *h, struct timer *t)
{
    pthread_mutex_lock(&h->lock);
    if (t->key != NEVER)
        take_out(h, t);
    pthread_mutex_unlock(&h->lock);
}
