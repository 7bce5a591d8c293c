#include "store/varint.h"
#include "base/banned.h"

size_t varint_put(unsigned char *to, uint64_t v)
{
    return (size_t)(varint_write(to, v) - to);
}

struct varint varint_read_long(const unsigned char *p, const unsigned char *end)
{
    uint64_t v = 0;
    for (int i = 0; p < end && i < VARINT_MAX; i++, p++) {
        if ((i == 9 && *p > 1) || (i > 0 && *p == 0))
            break;
        v |= (uint64_t)(*p & 0x7f) << (7 * i);
        if (*p < 0x80)
            return (struct varint){p + 1, v};
    }
    return (struct varint){NULL, 0};
}

bool varint_take(slice *s, uint64_t *v)
{
    const unsigned char *p = (const unsigned char *)s->p;
    struct varint got = varint_read(p, p + s->n);
    *v = got.v;
    if (got.next)
        *s = slice_skip(*s, (size_t)(got.next - p));
    return got.next != NULL;
}
