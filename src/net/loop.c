/*
 * The EPOLLONESHOT threads.  Who takes an event, and who gives up a seat, looks whether a seat is
 * free and nobody waits for events, and then calls a spare thread or starts one, up to the cap.
 * One of the two sees what the other did, for both write before they read.  Spares exit after ten
 * idle seconds.
 */
#include "net/loop.h"

#include <assert.h>
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/blocking.h"
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

/* ---- seats ---- */

enum { WATCH_MS = 20, WATCH_CALM = 100 }; /* so many calm looks, and it rests */

static void *work(void *arg);

static void worker_free(struct worker *w)
{
    *w->at = w->next;
    if (w->next)
        w->next->at = w->at;
    sem_destroy(&w->seat);
    mem_free(w->bytes);
    mem_free(w);
}

/* A thread for the seat that was taken for it; the lock is held. */
static bool start_worker(struct loop *loop)
{
    struct worker *w = mem_alloc(sizeof(*w));
    *w = (struct worker){.loop = loop, .seated = true};
    w->bytes = mem_alloc(LOOP_BUFFER);
    sem_init(&w->seat, 0, 0);
    w->next = loop->workers;
    w->at = &loop->workers;
    if (w->next)
        w->next->at = &w->next;
    loop->workers = w;
    if (thread_start(work, w, "net")) {
        loop->threads++;
        return true;
    }
    worker_free(w);
    return false;
}

/* Fills a free seat when nobody waits for events; the lock is held.  Returns the spare to call. */
static struct worker *staff_locked(struct loop *loop)
{
    if (loop->polling || loop->seated >= loop->seats || loop->ending)
        return NULL;
    struct worker *w = loop->spare;
    loop->seated++;
    if (w) {
        loop->spare = w->next_spare;
        w->seated = true;
    } else if (loop->threads > loop->threads_max || !start_worker(loop)) {
        loop->seated--;
    }
    return w;
}

static void lock_and_staff(struct loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    struct worker *spare = staff_locked(loop);
    if (!loop->watching) {
        loop->watching = true;
        pthread_cond_signal(&loop->look);
    }
    pthread_mutex_unlock(&loop->lock);
    if (spare) /* it cannot end before */
        sem_post(&spare->seat);
}

/* By who no longer waits for events, or has no seat any more. */
static void staff(struct loop *loop)
{
    if (loop->polling == 0 && (loop->seated < loop->seats || !loop->watching))
        lock_and_staff(loop);
}

/* blocking_ahead() on a thread of the loop. */
static void stand_up(void *arg)
{
    struct worker *w = arg;
    if (!atomic_exchange(&w->seated, false))
        return;
    w->loop->seated--;
    staff(w->loop);
}

/* Stands aside until a seat is handed over; false when that took too long. */
static bool stand_by(struct worker *w)
{
    struct loop *loop = w->loop;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += THREAD_IDLE_S;
    int late;
    do
        late = sem_clockwait(&w->seat, CLOCK_MONOTONIC, &until);
    while (late && errno == EINTR);
    if (!late && w->seated)
        return true;
    pthread_mutex_lock(&loop->lock);
    bool seated = w->seated; /* just now: the post is on its way */
    for (struct worker **at = &loop->spare; !seated && *at; at = &(*at)->next_spare)
        if (*at == w) {
            *at = w->next_spare;
            break;
        }
    pthread_mutex_unlock(&loop->lock);
    if (seated)
        sem_wait(&w->seat);
    return seated;
}

/* Takes a seat or waits for one; false when the thread may end. */
static bool sit(struct worker *w)
{
    struct loop *loop = w->loop;
    pthread_mutex_lock(&loop->lock);
    bool free = loop->seated < loop->seats;
    if (free) {
        loop->seated++;
        w->seated = true;
    } else if (!loop->ending) {
        w->next_spare = loop->spare;
        loop->spare = w;
    }
    bool ending = loop->ending;
    pthread_mutex_unlock(&loop->lock);
    return free || (!ending && stand_by(w));
}

/* Nobody waits for events: takes the seat of each turn that lasts since the last such look. */
static void look_at_turns(struct loop *loop)
{
    for (struct worker *w = loop->workers; w; w = w->next) {
        unsigned turn = w->turn;
        if (turn % 2 && turn == w->seen && atomic_exchange(&w->seated, false))
            loop->seated--;
        w->seen = turn;
    }
    struct worker *spare = staff_locked(loop);
    if (spare)
        sem_post(&spare->seat);
}

static void leave(struct loop *loop);

/* Looks every WATCH_MS, unless for long there was always somebody who waited for events. */
static void *watch(void *arg)
{
    struct loop *loop = arg;
    int calm = 0;
    pthread_mutex_lock(&loop->lock);
    while (!loop->ending) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += WATCH_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        if (pthread_cond_timedwait(&loop->look, &loop->lock, &until) == 0)
            continue;
        calm = loop->polling ? calm + 1 : 0;
        if (!calm)
            look_at_turns(loop);
        if (calm < WATCH_CALM)
            continue;
        loop->watching = false;
        while (!loop->watching && loop->polling && !loop->ending)
            pthread_cond_wait(&loop->look, &loop->lock);
        loop->watching = true;
        calm = 0;
    }
    leave(loop);
    pthread_mutex_unlock(&loop->lock);
    return NULL;
}

/* ---- threads ---- */

static void serve(struct worker *w, struct task *t)
{
    if (!t)
        w->then = pop(w->loop);
    else if (claim(t, TASK_IO))
        w->then = t;
    while ((t = w->then)) {
        w->then = NULL;
        run_owned(t, w);
    }
}

/* A thread ends, with the lock held; the loop may be freed at once after the last one. */
static void leave(struct loop *loop)
{
    loop->threads--;
    pthread_cond_broadcast(&loop->changed);
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct loop *loop = w->loop;
    blocking_tell(stand_up, w);
    while (!loop->ending && (w->seated || sit(w))) {
        struct epoll_event event;
        loop->polling++;
        int n = epoll_wait(loop->epoll_fd, &event, 1, -1);
        loop->polling--;
        if (n != 1)
            continue;
        w->turn++;
        staff(loop);
        serve(w, event.data.ptr);
        w->turn++;
    }
    blocking_tell(NULL, NULL);
    pthread_mutex_lock(&loop->lock);
    if (loop->ending)
        wake(loop); /* pass the end on to the next */
    worker_free(w);
    leave(loop);
    pthread_mutex_unlock(&loop->lock);
    return NULL;
}

bool loop_start(struct loop *loop, size_t seats, size_t threads_max)
{
    *loop = (struct loop){.seats = seats, .threads_max = threads_max};
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&loop->lock, NULL);
    pthread_cond_init(&loop->changed, NULL);
    pthread_cond_init(&loop->look, &attr);
    pthread_condattr_destroy(&attr);
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    if (loop->epoll_fd < 0 || loop->wake_fd < 0 ||
        epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->wake_fd, &event))
        return false;
    pthread_mutex_lock(&loop->lock);
    bool ok = thread_start(watch, loop, "watch");
    loop->threads += ok;
    for (size_t i = 0; ok && i < seats; i++)
        if (start_worker(loop))
            loop->seated++;
    ok = ok && loop->seated;
    pthread_mutex_unlock(&loop->lock);
    return ok;
}

void loop_stop(struct loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    loop->ending = true;
    wake(loop);
    pthread_cond_signal(&loop->look);
    for (struct worker *w = loop->spare; w; w = w->next_spare)
        sem_post(&w->seat);
    while (loop->threads)
        pthread_cond_wait(&loop->changed, &loop->lock);
    pthread_mutex_unlock(&loop->lock);
    assert(!loop->first);
    close(loop->wake_fd);
    close(loop->epoll_fd);
    pthread_mutex_destroy(&loop->lock);
    pthread_cond_destroy(&loop->changed);
    pthread_cond_destroy(&loop->look);
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
