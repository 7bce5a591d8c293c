/*
 * Connections to SQLite, for the files of this folder alone; everybody else speaks store/sql.h.
 * SQLite's own names appear in sqlite.c, vfs.c, fault.c and nowhere else.
 */
#ifndef STORE_ENGINE_H
#define STORE_ENGINE_H

#include "base/buf.h"
#include "store/sql.h"

struct db_options {
    const char *path;
    bool create;
    bool reader;        /* refuses to write */
    size_t cache_bytes; /* page cache, at most */
};

/* NULL on failure, with what happened in error. */
struct db *db_open(const struct db_options *o, struct buf *error);
/* Safe on NULL. */
void db_close(struct db *db);

/* A reader's connection that is not there before its first statement: reader_take() of the lender
 * brings it, db_return() gives it back. */
struct store;
struct memo;
struct db *db_borrow(struct store *lender, struct memo *memo);
void db_return(struct db *db);

/* Runs several statements; false on failure (which sticks). */
bool db_script(struct db *db, const char *script);
/* BEGIN IMMEDIATE … COMMIT, or ROLLBACK, which also forgets the error. */
bool db_begin(struct db *db);
bool db_commit(struct db *db);
void db_rollback(struct db *db);
/* Ends queries somebody left open; forgets a sticky error. */
void db_tidy(struct db *db);
/* The sticky error in words. */
const char *db_error(const struct db *db);

/* Calls fn(arg) at each statement run here that writes one of these tables (NULL at the end).
 * To be set before any statement is prepared. */
void db_on_change(struct db *db, const char *const *tables, void (*fn)(void *arg), void *arg);
/* Rows changed since the connection was opened. */
int64_t db_changes(const struct db *db);
/* Pages in the write-ahead log after the last commit of this connection. */
int db_wal_pages(const struct db *db);
/*
 * Copies the log into the database as far as readers allow.  *left: pages not yet copied; 0 lets
 * the next commit begin the log anew.  False when it could not run now.
 */
bool db_checkpoint(struct db *db, int *left);
/* Gives the page cache back. */
void db_shrink(struct db *db);
/* A consistent copy of the whole database into a new file. */
bool db_copy_to(struct db *db, const char *path);

/* One line on standard error and in the log, then abort(): a sync failed, memory proves nothing. */
_Noreturn void store_die(const char *what, int error);

#endif
