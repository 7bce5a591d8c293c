/*
 * Segments: DIR/segments/000000000001.seg, records one behind the other.
 *
 *   record  header of 128 bytes, little-endian, then the stored bytes
 *     0 magic "YZB1"      4 version 1      5 codec 0 (as is)   6 keyId u16 0 (not encrypted)
 *     8 storedLen u64    16 len u64       24 bodyId i64       32 date i64, ms
 *    40 crc32c u32 of the stored bytes    44 crc32c u32 of the header with this field 0
 *    48 sha256 of the bytes as received   80 zeros
 *
 * A body from 1 MiB on that came in a file is a segment of its own: the file, linked in.
 *
 * Invariants
 *   B1  A row names a body only after its bytes are synced: append, fdatasync, COMMIT.
 *   B2  The committed end of a segment moves only with COMMIT; a failed batch is overwritten.
 *   B3  After a crash the bytes beyond the committed end, and files without a row, belong to nobody
 *       who was answered: they are cut.  After a clean stop there are none; what is found then is
 *       kept for "check --repair".
 *   B4  Body and segment ids are never given twice.
 *   B5  Bytes that do not fit their checksum are never served.
 * A segment is current (appended to) -> full -> empty (no live record) -> removed.
 */
#include "store/body.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "store/crc32c.h"
#include "store/fault.h"
#include "store/internal.h"
#include "base/banned.h"

/* ---- the record header ---- */

static void put_le(unsigned char *to, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        to[i] = (unsigned char)(v >> (8 * i));
}

static uint64_t get_le(const unsigned char *from, int bytes)
{
    uint64_t v = 0;
    for (int i = 0; i < bytes; i++)
        v |= (uint64_t)from[i] << (8 * i);
    return v;
}

void body_header_pack(unsigned char out[BODY_HEADER], const struct body_header *h)
{
    memset(out, 0, BODY_HEADER);
    memcpy(out, "YZB1", 4);
    out[4] = (unsigned char)h->version;
    out[5] = (unsigned char)h->codec;
    put_le(out + 6, h->key_id, 2);
    put_le(out + 8, h->stored, 8);
    put_le(out + 16, h->length, 8);
    put_le(out + 24, (uint64_t)h->body, 8);
    put_le(out + 32, (uint64_t)h->date_ms, 8);
    put_le(out + 40, h->crc32c, 4);
    memcpy(out + 48, h->sha256, 32);
    put_le(out + 44, crc32c(0, (slice){(const char *)out, BODY_HEADER}), 4);
}

bool body_header_unpack(const unsigned char in[BODY_HEADER], struct body_header *h)
{
    unsigned char copy[BODY_HEADER];
    memcpy(copy, in, sizeof(copy));
    memset(copy + 44, 0, 4);
    *h = (struct body_header){
        .version = in[4],
        .codec = in[5],
        .key_id = (uint32_t)get_le(in + 6, 2),
        .stored = get_le(in + 8, 8),
        .length = get_le(in + 16, 8),
        .body = (int64_t)get_le(in + 24, 8),
        .date_ms = (int64_t)get_le(in + 32, 8),
        .crc32c = (uint32_t)get_le(in + 40, 4),
    };
    memcpy(h->sha256, in + 48, 32);
    return memcmp(in, "YZB1", 4) == 0 && h->version == 1 && h->codec == 0 && h->key_id == 0 &&
           h->stored == h->length && h->stored <= INT64_MAX - BODY_HEADER && h->body > 0 &&
           get_le(in + 44, 4) == crc32c(0, (slice){(const char *)copy, BODY_HEADER});
}

/* ---- files ---- */

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
    segments_resume(g, db, clean);
    int64_t next = sql_number(db, 1, "SELECT next FROM counter WHERE name = 'segment'", "");
    int64_t highest = segments_highest_file(g);
    g->next_segment = next > highest ? next : highest + 1;
    g->next_body = sql_number(db, 1, "SELECT next FROM counter WHERE name = 'body'", "");
    if (sql_failed(db))
        buf_printf(error, "%s: %s", s->options.dir, db_error(db));
    return !sql_failed(db);
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

/* pwritev until all is written; the iovecs are used up. */
static int write_all(int fd, struct iovec *v, int n, uint64_t at)
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

/* Checksum of a message in a file, behind the reserved header. */
static bool crc_of_file(int fd, uint64_t length, uint32_t *crc)
{
    char piece[16 * 1024];
    *crc = 0;
    for (uint64_t at = 0; at < length;) {
        size_t want = length - at < sizeof(piece) ? (size_t)(length - at) : sizeof(piece);
        struct iovec v = {piece, want};
        ssize_t got = fault_preadv(fd, &v, 1, (off_t)(BODY_HEADER + at));
        if (got <= 0)
            return false;
        *crc = crc32c(*crc, (slice){piece, (size_t)got});
        at += (uint64_t)got;
    }
    return true;
}

enum outcome body_prepare(struct segments *g, struct store_body *body, struct body_write *w)
{
    *w = (struct body_write){.body = body, .own = body->file_bytes > 0};
    uint32_t crc = 0;
    w->length = body->file_bytes;
    for (int i = 0; i < body->piece_count && !w->own; i++) {
        w->length += body->pieces[i].n;
        crc = crc32c(crc, body->pieces[i]);
    }
    if (w->own && !crc_of_file(body->fd, w->length, &crc))
        return TEMPFAIL;
    body->id = atomic_fetch_add(&g->next_body, 1);
    struct body_header h = {.version = 1,
                            .stored = w->length,
                            .length = w->length,
                            .body = body->id,
                            .date_ms = body->date_ms,
                            .crc32c = crc};
    memcpy(h.sha256, body->sha256, sizeof(h.sha256));
    body_header_pack(w->header, &h);
    if (!w->own)
        return DONE;
    struct iovec v = {w->header, BODY_HEADER};
    if (write_all(body->fd, &v, 1, 0) < 0)
        return TEMPFAIL;
    if (ftruncate(body->fd, (off_t)(BODY_HEADER + w->length)) < 0)
        return TEMPFAIL;
    if (fault_fdatasync(body->fd) < 0)
        store_die("sync of a large message", errno);
    return DONE;
}

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
    if (g->fd >= 0)
        close(g->fd);
    segments_sync_dir(g);
    g->fd = fd;
    g->current = id;
    g->end = 0;
    return true;
}

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
    if (write_all(g->fd, v, (int)n, g->end) < 0)
        return false;
    if (fault_fdatasync(g->fd) < 0)
        store_die("sync of a segment", errno);
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

bool body_insert(struct db *db, const struct body_write *w)
{
    if (w->own && sql_exec(db, "INSERT INTO segment(id, bytes, live, own) VALUES (?1, ?2, ?2, 1)",
                           "ii", w->place.segment, (int64_t)(BODY_HEADER + w->length)) != 1)
        return false;
    return sql_exec(db, "INSERT INTO body(id, segment, at, length) VALUES (?, ?, ?, ?)", "iiii",
                    w->body->id, w->place.segment, (int64_t)w->place.at, (int64_t)w->length) == 1;
}

void segments_flush(struct segments *g, struct db *db, uint64_t live, int64_t highest_body)
{
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
    if (g->in_batch)
        g->end = g->batch_end;
    g->counted_segment = g->counting_segment;
    g->in_batch = false;
}

void segments_forget(struct segments *g)
{
    if (g->in_batch)
        shared_cut(g);
}

/* ---- reading ---- */

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

bool body_find(struct db *db, int64_t body, struct body_place *place)
{
    struct sql *q = sql_query(db, "SELECT segment, at, length FROM body WHERE id = ?", "i", body);
    bool found = sql_row(q);
    *place = (struct body_place){sql_int(q, 0), (uint64_t)sql_int(q, 1), (uint64_t)sql_int(q, 2)};
    sql_end(q);
    return found;
}

/* Whether the header is that of the body, and, when all its bytes are here, these fit it (B5). */
static bool body_proves(int64_t body, const struct body_place *place,
                        const unsigned char header[BODY_HEADER], slice bytes)
{
    struct body_header h;
    bool good = body_header_unpack(header, &h) && h.body == body && h.length == place->length &&
                (bytes.n < h.stored || crc32c(0, bytes) == h.crc32c);
    if (!good)
        log_event(LEVEL_ERROR, "store.damaged", "body=%lld segment=%lld at=%llu", (long long)body,
                  (long long)place->segment, (unsigned long long)place->at);
    return good;
}

ssize_t body_read_at(struct segments *g, int64_t body, const struct body_place *place,
                     uint64_t offset, char *to, size_t n)
{
    if (offset > place->length)
        return -1;
    n = n < place->length - offset ? n : (size_t)(place->length - offset);
    int fd = segment_get(g, place->segment);
    if (fd < 0)
        return -1;
    unsigned char header[BODY_HEADER];
    struct iovec v[2] = {{header, BODY_HEADER}, {to, n}};
    bool whole = offset == 0; /* the header lies right in front: one call reads both */
    ssize_t want = (ssize_t)n + (whole ? BODY_HEADER : 0);
    off_t at = (off_t)(place->at + offset + (whole ? 0 : BODY_HEADER));
    ssize_t got = want ? fault_preadv(fd, whole ? v : v + 1, whole ? 2 : 1, at) : 0;
    segment_done(g, place->segment, fd);
    if (got != want || (whole && !body_proves(body, place, header, (slice){to, n})))
        return -1;
    return (ssize_t)n;
}

ssize_t body_read(struct store *s, int64_t body, uint64_t offset, char *to, size_t n)
{
    struct body_place place;
    for (int try = 0; try < 2; try++) { /* the compactor may move it between the two steps */
        struct db *db = store_read(s);
        bool found = db && body_find(db, body, &place);
        store_read_end(s, db);
        if (!found)
            return -1;
        ssize_t got = body_read_at(&s->segments, body, &place, offset, to, n);
        if (got >= 0)
            return got;
    }
    return -1;
}

ssize_t body_read_found(struct store *s, int64_t body, const struct body_place *place,
                        uint64_t offset, char *to, size_t n)
{
    ssize_t got = body_read_at(&s->segments, body, place, offset, to, n);
    return got < 0 ? body_read(s, body, offset, to, n) : got; /* moved meanwhile, or damaged */
}
