/*
 * The keeper: a thread for what can wait.  It copies the log back into the database so that the
 * writer need not, writes marks down, lets go of memory nobody uses, and runs the purge.
 */
#include <errno.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/internal.h"
#include "base/banned.h"

enum { TICK_S = 1, IDLE_MS = 3000, VIEW_MS = 60000, PURGE_MS = 3600 * 1000 };

/* What the keeper remembers between ticks. */
struct keeping {
    int64_t purged_ms;
    bool shrunk;
};

static void keeper_copy_log(struct store *s)
{
    int left = 0;
    if (db_checkpoint(s->keeper.db, &left) && left > 0)
        atomic_store(&s->writer.finish_checkpoint, true); /* it can end it: nobody else writes */
}

static void keeper_idle(struct store *s, struct keeping *k)
{
    int64_t quiet = clock_mono_ms() - atomic_load(&s->writer.last_ms);
    if (quiet < IDLE_MS) {
        k->shrunk = false;
        return;
    }
    if (k->shrunk)
        return;
    keeper_copy_log(s);
    writer_shrink(s);
    readers_close(s, 1);
    db_shrink(s->keeper.db);
    k->shrunk = true;
}

static void keeper_tick(struct store *s, struct keeping *k)
{
    fetches_flush(s);
    views_write_recent(s);
    views_evict(s, views_bytes(s) > LIMIT_VIEW_CACHE ? 0 : VIEW_MS);
    keeper_idle(s, k);
    int64_t now = clock_mono_ms();
    if (now - k->purged_ms >= PURGE_MS) {
        k->purged_ms = now;
        store_purge(s, clock_ms());
    }
}

static void *keeper_main(void *arg)
{
    struct store *s = arg;
    struct keeper *k = &s->keeper;
    struct keeping keeping = {.purged_ms = clock_mono_ms()};
    pthread_mutex_lock(&k->lock);
    while (!k->stop) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += TICK_S;
        int r = 0;
        while (!k->stop && !k->checkpoint && r != ETIMEDOUT)
            r = pthread_cond_timedwait(&k->wake, &k->lock, &until);
        bool checkpoint = k->checkpoint, stop = k->stop;
        k->checkpoint = false;
        pthread_mutex_unlock(&k->lock);
        if (checkpoint)
            keeper_copy_log(s);
        if (!stop && r == ETIMEDOUT)
            keeper_tick(s, &keeping);
        pthread_mutex_lock(&k->lock);
    }
    pthread_mutex_unlock(&k->lock);
    return NULL;
}

void keeper_checkpoint(struct store *s)
{
    pthread_mutex_lock(&s->keeper.lock);
    s->keeper.checkpoint = true;
    pthread_cond_signal(&s->keeper.wake);
    pthread_mutex_unlock(&s->keeper.lock);
}

bool keeper_start(struct store *s, struct buf *error)
{
    struct keeper *k = &s->keeper;
    pthread_condattr_t attr;
    pthread_mutex_init(&k->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&k->wake, &attr);
    pthread_condattr_destroy(&attr);
    const char *path = arena_printf(&s->arena, "%s/store.db", s->options.dir).p;
    k->db = db_open(&(struct db_options){path, false, false, LIMIT_READER_CACHE}, error);
    k->started = k->db && pthread_create(&k->thread, NULL, keeper_main, s) == 0;
    return k->started;
}

void keeper_stop(struct store *s)
{
    struct keeper *k = &s->keeper;
    if (k->started) {
        pthread_mutex_lock(&k->lock);
        k->stop = true;
        pthread_cond_signal(&k->wake);
        pthread_mutex_unlock(&k->lock);
        pthread_join(k->thread, NULL);
        k->started = false;
    }
    db_close(k->db);
    k->db = NULL;
}
