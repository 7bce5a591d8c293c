/*
 * What reading the directory (who exists, where mail goes) gave, remembered for all readers until a
 * transaction that changed its tables is committed: so that a message costs no SQL before its
 * commit.  Any thread.
 */
#ifndef STORE_MEMO_H
#define STORE_MEMO_H

#include "base/arena.h"
#include "store/sql.h"

struct memo;

struct memo *memo_new(void);
void memo_free(struct memo *m);

/* The memory behind a reader's connection; NULL on the writer's, which sees what is not committed.
 * The functions below take NULL: nothing is remembered. */
struct memo *db_memo(struct db *db);

/* The value of a key, copied into the arena. */
bool memo_get(struct memo *m, struct arena *a, slice key, slice *value);
/* Asked before the tables are read: a change meanwhile makes what was read stale. */
uint64_t memo_version(struct memo *m);
void memo_put(struct memo *m, uint64_t version, slice key, slice value);
/* After a COMMIT that changed the tables, before it is answered. */
void memo_forget(struct memo *m);

#endif
