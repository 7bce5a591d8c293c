/* LEB128 numbers in their shortest form, and zigzag for signed ones. */
#ifndef STORE_VARINT_H
#define STORE_VARINT_H

#include "base/slice.h"

enum { VARINT_MAX = 10 };

/* Writes at most VARINT_MAX bytes; returns how many. */
size_t varint_put(unsigned char *to, uint64_t v);
/* Takes one from the front; false when it ends early, is longer than needed or exceeds 64 bits. */
bool varint_take(slice *s, uint64_t *v);

/* For tight loops: both results in registers, and no call for one or two bytes, as most have. */
struct varint {
    const unsigned char *next; /* behind it; NULL where varint_take() says false */
    uint64_t v;
};
struct varint varint_read_long(const unsigned char *p, const unsigned char *end);
static inline struct varint varint_read(const unsigned char *p, const unsigned char *end)
{
    if (p < end && p[0] < 0x80)
        return (struct varint){p + 1, p[0]};
    if (end - p >= 2 && p[1] && p[1] < 0x80)
        return (struct varint){p + 2, (uint64_t)(p[0] & 0x7f) | (uint64_t)p[1] << 7};
    return varint_read_long(p, end);
}
/* Like varint_put(); returns where it ends. */
static inline unsigned char *varint_write(unsigned char *to, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        *to++ = (unsigned char)(v | 0x80);
    *to++ = (unsigned char)v;
    return to;
}

static inline uint64_t zigzag(int64_t v)
{
    return (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
}

static inline int64_t unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

#endif
