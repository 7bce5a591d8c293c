/*
 * The SQL engine: SQLite in WAL mode, synchronous=FULL.
 *
 * Invariants
 *   E1  A statement is prepared once for each connection and text, found by the text's address.
 *   E2  An error sticks: until db_rollback or db_tidy no statement runs, so nothing can slip in
 *       after SQLite rolled the transaction back by itself.
 *   E3  A refused constraint is no error: it undoes its statement and nothing else.
 *   E4  A failed sync aborts the process, on any connection.
 *   E5  A reader borrows a connection at its first statement, not before.
 * A query is free -> running (sql_query) -> free (last row, error or sql_end).
 */
#include "store/engine.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/log.h"
#include "store/internal.h"
#include "store/vfs.h"
#include "base/banned.h"

struct sql {
    struct db *db;
    const char *text;
    sqlite3_stmt *stmt;
    struct sql *again; /* another statement of the same text, for a query inside its own loop */
    bool writes_watched;
    bool running;
    bool has_row;
};

struct db {
    sqlite3 *handle;
    struct sql **slots; /* open addressing by the text's address */
    size_t slot_count, used;
    int running; /* queries not yet ended */
    int code;    /* sticky error, 0: none */
    int wal_pages;
    struct sql none;      /* what a failed sql_query returns */
    struct store *lender; /* a reader: asks here, at the first statement, for … */
    struct db *lent;      /* … this one, which then runs all */
    struct memo *memo;
    const char *const *watch_tables;
    bool writes_watched; /* the statement just prepared */
    void (*watch_fn)(void *arg);
    void *watch_arg;
    char error[256];
};

_Noreturn void store_die(const char *what, int error)
{
    log_event(LEVEL_ERROR, "store.abort", "what=\"%s\" error=\"%s\"", what, strerror(error));
    log_flush();
    fprintf(stderr, "yizhan: %s failed (%s): stopping, to recover from what is on disk\n", what,
            strerror(error));
    abort();
}

/* Notes the first error of a transaction (E2); a failed sync ends the process (E4). */
static void db_fail(struct db *db, const char *text)
{
    int code = sqlite3_extended_errcode(db->handle);
    if (code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC)
        store_die("sync of the database", EIO);
    if (db->code)
        return;
    db->code = code ? code : SQLITE_ERROR;
    snprintf(db->error, sizeof(db->error), "%s (code %d) in: %.80s", sqlite3_errmsg(db->handle),
             db->code, text);
    log_event(LEVEL_WARNING, "store.sql", "error=%s", log_quote(slice_c(db->error)));
}

/* The connection that runs the statements of db; NULL when none could be had. */
static struct db *connection_of(struct db *db)
{
    if (!db->lender)
        return db;
    if (!db->lent && !db->code) {
        db->lent = reader_take(db->lender);
        if (!db->lent)
            db->code = SQLITE_CANTOPEN;
    }
    return db->lent;
}

struct db *db_borrow(struct store *lender, struct memo *memo)
{
    struct db *db = mem_alloc(sizeof(*db));
    *db = (struct db){.lender = lender, .memo = memo};
    return db;
}

void db_return(struct db *db)
{
    if (db->lent)
        reader_give(db->lender, db->lent);
    mem_free(db);
}

static struct sql **slot_of(struct db *db, const char *text)
{
    size_t at = (size_t)(((uintptr_t)text * UINT64_C(0x9e3779b97f4a7c15)) >> 20);
    for (;; at++) {
        struct sql **slot = &db->slots[at & (db->slot_count - 1)];
        if (!*slot || (*slot)->text == text)
            return slot;
    }
}

static void slots_grow(struct db *db)
{
    struct sql **old = db->slots;
    size_t count = db->slot_count;
    db->slot_count = count ? count * 2 : 128;
    db->slots = mem_alloc(db->slot_count * sizeof(*db->slots));
    memset(db->slots, 0, db->slot_count * sizeof(*db->slots));
    for (size_t i = 0; i < count; i++)
        if (old[i])
            *slot_of(db, old[i]->text) = old[i];
    mem_free(old);
}

static struct sql *sql_prepare(struct db *db, const char *text)
{
    sqlite3_stmt *stmt = NULL;
    db->writes_watched = false;
    if (sqlite3_prepare_v3(db->handle, text, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) !=
        SQLITE_OK) {
        db_fail(db, text);
        return NULL;
    }
    struct sql *q = mem_alloc(sizeof(*q));
    *q = (struct sql){.db = db, .text = text, .stmt = stmt, .writes_watched = db->writes_watched};
    return q;
}

/* A free statement for the text, or NULL (E1).  A text that changed at its address is noticed. */
static struct sql *sql_get(struct db *db, const char *text)
{
    if (db->used * 2 >= db->slot_count)
        slots_grow(db);
    struct sql **at = slot_of(db, text);
    bool fresh = !*at;
    while (*at && ((*at)->running || strcmp(sqlite3_sql((*at)->stmt), text) != 0))
        at = &(*at)->again;
    if (!*at) {
        *at = sql_prepare(db, text);
        db->used += fresh && *at;
    }
    return *at;
}

static void bind_text(struct sql *q, int n, slice s, bool blob, bool keep)
{
    sqlite3_destructor_type life = keep ? SQLITE_STATIC : SQLITE_TRANSIENT;
    const char *p = s.n ? s.p : "";
    assert(s.n < INT32_MAX);
    if (blob)
        sqlite3_bind_blob(q->stmt, n, p, (int)s.n, life);
    else
        sqlite3_bind_text(q->stmt, n, p, (int)s.n, life);
}

static void sql_bind(struct sql *q, const char *types, va_list args, bool keep)
{
    int n = 0;
    if (q->writes_watched)
        q->db->watch_fn(q->db->watch_arg);
    for (; *types; types++) {
        n++;
        int64_t number = *types == 'i' || *types == 'N' ? va_arg(args, int64_t) : 0;
        if (*types == 'i' || (*types == 'N' && number))
            sqlite3_bind_int64(q->stmt, n, number);
        else if (*types == 't' || *types == 'b')
            bind_text(q, n, va_arg(args, slice), *types == 'b', keep);
        else
            sqlite3_bind_null(q->stmt, n);
    }
    assert(n == sqlite3_bind_parameter_count(q->stmt));
}

int sql_exec(struct db *db, const char *text, const char *types, ...)
{
    db = connection_of(db);
    struct sql *q = !db || db->code ? NULL : sql_get(db, text);
    if (!q)
        return -2;
    va_list args;
    va_start(args, types);
    sql_bind(q, types, args, true);
    va_end(args);
    int code;
    while ((code = sqlite3_step(q->stmt)) == SQLITE_ROW)
        ;
    int changes = sqlite3_changes(db->handle);
    if (code == SQLITE_DONE) {
        sqlite3_reset(q->stmt);
        return changes;
    }
    bool refused = (code & 0xff) == SQLITE_CONSTRAINT;
    if (!refused)
        db_fail(db, text);
    sqlite3_reset(q->stmt);
    return refused ? -1 : -2;
}

static struct sql *query_start(struct db *db, const char *text, const char *types, va_list args)
{
    struct db *c = connection_of(db);
    struct sql *q = !c || c->code ? NULL : sql_get(c, text);
    if (!q)
        return &db->none;
    sql_bind(q, types, args, false);
    q->running = true;
    c->running++;
    return q;
}

struct sql *sql_query(struct db *db, const char *text, const char *types, ...)
{
    va_list args;
    va_start(args, types);
    struct sql *q = query_start(db, text, types, args);
    va_end(args);
    return q;
}

bool sql_row(struct sql *q)
{
    if (!q->running)
        return false;
    int code = q->db->code ? SQLITE_ABORT : sqlite3_step(q->stmt);
    q->has_row = code == SQLITE_ROW;
    if (q->has_row)
        return true;
    if (code != SQLITE_DONE && !q->db->code)
        db_fail(q->db, q->text);
    sql_end(q);
    return false;
}

void sql_end(struct sql *q)
{
    if (!q->running)
        return;
    sqlite3_reset(q->stmt);
    sqlite3_clear_bindings(q->stmt);
    q->running = q->has_row = false;
    q->db->running--;
}

int64_t sql_int(struct sql *q, int column)
{
    return q->has_row ? sqlite3_column_int64(q->stmt, column) : 0;
}

slice sql_bytes(struct sql *q, int column)
{
    if (!q->has_row)
        return S("");
    const void *p = sqlite3_column_blob(q->stmt, column);
    int n = sqlite3_column_bytes(q->stmt, column);
    return p ? (slice){p, (size_t)n} : S("");
}

bool sql_is_null(struct sql *q, int column)
{
    return !q->has_row || sqlite3_column_type(q->stmt, column) == SQLITE_NULL;
}

int64_t sql_number(struct db *db, int64_t otherwise, const char *text, const char *types, ...)
{
    va_list args;
    va_start(args, types);
    struct sql *q = query_start(db, text, types, args);
    va_end(args);
    int64_t value = sql_row(q) && !sql_is_null(q, 0) ? sql_int(q, 0) : otherwise;
    sql_end(q);
    return value;
}

bool sql_slice(struct db *db, struct arena *a, slice *out, const char *text, const char *types, ...)
{
    va_list args;
    va_start(args, types);
    struct sql *q = query_start(db, text, types, args);
    va_end(args);
    bool found = sql_row(q);
    if (found)
        *out = arena_dup(a, sql_bytes(q, 0));
    sql_end(q);
    return found;
}

bool sql_failed(const struct db *db)
{
    return (db->lent ? db->lent : db)->code != 0;
}

const char *db_error(const struct db *db)
{
    return (db->lent ? db->lent : db)->error;
}

/* ---- connections ---- */

static void engine_configure(void)
{
    /* No global lock around every allocation for statistics nobody reads. */
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static int wal_written(void *arg, sqlite3 *handle, const char *name, int pages)
{
    (void)handle, (void)name;
    struct db *db = arg;
    db->wal_pages = pages;
    return SQLITE_OK;
}

static bool db_configure(struct db *db, const struct db_options *o)
{
    char text[512];
    snprintf(text, sizeof(text),
             "PRAGMA busy_timeout=2000; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
             "PRAGMA wal_autocheckpoint=0; PRAGMA secure_delete=OFF; PRAGMA temp_store=MEMORY;"
             "PRAGMA mmap_size=0; PRAGMA cache_size=-%zu; PRAGMA query_only=%d;",
             o->cache_bytes / 1024, o->reader);
    return db_script(db, text);
}

struct db *db_open(const struct db_options *o, struct buf *error)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, engine_configure);
    struct db *db = mem_alloc(sizeof(*db));
    *db = (struct db){0};
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (o->create ? SQLITE_OPEN_CREATE : 0);
    int code = sqlite3_open_v2(o->path, &db->handle, flags, store_vfs());
    if (db->handle)
        sqlite3_extended_result_codes(db->handle, 1);
    if (code == SQLITE_OK && db_configure(db, o)) {
        sqlite3_wal_hook(db->handle, wal_written, db);
        return db;
    }
    buf_printf(error, "%s: %s", o->path,
               db->handle ? sqlite3_errmsg(db->handle) : sqlite3_errstr(code));
    db_close(db);
    return NULL;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    for (size_t i = 0; i < db->slot_count; i++)
        for (struct sql *q = db->slots[i], *next; q; q = next) {
            next = q->again;
            sqlite3_finalize(q->stmt);
            mem_free(q);
        }
    mem_free(db->slots);
    sqlite3_close(db->handle);
    mem_free(db);
}

bool db_script(struct db *db, const char *script)
{
    if (!db->code && sqlite3_exec(db->handle, script, NULL, NULL, NULL) != SQLITE_OK)
        db_fail(db, script);
    return !db->code;
}

bool db_begin(struct db *db)
{
    return sql_exec(db, "BEGIN IMMEDIATE", "") >= 0;
}

bool db_commit(struct db *db)
{
    return sql_exec(db, "COMMIT", "") >= 0;
}

void db_tidy(struct db *db)
{
    for (size_t i = 0; db->running && i < db->slot_count; i++)
        for (struct sql *q = db->slots[i]; q; q = q->again)
            sql_end(q);
    db->code = 0;
}

void db_rollback(struct db *db)
{
    db = db->lent ? db->lent : db;
    db_tidy(db);
    if (!sqlite3_get_autocommit(db->handle))
        sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
    assert(sqlite3_get_autocommit(db->handle));
}

/* SQLite tells what a statement does while it is prepared. */
static int authorize(void *arg, int action, const char *table, const char *b, const char *c,
                     const char *d)
{
    (void)b, (void)c, (void)d;
    struct db *db = arg;
    if (action == SQLITE_INSERT || action == SQLITE_UPDATE || action == SQLITE_DELETE)
        for (size_t i = 0; db->watch_tables[i]; i++)
            db->writes_watched |= strcmp(table, db->watch_tables[i]) == 0;
    return SQLITE_OK;
}

void db_on_change(struct db *db, const char *const *tables, void (*fn)(void *arg), void *arg)
{
    db->watch_tables = tables;
    db->watch_fn = fn;
    db->watch_arg = arg;
    sqlite3_set_authorizer(db->handle, authorize, db);
}

struct memo *db_memo(struct db *db)
{
    return db ? db->memo : NULL;
}

int64_t db_changes(const struct db *db)
{
    return sqlite3_total_changes(db->handle);
}

int db_wal_pages(const struct db *db)
{
    return db->wal_pages;
}

bool db_checkpoint(struct db *db, int *left)
{
    int pages = 0, copied = 0;
    int code =
        sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_PASSIVE, &pages, &copied);
    if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY) {
        db_fail(db, "checkpoint");
        db_tidy(db);
    }
    *left = pages - copied;
    return code == SQLITE_OK;
}

void db_shrink(struct db *db)
{
    sqlite3_db_release_memory(db->handle);
}

bool db_copy_to(struct db *db, const char *path)
{
    return sql_exec(db, "VACUUM INTO ?", "t", slice_c(path)) >= 0;
}
