/* A set of UIDLs in memory, loaded from the file and written back as a whole (file_write). */
#include "agent/seen.h"

#include <errno.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/banned.h"

enum { SEEN_FILE_MAX = 512 << 20 };

bool seen_load(struct seen *s, const char *path, struct buf *error)
{
    struct arena a = {0};
    slice text = S(""), line;
    *s = (struct seen){.path = path};
    bool ok = file_read(&a, path, SEEN_FILE_MAX, &text) == 0 || errno == ENOENT;
    if (!ok)
        buf_printf(error, "%s: %s", path, strerror(errno));
    while (ok && slice_next(&text, '\n', &line))
        if (line.n)
            map_set(&s->uidls, line, s);
    arena_end(&a);
    return ok;
}

bool seen_has(const struct seen *s, slice uidl)
{
    return map_get(&s->uidls, uidl) != NULL;
}

void seen_add(struct seen *s, slice uidl)
{
    if (!map_set(&s->uidls, uidl, s))
        s->changed = true;
}

void seen_remove(struct seen *s, slice uidl)
{
    if (map_remove(&s->uidls, uidl))
        s->changed = true;
}

bool seen_save(struct seen *s, struct buf *error)
{
    struct buf text = {.max = SEEN_FILE_MAX};
    slice uidl;
    void *value;
    if (!s->changed)
        return true;
    for (size_t at = 0; map_next(&s->uidls, &at, &uidl, &value);) {
        buf_add(&text, uidl);
        buf_add_byte(&text, '\n');
    }
    bool ok = !text.full && file_write(s->path, buf_slice(&text), 0600) == 0;
    if (!ok)
        buf_printf(error, "%s: %s", s->path, text.full ? "too many messages" : strerror(errno));
    s->changed = !ok;
    buf_end(&text);
    return ok;
}

void seen_end(struct seen *s)
{
    map_end(&s->uidls);
}
