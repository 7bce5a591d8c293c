/*
 * The fault driver: every call of the store that can fail in the real world goes through here, and
 * a test (or the environment: YIZHAN_FAULT=full:12) can make the Nth one fail.  Unarmed it costs
 * one load.  SQLite's calls pass through a VFS, which is there only once armed (vfs.c).
 */
#ifndef STORE_FAULT_H
#define STORE_FAULT_H

#include <stdbool.h>
#include <sys/types.h>
#include <sys/uio.h>

enum fault {
    FAULT_NONE,
    FAULT_FULL,  /* a write fails: no space left */
    FAULT_IO,    /* a write fails: I/O error */
    FAULT_SHORT, /* a write writes half, then there is no space */
    FAULT_READ,  /* a read fails: I/O error */
    FAULT_BUSY,  /* a lock of the database is held by another */
    FAULT_SYNC,  /* fsync or fdatasync fails */
    FAULT_LINK,  /* a file cannot be made, linked or renamed */
    FAULT_LAST
};

/* The nth call (from 1) of the kind's class fails, once, from now on; 0: calls are only counted. */
void fault_arm(enum fault kind, long nth);
/* Whether it has happened since fault_arm. */
bool fault_fired(void);
/* Calls of the class since fault_arm. */
long fault_calls(void);
const char *fault_name(enum fault kind);

/* Whether a fault was armed in this process, or by its environment. */
bool fault_possible(void);
/* A VFS whose calls may fail, around the real one; to be asked for once. */
struct sqlite3_vfs;
struct sqlite3_vfs *fault_vfs(struct sqlite3_vfs *real);

/* As the system calls. */
ssize_t fault_pwritev(int fd, const struct iovec *v, int n, off_t at);
ssize_t fault_preadv(int fd, const struct iovec *v, int n, off_t at);
int fault_fdatasync(int fd);
int fault_fsync(int fd);
/* open(2) with O_CREAT or O_TMPFILE in a directory. */
int fault_create(int dir, const char *name, int flags, mode_t mode);
/* Gives an unlinked file its name. */
int fault_link(int fd, int dir, const char *name);

#endif
