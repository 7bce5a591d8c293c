/* Slots for connections, counted as a whole and per address. */
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/log.h"
#include "net/conn.h"
#include "base/banned.h"

enum { TABLE_CHUNK = 64 };
static const char not_counted[16];

void table_start(struct table *t, size_t open_max, size_t per_ip_max)
{
    *t = (struct table){.open_max = open_max, .per_ip_max = per_ip_max};
    size_t chunks = (open_max + TABLE_CHUNK - 1) / TABLE_CHUNK;
    t->chunks = mem_alloc(chunks * sizeof(struct conn *));
    pthread_mutex_init(&t->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&t->changed, &attr);
    pthread_condattr_destroy(&attr);
}

void table_end(struct table *t)
{
    for (size_t i = 0; i < t->chunk_count; i++)
        mem_free(t->chunks[i]);
    mem_free(t->chunks);
    map_end(&t->per_ip);
    pthread_cond_destroy(&t->changed);
    pthread_mutex_destroy(&t->lock);
}

static void add_chunk(struct table *t)
{
    struct conn *chunk = mem_alloc(TABLE_CHUNK * sizeof(struct conn));
    for (size_t i = 0; i < TABLE_CHUNK; i++) {
        task_dead(&chunk[i].task);
        chunk[i].next_free = t->free;
        t->free = &chunk[i];
    }
    t->chunks[t->chunk_count++] = chunk;
}

/* Counts one more from an address; false when it has too many. */
static bool count_in(struct table *t, slice key)
{
    uintptr_t n = (uintptr_t)map_get(&t->per_ip, key);
    if (n >= t->per_ip_max)
        return false;
    map_set(&t->per_ip, key, (void *)(n + 1));
    return true;
}

static void count_out(struct table *t, slice key)
{
    uintptr_t n = (uintptr_t)map_get(&t->per_ip, key);
    if (n > 1)
        map_set(&t->per_ip, key, (void *)(n - 1));
    else
        map_remove(&t->per_ip, key);
}

static bool counted(const char ip_key[16])
{
    return memcmp(ip_key, not_counted, sizeof(not_counted)) != 0;
}

struct conn *table_take(struct table *t, const char ip_key[16])
{
    struct conn *c = NULL;
    pthread_mutex_lock(&t->lock);
    bool room = t->open < t->open_max;
    if (room && (!counted(ip_key) || count_in(t, (slice){ip_key, 16}))) {
        if (!t->free)
            add_chunk(t);
        c = t->free;
        t->free = c->next_free;
        t->open++;
    }
    pthread_mutex_unlock(&t->lock);
    if (!c)
        return NULL;
    /* All but the task, which a late event may be looking at. */
    memset((char *)c + sizeof(c->task), 0, sizeof(*c) - sizeof(c->task));
    memcpy(c->ip_key, ip_key, sizeof(c->ip_key));
    metric_add(METRIC_CONNECTIONS_OPEN, 1);
    return c;
}

void table_give(struct table *t, struct conn *c)
{
    metric_add(METRIC_CONNECTIONS_OPEN, -1);
    task_dead(&c->task);
    pthread_mutex_lock(&t->lock);
    if (counted(c->ip_key))
        count_out(t, (slice){c->ip_key, 16});
    c->next_free = t->free;
    t->free = c;
    t->open--;
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

void table_post(struct table *t, struct loop *loop, unsigned events)
{
    pthread_mutex_lock(&t->lock);
    for (size_t i = 0; i < t->chunk_count; i++)
        for (size_t k = 0; k < TABLE_CHUNK; k++)
            task_post(loop, &t->chunks[i][k].task, events);
    pthread_mutex_unlock(&t->lock);
}

bool table_wait_empty(struct table *t, int64_t deadline_ms)
{
    struct timespec until = {.tv_sec = deadline_ms / 1000, .tv_nsec = deadline_ms % 1000 * 1000000};
    int error = 0;
    pthread_mutex_lock(&t->lock);
    while (t->open && !error)
        error = pthread_cond_timedwait(&t->changed, &t->lock, &until);
    bool empty = t->open == 0;
    pthread_mutex_unlock(&t->lock);
    return empty;
}
