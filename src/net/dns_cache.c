/*
 * A map from "type name" to an answer in an arena of its own, and a list in the order they came: a
 * full cache drops the oldest.
 */
#include "net/dns_cache.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/banned.h"

struct entry {
    struct arena arena; /* holds all but the entry itself */
    struct dns_answer answer;
    slice key;
    int64_t until_ms;
    struct entry *older, *newer;
};

static struct {
    pthread_mutex_t lock;
    struct map map;
    struct entry *oldest, *newest;
    size_t count, bytes;
} cache = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void copy(struct arena *a, const struct dns_answer *from, struct dns_answer *to)
{
    *to = *from;
    to->canonical = arena_dup(a, from->canonical);
    to->records = arena_array(a, from->count ? from->count : 1, sizeof(*to->records));
    for (size_t i = 0; i < from->count; i++)
        to->records[i] = (struct dns_record){.preference = from->records[i].preference,
                                             .data = arena_dup(a, from->records[i].data)};
}

static size_t size_of(const struct entry *e)
{
    return e->arena.used + sizeof(*e);
}

static void drop(struct entry *e)
{
    *(e->older ? &e->older->newer : &cache.oldest) = e->newer;
    *(e->newer ? &e->newer->older : &cache.newest) = e->older;
    cache.count--;
    cache.bytes -= size_of(e);
    map_remove(&cache.map, e->key);
    arena_end(&e->arena);
    mem_free(e);
}

static void keep(struct entry *e)
{
    e->older = cache.newest;
    *(cache.newest ? &cache.newest->newer : &cache.oldest) = e;
    cache.newest = e;
    cache.count++;
    cache.bytes += size_of(e);
    map_set(&cache.map, e->key, e);
}

static slice make_key(struct arena *a, slice name, enum dns_type type)
{
    return arena_printf(a, "%d %.*s", (int)type, P(name));
}

bool dns_cache_get(struct arena *a, slice name, enum dns_type type, struct dns_answer *out)
{
    int64_t now = clock_mono_ms();
    slice key = make_key(a, name, type);
    pthread_mutex_lock(&cache.lock);
    struct entry *e = map_get(&cache.map, key);
    if (e && e->until_ms <= now) {
        drop(e);
        e = NULL;
    }
    if (e) {
        copy(a, &e->answer, out);
        out->ttl_s = (uint32_t)((e->until_ms - now) / SECOND_MS);
    }
    pthread_mutex_unlock(&cache.lock);
    return e;
}

void dns_cache_put(slice name, enum dns_type type, const struct dns_answer *answer)
{
    uint32_t most = answer->status == DNS_OK ? LIMIT_DNS_TTL_S : LIMIT_DNS_NEGATIVE_TTL_S;
    uint32_t ttl_s = answer->ttl_s < most ? answer->ttl_s : most;
    int64_t now = clock_mono_ms();
    if (ttl_s == 0)
        return;
    struct entry *e = mem_alloc(sizeof(*e));
    e->key = make_key(&e->arena, name, type);
    e->until_ms = now + ttl_s * SECOND_MS;
    copy(&e->arena, answer, &e->answer);
    pthread_mutex_lock(&cache.lock);
    struct entry *old = map_get(&cache.map, e->key);
    if (old)
        drop(old);
    while (cache.count >= LIMIT_DNS_CACHE || (cache.count && cache.bytes >= LIMIT_DNS_CACHE_BYTES))
        drop(cache.oldest);
    keep(e);
    pthread_mutex_unlock(&cache.lock);
}

void dns_cache_empty(void)
{
    pthread_mutex_lock(&cache.lock);
    while (cache.oldest)
        drop(cache.oldest);
    map_end(&cache.map);
    pthread_mutex_unlock(&cache.lock);
}
