/*
 * Faults on demand.  One class of calls is armed at a time; its Nth call fails once.
 *
 * Invariants
 *   F1  Unarmed, every wrapper is the system call.
 *   F2  Calls of a class are counted in the order they happen, over SQLite and the segments alike,
 *       so "fail the Nth until N calls pass untouched" visits every call of a workload.
 */
#include "store/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/slice.h"
#include "base/banned.h"

static atomic_int armed; /* enum fault */
static atomic_long calls, target;
static atomic_bool fired, used; /* used: a fault was armed in this process at least once */

static const char *const names[FAULT_LAST] = {
    [FAULT_NONE] = "none", [FAULT_FULL] = "full", [FAULT_IO] = "io",     [FAULT_SHORT] = "short",
    [FAULT_READ] = "read", [FAULT_BUSY] = "busy", [FAULT_SYNC] = "sync", [FAULT_LINK] = "link",
};

const char *fault_name(enum fault kind)
{
    return names[kind];
}

void fault_arm(enum fault kind, long nth)
{
    atomic_store(&armed, FAULT_NONE);
    atomic_store(&calls, 0);
    atomic_store(&target, nth);
    atomic_store(&fired, false);
    atomic_store(&used, true);
    atomic_store(&armed, kind);
}

bool fault_fired(void)
{
    return atomic_load(&fired);
}

long fault_calls(void)
{
    return atomic_load(&calls);
}

/* Counts a call of the class; true when this is the one to fail. */
static bool fault_hits(enum fault kind)
{
    if (atomic_load_explicit(&armed, memory_order_relaxed) != (int)kind)
        return false;
    if (atomic_fetch_add(&calls, 1) + 1 != atomic_load(&target))
        return false;
    atomic_store(&fired, true);
    return true;
}

/* ---- the segments' system calls ---- */

ssize_t fault_pwritev(int fd, const struct iovec *v, int n, off_t at)
{
    bool half = fault_hits(FAULT_SHORT);
    if (fault_hits(FAULT_FULL) || (half && v[0].iov_len < 2)) {
        errno = ENOSPC;
        return -1;
    }
    if (fault_hits(FAULT_IO)) {
        errno = EIO;
        return -1;
    }
    if (half) /* the caller writes on and meets the full disk then */
        return pwrite(fd, v[0].iov_base, v[0].iov_len / 2, at);
    return pwritev(fd, v, n, at);
}

ssize_t fault_preadv(int fd, const struct iovec *v, int n, off_t at)
{
    if (!fault_hits(FAULT_READ))
        return preadv(fd, v, n, at);
    errno = EIO;
    return -1;
}

int fault_fdatasync(int fd)
{
    if (!fault_hits(FAULT_SYNC))
        return fdatasync(fd);
    errno = EIO;
    return -1;
}

int fault_fsync(int fd)
{
    if (!fault_hits(FAULT_SYNC))
        return fsync(fd);
    errno = EIO;
    return -1;
}

int fault_create(int dir, const char *name, int flags, mode_t mode)
{
    if (!fault_hits(FAULT_LINK))
        return openat(dir, name, flags, mode);
    errno = ENOSPC;
    return -1;
}

int fault_link(int fd, int dir, const char *name)
{
    if (fault_hits(FAULT_LINK)) {
        errno = ENOSPC;
        return -1;
    }
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, path, dir, name, AT_SYMLINK_FOLLOW);
}

/* ---- SQLite's calls: a VFS around another ---- */

struct fault_file {
    sqlite3_file base;
    sqlite3_file *real; /* right behind this struct */
};

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((struct fault_file *)file)->real;
}

static int file_close(sqlite3_file *f)
{
    return real_of(f)->pMethods->xClose(real_of(f));
}

static int file_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
    if (fault_hits(FAULT_READ))
        return SQLITE_IOERR_READ;
    return real_of(f)->pMethods->xRead(real_of(f), to, n, at);
}

static int file_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
    if (fault_hits(FAULT_FULL))
        return SQLITE_FULL;
    if (fault_hits(FAULT_IO))
        return SQLITE_IOERR_WRITE;
    if (fault_hits(FAULT_SHORT)) {
        real_of(f)->pMethods->xWrite(real_of(f), from, n / 2, at);
        return SQLITE_FULL;
    }
    return real_of(f)->pMethods->xWrite(real_of(f), from, n, at);
}

static int file_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    if (fault_hits(FAULT_IO))
        return SQLITE_IOERR_TRUNCATE;
    return real_of(f)->pMethods->xTruncate(real_of(f), size);
}

static int file_sync(sqlite3_file *f, int flags)
{
    if (fault_hits(FAULT_SYNC))
        return SQLITE_IOERR_FSYNC;
    return real_of(f)->pMethods->xSync(real_of(f), flags);
}

static int file_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return real_of(f)->pMethods->xFileSize(real_of(f), size);
}

static int file_lock(sqlite3_file *f, int kind)
{
    if (fault_hits(FAULT_BUSY))
        return SQLITE_BUSY;
    return real_of(f)->pMethods->xLock(real_of(f), kind);
}

static int file_unlock(sqlite3_file *f, int kind)
{
    return real_of(f)->pMethods->xUnlock(real_of(f), kind);
}

static int file_check_lock(sqlite3_file *f, int *out)
{
    return real_of(f)->pMethods->xCheckReservedLock(real_of(f), out);
}

static int file_control(sqlite3_file *f, int op, void *arg)
{
    return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}

static int file_sector(sqlite3_file *f)
{
    return real_of(f)->pMethods->xSectorSize(real_of(f));
}

static int file_traits(sqlite3_file *f)
{
    return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

static int shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
    return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, out);
}

static int shm_lock(sqlite3_file *f, int at, int n, int flags)
{
    if ((flags & SQLITE_SHM_LOCK) && fault_hits(FAULT_BUSY))
        return SQLITE_BUSY;
    return real_of(f)->pMethods->xShmLock(real_of(f), at, n, flags);
}

static void shm_barrier(sqlite3_file *f)
{
    real_of(f)->pMethods->xShmBarrier(real_of(f));
}

static int shm_unmap(sqlite3_file *f, int erase)
{
    return real_of(f)->pMethods->xShmUnmap(real_of(f), erase);
}

static int vfs_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags,
                    int *out)
{
    static const sqlite3_io_methods methods = {
        .iVersion = 2,
        .xClose = file_close,
        .xRead = file_read,
        .xWrite = file_write,
        .xTruncate = file_truncate,
        .xSync = file_sync,
        .xFileSize = file_size,
        .xLock = file_lock,
        .xUnlock = file_unlock,
        .xCheckReservedLock = file_check_lock,
        .xFileControl = file_control,
        .xSectorSize = file_sector,
        .xDeviceCharacteristics = file_traits,
        .xShmMap = shm_map,
        .xShmLock = shm_lock,
        .xShmBarrier = shm_barrier,
        .xShmUnmap = shm_unmap,
    };
    struct fault_file *f = (struct fault_file *)file;
    sqlite3_vfs *real = vfs->pAppData;
    f->base.pMethods = NULL;
    f->real = (sqlite3_file *)(f + 1);
    if ((flags & SQLITE_OPEN_CREATE) && fault_hits(FAULT_LINK))
        return SQLITE_CANTOPEN;
    int code = real->xOpen(real, name, f->real, flags, out);
    if (f->real->pMethods)
        f->base.pMethods = &methods;
    return code;
}

/* YIZHAN_FAULT=kind:N arms a whole program from outside. */
static void arm_from_environment(void)
{
    slice text = slice_c(getenv("YIZHAN_FAULT")), kind;
    uint64_t nth;
    if (!slice_next(&text, ':', &kind) || !slice_u64(text, INT32_MAX, &nth))
        return;
    for (int i = FAULT_NONE + 1; i < FAULT_LAST; i++)
        if (slice_eq(kind, slice_c(names[i])))
            fault_arm((enum fault)i, (long)nth);
}

bool fault_possible(void)
{
    static pthread_once_t environment = PTHREAD_ONCE_INIT;
    pthread_once(&environment, arm_from_environment);
    return atomic_load(&used);
}

struct sqlite3_vfs *fault_vfs(struct sqlite3_vfs *real)
{
    static sqlite3_vfs shim;
    shim = *real; /* whatever is not about a file goes to the real one unchanged */
    shim.zName = "yizhan-fault";
    shim.pNext = NULL;
    shim.pAppData = real;
    shim.szOsFile = (int)sizeof(struct fault_file) + real->szOsFile;
    shim.xOpen = vfs_open;
    return &shim;
}
