/* Small whole-file helpers.  Errors are -1 with errno set. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <sys/types.h>

#include "base/arena.h"
#include "base/slice.h"

/* The whole file, at most max bytes (else EFBIG), into the arena. */
int file_read(struct arena *a, const char *path, size_t max, slice *out);
/* Writes all of it: path.new, fsync, rename, fsync of the directory.  mode as in open(2). */
int file_write(const char *path, slice content, mode_t mode);
/* write(2) until all is written. */
int file_write_all(int fd, slice content);
/* mkdir -p. */
int file_make_dir(const char *path, mode_t mode);
/* fsync of a directory. */
int file_sync_dir(const char *path);

#endif
