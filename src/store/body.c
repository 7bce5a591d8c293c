/*
 * Bodies: records in segments.
 *
 *   record  header of 128 bytes, little-endian, then the stored bytes
 *     0 magic "YZB1"      4 version 1      5 codec 0 (as is)   6 keyId u16 0 (not encrypted)
 *     8 storedLen u64    16 len u64       24 bodyId i64       32 date i64, ms
 *    40 crc32c u32 of the stored bytes    44 crc32c u32 of the header with this field 0
 *    48 sha256 of the bytes as received   80 zeros
 *
 * Invariant
 *   B5  Bytes that do not fit their checksum are never served.  (B1-B4: segment.c.)
 */
#include "store/body.h"

#include <assert.h>
#include <errno.h>
#include <unistd.h>

#include "base/log.h"
#include "store/crc32c.h"
#include "store/fault.h"
#include "store/internal.h"
#include "base/banned.h"

/* ---- the record ---- */

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
    if (segment_write(body->fd, &v, 1, 0) < 0)
        return TEMPFAIL;
    if (ftruncate(body->fd, (off_t)(BODY_HEADER + w->length)) < 0)
        return TEMPFAIL;
    if (fault_fdatasync(body->fd) < 0)
        store_die("sync of a large message", errno);
    return DONE;
}

bool body_insert(struct db *db, const struct body_write *w)
{
    if (w->own && sql_exec(db, "INSERT INTO segment(id, bytes, live, own) VALUES (?1, ?2, ?2, 1)",
                           "ii", w->place.segment, (int64_t)(BODY_HEADER + w->length)) != 1)
        return false;
    return sql_exec(db, "INSERT INTO body(id, segment, at, length) VALUES (?, ?, ?, ?)", "iiii",
                    w->body->id, w->place.segment, (int64_t)w->place.at, (int64_t)w->length) == 1;
}

/* ---- reading ---- */

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

bool body_run_follows(const struct body_run *before, const struct body_run *r)
{
    return r->place.segment == before->place.segment &&
           r->place.at == before->place.at + BODY_HEADER + before->place.length;
}

bool body_run_read(struct segments *g, const struct body_run *runs, size_t n)
{
    unsigned char headers[BODY_RUN][BODY_HEADER] __attribute__((uninitialized));
    struct iovec v[2 * BODY_RUN];
    ssize_t want = 0;
    assert(n > 0 && n <= BODY_RUN);
    for (size_t i = 0; i < n; i++) {
        v[2 * i] = (struct iovec){headers[i], BODY_HEADER};
        v[2 * i + 1] = (struct iovec){runs[i].to, runs[i].place.length};
        want += (ssize_t)(BODY_HEADER + runs[i].place.length);
    }
    int fd = segment_get(g, runs->place.segment);
    if (fd < 0)
        return false;
    ssize_t got = fault_preadv(fd, v, (int)(2 * n), (off_t)runs->place.at);
    segment_done(g, runs->place.segment, fd);
    bool good = got == want;
    for (size_t i = 0; i < n && good; i++)
        good = body_proves(runs[i].body, &runs[i].place, headers[i],
                           (slice){runs[i].to, runs[i].place.length});
    return good;
}
