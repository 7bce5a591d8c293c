/*
 * A message is written to a part file, synced, and then linked to its name: a name that exists is
 * whole and durable.  An mbox is cut back to its length when a message does not end.
 */
#include "agent/save.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/banned.h"

#define PART_NAME ".fetch-part" /* one is enough: the directory is locked */
enum { OUT_MAX = 1 << 20, OUT_WRITE = 256 * 1024, NAMES_TRIED = 1000 };

static bool fail(struct save *s)
{
    s->failed = true;
    s->error = errno;
    return false;
}

static bool open_mbox(struct save *s)
{
    s->fd = open(s->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    return s->fd >= 0 && flock(s->fd, LOCK_EX | LOCK_NB) == 0;
}

static bool open_dir(struct save *s)
{
    if (file_make_dir(s->path, 0700) < 0)
        return false;
    s->dir_fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->dir_fd < 0 || flock(s->dir_fd, LOCK_EX | LOCK_NB) < 0)
        return false;
    unlinkat(s->dir_fd, PART_NAME, 0); /* of a fetch that was killed */
    return true;
}

bool save_open(struct save *s, enum save_kind kind, const char *path, struct buf *error)
{
    *s = (struct save){.kind = kind, .path = path, .dir_fd = -1, .fd = -1, .out = {.max = OUT_MAX}};
    if (kind == SAVE_PRINT)
        s->fd = STDOUT_FILENO;
    if (kind == SAVE_PRINT || (kind == SAVE_MBOX ? open_mbox(s) : open_dir(s)))
        return true;
    buf_printf(error, "%s: %s", path,
               errno == EWOULDBLOCK ? "another fetch is working there; let it end"
                                    : strerror(errno));
    return false;
}

static bool flush(struct save *s)
{
    if (s->failed || file_write_all(s->fd, buf_slice(&s->out)) < 0)
        return s->failed ? false : fail(s);
    buf_clear(&s->out);
    return true;
}

bool save_begin(struct save *s)
{
    buf_clear(&s->out);
    s->writing = true;
    if (s->kind == SAVE_DIR) {
        s->fd = openat(s->dir_fd, PART_NAME, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        return s->fd >= 0 || fail(s);
    }
    if (s->kind == SAVE_MBOX) {
        char date[32];
        time_t now = time(NULL);
        struct tm tm;
        s->start = lseek(s->fd, 0, SEEK_END);
        s->line_start = true;
        s->quotes = s->from_at = 0;
        gmtime_r(&now, &tm);
        strftime(date, sizeof(date), "%a %b %e %H:%M:%S %Y", &tm);
        buf_printf(&s->out, "From MAILER-DAEMON %s\n", date);
        return s->start >= 0 || fail(s);
    }
    return true;
}

/*
 * mboxrd: lines end in LF, and one that begins with ">*From " gets another ">", so that no line of
 * a message can begin a message.
 */
static void add_mbox(struct save *s, slice bytes)
{
    static const char from[] = "From ";
    for (size_t i = 0; i < bytes.n; i++) {
        char c = bytes.p[i];
        if (s->line_start && c == '>' && s->from_at == 0) {
            buf_add_byte(&s->out, c);
            s->quotes++;
            continue;
        }
        if (s->line_start && c == from[s->from_at]) {
            if (++s->from_at < sizeof(from) - 1)
                continue;
            buf_add(&s->out, S(">"));
        }
        buf_add(&s->out, (slice){from, s->from_at});
        if (s->from_at < sizeof(from) - 1 && c != '\r')
            buf_add_byte(&s->out, c);
        s->from_at = s->quotes = 0;
        s->line_start = c == '\n';
    }
}

bool save_bytes(struct save *s, slice bytes)
{
    while (bytes.n && !s->failed) {
        slice piece = slice_sub(bytes, 0, OUT_WRITE);
        bytes = slice_skip(bytes, piece.n);
        if (s->kind == SAVE_MBOX)
            add_mbox(s, piece);
        else
            buf_add(&s->out, piece);
        if (buf_length(&s->out) >= OUT_WRITE)
            flush(s);
    }
    return !s->failed;
}

/* Whether the file of that name holds the same bytes as the part just written. */
static bool same_content(const struct save *s, const char *name)
{
    char a[16384], b[16384];
    int fd = openat(s->dir_fd, name, O_RDONLY | O_CLOEXEC);
    off_t at = 0;
    ssize_t n = fd < 0 ? -1 : 1;
    while (n > 0) {
        n = pread(fd, a, sizeof(a), at);
        if (n < 0 || pread(s->fd, b, sizeof(b), at) != n || memcmp(a, b, (size_t)n) != 0)
            n = -1;
        at += n > 0 ? n : 0;
    }
    if (fd >= 0)
        close(fd);
    return n == 0;
}

/* "000000016789abcd.eml": nothing a file system or a shell could take amiss. */
static slice safe_name(struct arena *a, slice uidl)
{
    char *p = arena_alloc(a, uidl.n + 1);
    for (size_t i = 0; i < uidl.n; i++)
        p[i] = ascii_is_alnum(uidl.p[i]) || (i && (uidl.p[i] == '.' || uidl.p[i] == '-'))
                   ? uidl.p[i]
                   : '_';
    return (slice){p, uidl.n};
}

/* Gives the part its name; a name that another message has is left alone. */
static bool name_part(struct save *s, struct arena *a, slice uidl, slice *name)
{
    slice base = safe_name(a, uidl);
    for (int i = 1; i < NAMES_TRIED; i++) {
        *name = i == 1 ? arena_printf(a, "%.*s.eml", P(base))
                       : arena_printf(a, "%.*s-%d.eml", P(base), i);
        if (linkat(s->dir_fd, PART_NAME, s->dir_fd, name->p, 0) == 0)
            return unlinkat(s->dir_fd, PART_NAME, 0) == 0;
        if (errno != EEXIST)
            return false;
        if (same_content(s, name->p)) /* saved before an interruption */
            return unlinkat(s->dir_fd, PART_NAME, 0) == 0;
    }
    return false;
}

bool save_end(struct save *s, struct arena *a, slice uidl, slice *name)
{
    *name = S("");
    if (s->kind == SAVE_MBOX) {
        bool open = !s->line_start || s->quotes || s->from_at;
        buf_add(&s->out, (slice){"From ", s->from_at});
        buf_add(&s->out, open ? S("\n\n") : S("\n"));
    }
    if (!flush(s))
        return false;
    s->writing = false;
    if (s->kind != SAVE_DIR)
        return true;
    bool ok = fsync(s->fd) == 0 && name_part(s, a, uidl, name);
    if (!ok)
        fail(s);
    close(s->fd);
    s->fd = -1;
    return ok;
}

void save_cancel(struct save *s)
{
    buf_clear(&s->out);
    if (s->kind == SAVE_MBOX && s->writing && ftruncate(s->fd, s->start) < 0)
        fail(s);
    s->writing = false;
    if (s->kind == SAVE_DIR && s->fd >= 0) {
        unlinkat(s->dir_fd, PART_NAME, 0);
        close(s->fd);
        s->fd = -1;
    }
}

bool save_sync(struct save *s)
{
    int fd = s->kind == SAVE_DIR ? s->dir_fd : s->fd;
    if (s->kind == SAVE_PRINT)
        return !s->failed;
    return fsync(fd) == 0 || fail(s);
}

void save_close(struct save *s)
{
    if (s->fd >= 0 && s->kind != SAVE_PRINT)
        close(s->fd);
    if (s->dir_fd >= 0)
        close(s->dir_fd);
    s->fd = s->dir_fd = -1;
    buf_end(&s->out);
}

slice save_error(const struct save *s, struct arena *a)
{
    return arena_printf(a, "%s: %s", s->path, strerror(s->error));
}
