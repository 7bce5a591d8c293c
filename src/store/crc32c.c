/*
 * CRC-32C: reflected polynomial 0x82f63b78.  The portable way takes eight bytes a step through
 * eight tables; the instruction of SSE 4.2 does the same in one.  That takes three cycles, but one
 * can begin in each: three pieces go side by side, and are joined by what zeros behind the first
 * would make of it.
 */
#include "store/crc32c.h"

#include <pthread.h>
#include "base/banned.h"

static uint32_t table[8][256];

static void table_fill(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++)
            c = c & 1 ? c >> 1 ^ UINT32_C(0x82f63b78) : c >> 1;
        table[0][i] = c;
    }
    for (int k = 1; k < 8; k++)
        for (int i = 0; i < 256; i++)
            table[k][i] = table[k - 1][i] >> 8 ^ table[0][table[k - 1][i] & 0xff];
}

static void table_ready(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, table_fill);
}

uint32_t crc32c_table(uint32_t before, slice bytes)
{
    table_ready();
    const unsigned char *p = (const unsigned char *)bytes.p;
    uint32_t c = ~before;
    size_t n = bytes.n;
    for (; n >= 8; n -= 8, p += 8) {
        uint32_t low = c ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
                            (uint32_t)p[3] << 24);
        c = table[7][low & 0xff] ^ table[6][low >> 8 & 0xff] ^ table[5][low >> 16 & 0xff] ^
            table[4][low >> 24] ^ table[3][p[4]] ^ table[2][p[5]] ^ table[1][p[6]] ^ table[0][p[7]];
    }
    for (; n; n--)
        c = c >> 8 ^ table[0][(c ^ *p++) & 0xff];
    return ~c;
}

#if defined(__x86_64__)

enum { PIECE = 256 };

/* Each byte of a checksum, PIECE zeros later. */
static uint32_t later[4][256];

static void later_fill(void)
{
    table_ready();
    for (int k = 0; k < 4; k++)
        for (uint32_t i = 1; i < 256; i++) {
            uint32_t rest = i & (i - 1), c = i << 8 * k;
            for (int n = 0; n < PIECE && !rest; n++)
                c = c >> 8 ^ table[0][c & 0xff];
            later[k][i] = rest ? later[k][rest] ^ later[k][i ^ rest] : c;
        }
}

static uint32_t skip_piece(uint32_t c)
{
    return later[0][c & 0xff] ^ later[1][c >> 8 & 0xff] ^ later[2][c >> 16 & 0xff] ^
           later[3][c >> 24];
}

__attribute__((target("sse4.2"))) static uint64_t step(uint64_t c, const char *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof(word));
    return __builtin_ia32_crc32di(c, word);
}

__attribute__((target("sse4.2"))) static uint32_t crc32c_sse(uint32_t before, slice bytes)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, later_fill);
    uint64_t c = (uint32_t)~before;
    const char *p = bytes.p;
    size_t n = bytes.n;
    for (; n >= 3 * PIECE; n -= 3 * PIECE, p += 3 * PIECE) {
        uint64_t second = 0, third = 0;
        for (int i = 0; i < PIECE; i += 8) {
            c = step(c, p + i);
            second = step(second, p + PIECE + i);
            third = step(third, p + 2 * PIECE + i);
        }
        c = skip_piece(skip_piece((uint32_t)c) ^ (uint32_t)second) ^ (uint32_t)third;
    }
    for (; n >= 8; n -= 8, p += 8)
        c = step(c, p);
    uint32_t tail = (uint32_t)c;
    for (; n; n--)
        tail = __builtin_ia32_crc32qi(tail, (unsigned char)*p++);
    return ~tail;
}

uint32_t crc32c(uint32_t before, slice bytes)
{
    return __builtin_cpu_supports("sse4.2") ? crc32c_sse(before, bytes)
                                            : crc32c_table(before, bytes);
}

#else

uint32_t crc32c(uint32_t before, slice bytes)
{
    return crc32c_table(before, bytes);
}

#endif
