/*
 * Passwords found right within the last 10 minutes, as HMACs under a key of this process, so that a
 * client which logs in again does not cost 65,536 iterations.  A bounded table; forgotten when
 * the account's credentials change.
 */
#ifndef ACCOUNTS_REMEMBER_H
#define ACCOUNTS_REMEMBER_H

#include "base/slice.h"

#define REMEMBER_MS (10 * MINUTE_MS)

struct remember;

/* An empty memory under a new key; its end wipes it. */
struct remember *remember_new(void);
void remember_end(struct remember *r);

/* Was this password of the account right less than REMEMBER_MS ago? */
bool remember_has(struct remember *r, int64_t account, slice password, int64_t now_ms);
/* Taken before the verifier is read: a change of the password meanwhile makes it stale. */
uint64_t remember_epoch(struct remember *r);
void remember_add(struct remember *r, int64_t account, slice password, uint64_t epoch,
                  int64_t now_ms);
void remember_forget(struct remember *r, int64_t account);

#endif
