/* CRC-32C (Castagnoli, RFC 3720 appendix B.4), by the processor's instruction where it has one. */
#ifndef STORE_CRC32C_H
#define STORE_CRC32C_H

#include "base/slice.h"

/* Continues from before (0 at the start). */
uint32_t crc32c(uint32_t before, slice bytes);
/* The portable way, for machines without the instruction and for the test. */
uint32_t crc32c_table(uint32_t before, slice bytes);

#endif
