#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

int file_read(struct arena *a, const char *path, size_t max, slice *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    size_t n = 0, size = 0;
    char *p = NULL;
    ssize_t got = 0;
    do {
        if (n == size) {
            size_t more = size ? size * 2 : 16 * 1024;
            char *grown = arena_alloc(a, more);
            if (n)
                memcpy(grown, p, n);
            p = grown;
            size = more;
        }
        got = read(fd, p + n, size - n);
        if (got > 0)
            n += (size_t)got;
        if (n > max) {
            errno = EFBIG;
            got = -1;
        }
    } while (got > 0 || (got < 0 && errno == EINTR));
    int error = errno;
    close(fd);
    errno = error;
    *out = (slice){p, n};
    return got < 0 ? -1 : 0;
}

int file_write_all(int fd, slice content)
{
    while (content.n) {
        ssize_t wrote = write(fd, content.p, content.n);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return -1;
        content = slice_skip(content, (size_t)wrote);
    }
    return 0;
}

int file_sync_dir(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int r = fsync(fd);
    int error = errno;
    close(fd);
    errno = error;
    return r;
}

int file_write(const char *path, slice content, mode_t mode)
{
    struct arena a = {0};
    const char *fresh = arena_printf(&a, "%s.new", path).p;
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    int r = -1;
    if (fd >= 0) {
        r = file_write_all(fd, content);
        if (r == 0)
            r = fsync(fd);
        if (close(fd) < 0)
            r = -1;
        if (r == 0)
            r = rename(fresh, path);
        if (r == 0) {
            slice dir = slice_c(path);
            ptrdiff_t slash = slice_rfind(dir, '/');
            dir = slash < 0 ? S(".") : slash == 0 ? S("/") : slice_sub(dir, 0, (size_t)slash);
            r = file_sync_dir(arena_cstr(&a, dir));
        }
    }
    int error = errno;
    arena_end(&a);
    errno = error;
    return r;
}

int file_make_dir(const char *path, mode_t mode)
{
    struct arena a = {0};
    slice whole = arena_dup(&a, slice_c(path));
    int r = 0;
    for (size_t i = 1; i <= whole.n && r == 0; i++) {
        if (i < whole.n && whole.p[i] != '/')
            continue;
        const char *part = arena_cstr(&a, slice_sub(whole, 0, i));
        if (mkdir(part, mode) < 0 && errno != EEXIST)
            r = -1;
    }
    int error = errno;
    arena_end(&a);
    errno = error;
    return r;
}
