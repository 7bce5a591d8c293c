/*
 * How SQLite reaches the disk: the VFS of our databases, over SQLite's own "unix-excl".
 *
 * One process opens a store (DIR/lock), so the locks between connections and the index of the log
 * live in its memory ("unix-excl"): no system call for a lock.  And the log is written once a sync:
 * SQLite hands over a commit as a header and a page for each frame; they lie one behind the other,
 * so they are gathered and leave in one pwrite.
 *
 * Invariants
 *   G1  What was gathered is on its way before the log is read, synced, cut, measured or closed
 *       through this file.  Other connections look at frames of a commit only after its sync.
 *   G2  When the write fails, the read or sync that caused it fails, and nothing stays gathered.
 */
#include "store/vfs.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "store/fault.h"
#include "base/banned.h"

static atomic_bool relative;

void store_relative_paths(void)
{
    atomic_store(&relative, true);
}

/* ---- the log ---- */

struct log_file {
    sqlite3_file base;
    sqlite3_file *real; /* right behind this struct */
    struct buf gathered;
    sqlite3_int64 at; /* where its first byte belongs */
};

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((struct log_file *)file)->real;
}

static int put(struct log_file *f)
{
    slice bytes = buf_slice(&f->gathered);
    if (!bytes.n)
        return SQLITE_OK;
    int code = f->real->pMethods->xWrite(f->real, bytes.p, (int)bytes.n, f->at);
    buf_eat(&f->gathered, bytes.n);
    return code;
}

static int log_close(sqlite3_file *file)
{
    struct log_file *f = (struct log_file *)file;
    int code = put(f);
    buf_end(&f->gathered);
    int closed = f->real->pMethods->xClose(f->real);
    return code == SQLITE_OK ? closed : code;
}

static int log_read(sqlite3_file *file, void *to, int n, sqlite3_int64 at)
{
    int code = put((struct log_file *)file);
    return code == SQLITE_OK ? real_of(file)->pMethods->xRead(real_of(file), to, n, at) : code;
}

static int log_write(sqlite3_file *file, const void *from, int n, sqlite3_int64 at)
{
    struct log_file *f = (struct log_file *)file;
    size_t have = buf_length(&f->gathered);
    if (have && (at != f->at + (sqlite3_int64)have || have + (size_t)n > LIMIT_LOG_GATHERED)) {
        int code = put(f);
        if (code != SQLITE_OK)
            return code;
        have = 0;
    }
    if (!have)
        f->at = at;
    if (buf_add(&f->gathered, (slice){from, (size_t)n}))
        return SQLITE_OK;
    return f->real->pMethods->xWrite(f->real, from, n, at);
}

static int log_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    int code = put((struct log_file *)file);
    return code == SQLITE_OK ? real_of(file)->pMethods->xTruncate(real_of(file), size) : code;
}

static int log_sync(sqlite3_file *file, int flags)
{
    int code = put((struct log_file *)file);
    return code == SQLITE_OK ? real_of(file)->pMethods->xSync(real_of(file), flags) : code;
}

static int log_size(sqlite3_file *file, sqlite3_int64 *size)
{
    int code = put((struct log_file *)file);
    return code == SQLITE_OK ? real_of(file)->pMethods->xFileSize(real_of(file), size) : code;
}

/* SQLite locks the database, never its log; of the log it asks traits, and tells the size to come.
 */
static int log_control(sqlite3_file *file, int op, void *arg)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), op, arg);
}

static int log_sector(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int log_traits(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int log_open(sqlite3_vfs *real, sqlite3_filename name, struct log_file *f, int flags,
                    int *out)
{
    static const sqlite3_io_methods methods = {
        .iVersion = 1,
        .xClose = log_close,
        .xRead = log_read,
        .xWrite = log_write,
        .xTruncate = log_truncate,
        .xSync = log_sync,
        .xFileSize = log_size,
        .xFileControl = log_control,
        .xSectorSize = log_sector,
        .xDeviceCharacteristics = log_traits,
    };
    *f = (struct log_file){.real = (sqlite3_file *)(f + 1), .gathered.max = LIMIT_LOG_GATHERED};
    int code = real->xOpen(real, name, f->real, flags, out);
    if (f->real->pMethods)
        f->base.pMethods = &methods;
    return code;
}

/* ---- the VFS ---- */

static int vfs_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags,
                    int *out)
{
    sqlite3_vfs *real = vfs->pAppData;
    if (flags & SQLITE_OPEN_WAL)
        return log_open(real, name, (struct log_file *)file, flags, out);
    return real->xOpen(real, name, file, flags, out);
}

/* SQLite would make every path absolute, which fails where only root may pass a directory. */
static int full_path(sqlite3_vfs *vfs, const char *name, int size, char *out)
{
    sqlite3_vfs *real = vfs->pAppData;
    if (!atomic_load(&relative))
        return real->xFullPathname(real, name, size, out);
    size_t n = strlen(name);
    if (n >= (size_t)size)
        return SQLITE_CANTOPEN;
    memcpy(out, name, n + 1);
    return SQLITE_OK;
}

static sqlite3_vfs plain, faulty;

static void vfs_register(sqlite3_vfs *vfs, const char *name, sqlite3_vfs *real)
{
    *vfs = *real; /* whatever is not about a file goes to the real one unchanged */
    vfs->zName = name;
    vfs->pNext = NULL;
    vfs->pAppData = real;
    vfs->szOsFile = (int)sizeof(struct log_file) + real->szOsFile;
    vfs->xOpen = vfs_open;
    vfs->xFullPathname = full_path;
    sqlite3_vfs_register(vfs, 0);
}

static void plain_begin(void)
{
    vfs_register(&plain, "yizhan", sqlite3_vfs_find("unix-excl"));
}

static void faulty_begin(void)
{
    vfs_register(&faulty, "yizhan-with-faults", fault_vfs(sqlite3_vfs_find("unix-excl")));
}

const char *store_vfs(void)
{
    static pthread_once_t plain_once = PTHREAD_ONCE_INIT, faulty_once = PTHREAD_ONCE_INIT;
    if (fault_possible()) {
        pthread_once(&faulty_once, faulty_begin);
        return faulty.zName;
    }
    pthread_once(&plain_once, plain_begin);
    return plain.zName;
}
