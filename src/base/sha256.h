/* SHA-256 (FIPS 180-4) of bytes that are all there; looked up in OpenSSL once, not for each. */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include "base/slice.h"

enum { SHA256_BYTES = 32 };

void sha256(slice in, unsigned char out[SHA256_BYTES]);

#endif
