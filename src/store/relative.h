/*
 * SQLite turns every path into an absolute one, which fails where only root may pass through a
 * directory above ours.  After this call (once, before any database is opened) paths stay as they
 * are given: relative to the current directory, which must not change any more.
 */
#ifndef STORE_RELATIVE_H
#define STORE_RELATIVE_H

void store_relative_paths(void);

#endif
