/* Text that grows in an arena. */
#include "message/out.h"

#include <assert.h>
#include <stdio.h>

#include "base/banned.h"

enum { OUT_FIRST = 256 };

slice out_slice(const struct out *o)
{
    return o->p ? (slice){o->p, o->n} : S("");
}

char *out_space(struct out *o, size_t n)
{
    assert(n <= SIZE_MAX / 2 - o->n);
    if (o->size - o->n < n || !o->p) {
        size_t size = o->size ? o->size * 2 : OUT_FIRST;
        if (size < o->n + n)
            size = o->n + n;
        char *p = arena_alloc(o->arena, size);
        if (o->n)
            memcpy(p, o->p, o->n);
        o->p = p;
        o->size = size;
    }
    return o->p + o->n;
}

void out_wrote(struct out *o, size_t n)
{
    assert(n <= o->size - o->n);
    o->n += n;
}

void out_add(struct out *o, slice s)
{
    if (s.n == 0)
        return;
    memcpy(out_space(o, s.n), s.p, s.n);
    o->n += s.n;
}

void out_byte(struct out *o, char c)
{
    if (o->n == o->size)
        out_space(o, 1);
    o->p[o->n++] = c;
}

void out_printf(struct out *o, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    assert(n >= 0);
    vsnprintf(out_space(o, (size_t)n + 1), (size_t)n + 1, format, again);
    o->n += (size_t)n;
    va_end(again);
    va_end(args);
}

void out_char(struct out *o, uint32_t c)
{
    char p[4];
    size_t n = 0;
    if ((c >= 0xd800 && c < 0xe000) || c > 0x10ffff)
        c = 0xfffd;
    if (c < 0x80) {
        p[n++] = (char)c;
    } else if (c < 0x800) {
        p[n++] = (char)(0xc0 | c >> 6);
        p[n++] = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        p[n++] = (char)(0xe0 | c >> 12);
        p[n++] = (char)(0x80 | (c >> 6 & 0x3f));
        p[n++] = (char)(0x80 | (c & 0x3f));
    } else {
        p[n++] = (char)(0xf0 | c >> 18);
        p[n++] = (char)(0x80 | (c >> 12 & 0x3f));
        p[n++] = (char)(0x80 | (c >> 6 & 0x3f));
        p[n++] = (char)(0x80 | (c & 0x3f));
    }
    out_add(o, (slice){p, n});
}
