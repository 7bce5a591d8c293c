/* The arithmetic of SCRAM-SHA-256 (RFC 5802 section 3, RFC 7677): pure. */
#ifndef ACCOUNTS_SCRAM_H
#define ACCOUNTS_SCRAM_H

#include "accounts/secrets.h"

/* Derives what a server keeps.  Slow by intention. */
void scram_derive(slice password, const unsigned char salt[SCRAM_SALT], uint32_t iterations,
                  unsigned char stored_key[SCRAM_KEY], unsigned char server_key[SCRAM_KEY]);
/* Is this the ClientProof of somebody who knows the password?  In constant time. */
bool scram_proof_is(const unsigned char stored_key[SCRAM_KEY], slice auth_message, slice proof);
/* HMAC(key, AuthMessage): the ServerSignature. */
void scram_sign(const unsigned char key[SCRAM_KEY], slice auth_message,
                unsigned char signature[SCRAM_KEY]);

#endif
