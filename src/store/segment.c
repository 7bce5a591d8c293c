/*
 * Segments: DIR/segments/000000000001.seg, records one behind the other (body.c).
 *
 * A body from 1 MiB on that came in a file is a segment of its own: the file, linked in.
 *
 * Invariants
 *   B1  A row names a body only when its bytes are safe: append, fdatasync, COMMIT; or, for a small
 *       batch, append, and the same bytes in table body_log in the same COMMIT: the log is synced
 *       anyway.  From there a crash puts them back; the next sync of the segment empties the table.
 *   B2  The committed end of a segment moves only with COMMIT; a failed batch is overwritten.
 *   B3  After a crash the bytes beyond the committed end, and files without a row, belong to nobody
 *       who was answered: they are cut.  After a clean stop there are none; what is found then is
 *       kept for "check --repair".
 *   B4  Body and segment ids are never given twice.
 * A segment is current (appended to) -> full -> empty (no live record) -> removed.
 */
#include "store/body.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "store/fault.h"
#include "store/internal.h"
#include "base/banned.h"

/* ---- files ---- */

int segment_write(int fd, struct iovec *v, int n, uint64_t at)
{
    while (n > 0) {
        ssize_t wrote = fault_pwritev(fd, v, n < IOV_MAX ? n : IOV_MAX, (off_t)at);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return -1;
        at += (uint64_t)wrote;
        for (size_t left = (size_t)wrote; left || (n > 0 && v->iov_len == 0);) {
            size_t step = left < v->iov_len ? left : v->iov_len;
            v->iov_base = (char *)v->iov_base + step;
            v->iov_len -= step;
            left -= step;
            if (v->iov_len)
                break;
            v++, n--;
        }
    }
    return 0;
}

void segment_name(int64_t segment, char out[SEGMENT_NAME])
{
    snprintf(out, SEGMENT_NAME, "%012lld.seg", (long long)segment);
}

int64_t segment_of_name(const char *name)
{
    slice s = slice_c(name);
    uint64_t id;
    if (!slice_ends(s, S(".seg")) || !slice_u64(slice_sub(s, 0, s.n - 4), INT64_MAX, &id))
        return 0;
    return (int64_t)id;
}

static void segments_sync(struct segments *g)
{
    if (fault_fdatasync(g->fd) < 0)
        store_die("sync of a segment", errno);
}

static void segments_sync_dir(struct segments *g)
{
    if (fault_fsync(g->dir) < 0)
        store_die("sync of the segments' directory", errno);
}

void segment_remove(struct segments *g, int64_t segment)
{
    char name[SEGMENT_NAME];
    segment_name(segment, name);
    if (unlinkat(g->dir, name, 0) < 0 && errno != ENOENT)
        log_event(LEVEL_WARNING, "store.unlink", "segment=%lld error=\"%s\"", (long long)segment,
                  strerror(errno));
    pthread_mutex_lock(&g->lock);
    for (size_t i = 0; i < LIMIT_SEGMENTS_OPEN; i++) {
        struct segment_fd *slot = &g->open[i];
        if (slot->segment == segment && slot->readers == 0) {
            close(slot->fd);
            *slot = (struct segment_fd){.fd = -1};
        }
    }
    pthread_mutex_unlock(&g->lock);
}

/* Removes files no row names (B3); false when the directory cannot be read. */
static bool segments_remove_unnamed(struct segments *g, struct db *db)
{
    int fd = openat(g->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir)
        return false;
    for (struct dirent *d; (d = readdir(dir)) != NULL;) {
        int64_t id = segment_of_name(d->d_name);
        if (!id || sql_number(db, 0, "SELECT 1 FROM segment WHERE id = ?", "i", id))
            continue;
        if (sql_failed(db))
            break;
        log_event(LEVEL_WARNING, "store.recover",
                  "removed=%s why=\"named by no row after a crash\"", d->d_name);
        segment_remove(g, id);
    }
    closedir(dir);
    return true;
}

/* Highest segment id among the files: ids of lost databases are not given again either (B4). */
static int64_t segments_highest_file(struct segments *g)
{
    int64_t highest = 0;
    int fd = openat(g->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir)
        return 0;
    for (struct dirent *d; (d = readdir(dir)) != NULL;) {
        int64_t id = segment_of_name(d->d_name);
        highest = id > highest ? id : highest;
    }
    closedir(dir);
    return highest;
}

/* Writes one row of body_log where it belongs; false when the disk refuses. */
static bool redo_write(struct segments *g, int64_t segment, uint64_t at, slice data)
{
    char name[SEGMENT_NAME];
    segment_name(segment, name);
    int fd = openat(g->dir, name, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT; /* reported where rows and files are compared */
    union {
        const char *in;
        void *out;
    } bytes = {data.p}; /* an iovec has no const */
    struct iovec v = {bytes.out, data.n};
    bool good = segment_write(fd, &v, 1, at) == 0;
    if (good && fault_fdatasync(fd) < 0)
        store_die("sync of a segment", errno);
    close(fd);
    return good;
}

/* Puts back what a crash may have taken from the segments (B1). */
static bool segments_redo(struct segments *g, struct db *db)
{
    bool good = true;
    int rows = 0;
    struct sql *q = sql_query(db,
                              "SELECT l.segment, l.at, l.data FROM body_log l"
                              " JOIN segment s ON s.id = l.segment ORDER BY l.id",
                              "");
    for (; good && sql_row(q); rows++)
        good = redo_write(g, sql_int(q, 0), (uint64_t)sql_int(q, 1), sql_bytes(q, 2));
    sql_end(q);
    if (!rows)
        return good;
    log_event(LEVEL_INFO, "store.recover", "body_log=%d", rows);
    return good && db_begin(db) && sql_exec(db, "DELETE FROM body_log", "") >= 0 && db_commit(db);
}

/* Goes on with the last shared segment when it is whole and not full. */
static void segments_resume(struct segments *g, struct db *db, bool clean)
{
    struct sql *q =
        sql_query(db, "SELECT id, bytes FROM segment WHERE own = 0 ORDER BY id DESC LIMIT 1", "");
    bool found = sql_row(q);
    int64_t id = sql_int(q, 0);
    uint64_t end = (uint64_t)sql_int(q, 1);
    sql_end(q);
    if (!found)
        return;
    char name[SEGMENT_NAME];
    struct stat st;
    segment_name(id, name);
    int fd = openat(g->dir, name, O_RDWR | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0 || (uint64_t)st.st_size < end) {
        log_event(LEVEL_ERROR, "store.recover",
                  "segment=%s problem=\"missing or too short\" do=\"yizhan check\"", name);
    } else if ((uint64_t)st.st_size > end && !clean) {
        log_event(LEVEL_INFO, "store.recover", "segment=%s cut_bytes=%llu", name,
                  (unsigned long long)((uint64_t)st.st_size - end));
        if (ftruncate(fd, (off_t)end) < 0 || fault_fsync(fd) < 0)
            store_die("cutting the torn tail of a segment", errno);
        st.st_size = (off_t)end;
    }
    if (fd >= 0 && (uint64_t)st.st_size == end && end < g->limit) {
        g->fd = fd;
        g->current = id;
        g->end = end;
    } else if (fd >= 0) {
        close(fd);
    }
}

bool segments_open(struct segments *g, struct store *s, struct db *db, bool clean,
                   struct buf *error)
{
    g->store = s;
    g->fd = -1;
    g->limit = s->options.segment_bytes ? s->options.segment_bytes : LIMIT_SEGMENT;
    pthread_mutex_init(&g->lock, NULL);
    for (size_t i = 0; i < LIMIT_SEGMENTS_OPEN; i++)
        g->open[i].fd = -1;
    g->dir = openat(s->dir_fd, "segments", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (g->dir < 0 || (!clean && !segments_remove_unnamed(g, db))) {
        buf_printf(error, "%s/segments: %s", s->options.dir, strerror(errno));
        return false;
    }
    if (!segments_redo(g, db)) {
        buf_printf(error, "%s/segments: the bodies of the last commits cannot be put back: %s",
                   s->options.dir, sql_failed(db) ? db_error(db) : strerror(errno));
        return false;
    }
    segments_resume(g, db, clean);
    int64_t next = sql_number(db, 1, "SELECT next FROM counter WHERE name = 'segment'", "");
    int64_t highest = segments_highest_file(g);
    g->next_segment = next > highest ? next : highest + 1;
    g->next_body = sql_number(db, 1, "SELECT next FROM counter WHERE name = 'body'", "");
    if (sql_failed(db))
        buf_printf(error, "%s: %s", s->options.dir, db_error(db));
    return !sql_failed(db);
}

void segments_settle(struct segments *g, struct db *db)
{
    if (!g->logged)
        return;
    segments_sync(g);
    sql_exec(db, "DELETE FROM body_log", "");
}

void segments_close(struct segments *g)
{
    if (!g->store)
        return;
    for (size_t i = 0; i < LIMIT_SEGMENTS_OPEN; i++)
        if (g->open[i].fd >= 0)
            close(g->open[i].fd);
    if (g->fd >= 0 && g->end == 0)
        segment_remove(g, g->current); /* begun by a batch that failed: no row names it */
    if (g->fd >= 0)
        close(g->fd);
    if (g->dir >= 0)
        close(g->dir);
    pthread_mutex_destroy(&g->lock);
    *g = (struct segments){.fd = -1, .dir = -1};
}

/* ---- writing ---- */

/* The shared segment to append to; a new one when there is none or it is full. */
static bool segments_current(struct segments *g)
{
    if (g->fd >= 0 && g->end < g->limit)
        return true;
    char name[SEGMENT_NAME];
    int64_t id = atomic_fetch_add(&g->next_segment, 1);
    segment_name(id, name);
    int fd = fault_create(g->dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    if (g->fd >= 0) {
        segments_sync(g);
        close(g->fd);
    }
    segments_sync_dir(g);
    g->fd = fd;
    g->current = id;
    g->end = 0;
    return true;
}

/* All the bytes behind one another. */
static struct iovec join(struct arena *a, const struct iovec *v, size_t count, size_t bytes)
{
    char *p = arena_alloc(a, bytes);
    size_t n = 0;
    for (size_t i = 0; i < count; n += v[i++].iov_len)
        memcpy(p + n, v[i].iov_base, v[i].iov_len);
    assert(n == bytes);
    return (struct iovec){p, n};
}

/* A small batch costs less in the log of the database, which is synced anyway, than a sync of its
 * own (B1). */
static bool shared_append(struct segments *g, struct body_write **w, size_t count)
{
    size_t shared = 0, n = 0;
    for (size_t i = 0; i < count; i++)
        shared += !w[i]->own;
    if (!shared)
        return true;
    if (!segments_current(g))
        return false;
    struct iovec *v = arena_array(&g->store->writer.arena, shared * (1 + BODY_PIECES), sizeof(*v));
    uint64_t at = g->end;
    for (size_t i = 0; i < count; i++) {
        if (w[i]->own)
            continue;
        w[i]->place = (struct body_place){g->current, at, w[i]->length};
        v[n++] = (struct iovec){w[i]->header, BODY_HEADER};
        for (int k = 0; k < w[i]->body->piece_count; k++) {
            slice piece = w[i]->body->pieces[k];
            union {
                const char *in;
                void *out;
            } bytes = {piece.p}; /* an iovec has no const */
            if (piece.n)
                v[n++] = (struct iovec){bytes.out, piece.n};
        }
        at += BODY_HEADER + w[i]->length;
    }
    uint64_t bytes = at - g->end;
    bool small = bytes <= LIMIT_BODY_LOG_BATCH && g->logged + bytes <= LIMIT_BODY_LOG;
    if (small) {
        struct iovec joined = join(&g->store->writer.arena, v, n, (size_t)bytes);
        g->log = (slice){joined.iov_base, joined.iov_len};
        v[0] = joined;
        n = 1;
    }
    if (segment_write(g->fd, v, (int)n, g->end) < 0)
        return false;
    if (!small)
        segments_sync(g);
    g->batch_end = at;
    g->in_batch = true;
    return true;
}

/* What a failed batch left behind the committed end goes at once: it also needs the space. */
static void shared_cut(struct segments *g)
{
    if (g->fd >= 0 && ftruncate(g->fd, (off_t)g->end) < 0)
        log_event(LEVEL_WARNING, "store.cut", "error=\"%s\"", strerror(errno));
    g->in_batch = false;
    g->log = S("");
}

static bool own_link(struct segments *g, struct body_write *w)
{
    char name[SEGMENT_NAME];
    w->place = (struct body_place){atomic_fetch_add(&g->next_segment, 1), 0, w->length};
    segment_name(w->place.segment, name);
    if (fault_link(w->body->fd, g->dir, name) < 0)
        return false;
    w->linked = true;
    if (fault_fsync(w->body->fd) < 0) /* its link count */
        store_die("sync of a large message", errno);
    return true;
}

enum outcome bodies_append(struct segments *g, struct body_write **w, size_t count)
{
    bool good = shared_append(g, w, count), linked = false;
    int error = errno;
    for (size_t i = 0; i < count && good; i++) {
        if (!w[i]->own)
            continue;
        good = own_link(g, w[i]);
        error = errno;
        linked = linked || good;
    }
    if (linked)
        segments_sync_dir(g);
    if (good)
        return DONE;
    log_event(LEVEL_ERROR, "store.append", "error=\"%s\"", strerror(error));
    for (size_t i = 0; i < count; i++)
        body_unlink(g, w[i]);
    shared_cut(g);
    return TEMPFAIL;
}

void body_unlink(struct segments *g, const struct body_write *w)
{
    if (w->linked)
        segment_remove(g, w->place.segment);
}

void segments_flush(struct segments *g, struct db *db, uint64_t live, int64_t highest_body)
{
    if (g->log.n)
        sql_exec(db, "INSERT INTO body_log(segment, at, data) VALUES (?, ?, ?)", "iib", g->current,
                 (int64_t)g->end, g->log);
    else if (g->in_batch && g->logged)
        sql_exec(db, "DELETE FROM body_log", "");
    if (g->in_batch)
        sql_exec(db,
                 "INSERT INTO segment(id, bytes, live) VALUES (?1, ?2, ?3)"
                 " ON CONFLICT(id) DO UPDATE SET bytes = ?2, live = live + ?3",
                 "iii", g->current, (int64_t)g->batch_end, (int64_t)live);
    if (highest_body)
        sql_exec(db, "UPDATE counter SET next = max(next, ?) WHERE name = 'body'", "i",
                 highest_body + 1);
    int64_t next = atomic_load(&g->next_segment);
    if (next != g->counted_segment)
        sql_exec(db, "UPDATE counter SET next = max(next, ?) WHERE name = 'segment'", "i", next);
    g->counting_segment = next;
}

void segments_keep(struct segments *g)
{
    if (g->in_batch) {
        g->end = g->batch_end;
        g->logged = g->log.n ? g->logged + g->log.n : 0;
    }
    g->log = S("");
    g->counted_segment = g->counting_segment;
    g->in_batch = false;
}

void segments_forget(struct segments *g)
{
    if (g->in_batch)
        shared_cut(g);
}

/* ---- descriptors for reading ---- */

/* A slot for a new descriptor: free, or the longest unused one; NULL when all are being read. */
static struct segment_fd *slot_to_use(struct segments *g)
{
    struct segment_fd *best = NULL;
    for (size_t i = 0; i < LIMIT_SEGMENTS_OPEN; i++) {
        struct segment_fd *slot = &g->open[i];
        if (slot->readers == 0 &&
            (!best || slot->fd < 0 || (best->fd >= 0 && slot->used < best->used)))
            best = slot;
    }
    if (best && best->fd >= 0)
        close(best->fd);
    return best;
}

int segment_get(struct segments *g, int64_t segment)
{
    char name[SEGMENT_NAME];
    pthread_mutex_lock(&g->lock);
    struct segment_fd *slot = NULL;
    for (size_t i = 0; i < LIMIT_SEGMENTS_OPEN && !slot; i++)
        if (g->open[i].fd >= 0 && g->open[i].segment == segment)
            slot = &g->open[i];
    int fd = slot ? slot->fd : -1;
    if (!slot) {
        segment_name(segment, name);
        fd = openat(g->dir, name, O_RDONLY | O_CLOEXEC);
        slot = fd < 0 ? NULL : slot_to_use(g);
        if (slot)
            *slot = (struct segment_fd){.segment = segment, .fd = fd};
    }
    if (slot) {
        slot->readers++;
        slot->used = ++g->clock;
    }
    pthread_mutex_unlock(&g->lock);
    return fd;
}

void segment_done(struct segments *g, int64_t segment, int fd)
{
    pthread_mutex_lock(&g->lock);
    bool kept = false;
    for (size_t i = 0; i < LIMIT_SEGMENTS_OPEN && !kept; i++)
        if (g->open[i].fd == fd && g->open[i].segment == segment) {
            g->open[i].readers--;
            kept = true;
        }
    pthread_mutex_unlock(&g->lock);
    if (!kept)
        close(fd);
}
