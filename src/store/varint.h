/* LEB128 numbers in their shortest form, and zigzag for signed ones. */
#ifndef STORE_VARINT_H
#define STORE_VARINT_H

#include "base/slice.h"

enum { VARINT_MAX = 10 };

/* Writes at most VARINT_MAX bytes; returns how many. */
size_t varint_put(unsigned char *to, uint64_t v);
/* Takes one from the front; false when it ends early, is longer than needed or exceeds 64 bits. */
bool varint_take(slice *s, uint64_t *v);

uint64_t zigzag(int64_t v);
int64_t unzigzag(uint64_t v);

#endif
