/*
 * The one verifier (RFC 5802 section 3):
 *
 *   SaltedPassword = PBKDF2-HMAC-SHA-256(password, salt, i)
 *   ClientKey = HMAC(SaltedPassword, "Client Key"), StoredKey = SHA-256(ClientKey)
 *   ServerKey = HMAC(SaltedPassword, "Server Key")
 *   ClientProof = ClientKey XOR HMAC(StoredKey, AuthMessage)
 *
 * PLAIN derives the StoredKey from the password given and compares; an account that does not exist
 * takes the same road with a faked salt, so that time does not tell who exists.
 */
#include "accounts/secrets.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "accounts/remember.h"
#include "accounts/scram.h"
#include "accounts/secrets_db.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/sha256.h"
#include "base/banned.h"

/* 2^16: the most that Cyrus SASL takes, and so mutt and mbsync; beyond it they do not log in. */
enum { ITERATIONS = 65536, APP_RANDOM = 16, APP_DIGITS = 26, APP_GROUP = 5 };

struct secrets {
    struct arena arena;
    struct secrets_db *db;
    struct remember *memory;
};

struct secrets *secrets_open(const char *dir, bool create, struct buf *error)
{
    struct secrets_db *db = secrets_db_open(dir, create, error);
    if (!db)
        return NULL;
    struct arena arena = {0};
    struct secrets *s = arena_new(&arena, struct secrets);
    s->arena = arena;
    s->db = db;
    s->memory = remember_new();
    return s;
}

void secrets_close(struct secrets *s)
{
    if (!s)
        return;
    secrets_db_close(s->db);
    remember_end(s->memory);
    struct arena arena = s->arena;
    arena_end(&arena);
}

/* ---- the password ---- */

/* What may be a password at all: UTF-8 without controls (the prohibitions of RFC 4013 2.3 that
 * matter; no mapping and no normalisation, so that every client's bytes count as they are). */
static bool password_is_sound(slice password)
{
    if (password.n == 0 || password.n > LIMIT_PASSWORD || !slice_is_utf8(password))
        return false;
    for (size_t i = 0; i < password.n; i++)
        if ((unsigned char)password.p[i] < 0x20 || password.p[i] == 0x7f)
            return false;
    return true;
}

enum outcome secrets_set_password(struct secrets *s, int64_t account, slice password)
{
    if (!password_is_sound(password))
        return PERMFAIL;
    struct verifier v = {.iterations = ITERATIONS};
    rand_bytes(v.salt, sizeof(v.salt));
    scram_derive(password, v.salt, v.iterations, v.stored_key, v.server_key);
    enum outcome o = secrets_db_set_verifier(s->db, account, &v);
    remember_forget(s->memory, account);
    OPENSSL_cleanse(&v, sizeof(v));
    return o;
}

enum outcome secrets_forget(struct secrets *s, int64_t account)
{
    enum outcome o = secrets_db_forget(s->db, account);
    remember_forget(s->memory, account);
    return o;
}

/* The verifier of the account; PERMFAIL leaves a fake one, the same each time for a seed. */
static enum outcome verifier_of(struct secrets *s, int64_t account, slice seed, struct verifier *v)
{
    *v = (struct verifier){0};
    enum outcome o = secrets_db_verifier(s->db, account, v);
    if (o != PERMFAIL)
        return o;
    unsigned char key[SCRAM_KEY], mac[SCRAM_KEY];
    secrets_db_fake_key(s->db, key);
    HMAC(EVP_sha256(), key, sizeof(key), (const unsigned char *)seed.p, seed.n, mac, NULL);
    memcpy(v->salt, mac, sizeof(v->salt));
    v->iterations = ITERATIONS;
    OPENSSL_cleanse(key, sizeof(key));
    return PERMFAIL;
}

enum outcome secrets_check_password(struct secrets *s, int64_t account, slice password,
                                    bool may_hash)
{
    bool sound = password_is_sound(password);
    if (sound && remember_has(s->memory, account, password, clock_mono_ms()))
        return DONE;
    if (!may_hash)
        return WAIT;
    uint64_t epoch = remember_epoch(s->memory);
    struct verifier v;
    enum outcome known = verifier_of(s, account, S(""), &v);
    if (known == TEMPFAIL)
        return TEMPFAIL;
    unsigned char stored_key[SCRAM_KEY], server_key[SCRAM_KEY];
    scram_derive(sound ? password : S("-"), v.salt, v.iterations, stored_key, server_key);
    bool same = CRYPTO_memcmp(stored_key, v.stored_key, SCRAM_KEY) == 0;
    OPENSSL_cleanse(server_key, sizeof(server_key));
    OPENSSL_cleanse(&v, sizeof(v));
    if (!same || !sound || known != DONE)
        return PERMFAIL;
    remember_add(s->memory, account, password, epoch, clock_mono_ms());
    secrets_db_used(s->db, account);
    return DONE;
}

/* ---- SCRAM ---- */

bool secrets_scram_parameters(struct secrets *s, int64_t account, slice name,
                              unsigned char salt[SCRAM_SALT], uint32_t *iterations)
{
    struct verifier v;
    if (verifier_of(s, account, name, &v) == TEMPFAIL)
        return false;
    memcpy(salt, v.salt, SCRAM_SALT);
    *iterations = v.iterations;
    OPENSSL_cleanse(&v, sizeof(v));
    return true;
}

enum outcome secrets_scram_verify(struct secrets *s, int64_t account, slice auth_message,
                                  slice client_proof, unsigned char server_signature[SCRAM_KEY])
{
    struct verifier v;
    enum outcome known = verifier_of(s, account, S(""), &v);
    if (known == TEMPFAIL)
        return TEMPFAIL;
    bool right = scram_proof_is(v.stored_key, auth_message, client_proof);
    if (known == DONE && right)
        scram_sign(v.server_key, auth_message, server_signature);
    OPENSSL_cleanse(&v, sizeof(v));
    if (known != DONE || !right)
        return PERMFAIL;
    secrets_db_used(s->db, account);
    return DONE;
}

/* ---- app passwords ---- */

static const char app_letters[] = "abcdefghijklmnopqrstuvwxyz234567";

/* 128 bits in 26 base 32 digits, in groups of five: what a person can type on a telephone. */
static void app_text(const unsigned char random[APP_RANDOM], struct buf *out)
{
    uint32_t bits = 0;
    int have = 0, at = 0;
    for (int i = 0; i < APP_DIGITS; i++) {
        if (have < 5) {
            bits = bits << 8 | (at < APP_RANDOM ? random[at++] : 0);
            have += 8;
        }
        if (i && i % APP_GROUP == 0)
            buf_add_byte(out, '-');
        buf_add_byte(out, app_letters[bits >> (have - 5) & 31]);
        have -= 5;
    }
}

/* The SHA-256 of its digits (groups and case do not matter); false when it has not that form. */
static bool app_hash(slice password, unsigned char hash[SCRAM_KEY])
{
    char digits[APP_DIGITS];
    size_t n = 0, at = 0;
    for (; at < password.n && n < APP_DIGITS; at++) {
        char c = ascii_lower(password.p[at]);
        if (c == '-' || c == ' ')
            continue;
        if (!memchr(app_letters, c, sizeof(app_letters) - 1))
            break;
        digits[n++] = c;
    }
    slice rest = slice_skip(password, at);
    while (slice_eat(&rest, S("-")) || slice_eat(&rest, S(" ")))
        ;
    bool whole = n == APP_DIGITS && rest.n == 0;
    if (whole)
        sha256((slice){digits, APP_DIGITS}, hash);
    OPENSSL_cleanse(digits, sizeof(digits));
    return whole;
}

enum outcome secrets_app_add(struct secrets *s, struct arena *a, int64_t account, slice name,
                             slice scope, slice *password)
{
    unsigned char random[APP_RANDOM];
    struct app_password app = {.name = name, .scope = scope};
    struct buf text = {.max = 2 * APP_DIGITS};
    rand_bytes(random, sizeof(random));
    app_text(random, &text);
    (void)app_hash(buf_slice(&text), app.sha256);
    enum outcome o = secrets_db_app_add(s->db, account, &app);
    if (o == DONE)
        *password = arena_dup(a, buf_slice(&text));
    OPENSSL_cleanse(random, sizeof(random));
    OPENSSL_cleanse(text.p, text.size);
    buf_end(&text);
    return o;
}

enum outcome secrets_app_remove(struct secrets *s, int64_t account, int64_t id)
{
    return secrets_db_app_remove(s->db, account, id);
}

enum outcome secrets_app_list(struct secrets *s, int64_t account,
                              void (*fn)(void *ctx, int64_t id, slice name, slice scope,
                                         int64_t created_ms, int64_t last_used_ms),
                              void *ctx)
{
    return secrets_db_app_list(s->db, account, fn, ctx);
}

static bool scope_has(slice scope, slice protocol)
{
    slice word;
    if (scope.n == 0)
        return true;
    while (slice_next(&scope, ' ', &word))
        if (slice_eq(word, protocol))
            return true;
    return false;
}

enum outcome secrets_check_app(struct secrets *s, int64_t account, slice password, slice protocol)
{
    unsigned char hash[SCRAM_KEY];
    slice scope;
    if (!app_hash(password, hash))
        return PERMFAIL;
    struct arena a = {0};
    enum outcome o = secrets_db_app_find(s->db, &a, account, hash, &scope);
    if (o == DONE && !scope_has(scope, protocol))
        o = PERMFAIL;
    arena_end(&a);
    return o;
}
