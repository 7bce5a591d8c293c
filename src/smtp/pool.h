/*
 * Open client connections kept for the next batch of a destination, so that several mails go over
 * one connection (RFC 5321 4.5.4.1).  Thread-safe.  What has been idle too long, or cannot be used
 * any more, is closed instead of handed out.
 */
#ifndef SMTP_POOL_H
#define SMTP_POOL_H

#include "smtp/client.h"

struct smtp_pool;

struct smtp_pool *smtp_pool_new(void);
/* Says QUIT to all and frees. */
void smtp_pool_end(struct smtp_pool *p);
/* A connection of that destination whose server has just answered, or NULL; the caller owns it. */
struct smtp_client *smtp_pool_take(struct smtp_pool *p, slice destination);
/* Keeps it for LIMIT_KEPT_MS, or closes it. */
void smtp_pool_give(struct smtp_pool *p, slice destination, struct smtp_client *c);
/* Closes what has been idle too long. */
void smtp_pool_sweep(struct smtp_pool *p);

#endif
