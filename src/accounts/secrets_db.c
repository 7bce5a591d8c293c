/*
 * Prepared statements over secrets.db, one table of texts.  begin() takes the lock and binds, end()
 * turns SQLite's last word into an outcome and gives the lock back.
 */
#include "accounts/secrets_db.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/rand.h"
#include "store/vfs.h"
#include "base/banned.h"

enum { FORMAT = 1, KIND_PASSWORD = 1, KIND_APP = 2, BUSY_MS = 5000 };

enum statement {
    GET_FAKE_KEY,
    SET_FAKE_KEY,
    GET_VERIFIER,
    SET_VERIFIER,
    FORGET,
    USED,
    APP_COUNT,
    APP_ADD,
    APP_REMOVE,
    APP_LIST,
    APP_FIND,
    APP_USED,
    STATEMENT_LAST
};

static const char *const texts[STATEMENT_LAST] = {
    [GET_FAKE_KEY] = "SELECT value FROM meta WHERE name = 'fakeKey'",
    [SET_FAKE_KEY] = "INSERT OR IGNORE INTO meta(name, value) VALUES('fakeKey', ?)",
    [GET_VERIFIER] = "SELECT salt, iterations, storedKey, serverKey FROM credential"
                     " WHERE account = ? AND kind = 1",
    [SET_VERIFIER] = "INSERT INTO credential(account, kind, salt, iterations, storedKey, serverKey,"
                     " created) VALUES(?, 1, ?, ?, ?, ?, ?)"
                     " ON CONFLICT(account) WHERE kind = 1 DO UPDATE SET salt = excluded.salt,"
                     " iterations = excluded.iterations, storedKey = excluded.storedKey,"
                     " serverKey = excluded.serverKey, created = excluded.created, lastUsed = 0",
    [FORGET] = "DELETE FROM credential WHERE account = ?",
    [USED] = "UPDATE credential SET lastUsed = ?2 WHERE account = ?1 AND kind = 1"
             " AND lastUsed < ?2 - 3600000",
    [APP_COUNT] = "SELECT count(*) FROM credential WHERE account = ? AND kind = 2",
    [APP_ADD] = "INSERT INTO credential(account, kind, scope, name, storedKey, created)"
                " VALUES(?, 2, ?, ?, ?, ?)",
    [APP_REMOVE] = "DELETE FROM credential WHERE account = ? AND id = ? AND kind = 2",
    [APP_LIST] = "SELECT id, name, scope, created, lastUsed FROM credential"
                 " WHERE account = ? AND kind = 2 ORDER BY id",
    [APP_FIND] = "SELECT id, scope FROM credential"
                 " WHERE account = ? AND kind = 2 AND storedKey = ?",
    [APP_USED] = "UPDATE credential SET lastUsed = ?2 WHERE id = ?1 AND lastUsed < ?2 - 3600000",
};

static const char schema[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value);"
    "CREATE TABLE IF NOT EXISTS credential(id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " account INTEGER NOT NULL, kind INTEGER NOT NULL, scope TEXT NOT NULL DEFAULT '',"
    " name TEXT NOT NULL DEFAULT '', salt BLOB, iterations INTEGER, storedKey BLOB NOT NULL,"
    " serverKey BLOB, created INTEGER NOT NULL, lastUsed INTEGER NOT NULL DEFAULT 0);"
    "CREATE UNIQUE INDEX IF NOT EXISTS credentialPassword ON credential(account) WHERE kind = 1;"
    "CREATE INDEX IF NOT EXISTS credentialAccount ON credential(account, kind);"
    "PRAGMA user_version = 1;"
    "COMMIT";

struct secrets_db {
    struct arena arena;
    pthread_mutex_t lock;
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENT_LAST];
    unsigned char fake_key[SCRAM_KEY];
};

/* ---- a statement: bind, step, done ---- */

static slice column(sqlite3_stmt *q, int i)
{
    const void *p = sqlite3_column_blob(q, i);
    return p ? (slice){p, (size_t)sqlite3_column_bytes(q, i)} : (slice){"", 0};
}

/* The statement, locked; types: i int64_t, t text, b blob. */
static sqlite3_stmt *begin(struct secrets_db *d, enum statement which, const char *types, ...)
{
    pthread_mutex_lock(&d->lock);
    sqlite3_stmt *q = d->statements[which];
    va_list args;
    va_start(args, types);
    for (int i = 0; types[i]; i++) {
        if (types[i] == 'i') {
            sqlite3_bind_int64(q, i + 1, va_arg(args, int64_t));
            continue;
        }
        slice s = va_arg(args, slice);
        if (types[i] == 't')
            sqlite3_bind_text(q, i + 1, s.n ? s.p : "", (int)s.n, SQLITE_TRANSIENT);
        else
            sqlite3_bind_blob(q, i + 1, s.n ? s.p : "", (int)s.n, SQLITE_TRANSIENT);
    }
    va_end(args);
    return q;
}

/* Gives the statement back; result is sqlite3_step's last. */
static enum outcome end(struct secrets_db *d, sqlite3_stmt *q, int result)
{
    if (result != SQLITE_ROW && result != SQLITE_DONE)
        log_event(LEVEL_ERROR, "secrets.failed", "error=%s",
                  log_quote(slice_c(sqlite3_errmsg(d->db))));
    sqlite3_reset(q);
    sqlite3_clear_bindings(q);
    pthread_mutex_unlock(&d->lock);
    return result == SQLITE_ROW    ? DONE
           : result == SQLITE_DONE ? PERMFAIL /* no row */
                                   : TEMPFAIL;
}

/* Runs a change: DONE, TEMPFAIL; PERMFAIL when must_change and nothing did. */
static enum outcome change(struct secrets_db *d, sqlite3_stmt *q, bool must_change)
{
    int result = sqlite3_step(q);
    bool changed = sqlite3_changes(d->db) > 0;
    enum outcome o = end(d, q, result);
    if (o == TEMPFAIL)
        return TEMPFAIL;
    return changed || !must_change ? DONE : PERMFAIL;
}

/* ---- open and close ---- */

static bool file_prepare(const char *path, bool create, struct buf *error)
{
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | (create ? O_CREAT : 0), 0600);
    if (fd < 0) {
        buf_printf(error, "cannot open %s: %s", path, strerror(errno));
        return false;
    }
    struct stat st;
    bool ok = fstat(fd, &st) == 0 && ((st.st_mode & 077) == 0 || fchmod(fd, 0600) == 0);
    if (!ok)
        buf_printf(error, "%s must not be readable by others: chmod 600 it", path);
    close(fd);
    return ok;
}

static bool prepare_all(struct secrets_db *d)
{
    for (int i = 0; i < STATEMENT_LAST; i++)
        if (sqlite3_prepare_v3(d->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &d->statements[i],
                               NULL) != SQLITE_OK)
            return false;
    return true;
}

static bool load_fake_key(struct secrets_db *d)
{
    unsigned char fresh[SCRAM_KEY];
    rand_bytes(fresh, sizeof(fresh));
    slice value = {(const char *)fresh, sizeof(fresh)};
    if (change(d, begin(d, SET_FAKE_KEY, "b", value), false) != DONE)
        return false;
    sqlite3_stmt *q = begin(d, GET_FAKE_KEY, "");
    int result = sqlite3_step(q);
    slice key = result == SQLITE_ROW ? column(q, 0) : S("");
    bool ok = key.n == SCRAM_KEY;
    if (ok)
        memcpy(d->fake_key, key.p, SCRAM_KEY);
    return end(d, q, result) == DONE && ok;
}

/* The format of the file (0: a new one), -1 on an error. */
static int format_of(sqlite3 *db)
{
    sqlite3_stmt *q = NULL;
    int format = -1;
    if (sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &q, NULL) == SQLITE_OK &&
        sqlite3_step(q) == SQLITE_ROW)
        format = sqlite3_column_int(q, 0);
    sqlite3_finalize(q);
    return format;
}

static bool load(struct secrets_db *d, const char *path, struct buf *error)
{
    sqlite3_busy_timeout(d->db, BUSY_MS);
    int format = format_of(d->db);
    if (format > FORMAT) {
        buf_printf(error, "%s was written by a newer version: install that version", path);
        return false;
    }
    bool ok = format >= 0 &&
              sqlite3_exec(d->db,
                           "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                           "PRAGMA secure_delete = ON; PRAGMA cache_size = -256",
                           NULL, NULL, NULL) == SQLITE_OK &&
              (format > 0 || sqlite3_exec(d->db, schema, NULL, NULL, NULL) == SQLITE_OK) &&
              prepare_all(d) && load_fake_key(d);
    if (!ok)
        buf_printf(error, "cannot use %s: %s; restore it from a backup", path,
                   sqlite3_errmsg(d->db));
    return ok;
}

struct secrets_db *secrets_db_open(const char *dir, bool create, struct buf *error)
{
    struct arena arena = {0};
    struct secrets_db *d = arena_new(&arena, struct secrets_db);
    const char *path = arena_printf(&arena, "%s/secrets.db", dir).p;
    d->arena = arena;
    pthread_mutex_init(&d->lock, NULL);
    if (!file_prepare(path, create, error)) {
        secrets_db_close(d);
        return NULL;
    }
    if (sqlite3_open_v2(path, &d->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, store_vfs()) !=
        SQLITE_OK) {
        buf_printf(error, "cannot open %s: %s", path, sqlite3_errmsg(d->db));
        secrets_db_close(d);
        return NULL;
    }
    if (!load(d, path, error)) {
        secrets_db_close(d);
        return NULL;
    }
    return d;
}

void secrets_db_close(struct secrets_db *d)
{
    if (!d)
        return;
    for (int i = 0; i < STATEMENT_LAST; i++)
        sqlite3_finalize(d->statements[i]);
    sqlite3_close(d->db);
    pthread_mutex_destroy(&d->lock);
    struct arena arena = d->arena;
    OPENSSL_cleanse(d, sizeof(*d));
    arena_end(&arena);
}

void secrets_db_fake_key(const struct secrets_db *d, unsigned char key[SCRAM_KEY])
{
    memcpy(key, d->fake_key, SCRAM_KEY);
}

/* ---- the password ---- */

static bool copy_column(sqlite3_stmt *q, int i, unsigned char *to, size_t n)
{
    slice s = column(q, i);
    if (s.n == n)
        memcpy(to, s.p, n);
    return s.n == n;
}

enum outcome secrets_db_verifier(struct secrets_db *d, int64_t account, struct verifier *v)
{
    sqlite3_stmt *q = begin(d, GET_VERIFIER, "i", account);
    int result = sqlite3_step(q);
    if (result == SQLITE_ROW) {
        int64_t iterations = sqlite3_column_int64(q, 1);
        v->iterations = (uint32_t)iterations;
        if (iterations < 1 || iterations > INT32_MAX ||
            !copy_column(q, 0, v->salt, sizeof(v->salt)) ||
            !copy_column(q, 2, v->stored_key, sizeof(v->stored_key)) ||
            !copy_column(q, 3, v->server_key, sizeof(v->server_key)))
            result = SQLITE_CORRUPT;
    }
    return end(d, q, result);
}

enum outcome secrets_db_set_verifier(struct secrets_db *d, int64_t account,
                                     const struct verifier *v)
{
    slice salt = {(const char *)v->salt, sizeof(v->salt)};
    slice stored = {(const char *)v->stored_key, sizeof(v->stored_key)};
    slice server = {(const char *)v->server_key, sizeof(v->server_key)};
    return change(d,
                  begin(d, SET_VERIFIER, "ibibbi", account, salt, (int64_t)v->iterations, stored,
                        server, clock_ms()),
                  true);
}

enum outcome secrets_db_forget(struct secrets_db *d, int64_t account)
{
    return change(d, begin(d, FORGET, "i", account), false);
}

void secrets_db_used(struct secrets_db *d, int64_t account)
{
    (void)change(d, begin(d, USED, "ii", account, clock_ms()), false);
}

/* ---- app passwords ---- */

static int64_t app_count(struct secrets_db *d, int64_t account)
{
    sqlite3_stmt *q = begin(d, APP_COUNT, "i", account);
    int result = sqlite3_step(q);
    int64_t n = result == SQLITE_ROW ? sqlite3_column_int64(q, 0) : INT64_MAX;
    end(d, q, result);
    return n;
}

enum outcome secrets_db_app_add(struct secrets_db *d, int64_t account,
                                const struct app_password *app)
{
    if (app_count(d, account) >= LIMIT_APP_PASSWORDS)
        return PERMFAIL;
    slice hash = {(const char *)app->sha256, sizeof(app->sha256)};
    return change(d, begin(d, APP_ADD, "ittbi", account, app->scope, app->name, hash, clock_ms()),
                  true);
}

enum outcome secrets_db_app_remove(struct secrets_db *d, int64_t account, int64_t id)
{
    return change(d, begin(d, APP_REMOVE, "ii", account, id), true);
}

enum outcome secrets_db_app_list(struct secrets_db *d, int64_t account,
                                 void (*fn)(void *ctx, int64_t id, slice name, slice scope,
                                            int64_t created_ms, int64_t last_used_ms),
                                 void *ctx)
{
    sqlite3_stmt *q = begin(d, APP_LIST, "i", account);
    int result;
    while ((result = sqlite3_step(q)) == SQLITE_ROW)
        fn(ctx, sqlite3_column_int64(q, 0), column(q, 1), column(q, 2), sqlite3_column_int64(q, 3),
           sqlite3_column_int64(q, 4));
    return end(d, q, result) == TEMPFAIL ? TEMPFAIL : DONE;
}

enum outcome secrets_db_app_find(struct secrets_db *d, struct arena *a, int64_t account,
                                 const unsigned char sha256[SCRAM_KEY], slice *scope)
{
    slice hash = {(const char *)sha256, SCRAM_KEY};
    sqlite3_stmt *q = begin(d, APP_FIND, "ib", account, hash);
    int result = sqlite3_step(q);
    int64_t id = 0;
    if (result == SQLITE_ROW) {
        id = sqlite3_column_int64(q, 0);
        *scope = arena_dup(a, column(q, 1));
    }
    enum outcome o = end(d, q, result);
    if (o == DONE)
        (void)change(d, begin(d, APP_USED, "ii", id, clock_ms()), false);
    return o;
}
