/*
 * The EPOLLONESHOT threads: 4 x cores of them; when all are busy (a store commit is a plain
 * blocking call) one more is started, up to the cap; surplus ones exit after ten idle seconds.
 */
#include "net/loop.h"

#include <assert.h>
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/arena.h"
#include "net/thread.h"
#include "base/banned.h"

/* Wakes one thread; the descriptor is edge-triggered, its count is never read. */
static void wake(struct loop *loop)
{
    (void)!write(loop->wake_fd, &(uint64_t){1}, sizeof(uint64_t));
}

static void push(struct loop *loop, struct task *t)
{
    pthread_mutex_lock(&loop->lock);
    t->next = NULL;
    if (loop->last)
        loop->last->next = t;
    else
        loop->first = t;
    loop->last = t;
    pthread_mutex_unlock(&loop->lock);
    wake(loop);
}

static struct task *pop(struct loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    struct task *t = loop->first;
    if (t) {
        loop->first = t->next;
        if (!loop->first)
            loop->last = NULL;
    }
    bool more = loop->first;
    pthread_mutex_unlock(&loop->lock);
    if (more)
        wake(loop);
    return t;
}

/* Adds events; true when the caller has become the owner. */
static bool claim(struct task *t, unsigned events)
{
    unsigned old = atomic_load(&t->state);
    do {
        if (old & TASK_DEAD)
            return false;
    } while (!atomic_compare_exchange_weak(&t->state, &old, old | events | TASK_OWNED));
    return !(old & TASK_OWNED);
}

/* Lets go, unless an event came meanwhile. */
static bool release(struct task *t)
{
    unsigned quiet = TASK_OWNED;
    return atomic_compare_exchange_strong(&t->state, &quiet, 0);
}

void task_post(struct loop *loop, struct task *t, unsigned events)
{
    if (claim(t, events))
        push(loop, t);
}

void task_born(struct task *t)
{
    atomic_store(&t->state, TASK_OWNED);
}

void task_dead(struct task *t)
{
    atomic_store(&t->state, TASK_DEAD);
}

/* Runs t until it lets go.  When it has given the worker another task meanwhile, that one comes
 * first: what is left of t goes to any thread. */
static void run_owned(struct task *t, struct worker *w)
{
    for (;;) {
        unsigned events = atomic_fetch_and(&t->state, TASK_OWNED) & ~(unsigned)TASK_OWNED;
        enum task_next next = t->run(t, events, w);
        if (next == TASK_GONE || (next == TASK_PARK && release(t)))
            return;
        if (next == TASK_YIELD || w->then) {
            push(w->loop, t);
            return;
        }
    }
}

static void *work(void *arg);

/* One thread more, when there may be. */
static void grow(struct loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    bool may = loop->threads < loop->threads_max && !atomic_load(&loop->ending);
    loop->threads += may;
    pthread_mutex_unlock(&loop->lock);
    if (!may)
        return;
    atomic_fetch_add(&loop->idle, 1);
    if (thread_start(work, loop, "net"))
        return;
    atomic_fetch_sub(&loop->idle, 1);
    pthread_mutex_lock(&loop->lock);
    loop->threads--;
    pthread_mutex_unlock(&loop->lock);
}

/* A thread ends; the loop may be freed at once after the last one. */
static void leave(struct loop *loop)
{
    atomic_fetch_sub(&loop->idle, 1);
    loop->threads--;
    pthread_cond_broadcast(&loop->changed);
}

/* After a long idle time: true when this thread was one too many and has left. */
static bool surplus(struct loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    bool go = loop->threads > loop->threads_min;
    if (go)
        leave(loop);
    pthread_mutex_unlock(&loop->lock);
    return go;
}

static void serve(struct worker *w, struct task *t)
{
    struct loop *loop = w->loop;
    if (atomic_fetch_sub(&loop->idle, 1) == 1)
        grow(loop);
    if (!t)
        w->then = pop(loop);
    else if (claim(t, TASK_IO))
        w->then = t;
    while ((t = w->then)) {
        w->then = NULL;
        run_owned(t, w);
    }
    atomic_fetch_add(&loop->idle, 1);
}

static void *work(void *arg)
{
    struct worker w = {.loop = arg, .bytes = mem_alloc(LOOP_BUFFER)};
    struct loop *loop = arg;
    while (!atomic_load(&loop->ending)) {
        struct epoll_event event;
        int n = epoll_wait(loop->epoll_fd, &event, 1, THREAD_IDLE_S * 1000);
        if (n == 1) {
            serve(&w, event.data.ptr);
        } else if (n == 0 && surplus(loop)) {
            mem_free(w.bytes);
            return NULL;
        }
    }
    mem_free(w.bytes);
    pthread_mutex_lock(&loop->lock);
    wake(loop); /* pass the end on to the next */
    leave(loop);
    pthread_mutex_unlock(&loop->lock);
    return NULL;
}

bool loop_start(struct loop *loop, size_t threads_min, size_t threads_max)
{
    *loop = (struct loop){.threads_min = threads_min, .threads_max = threads_max};
    pthread_mutex_init(&loop->lock, NULL);
    pthread_cond_init(&loop->changed, NULL);
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    if (loop->epoll_fd < 0 || loop->wake_fd < 0 ||
        epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->wake_fd, &event))
        return false;
    for (size_t i = 0; i < threads_min; i++)
        grow(loop);
    return loop->threads > 0;
}

void loop_stop(struct loop *loop)
{
    atomic_store(&loop->ending, true);
    pthread_mutex_lock(&loop->lock);
    wake(loop);
    while (loop->threads)
        pthread_cond_wait(&loop->changed, &loop->lock);
    pthread_mutex_unlock(&loop->lock);
    assert(!loop->first);
    close(loop->wake_fd);
    close(loop->epoll_fd);
    pthread_mutex_destroy(&loop->lock);
    pthread_cond_destroy(&loop->changed);
}

bool loop_arm(struct loop *loop, int fd, uint32_t events, struct task *t, bool add)
{
    struct epoll_event event = {.events = events | EPOLLONESHOT, .data.ptr = t};
    return epoll_ctl(loop->epoll_fd, add ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event) == 0;
}

void loop_forget(struct loop *loop, int fd)
{
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}
