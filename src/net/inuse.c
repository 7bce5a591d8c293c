/*
 * From a listening port to a process: /proc/net/tcp gives the inode of the socket, and some
 * /proc/PID/fd/N is a link to "socket:[inode]" (proc(5)).
 */
#include "net/inuse.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/banned.h"

enum { TCP_LISTENING = 0x0a };

/* The inode of the socket listening on port, 0 when there is none. */
static uint64_t find_inode(const char *table, uint16_t port)
{
    char line[512];
    uint64_t found = 0;
    FILE *f = fopen(table, "re");
    while (f && !found && fgets(line, sizeof(line), f)) {
        slice rest = slice_trim(slice_c(line)), word[10];
        size_t n = 0;
        while (n < 10 && slice_next(&rest, ' ', &word[n]))
            n += word[n].n > 0;
        unsigned char at[2], state;
        if (n == 10 && word[1].n > 4 && slice_unhex(slice_skip(word[1], word[1].n - 4), at, 2) &&
            slice_unhex(word[3], &state, 1) && (at[0] << 8 | at[1]) == port &&
            state == TCP_LISTENING)
            slice_u64(word[9], UINT64_MAX, &found);
    }
    if (f)
        fclose(f);
    return found;
}

static bool holds(const char *pid, const char *link)
{
    char path[300], target[64];
    bool found = false;
    snprintf(path, sizeof(path), "/proc/%s/fd", pid);
    DIR *dir = opendir(path);
    struct dirent *entry;
    while (dir && !found && (entry = readdir(dir))) {
        ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target));
        found = n > 0 && slice_eq((slice){target, (size_t)n}, slice_c(link));
    }
    if (dir)
        closedir(dir);
    return found;
}

static void add_name(const char *pid, struct buf *out)
{
    char path[300], name[64] = "";
    snprintf(path, sizeof(path), "/proc/%s/comm", pid);
    FILE *f = fopen(path, "re");
    if (f && fgets(name, sizeof(name), f))
        name[strcspn(name, "\n")] = '\0';
    if (f)
        fclose(f);
    buf_printf(out, " by process %s (%s)", pid, name);
}

void inuse_describe(uint16_t port, struct buf *out)
{
    char link[64];
    uint64_t inode = find_inode("/proc/net/tcp", port);
    if (!inode)
        inode = find_inode("/proc/net/tcp6", port);
    if (!inode)
        return;
    snprintf(link, sizeof(link), "socket:[%" PRIu64 "]", inode);
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    while (proc && (entry = readdir(proc)))
        if (ascii_is_digit(entry->d_name[0]) && holds(entry->d_name, link)) {
            add_name(entry->d_name, out);
            break;
        }
    if (proc)
        closedir(proc);
}
