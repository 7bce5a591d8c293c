/* The two kernels of base64.c, in both forms, for base64.c and its tests and benchmark only. */
#ifndef MESSAGE_BASE64_KERNEL_H
#define MESSAGE_BASE64_KERNEL_H

#include "base/slice.h"

/*
 * Decodes groups of four valid characters up to the first that is not one; returns the characters
 * used, a multiple of four.  May write up to 32 bytes beyond the result.
 */
size_t base64_groups_portable(slice in, char *out);
size_t base64_groups_avx2(slice in, char *out);
/* Encodes groups of three bytes; returns the bytes used, all but the last 0-2. */
size_t base64_triples_portable(slice in, char *out);
size_t base64_triples_avx2(slice in, char *out);
/* The processor can run the avx2 forms. */
bool base64_has_avx2(void);

#endif
