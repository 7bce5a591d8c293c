/*
 * The client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), without channel binding: the password is
 * never sent, and the server proves that it knows it too.  Pure but for the nonce.
 */
#ifndef SMTP_SCRAM_CLIENT_H
#define SMTP_SCRAM_CLIENT_H

#include "base/arena.h"

struct scram_client {
    slice password;
    slice nonce;                        /* ours; set it before the first message only in tests */
    slice first_bare;                   /* client-first-message-bare */
    unsigned char server_signature[32]; /* what the server must send */
};

/* The first message: "n,,n=user,r=nonce".  All messages are raw, in a; x borrows password. */
slice scram_client_first(struct scram_client *x, struct arena *a, slice user, slice password);
/*
 * Answers the server's first message ("r=...,s=...,i=..."): slow by intention (PBKDF2).  False when
 * the message is wrong, its nonce not ours, or i outside 4096 .. LIMIT_SCRAM_ITERATIONS.
 */
bool scram_client_final(struct scram_client *x, struct arena *a, slice server_first, slice *out);
/* Is the server's last message ("v=...") the proof that it knows the password? */
bool scram_client_verify(const struct scram_client *x, struct arena *a, slice server_final);

#endif
