#include "base/sha256.h"

#include <assert.h>
#include <openssl/evp.h>
#include <pthread.h>

#include "base/banned.h"

static EVP_MD *algorithm; /* for the life of the process */

static void fetch(void)
{
    algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
    assert(algorithm);
}

void sha256(slice in, unsigned char out[SHA256_BYTES])
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, fetch);
    int done = EVP_Digest(in.p, in.n, out, NULL, algorithm, NULL);
    assert(done == 1);
}
