/*
 * Opening and closing: DIR/lock (flock), DIR/store.db, DIR/segments/, DIR/tmp/.
 *
 * Invariants
 *   O1  One process has a store open.
 *   O2  meta.clean is 1 only between a clean close and the next open.
 *   O3  A reader's connection is held by one thread at a time and cannot write.
 */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/fault.h"
#include "store/internal.h"
#include "store/schema.h"
#include "base/banned.h"

const char *store_dir(const struct store *s)
{
    return s->options.dir;
}

int store_tmpfile(struct store *s)
{
    int fd = fault_create(s->dir_fd, "tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    if (fd < 0)
        log_event(LEVEL_ERROR, "store.tmpfile", "error=\"%s\"", strerror(errno));
    return fd;
}

/* ---- readers ---- */

enum { READER_PATIENCE_NS = 20 * 1000 * 1000 };

static struct db *reader_open(struct store *s)
{
    struct arena a = {0};
    struct buf error = {.max = 1024};
    const char *path = arena_printf(&a, "%s/store.db", s->options.dir).p;
    size_t cache = s->options.cache_bytes ? s->options.cache_bytes : LIMIT_READER_CACHE;
    struct db *db = db_open(&(struct db_options){path, false, true, cache}, &error);
    if (!db)
        log_event(LEVEL_ERROR, "store.read", "error=%s", log_quote(buf_slice(&error)));
    buf_end(&error);
    arena_end(&a);
    return db;
}

/* Until somebody's reading ends: true.  False: it takes so long that one more is the better way
 * (whoever holds one may want a second). */
static bool reader_wait(struct readers *r)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += READER_PATIENCE_NS;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    r->waiting++;
    while (!r->count && pthread_cond_timedwait(&r->ended, &r->lock, &until) == 0)
        ;
    r->waiting--;
    return r->count > 0;
}

static void reader_gone(struct readers *r)
{
    pthread_mutex_lock(&r->lock);
    r->open--;
    if (r->waiting)
        pthread_cond_signal(&r->ended);
    pthread_mutex_unlock(&r->lock);
}

struct db *reader_take(struct store *s)
{
    struct readers *r = &s->readers;
    pthread_mutex_lock(&r->lock);
    bool have = r->count || (r->open >= LIMIT_READERS && reader_wait(r));
    struct db *db = have ? r->idle[--r->count] : NULL;
    r->open += !have;
    pthread_mutex_unlock(&r->lock);
    if (have)
        return db;
    db = reader_open(s);
    if (!db)
        reader_gone(r);
    return db;
}

void reader_give(struct store *s, struct db *db)
{
    struct readers *r = &s->readers;
    db_tidy(db);
    pthread_mutex_lock(&r->lock);
    bool keep = r->count < LIMIT_READERS;
    if (keep)
        r->idle[r->count++] = db;
    if (keep && r->waiting)
        pthread_cond_signal(&r->ended);
    pthread_mutex_unlock(&r->lock);
    if (keep)
        return;
    db_close(db);
    reader_gone(r);
}

struct db *store_read(struct store *s)
{
    return db_borrow(s, s->memo);
}

void store_read_end(struct store *s, struct db *db)
{
    (void)s;
    db_return(db);
}

void readers_close(struct store *s, int keep)
{
    struct readers *r = &s->readers;
    struct db *closing[LIMIT_READERS];
    int count = 0;
    pthread_mutex_lock(&r->lock);
    while (r->count > keep)
        closing[count++] = r->idle[--r->count];
    r->open -= count;
    pthread_mutex_unlock(&r->lock);
    while (count)
        db_close(closing[--count]);
}

/* ---- open and close ---- */

static bool complain(struct buf *error, const char *path, const char *advice)
{
    buf_printf(error, "%s: %s%s", path, strerror(errno), advice);
    return false;
}

enum { LOCK_WAIT_MS = 3000 };

static bool store_lock(struct store *s, struct buf *error)
{
    s->lock_fd = openat(s->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock_fd < 0)
        return complain(error, s->options.dir, ": cannot make the file lock");
    /* A command that is at it now has soon done; a server has not. */
    for (int64_t until = clock_mono_ms() + LOCK_WAIT_MS;;) {
        if (flock(s->lock_fd, LOCK_EX | LOCK_NB) == 0)
            return true;
        if (clock_mono_ms() >= until)
            break;
        usleep(20 * 1000);
    }
    buf_printf(error, "%s is in use by another process: stop it, or talk to the running server",
               s->options.dir);
    return false;
}

static bool make_dir(struct store *s, const char *name)
{
    return mkdirat(s->dir_fd, name, 0700) == 0 || errno == EEXIST;
}

static bool store_make(struct store *s, struct buf *error)
{
    bool there = faccessat(s->dir_fd, "store.db", F_OK, 0) == 0;
    if (!there && !s->options.create) {
        buf_printf(error, "%s holds no store: make one with yizhan init", s->options.dir);
        return false;
    }
    if (!make_dir(s, "segments") || !make_dir(s, "tmp"))
        return complain(error, s->options.dir, "");
    if (!there && fault_fsync(s->dir_fd) < 0)
        store_die("sync of the store's directory", errno);
    return true;
}

static bool store_dir_open(struct store *s, struct buf *error)
{
    if (s->options.create && file_make_dir(s->options.dir, 0700) < 0)
        return complain(error, s->options.dir, "");
    s->dir_fd = open(s->options.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->dir_fd < 0)
        return complain(error, s->options.dir, ": is the directory right and readable?");
    return store_lock(s, error) && store_make(s, error);
}

/* Takes the mark of the last clean stop away, durably, before anything else happens (O2). */
static bool store_dirty(struct store *s, bool *clean, struct buf *error)
{
    struct db *db = s->writer.db;
    *clean = sql_number(db, 1, "SELECT value FROM meta WHERE key = 'clean'", "") == 1;
    if (db_begin(db) && sql_exec(db, "INSERT OR REPLACE INTO meta VALUES ('clean', 0)", "") >= 0 &&
        db_commit(db))
        return true;
    buf_printf(error, "%s: %s", s->options.dir, db_error(db));
    return false;
}

static bool store_open_all(struct store *s, struct buf *error)
{
    bool clean;
    if (!store_dir_open(s, error) || !writer_open(s, error))
        return false;
    const char *path = arena_printf(&s->arena, "%s/store.db", s->options.dir).p;
    if (!schema_migrate(s->writer.db, path, schema_migrations, schema_migration_count, error) ||
        !store_dirty(s, &clean, error) ||
        !segments_open(&s->segments, s, s->writer.db, clean, error))
        return false;
    if (!fetches_open(s, clean) || !writer_start(s)) {
        buf_printf(error, "%s: %s", s->options.dir, db_error(s->writer.db));
        return false;
    }
    return keeper_start(s, error);
}

struct store *store_open(const struct store_options *options, struct buf *error)
{
    struct store *s = mem_alloc(sizeof(*s));
    *s = (struct store){.options = *options, .dir_fd = -1, .lock_fd = -1};
    s->options.dir = arena_cstr(&s->arena, slice_c(options->dir));
    pthread_mutex_init(&s->readers.lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&s->readers.ended, &monotonic);
    pthread_condattr_destroy(&monotonic);
    s->memo = memo_new();
    views_open(s);
    if (store_open_all(s, error))
        return s;
    store_close(s);
    return NULL;
}

static void store_clean(struct store *s)
{
    struct db *db = s->writer.db;
    db_begin(db);
    fetches_clean(s);
    segments_settle(&s->segments, db);
    sql_exec(db, "INSERT OR REPLACE INTO meta VALUES ('clean', 1)", "");
    if (!db_commit(db))
        db_rollback(db);
}

void store_close(struct store *s)
{
    if (!s)
        return;
    bool running = s->writer.started;
    keeper_stop(s);
    if (running)
        fetches_flush(s), views_write_recent(s);
    writer_stop(s);
    readers_close(s, 0);
    if (running)
        store_clean(s);
    fetches_close(s);
    views_close(s);
    memo_free(s->memo);
    writer_close(s);
    segments_close(&s->segments);
    if (s->dir_fd >= 0)
        close(s->dir_fd);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    pthread_cond_destroy(&s->readers.ended);
    pthread_mutex_destroy(&s->readers.lock);
    arena_end(&s->arena);
    mem_free(s);
}
