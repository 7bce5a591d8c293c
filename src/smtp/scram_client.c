/* SCRAM-SHA-256, client side (RFC 5802 section 3 and 5). */
#include "smtp/scram_client.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/limits.h"
#include "base/rand.h"
#include "message/base64.h"
#include "base/banned.h"

enum { KEY = 32, NONCE_BYTES = 18, ITERATIONS_LEAST = 4096 };

/* saslname: "," and "=" cannot stand for themselves (RFC 5802 section 5.1). */
static slice escape(struct arena *a, slice user)
{
    char *p = arena_alloc(a, 3 * user.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < user.n; i++) {
        char c = user.p[i];
        if (c == ',' || c == '=') {
            memcpy(p + n, c == ',' ? "=2C" : "=3D", 3);
            n += 3;
        } else {
            p[n++] = c;
        }
    }
    return (slice){p, n};
}

slice scram_client_first(struct scram_client *x, struct arena *a, slice user, slice password)
{
    x->password = password;
    if (!x->nonce.n) {
        char bytes[NONCE_BYTES];
        rand_bytes(bytes, sizeof(bytes));
        x->nonce = base64_text(a, (slice){bytes, sizeof(bytes)});
    }
    x->first_bare = arena_printf(a, "n=%.*s,r=%.*s", P(escape(a, user)), P(x->nonce));
    return arena_printf(a, "n,,%.*s", P(x->first_bare));
}

/* The value of the attribute that must come next: "r=", then "s=", then "i=". */
static bool eat_attribute(slice *in, slice name, slice *value)
{
    return slice_next(in, ',', value) && slice_eat(value, name);
}

static void hmac(const unsigned char key[KEY], slice text, unsigned char out[KEY])
{
    unsigned n = KEY;
    HMAC(EVP_sha256(), key, KEY, (const unsigned char *)text.p, text.n, out, &n);
}

bool scram_client_final(struct scram_client *x, struct arena *a, slice server_first, slice *out)
{
    slice rest = server_first, nonce, salt64, count, salt;
    uint64_t iterations;
    if (!eat_attribute(&rest, S("r="), &nonce) || !eat_attribute(&rest, S("s="), &salt64) ||
        !eat_attribute(&rest, S("i="), &count) || nonce.n <= x->nonce.n ||
        !slice_starts(nonce, x->nonce) || !base64_decode_strict(a, salt64, &salt) || !salt.n ||
        !slice_u64(count, LIMIT_SCRAM_ITERATIONS, &iterations) || iterations < ITERATIONS_LEAST)
        return false;

    unsigned char salted[KEY], client_key[KEY], stored_key[KEY], server_key[KEY], proof[KEY];
    if (!PKCS5_PBKDF2_HMAC(x->password.p, (int)x->password.n, (const unsigned char *)salt.p,
                           (int)salt.n, (int)iterations, EVP_sha256(), KEY, salted))
        return false;
    hmac(salted, S("Client Key"), client_key);
    hmac(salted, S("Server Key"), server_key);
    EVP_Digest(client_key, KEY, stored_key, NULL, EVP_sha256(), NULL);

    slice without_proof = arena_printf(a, "c=biws,r=%.*s", P(nonce)); /* "biws": "n,," */
    slice auth_message =
        arena_printf(a, "%.*s,%.*s,%.*s", P(x->first_bare), P(server_first), P(without_proof));
    hmac(stored_key, auth_message, proof);
    for (size_t i = 0; i < KEY; i++)
        proof[i] ^= client_key[i];
    hmac(server_key, auth_message, x->server_signature);
    *out = arena_printf(a, "%.*s,p=%.*s", P(without_proof),
                        P(base64_text(a, (slice){(const char *)proof, KEY})));
    OPENSSL_cleanse(salted, KEY);
    OPENSSL_cleanse(client_key, KEY);
    return true;
}

bool scram_client_verify(const struct scram_client *x, struct arena *a, slice server_final)
{
    slice value, signature;
    return eat_attribute(&server_final, S("v="), &value) &&
           base64_decode_strict(a, value, &signature) && signature.n == KEY &&
           CRYPTO_memcmp(signature.p, x->server_signature, KEY) == 0;
}
