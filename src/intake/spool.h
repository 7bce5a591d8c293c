/*
 * The bytes of one incoming message: up to LIMIT_BODY_IN_MEMORY in a buffer, beyond that an
 * unlinked file under DIR/tmp, parsed as a private mapping; from LIMIT_OWN_SEGMENT on that file
 * becomes a segment of its own, so that a large message is written once.
 */
#ifndef INTAKE_SPOOL_H
#define INTAKE_SPOOL_H

#include "store/store.h"

struct spool;

/* NULL when the memory budget or the disk is short.  tag is the caller's. */
struct spool *spool_open(struct store *store, uint64_t max_bytes, void *tag);
void *spool_tag(const struct spool *s);
/* False when it cannot be kept (disk full, larger than max): the rest is of no use. */
bool spool_add(struct spool *s, slice bytes);
/* The whole message, contiguous, until spool_close.  False when it cannot be mapped. */
bool spool_bytes(struct spool *s, slice *bytes);
/* As store_write wants it: the buffer, the mapping, or the file itself. */
void spool_body(struct spool *s, struct store_body *body);
void spool_close(struct spool *s);

#endif
