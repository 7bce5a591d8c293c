/* The arithmetic of SCRAM-SHA-256 by OpenSSL; keys are wiped on the way out (RFC 5802 section 3).
 */
#include "accounts/scram.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include "base/banned.h"

static void hmac(const unsigned char key[SCRAM_KEY], slice text, unsigned char out[SCRAM_KEY])
{
    HMAC(EVP_sha256(), key, SCRAM_KEY, (const unsigned char *)text.p, text.n, out, NULL);
}

void scram_derive(slice password, const unsigned char salt[SCRAM_SALT], uint32_t iterations,
                  unsigned char stored_key[SCRAM_KEY], unsigned char server_key[SCRAM_KEY])
{
    unsigned char salted[SCRAM_KEY], client_key[SCRAM_KEY];
    int ok = PKCS5_PBKDF2_HMAC(password.p, (int)password.n, salt, SCRAM_SALT, (int)iterations,
                               EVP_sha256(), SCRAM_KEY, salted);
    assert(ok == 1);
    hmac(salted, S("Client Key"), client_key);
    SHA256(client_key, sizeof(client_key), stored_key);
    hmac(salted, S("Server Key"), server_key);
    OPENSSL_cleanse(salted, sizeof(salted));
    OPENSSL_cleanse(client_key, sizeof(client_key));
}

bool scram_proof_is(const unsigned char stored_key[SCRAM_KEY], slice auth_message, slice proof)
{
    unsigned char client_key[SCRAM_KEY], got[SCRAM_KEY];
    if (proof.n != SCRAM_KEY)
        return false;
    hmac(stored_key, auth_message, client_key);
    for (int i = 0; i < SCRAM_KEY; i++)
        client_key[i] ^= (unsigned char)proof.p[i];
    SHA256(client_key, sizeof(client_key), got);
    OPENSSL_cleanse(client_key, sizeof(client_key));
    return CRYPTO_memcmp(got, stored_key, SCRAM_KEY) == 0;
}

void scram_sign(const unsigned char key[SCRAM_KEY], slice auth_message,
                unsigned char signature[SCRAM_KEY])
{
    hmac(key, auth_message, signature);
}
