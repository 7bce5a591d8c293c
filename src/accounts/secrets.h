/*
 * Everything secret, in secrets.db, a file of its own, reached only through here; later a process
 * of its own (the keyholder), so nothing below returns a secret.  One verifier per password:
 * SCRAM-SHA-256 with at least 100,000 iterations, also used for PLAIN.
 */
#ifndef ACCOUNTS_SECRETS_H
#define ACCOUNTS_SECRETS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/outcome.h"

struct secrets;

struct secrets *secrets_open(const char *dir, bool create, struct buf *error);
void secrets_close(struct secrets *s);

/* Sets (or replaces) the password of an account.  Slow: 100,000 iterations.  Durable when DONE. */
enum outcome secrets_set_password(struct secrets *s, int64_t account, slice password);
/* Forgets all credentials of an account. */
enum outcome secrets_forget(struct secrets *s, int64_t account);

/*
 * Checks a password.  *slow NULL: the slow hash is run when it must be.  Else: only the 10-minute
 * memory is asked; *slow = true says "ask again with NULL, on a POOL_HASH thread".  account 0
 * (unknown user) costs the same time and fails.
 */
bool secrets_check_password(struct secrets *s, int64_t account, slice password, bool *slow);

/* SCRAM-SHA-256 (RFC 5802, 7677): salt and iterations for the server-first message; stable fakes
 * for account 0. */
bool secrets_scram_parameters(struct secrets *s, int64_t account, slice name,
                              unsigned char salt[16], uint32_t *iterations);
/* Checks ClientProof over authMessage; on success fills the ServerSignature. */
bool secrets_scram_verify(struct secrets *s, int64_t account, slice auth_message,
                          slice client_proof, unsigned char server_signature[32]);

#endif
