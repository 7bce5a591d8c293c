/*
 * The few things the rest of the program says to an SQL engine.  One struct db is one connection:
 * the writer's inside store_write(), or a reader's from store_read().  Statements are prepared once
 * for each connection and found again by the address of their text, so pass string literals.
 *
 * Errors stick: after one, queries give no row, and store_write() fails its whole batch with
 * TEMPFAIL; no caller checks each statement.  A failed constraint is not an error: sql_exec returns
 * -1 for it.
 */
#ifndef STORE_SQL_H
#define STORE_SQL_H

#include "base/arena.h"
#include "base/slice.h"

struct db;
struct sql; /* a running query */

/*
 * Binds by the letters of types and runs: i int64_t, t slice as text, b slice as blob, n no
 * argument: NULL, N int64_t where 0 means NULL.  Pass a true int64_t (INT64_C(1), never 1).
 *   sql_exec(db, "UPDATE q_item SET due=? WHERE id=?", "ii", due, id)
 * Returns rows changed, -1 when a constraint refused, -2 on an error (which sticks).
 */
int sql_exec(struct db *db, const char *text, const char *types, ...);

/* Starts a query; never NULL.  while (sql_row(q)) …; ends by itself after the last row, else
 * sql_end. */
struct sql *sql_query(struct db *db, const char *text, const char *types, ...);
bool sql_row(struct sql *q);
void sql_end(struct sql *q);
int64_t sql_int(struct sql *q, int column);
/* Borrowed until the next sql_row or sql_end; "" for NULL. */
slice sql_bytes(struct sql *q, int column);
bool sql_is_null(struct sql *q, int column);

/* First column of the first row as a number; otherwise when there is no row or it is NULL. */
int64_t sql_number(struct db *db, int64_t otherwise, const char *text, const char *types, ...);
/* First column of the first row, copied into the arena; false when there is no row. */
bool sql_slice(struct db *db, struct arena *a, slice *out, const char *text, const char *types,
               ...);

/* True once something failed on this connection (since the transaction began). */
bool sql_failed(const struct db *db);

#endif
