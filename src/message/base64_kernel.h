/* The three kernels of base64.c, in both forms, for base64.c and its tests and benchmark only. */
#ifndef MESSAGE_BASE64_KERNEL_H
#define MESSAGE_BASE64_KERNEL_H

#include "base/slice.h"

/*
 * Decodes groups of four valid characters, and steps over CRLF or LF between groups, up to the
 * first thing that is neither; returns the characters used.  May write up to 32 bytes beyond
 * *written.
 */
size_t base64_groups_portable(slice in, char *out, size_t *written);
size_t base64_groups_avx2(slice in, char *out, size_t *written);
/* Encodes groups of three bytes; returns the bytes used, all but the last 0-2. */
size_t base64_triples_portable(slice in, char *out);
size_t base64_triples_avx2(slice in, char *out);
/* Encodes whole lines of 57 bytes as 76 characters and CRLF; returns the bytes used. */
size_t base64_lines_portable(slice in, char *out);
size_t base64_lines_avx2(slice in, char *out);
/* The processor can run the avx2 forms. */
bool base64_has_avx2(void);

#endif
