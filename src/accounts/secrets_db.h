/*
 * The rows of secrets.db: a small SQLite file of its own, so that the store can be copied, checked
 * and handed around without the secrets.  WAL, synchronous FULL.  One connection under a lock:
 * a query is microseconds, the hashing happens outside.
 *
 *   user_version             the format, 1
 *   meta(name, value)        fakeKey
 *   credential(id, account, kind, scope, name, salt, iterations, storedKey, serverKey, created,
 *              lastUsed)     kind 1: the password (SCRAM-SHA-256), 2: an app password
 *                            (storedKey = SHA-256)
 */
#ifndef ACCOUNTS_SECRETS_DB_H
#define ACCOUNTS_SECRETS_DB_H

#include "accounts/secrets.h"

struct secrets_db;

/* A password's verifier (RFC 5802 section 3). */
struct verifier {
    unsigned char salt[SCRAM_SALT];
    uint32_t iterations;
    unsigned char stored_key[SCRAM_KEY];
    unsigned char server_key[SCRAM_KEY];
};

struct app_password {
    slice name, scope;
    unsigned char sha256[SCRAM_KEY];
};

struct secrets_db *secrets_db_open(const char *dir, bool create, struct buf *error);
void secrets_db_close(struct secrets_db *d);
/* The key that fakes salts for names nobody has: the same over restarts. */
void secrets_db_fake_key(const struct secrets_db *d, unsigned char key[SCRAM_KEY]);

/* DONE, PERMFAIL (there is none), TEMPFAIL. */
enum outcome secrets_db_verifier(struct secrets_db *d, int64_t account, struct verifier *v);
enum outcome secrets_db_set_verifier(struct secrets_db *d, int64_t account,
                                     const struct verifier *v);
enum outcome secrets_db_forget(struct secrets_db *d, int64_t account);
/* Notes the use of an account's password, at most once an hour. */
void secrets_db_used(struct secrets_db *d, int64_t account);

enum outcome secrets_db_app_add(struct secrets_db *d, int64_t account,
                                const struct app_password *app);
enum outcome secrets_db_app_remove(struct secrets_db *d, int64_t account, int64_t id);
enum outcome secrets_db_app_list(struct secrets_db *d, int64_t account,
                                 void (*fn)(void *ctx, int64_t id, slice name, slice scope,
                                            int64_t created_ms, int64_t last_used_ms),
                                 void *ctx);
/* Finds by hash: DONE fills *scope (in a) and notes the use. */
enum outcome secrets_db_app_find(struct secrets_db *d, struct arena *a, int64_t account,
                                 const unsigned char sha256[SCRAM_KEY], slice *scope);

#endif
