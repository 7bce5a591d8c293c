/*
 * The server's side of SASL (RFC 4422): PLAIN (4616), LOGIN, SCRAM-SHA-256 (5802, 7677), one file a
 * mechanism (sasl_*.c), one table.  SMTP, POP3 and IMAP share it; messages are raw, base64 is
 * theirs.
 */
#ifndef ACCOUNTS_SASL_H
#define ACCOUNTS_SASL_H

#include "accounts/directory.h"
#include "accounts/secrets.h"
#include "base/sasl.h"

struct sasl;

/* "SCRAM-SHA-256 PLAIN LOGIN"; without the plaintext ones unless safe (TLS, or allowed). */
slice sasl_mechanisms(bool safe);
/* Starts; NULL when the mechanism is unknown (or plaintext and not safe). */
struct sasl *sasl_start(struct store *store, struct secrets *secrets, slice mechanism, bool safe);
enum sasl_result sasl_step(struct sasl *x, bool has_response, slice response, struct arena *a,
                           slice *reply);
/* After SASL_HASH, on a POOL_HASH thread. */
enum sasl_result sasl_hash(struct sasl *x);
/* After SASL_OK: the account and its primary address (in a). */
int64_t sasl_account(const struct sasl *x, struct arena *a, slice *login);
void sasl_end(struct sasl *x);

#endif
