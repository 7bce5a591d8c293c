/*
 * The login service that SMTP, POP3 and IMAP share, and the server's side of SASL (RFC 4422): PLAIN
 * (4616), LOGIN, SCRAM-SHA-256 (5802, 7677), one file a mechanism (sasl_*.c), one table.  Messages
 * are raw, base64 is the protocol's.  Every login is logged and counted here.
 */
#ifndef ACCOUNTS_SASL_H
#define ACCOUNTS_SASL_H

#include "accounts/directory.h"
#include "accounts/limits.h"
#include "accounts/secrets.h"
#include "base/sasl.h"
#include "net/session.h"

/* What a login is decided with; owned by main. */
struct login_service {
    struct store *store;
    struct secrets *secrets;
    struct limits *limits; /* NULL: guessing is not slowed */
};

struct sasl; /* one exchange */

/* "SCRAM-SHA-256 PLAIN LOGIN"; without the plaintext ones unless safe (TLS, or allowed). */
slice sasl_mechanisms(bool safe);
/*
 * Starts; NULL when the mechanism is unknown (or plaintext and not safe).  protocol is "smtp",
 * "pop3", "imap": for the log and the scope of app passwords; peer and protocol outlive it.
 */
struct sasl *sasl_start(const struct login_service *login, slice mechanism, const char *protocol,
                        const struct peer *peer, bool safe);
/* One message of the client.  has_response is false when there was no initial response. */
enum sasl_result sasl_step(struct sasl *x, bool has_response, slice response, struct arena *a,
                           slice *reply);
/* After SASL_HASH, on a POOL_HASH thread. */
enum sasl_result sasl_hash(struct sasl *x);
/* After SASL_OK: the account and its primary address (in a). */
int64_t sasl_account(const struct sasl *x, struct arena *a, slice *login);
/* After SASL_TEMPFAIL: why, for the reply: "Too many wrong passwords, wait 8 s". */
slice sasl_reason(const struct sasl *x);
/* Wipes and frees; NULL is fine. */
void sasl_end(struct sasl *x);

/*
 * Name and password given outright (POP3 USER/PASS, IMAP LOGIN, HTTP Basic): the same exchange
 * without messages.  sasl_password returns what sasl_step does, never SASL_CHALLENGE.
 */
struct sasl *sasl_start_password(const struct login_service *login, const char *protocol,
                                 const struct peer *peer);
enum sasl_result sasl_password(struct sasl *x, slice name, slice password);

#endif
