/*
 * A map of small byte strings under a mutex.  It is emptied when the directory changed, and when it
 * is full: strangers choose some of its keys.
 *
 * Invariant
 *   N1  What was read before a change was committed is never told after the answer to that change.
 */
#include "store/memo.h"

#include <pthread.h>

#include "base/limits.h"
#include "base/map.h"
#include "base/banned.h"

struct memo {
    pthread_mutex_t lock;
    struct map values; /* key -> struct value */
    size_t bytes;
    uint64_t version;
};

struct value {
    size_t n;
    char bytes[];
};

struct memo *memo_new(void)
{
    struct memo *m = mem_alloc(sizeof(*m));
    *m = (struct memo){0};
    pthread_mutex_init(&m->lock, NULL);
    return m;
}

static void empty(struct memo *m)
{
    slice key;
    void *value;
    for (size_t at = 0; map_next(&m->values, &at, &key, &value);)
        mem_free(value);
    map_end(&m->values);
    m->values = (struct map){0};
    m->bytes = 0;
}

void memo_free(struct memo *m)
{
    if (!m)
        return;
    empty(m);
    pthread_mutex_destroy(&m->lock);
    mem_free(m);
}

bool memo_get(struct memo *m, struct arena *a, slice key, slice *value)
{
    if (!m)
        return false;
    pthread_mutex_lock(&m->lock);
    const struct value *v = map_get(&m->values, key);
    if (v)
        *value = arena_dup(a, (slice){v->bytes, v->n});
    pthread_mutex_unlock(&m->lock);
    return v != NULL;
}

uint64_t memo_version(struct memo *m)
{
    if (!m)
        return 0;
    pthread_mutex_lock(&m->lock);
    uint64_t version = m->version;
    pthread_mutex_unlock(&m->lock);
    return version;
}

void memo_put(struct memo *m, uint64_t version, slice key, slice bytes)
{
    size_t cost = sizeof(struct value) + key.n + bytes.n;
    if (!m || cost > LIMIT_MEMO_VALUE)
        return;
    struct value *v = mem_alloc(sizeof(*v) + bytes.n);
    v->n = bytes.n;
    if (bytes.n)
        memcpy(v->bytes, bytes.p, bytes.n);
    pthread_mutex_lock(&m->lock);
    if (m->bytes + cost > LIMIT_MEMO)
        empty(m);
    bool current = version == m->version;
    struct value *before = current ? map_set(&m->values, key, v) : v;
    m->bytes += current && !before ? cost : 0;
    pthread_mutex_unlock(&m->lock);
    mem_free(before);
}

void memo_forget(struct memo *m)
{
    pthread_mutex_lock(&m->lock);
    m->version++;
    empty(m);
    pthread_mutex_unlock(&m->lock);
}
