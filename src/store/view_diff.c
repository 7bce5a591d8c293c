/* Two cursors walk in uid order; where both stand at the start of one shared chunk, both skip it.
 */
#include "store/view_diff.h"

#include "store/internal.h"
#include "base/banned.h"

static void open_chunk(struct view_cursor *c)
{
    c->fresh = c->chunk < c->count;
    c->has = false;
    if (c->fresh)
        c->reader = chunk_read(c->chunks[c->chunk]);
}

/* Makes e the next entry; false at the end. */
static bool load(struct view_cursor *c)
{
    while (!c->has && c->chunk < c->count) {
        if (chunk_next(&c->reader)) {
            c->e = c->reader.e;
            c->has = true;
        } else {
            c->chunk++;
            open_chunk(c);
        }
        c->fresh = c->fresh && !c->has;
    }
    return c->has;
}

static void take(struct view_cursor *c)
{
    c->has = false;
    c->position++;
}

/* At a chunk's end the cursor goes to the start of the next one. */
static void settle(struct view_cursor *c)
{
    if (c->has || c->fresh || c->chunk >= c->count)
        return;
    if (c->reader.rest.n == 0) {
        c->chunk++;
        open_chunk(c);
    }
}

static void cursor_start(struct view_cursor *c, const struct view *v, uint32_t uid)
{
    *c = (struct view_cursor){0};
    c->chunks = view_chunks(v, &c->count);
    while (c->chunk < c->count && c->chunks[c->chunk]->last.uid < uid)
        c->position += c->chunks[c->chunk++]->count;
    open_chunk(c);
    if (c->chunk < c->count && c->chunks[c->chunk]->first_uid >= uid)
        return;
    while (load(c) && c->e.uid < uid)
        take(c);
}

void view_diff_start(struct view_diff *d, const struct view *was, const struct view *is,
                     uint32_t uid)
{
    d->only_gone = false;
    cursor_start(&d->was, was, uid);
    cursor_start(&d->is, is, uid);
}

/*
 * Entries never come back, so the newer one holds no uids of their range but the older one's: all
 * of them, if it holds as many.
 */
static bool same_uids(const struct chunk *was, const struct chunk *is)
{
    return was->count == is->count && was->first_uid == is->first_uid &&
           was->last.uid == is->last.uid;
}

static bool nothing_to_see(const struct view_diff *d)
{
    if (!d->was.fresh || !d->is.fresh)
        return false;
    const struct chunk *was = d->was.chunks[d->was.chunk], *is = d->is.chunks[d->is.chunk];
    return was == is || (d->only_gone && same_uids(was, is));
}

static void skip_shared(struct view_diff *d)
{
    settle(&d->was);
    settle(&d->is);
    while (nothing_to_see(d)) {
        uint32_t count = d->was.chunks[d->was.chunk]->count;
        d->was.position += count;
        d->is.position += count;
        d->was.chunk++;
        d->is.chunk++;
        open_chunk(&d->was);
        open_chunk(&d->is);
    }
}

bool view_diff_next(struct view_diff *d, struct view_difference *out)
{
    for (;;) {
        skip_shared(d);
        bool was = load(&d->was), is = load(&d->is);
        if (!was && !is)
            return false;
        if (was && (!is || d->was.e.uid < d->is.e.uid)) {
            *out =
                (struct view_difference){VIEW_GONE, .was = d->was.e, .position = d->was.position};
            take(&d->was);
            return true;
        }
        if (!was || d->is.e.uid < d->was.e.uid) {
            *out = (struct view_difference){VIEW_ADDED, .is = d->is.e, .position = d->is.position};
            take(&d->is);
            return true;
        }
        bool same = d->was.e.flags == d->is.e.flags && d->was.e.modseq == d->is.e.modseq;
        *out = (struct view_difference){VIEW_CHANGED, d->was.e, d->is.e, d->is.position};
        take(&d->was);
        take(&d->is);
        if (!same)
            return true;
    }
}

bool view_diff_next_gone(struct view_diff *d, struct view_difference *out)
{
    d->only_gone = true;
    while (view_diff_next(d, out))
        if (out->what == VIEW_GONE)
            return true;
    return false;
}
