#include "intake/spool.h"

#include <assert.h>
#include <errno.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/budget.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/log.h"

#include "base/banned.h"

enum { SPOOL_STEP = 32 * 1024 };

struct spool {
    struct store *store;
    void *tag;
    uint64_t max_bytes, size;
    struct buf memory;
    size_t taken;  /* of the budget */
    int fd;        /* -1: still in memory */
    char *mapping; /* of the whole file */
    size_t mapped;
    bool failed;
};

/* Room found is taken for granted for a second: the reserve is far more than comes in that time. */
static bool disk_has_room(struct store *store)
{
    static _Atomic int64_t found_ms = -SECOND_MS;
    int64_t now = clock_mono_ms();
    struct statvfs v;
    if (now - found_ms < SECOND_MS || statvfs(store_dir(store), &v) != 0)
        return true;
    bool room = (uint64_t)v.f_bavail * v.f_frsize > LIMIT_DISK_RESERVE;
    if (room)
        found_ms = now;
    return room;
}

struct spool *spool_open(struct store *store, uint64_t max_bytes, void *tag)
{
    if (!disk_has_room(store)) {
        log_event(LEVEL_ERROR, "intake.spool", "what=disk_almost_full dir=%s", store_dir(store));
        return NULL;
    }
    if (!budget_take(SPOOL_STEP))
        return NULL;
    struct spool *s = mem_alloc(sizeof(*s));
    s->store = store;
    s->tag = tag;
    s->max_bytes = max_bytes;
    s->memory.max = LIMIT_BODY_IN_MEMORY;
    s->taken = SPOOL_STEP;
    s->fd = -1;
    return s;
}

void *spool_tag(const struct spool *s)
{
    return s->tag;
}

/* Goes over to a file: what is in memory first. */
static bool spill(struct spool *s)
{
    s->fd = store_tmpfile(s->store);
    if (s->fd < 0 || lseek(s->fd, BODY_HEADER, SEEK_SET) < 0 ||
        file_write_all(s->fd, buf_slice(&s->memory)) < 0)
        return false;
    buf_end(&s->memory);
    budget_give(s->taken);
    s->taken = 0;
    return true;
}

static bool add_to_memory(struct spool *s, slice bytes)
{
    while (buf_length(&s->memory) + bytes.n > s->taken) {
        if (!budget_take(SPOOL_STEP))
            return false;
        s->taken += SPOOL_STEP;
    }
    return buf_add(&s->memory, bytes);
}

bool spool_add(struct spool *s, slice bytes)
{
    if (s->failed)
        return false;
    bool fits = s->size + bytes.n <= s->max_bytes;
    bool ok = fits;
    if (ok && s->fd < 0 && buf_length(&s->memory) + bytes.n > LIMIT_BODY_IN_MEMORY)
        ok = spill(s);
    if (ok)
        ok = s->fd < 0 ? add_to_memory(s, bytes) : file_write_all(s->fd, bytes) == 0;
    if (ok)
        s->size += bytes.n;
    else if (fits)
        log_event(LEVEL_ERROR, "intake.spool", "size=%llu error=%s", (unsigned long long)s->size,
                  strerror(errno));
    s->failed = !ok;
    return ok;
}

bool spool_bytes(struct spool *s, slice *bytes)
{
    if (s->failed)
        return false;
    if (s->fd < 0) {
        *bytes = buf_slice(&s->memory);
        return true;
    }
    if (!s->mapping) {
        s->mapped = (size_t)s->size + BODY_HEADER;
        void *p = mmap(NULL, s->mapped, PROT_READ, MAP_PRIVATE, s->fd, 0);
        if (p == MAP_FAILED)
            return false;
        s->mapping = p;
    }
    *bytes = (slice){s->mapping + BODY_HEADER, (size_t)s->size};
    return true;
}

void spool_body(struct spool *s, struct store_body *body)
{
    body->fd = -1;
    if (s->fd >= 0 && s->size >= LIMIT_OWN_SEGMENT) {
        body->fd = s->fd;
        body->file_bytes = s->size;
        return;
    }
    bool ok = spool_bytes(s, &body->pieces[0]);
    assert(ok); /* intake_accept has read it */
    body->piece_count = 1;
}

void spool_close(struct spool *s)
{
    if (!s)
        return;
    if (s->mapping)
        munmap(s->mapping, s->mapped);
    if (s->fd >= 0)
        close(s->fd);
    buf_end(&s->memory);
    budget_give(s->taken);
    mem_free(s);
}
