/*
 * Everything secret, in secrets.db, a file of its own (mode 0600), reached only through here; later
 * a process of its own (the keyholder), so nothing below returns a secret but a new app password,
 * once.  One verifier per password: SCRAM-SHA-256 (RFC 5802, 7677) with 65,536 iterations, also
 * used for PLAIN.  A password is UTF-8 without ASCII control characters, used as it is.
 */
#ifndef ACCOUNTS_SECRETS_H
#define ACCOUNTS_SECRETS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/outcome.h"

struct secrets;

/* Opens (or creates) DIR/secrets.db.  NULL on failure, with one line in error. */
struct secrets *secrets_open(const char *dir, bool create, struct buf *error);
void secrets_close(struct secrets *s);

/*
 * Sets (or replaces) the password of an account.  Slow: 65,536 iterations.  Durable when DONE.
 * PERMFAIL: empty, too long, not UTF-8 or with control characters.
 */
enum outcome secrets_set_password(struct secrets *s, int64_t account, slice password);
/* Forgets all credentials of an account. */
enum outcome secrets_forget(struct secrets *s, int64_t account);

/*
 * Checks a password: DONE it is right, PERMFAIL it is not, TEMPFAIL the file cannot be read.
 * may_hash false asks only the 10-minute memory; WAIT then says "ask again with true, on a
 * POOL_HASH thread".  account 0 (unknown user) costs the same time and fails.
 */
enum outcome secrets_check_password(struct secrets *s, int64_t account, slice password,
                                    bool may_hash);

enum { SCRAM_SALT = 16, SCRAM_KEY = 32 };

/*
 * SCRAM: salt and iterations for the server-first message; for account 0 and accounts without a
 * password fakes, stable for a name.  False when the file cannot be read.
 */
bool secrets_scram_parameters(struct secrets *s, int64_t account, slice name,
                              unsigned char salt[SCRAM_SALT], uint32_t *iterations);
/* Checks ClientProof over authMessage; DONE fills the ServerSignature; PERMFAIL, TEMPFAIL. */
enum outcome secrets_scram_verify(struct secrets *s, int64_t account, slice auth_message,
                                  slice client_proof, unsigned char server_signature[SCRAM_KEY]);

/*
 * App passwords: 128 random bits as text in groups ("xxxxx-xxxxx-…"), kept as SHA-256, one per
 * device.  scope: the protocols it opens, "smtp pop3"; "" all.
 */
enum outcome secrets_app_add(struct secrets *s, struct arena *a, int64_t account, slice name,
                             slice scope, slice *password);
enum outcome secrets_app_remove(struct secrets *s, int64_t account, int64_t id);
/* fn is called per app password, oldest first; last_used_ms 0: never (told to the hour). */
enum outcome secrets_app_list(struct secrets *s, int64_t account,
                              void (*fn)(void *ctx, int64_t id, slice name, slice scope,
                                         int64_t created_ms, int64_t last_used_ms),
                              void *ctx);
/* As secrets_check_password, never slow: DONE, PERMFAIL, TEMPFAIL. */
enum outcome secrets_check_app(struct secrets *s, int64_t account, slice password, slice protocol);

#endif
