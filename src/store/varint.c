#include "store/varint.h"
#include "base/banned.h"

size_t varint_put(unsigned char *to, uint64_t v)
{
    size_t n = 0;
    for (; v >= 0x80; v >>= 7)
        to[n++] = (unsigned char)(v | 0x80);
    to[n++] = (unsigned char)v;
    return n;
}

bool varint_take(slice *s, uint64_t *v)
{
    *v = 0;
    for (size_t i = 0; i < s->n && i < VARINT_MAX; i++) {
        uint64_t byte = (unsigned char)s->p[i];
        if ((i == 9 && byte > 1) || (i > 0 && byte == 0))
            return false;
        *v |= (byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            *s = slice_skip(*s, i + 1);
            return true;
        }
    }
    return false;
}

uint64_t zigzag(int64_t v)
{
    return (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
}

int64_t unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}
