#include "store/view_scan.h"

#include "store/internal.h"
#include "base/banned.h"

uint32_t view_first_unseen(const struct view *v)
{
    size_t count;
    struct chunk *const *chunks = view_chunks(v, &count);
    uint32_t position = 0;
    for (size_t i = 0; i < count; position += chunks[i++]->count) {
        if (!chunks[i]->unseen)
            continue;
        for (struct chunk_reader r = chunk_read(chunks[i]); chunk_next(&r); position++)
            if (!(r.e.flags & FLAG_SEEN))
                return position;
    }
    return position;
}

uint32_t view_list_changed(const struct view *v, uint32_t *position, int64_t since, struct entry *e,
                           uint32_t *at, uint32_t n)
{
    size_t count;
    struct chunk *const *chunks = view_chunks(v, &count);
    uint32_t here = 0, got = 0;
    for (size_t i = 0; i < count && got < n; i++) {
        if (chunks[i]->modseq <= since || here + chunks[i]->count <= *position) {
            here += chunks[i]->count;
            continue;
        }
        for (struct chunk_reader r = chunk_read(chunks[i]); got < n && chunk_next(&r); here++) {
            if (here < *position || r.e.modseq <= since)
                continue;
            e[got] = r.e;
            at[got++] = here;
        }
    }
    if (here > *position)
        *position = here;
    return got;
}
