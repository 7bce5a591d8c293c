/*
 * The three loops quoted-printable spends its time in: portable C, eight bytes a step, and AVX2
 * where the processor has it.  The tests hold both forms equal.
 */
#include "message/qp_kernel.h"

#include <endian.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "base/banned.h"

#define ONES UINT64_C(0x0101010101010101)
#define TOPS UINT64_C(0x8080808080808080)

/* One more than the value of a hexadecimal digit; 0: it is none. */
static const uint8_t digit[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
    ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
};

/* The first of eight bytes lowest, on every machine. */
static inline uint64_t load(const char *p)
{
    uint64_t w;
    memcpy(&w, p, 8);
    return le64toh(w);
}

/* The top bit of each zero byte of w. */
static inline uint64_t zeros(uint64_t w)
{
    return ~(((w & ~TOPS) + ~TOPS) | w) & TOPS;
}

static size_t copy_portable(slice in, char *out)
{
    size_t i = 0;
    for (; i + 8 <= in.n; i += 8) {
        uint64_t w = load(in.p + i), found = zeros(w ^ (ONES * '=')) | zeros(w ^ (ONES * '\n'));
        memcpy(out + i, in.p + i, 8);
        if (found)
            return i + (size_t)__builtin_ctzll(found) / 8;
    }
    for (; i < in.n && in.p[i] != '=' && in.p[i] != '\n'; i++)
        out[i] = in.p[i];
    return i;
}

static size_t signs_portable(slice in, char *out)
{
    const unsigned char *p = (const unsigned char *)in.p;
    size_t n = 0;
    for (; 3 * n + 3 <= in.n && p[3 * n] == '='; n++) {
        uint8_t high = digit[p[3 * n + 1]], low = digit[p[3 * n + 2]];
        if (!high || !low)
            break;
        out[n] = (char)((high - 1) << 4 | (low - 1));
    }
    return n;
}

/* The top bit of each byte of w that may not stand for itself. */
static inline uint64_t signs_of(uint64_t w)
{
    uint64_t low = w & ~TOPS;
    uint64_t outside = ~((low | TOPS) - ONES * ' ') | (low + ONES) | w; /* < 32, 127, > 127 */
    return (outside & TOPS & ~zeros(w ^ (ONES * '\t'))) | zeros(w ^ (ONES * '='));
}

static bool is_plain(char c)
{
    return (c >= ' ' && c <= '~' && c != '=') || c == '\t';
}

static size_t plain_portable(slice in, char *out)
{
    size_t i = 0;
    for (; i + 8 <= in.n; i += 8) {
        uint64_t found = signs_of(load(in.p + i));
        memcpy(out + i, in.p + i, 8);
        if (found)
            return i + (size_t)__builtin_ctzll(found) / 8;
    }
    for (; i < in.n && is_plain(in.p[i]); i++)
        out[i] = in.p[i];
    return i;
}

/* "=XY" of each byte, and a byte that is written over. */
#define HEX(n) ((char)((n) < 10 ? '0' + (n) : 'A' - 10 + (n)))
#define SIGN(i)                                                                                    \
    {                                                                                              \
        '=', HEX((i) >> 4), HEX((i)&15), 0                                                         \
    }
#define FOUR(i)      SIGN(i), SIGN((i) + 1), SIGN((i) + 2), SIGN((i) + 3)
#define SIXTEEN(i)   FOUR(i), FOUR((i) + 4), FOUR((i) + 8), FOUR((i) + 12)
#define SIXTYFOUR(i) SIXTEEN(i), SIXTEEN((i) + 16), SIXTEEN((i) + 32), SIXTEEN((i) + 48)
static const char sign[256][4] = {SIXTYFOUR(0), SIXTYFOUR(64), SIXTYFOUR(128), SIXTYFOUR(192)};

static void encode_portable(slice in, char *out)
{
    for (size_t i = 0; i < in.n; i++)
        memcpy(out + 3 * i, sign[(unsigned char)in.p[i]], 4);
}

const struct qp_kernel qp_portable = {copy_portable, signs_portable, plain_portable,
                                      encode_portable};

#if defined(__x86_64__)
#define AVX2 __attribute__((target("avx2")))

AVX2 static inline __m256i load_32(const char *p)
{
    return _mm256_loadu_si256((const __m256i_u *)(const void *)p);
}

AVX2 static inline __m256i is_32(__m256i c, char what)
{
    return _mm256_cmpeq_epi8(c, _mm256_set1_epi8(what));
}

AVX2 static size_t copy_avx2(slice in, char *out)
{
    size_t i = 0;
    for (; i + 32 <= in.n; i += 32) {
        __m256i c = load_32(in.p + i);
        _mm256_storeu_si256((__m256i_u *)(void *)(out + i), c);
        __m256i found = _mm256_or_si256(is_32(c, '='), is_32(c, '\n'));
        unsigned mask = (unsigned)_mm256_movemask_epi8(found);
        if (mask)
            return i + (size_t)__builtin_ctz(mask);
    }
    return i + copy_portable(slice_skip(in, i), out + i);
}

/* Five "=XY" a step. */
AVX2 static size_t signs_avx2(slice in, char *out)
{
    enum { SIGNS = 0x1249, DIGITS = 0x6db6 };
    const __m128i highs =
        _mm_setr_epi8(1, 4, 7, 10, 13, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
    const __m128i lows = _mm_setr_epi8(2, 5, 8, 11, 14, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
    size_t i = 0, n = 0;
    for (; i + 16 <= in.n; i += 15, n += 5) {
        __m128i c = _mm_loadu_si128((const __m128i_u *)(const void *)(in.p + i));
        __m128i small = _mm_or_si128(c, _mm_set1_epi8(0x20));
        __m128i number = _mm_and_si128(_mm_cmpgt_epi8(c, _mm_set1_epi8('0' - 1)),
                                       _mm_cmpgt_epi8(_mm_set1_epi8('9' + 1), c));
        __m128i letter = _mm_and_si128(_mm_cmpgt_epi8(small, _mm_set1_epi8('a' - 1)),
                                       _mm_cmpgt_epi8(_mm_set1_epi8('f' + 1), small));
        int signs = _mm_movemask_epi8(_mm_cmpeq_epi8(c, _mm_set1_epi8('=')));
        int digits = _mm_movemask_epi8(_mm_or_si128(number, letter));
        if ((signs & SIGNS) != SIGNS || (digits & DIGITS) != DIGITS)
            break;
        __m128i value =
            _mm_or_si128(_mm_and_si128(number, _mm_sub_epi8(c, _mm_set1_epi8('0'))),
                         _mm_and_si128(letter, _mm_sub_epi8(small, _mm_set1_epi8('a' - 10))));
        __m128i bytes = _mm_or_si128(_mm_slli_epi16(_mm_shuffle_epi8(value, highs), 4),
                                     _mm_shuffle_epi8(value, lows));
        _mm_storel_epi64((__m128i_u *)(void *)(out + n), bytes);
    }
    return n + signs_portable(slice_skip(in, i), out + n);
}

/* Copies 32 bytes; the offset of the first that is not plain, 32 or more when all are. */
AVX2 static inline size_t plain_32(const char *p, char *out)
{
    __m256i c = load_32(p); /* signed: bytes from 0x80 are below " " */
    _mm256_storeu_si256((__m256i_u *)(void *)out, c);
    __m256i inside = _mm256_andnot_si256(_mm256_or_si256(is_32(c, '='), is_32(c, 0x7f)),
                                         _mm256_cmpgt_epi8(c, _mm256_set1_epi8(' ' - 1)));
    unsigned good = (unsigned)_mm256_movemask_epi8(_mm256_or_si256(inside, is_32(c, '\t')));
    return (size_t)__builtin_ctzll(~(uint64_t)good);
}

/* The last step of a run overlaps the one before. */
AVX2 static size_t plain_avx2(slice in, char *out)
{
    size_t i = 0, n;
    if (in.n < 32)
        return plain_portable(in, out);
    for (; i + 32 <= in.n; i += 32)
        if ((n = plain_32(in.p + i, out + i)) < 32)
            return i + n;
    if (i == in.n)
        return i;
    i = in.n - 32;
    n = plain_32(in.p + i, out + i);
    return n < 32 ? i + n : in.n;
}
/* Five bytes a step. */
AVX2 static void encode_avx2(slice in, char *out)
{
    const __m128i twice = _mm_setr_epi8(-1, 0, 0, -1, 1, 1, -1, 2, 2, -1, 3, 3, -1, 4, 4, -1);
    const __m128i high = _mm_setr_epi8(0, -1, 0, 0, -1, 0, 0, -1, 0, 0, -1, 0, 0, -1, 0, 0);
    const __m128i low = _mm_setr_epi8(0, 0, -1, 0, 0, -1, 0, 0, -1, 0, 0, -1, 0, 0, -1, 0);
    const __m128i equals = _mm_setr_epi8('=', 0, 0, '=', 0, 0, '=', 0, 0, '=', 0, 0, '=', 0, 0, 0);
    const __m128i digits = _mm_setr_epi8('0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B',
                                         'C', 'D', 'E', 'F');
    size_t i = 0;
    for (; i + 8 <= in.n; i += 5) {
        __m128i c = _mm_loadl_epi64((const __m128i_u *)(const void *)(in.p + i));
        __m128i v = _mm_shuffle_epi8(c, twice), nibbles = _mm_set1_epi8(15);
        __m128i first = _mm_and_si128(_mm_and_si128(_mm_srli_epi16(v, 4), nibbles), high);
        __m128i second = _mm_and_si128(_mm_and_si128(v, nibbles), low);
        __m128i text = _mm_shuffle_epi8(digits, _mm_or_si128(first, second));
        text = _mm_and_si128(text, _mm_or_si128(high, low));
        _mm_storeu_si128((__m128i_u *)(void *)(out + 3 * i), _mm_or_si128(text, equals));
    }
    encode_portable(slice_skip(in, i), out + 3 * i);
}

static const struct qp_kernel with_avx2 = {copy_avx2, signs_avx2, plain_avx2, encode_avx2};

const struct qp_kernel *qp_fastest(void)
{
    return __builtin_cpu_supports("avx2") ? &with_avx2 : &qp_portable;
}
#else
const struct qp_kernel *qp_fastest(void)
{
    return &qp_portable;
}
#endif
