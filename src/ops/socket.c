/* Unix sockets have room for 107 bytes of path: a longer one is reached through /proc/self/fd. */
#include "ops/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/banned.h"

/*
 * The address; a long path is reached through /proc/self/fd of DIR/run, which *dir_fd keeps open.
 */
static bool make_address(const char *dir, struct sockaddr_un *un, int *dir_fd)
{
    *un = (struct sockaddr_un){.sun_family = AF_UNIX};
    *dir_fd = -1;
    int n = snprintf(un->sun_path, sizeof(un->sun_path), "%s/run/control.sock", dir);
    if (n > 0 && (size_t)n < sizeof(un->sun_path))
        return true;
    struct arena a = {0};
    *dir_fd = open(arena_printf(&a, "%s/run", dir).p, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int error = errno;
    arena_end(&a);
    errno = error;
    snprintf(un->sun_path, sizeof(un->sun_path), "/proc/self/fd/%d/control.sock", *dir_fd);
    return *dir_fd >= 0;
}

/* Closes without losing errno. */
static void close_quietly(int fd)
{
    int error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
}

static int open_socket(const char *dir, int flags,
                       int (*use)(int fd, const struct sockaddr_un *address))
{
    struct sockaddr_un address;
    int dir_fd, fd = -1;
    if (make_address(dir, &address, &dir_fd))
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    if (fd >= 0 && use(fd, &address) < 0) {
        close_quietly(fd);
        fd = -1;
    }
    close_quietly(dir_fd);
    return fd;
}

static int use_connect(int fd, const struct sockaddr_un *address)
{
    return connect(fd, (const struct sockaddr *)address, sizeof(*address));
}

static int use_listen(int fd, const struct sockaddr_un *address)
{
    unlink(address->sun_path);
    mode_t mask = umask(0177); /* never open to others, not for a moment */
    int r = bind(fd, (const struct sockaddr *)address, sizeof(*address));
    umask(mask);
    return r < 0 ? r : listen(fd, 64);
}

int socket_connect(const char *dir)
{
    return open_socket(dir, 0, use_connect);
}

int socket_listen(const char *dir)
{
    return open_socket(dir, SOCK_NONBLOCK, use_listen);
}

void socket_remove(const char *dir)
{
    struct sockaddr_un address;
    int dir_fd;
    if (make_address(dir, &address, &dir_fd))
        unlink(address.sun_path);
    close_quietly(dir_fd);
}

bool socket_read_line(int fd, struct buf *b, slice *line)
{
    size_t looked = 0;
    for (;;) {
        ptrdiff_t end = slice_find(slice_skip(buf_slice(b), looked), '\n');
        if (end >= 0) {
            *line = slice_sub(buf_slice(b), 0, looked + (size_t)end);
            return true;
        }
        looked = buf_length(b);
        size_t room = buf_room(b);
        char *to = room ? buf_space(b, room < 16384 ? room : 16384) : NULL;
        ssize_t got = to ? read(fd, to, room < 16384 ? room : 16384) : -1;
        if (got < 0 && to && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        buf_wrote(b, (size_t)got);
    }
}
