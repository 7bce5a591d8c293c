/* How SQLite reaches the disk: locks in memory, the log written once a sync (vfs.c). */
#ifndef STORE_VFS_H
#define STORE_VFS_H

/* The name of the VFS to open databases with. */
const char *store_vfs(void);

/*
 * SQLite turns every path into an absolute one, which fails where only root may pass through a
 * directory above ours.  After this call (before any database is opened) paths stay as they are
 * given: relative to the current directory, which must not change any more.
 */
void store_relative_paths(void);

#endif
