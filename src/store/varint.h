/* LEB128 numbers in their shortest form, and zigzag for signed ones. */
#ifndef STORE_VARINT_H
#define STORE_VARINT_H

#include "base/slice.h"

enum { VARINT_MAX = 10 };

/* Writes at most VARINT_MAX bytes; returns how many. */
size_t varint_put(unsigned char *to, uint64_t v);
/* Takes one from the front; false when it ends early, is longer than needed or exceeds 64 bits. */
bool varint_take(slice *s, uint64_t *v);
/* The same; of one or two bytes, as most are, without a call. */
static inline bool varint_next(slice *s, uint64_t *v)
{
    if (s->n >= 2) {
        unsigned char a = (unsigned char)s->p[0], b = (unsigned char)s->p[1];
        size_t n = a < 0x80 ? 1 : b < 0x80 && b ? 2 : 0;
        if (n) {
            *v = n == 1 ? a : (uint64_t)(a & 0x7f) | (uint64_t)b << 7;
            s->p += n;
            s->n -= n;
            return true;
        }
    }
    return varint_take(s, v);
}

uint64_t zigzag(int64_t v);
int64_t unzigzag(uint64_t v);

#endif
