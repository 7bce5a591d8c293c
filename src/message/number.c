/* Part numbers (RFC 9051 6.4.5.1): counted in the multiparts; a message inside begins anew below
 * its own number. */
#include "message/parse.h"

#include "base/limits.h"
#include "message/out.h"

#include "base/banned.h"

/* Whether the part is the root of the message or of a message inside. */
static bool is_root(const struct mime *m, size_t part)
{
    return part == 0 || m->parts[m->parts[part].parent].kind == MIME_MESSAGE;
}

slice mime_number(struct arena *a, const struct mime *m, size_t part)
{
    uint32_t numbers[LIMIT_MIME_DEPTH + 2];
    size_t count = 0;
    struct out o = {.arena = a};
    for (size_t i = part;; i = m->parts[i].parent) {
        if (!is_root(m, i))
            numbers[count++] = m->parts[i].index;
        else if (m->parts[i].kind != MIME_MULTIPART)
            numbers[count++] = 1;
        if (i == 0)
            break;
    }
    while (count)
        out_printf(&o, o.n ? ".%u" : "%u", numbers[--count]);
    if (is_root(m, part) && m->parts[part].kind == MIME_MULTIPART)
        out_add(&o, o.n ? S(".TEXT") : S("TEXT"));
    return out_slice(&o);
}

/* The nth child of a part, or 0. */
static size_t nth_child(const struct mime *m, size_t part, uint64_t n)
{
    size_t child = mime_child(m, part);
    while (child && --n)
        child = m->parts[child].next;
    return child;
}

/* One step down from a part (or from the start of a message): *part is where number n leads. */
static bool step(const struct mime *m, size_t *part, bool root, uint64_t n)
{
    if (!root && m->parts[*part].kind == MIME_MESSAGE) {
        *part = mime_child(m, *part);
        root = true;
    }
    if (m->parts[*part].kind == MIME_MULTIPART) {
        *part = nth_child(m, *part, n);
        return *part != 0;
    }
    return root && n == 1;
}

bool mime_by_number(const struct mime *m, slice number, size_t *part)
{
    slice field;
    uint64_t n;
    bool root = true;
    *part = 0;
    while (slice_next(&number, '.', &field)) {
        if (slice_eq_icase(field, S("TEXT")) && !number.n) {
            if (!root && m->parts[*part].kind != MIME_MESSAGE)
                return false;
            *part = root ? 0 : mime_child(m, *part);
            return m->parts[*part].kind == MIME_MULTIPART;
        }
        if (!slice_u64(field, UINT32_MAX, &n) || !n || !step(m, part, root, n))
            return false;
        root = false;
    }
    return !root;
}
