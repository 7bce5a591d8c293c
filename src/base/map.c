#include "base/map.h"

#include <assert.h>
#include <pthread.h>

#include "base/arena.h"
#include "base/banned.h"
#include "base/rand.h"

struct map_slot {
    char *key; /* NULL: never used */
    size_t n;
    void *value; /* NULL with a key: removed */
    uint64_t hash;
};

static uint64_t sip_key[2];
static pthread_once_t sip_once = PTHREAD_ONCE_INIT;

static void sip_make_key(void)
{
    rand_bytes(sip_key, sizeof(sip_key));
}

static uint64_t rotate(uint64_t x, int n)
{
    return x << n | x >> (64 - n);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

uint64_t hash_keyed(slice s)
{
    pthread_once(&sip_once, sip_make_key);
    uint64_t v[4] = {
        sip_key[0] ^ UINT64_C(0x736f6d6570736575), sip_key[1] ^ UINT64_C(0x646f72616e646f6d),
        sip_key[0] ^ UINT64_C(0x6c7967656e657261), sip_key[1] ^ UINT64_C(0x7465646279746573)};
    uint64_t word;
    size_t i = 0;
    for (; i + 8 <= s.n; i += 8) {
        memcpy(&word, s.p + i, 8);
        v[3] ^= word;
        sip_round(v);
        sip_round(v);
        v[0] ^= word;
    }
    word = (uint64_t)s.n << 56;
    for (size_t shift = 0; i < s.n; i++, shift += 8)
        word |= (uint64_t)(unsigned char)s.p[i] << shift;
    v[3] ^= word;
    sip_round(v);
    sip_round(v);
    v[0] ^= word;
    v[2] ^= 0xff;
    for (int k = 0; k < 4; k++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* The slot that holds key, or the first free one where it would go. */
static struct map_slot *slot_of(const struct map *m, slice key, uint64_t hash)
{
    struct map_slot *grave = NULL;
    for (size_t i = hash & (m->size - 1);; i = (i + 1) & (m->size - 1)) {
        struct map_slot *slot = &m->slots[i];
        if (!slot->key)
            return grave ? grave : slot;
        if (!slot->value) {
            if (!grave)
                grave = slot;
        } else if (slot->hash == hash && slice_eq((slice){slot->key, slot->n}, key)) {
            return slot;
        }
    }
}

void *map_get(const struct map *m, slice key)
{
    return m->size ? slot_of(m, key, hash_keyed(key))->value : NULL;
}

static void map_resize(struct map *m)
{
    struct map old = *m;
    size_t live = 0;
    for (size_t i = 0; i < old.size; i++)
        live += old.slots[i].value != NULL;
    m->size = 16;
    while (m->size < live * 3)
        m->size *= 2;
    m->slots = mem_alloc(m->size * sizeof(*m->slots));
    m->count = live;
    for (size_t i = 0; i < old.size; i++) {
        struct map_slot *from = &old.slots[i];
        if (from->value)
            *slot_of(m, (slice){from->key, from->n}, from->hash) = *from;
        else
            mem_free(from->key);
    }
    mem_free(old.slots);
}

void *map_set(struct map *m, slice key, void *value)
{
    assert(value);
    if (m->count * 4 >= m->size * 3)
        map_resize(m);
    uint64_t hash = hash_keyed(key);
    struct map_slot *slot = slot_of(m, key, hash);
    void *before = slot->value;
    if (!before) {
        if (!slot->key)
            m->count++; /* graves stay counted until the next resize */
        mem_free(slot->key);
        slot->key = mem_alloc(key.n + 1);
        if (key.n)
            memcpy(slot->key, key.p, key.n);
        slot->n = key.n;
        slot->hash = hash;
    }
    slot->value = value;
    return before;
}

void *map_remove(struct map *m, slice key)
{
    if (!m->size)
        return NULL;
    struct map_slot *slot = slot_of(m, key, hash_keyed(key));
    void *before = slot->value;
    slot->value = NULL;
    return before;
}

bool map_next(const struct map *m, size_t *at, slice *key, void **value)
{
    for (; *at < m->size; (*at)++) {
        struct map_slot *slot = &m->slots[*at];
        if (slot->value) {
            *key = (slice){slot->key, slot->n};
            *value = slot->value;
            (*at)++;
            return true;
        }
    }
    return false;
}

void map_end(struct map *m)
{
    for (size_t i = 0; i < m->size; i++)
        mem_free(m->slots[i].key);
    mem_free(m->slots);
    *m = (struct map){0};
}
