/* Randomness from the kernel (getrandom), and ids made of it. */
#ifndef BASE_RAND_H
#define BASE_RAND_H

#include "base/slice.h"

void rand_bytes(void *out, size_t n);
uint64_t rand_u64(void);
/* Uniform in [0, below). */
uint64_t rand_below(uint64_t below);

enum { ID_TEXT = 13 };

/*
 * A new positive 63-bit id: 42 bits of wall time in ms, 21 bits of randomness, so ids sort by time
 * and reveal no count.
 */
int64_t id_new(void);
/* Its text as people see it: 13 characters of Crockford's base 32, lower case, no NUL. */
void id_text(int64_t id, char out[ID_TEXT]);
/* The id behind such a text (any case); false when it is not one. */
bool id_parse(slice text, int64_t *id);

#endif
