/*
 * A hash map from bytes to a pointer, keyed SipHash so that strangers cannot choose collisions.
 * {0} is an empty map.  Keys are copied.  Not thread-safe.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/slice.h"

struct map_slot;

struct map {
    struct map_slot *slots;
    size_t count, size; /* size is 0 or a power of two */
};

/* The value, or NULL. */
void *map_get(const struct map *m, slice key);
/* Sets it; returns the value that was there before, or NULL.  value must not be NULL. */
void *map_set(struct map *m, slice key, void *value);
/* Removes it; returns the value that was there, or NULL. */
void *map_remove(struct map *m, slice key);
/* Walks all entries: for (size_t at = 0; map_next(m, &at, &key, &value);).  No changes meanwhile.
 */
bool map_next(const struct map *m, size_t *at, slice *key, void **value);
void map_end(struct map *m);

/* SipHash-2-4 of s under the process's random key. */
uint64_t hash_keyed(slice s);

#endif
