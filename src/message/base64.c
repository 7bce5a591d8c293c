/*
 * base64.  All work is done by three kernels, which run as long as everything is regular: groups()
 * decodes whole groups of four valid characters and steps over line ends, triples() encodes whole
 * groups of three bytes, lines() whole lines of 57.  All exist as portable C over tables and, where
 * the processor has it, as AVX2; the tests hold them equal.  Line ends, junk and padding are
 * handled one character at a time between kernel calls.
 */
#include "message/base64.h"

#include <endian.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "message/base64_kernel.h"
#include "base/banned.h"

enum { LINE_BYTES = 57, LINE_CHARS = 76, SLACK = 32, INVALID = -1 };

/* The sextet of a character, and the character of a sextet, as constant expressions. */
#define SEXTET(c)                                                                                  \
    ((c) >= 'A' && (c) <= 'Z'   ? (c) - 'A'                                                        \
     : (c) >= 'a' && (c) <= 'z' ? (c) - 'a' + 26                                                   \
     : (c) >= '0' && (c) <= '9' ? (c) - '0' + 52                                                   \
     : (c) == '+'               ? 62                                                               \
     : (c) == '/'               ? 63                                                               \
                                : INVALID)
#define CHARACTER(s)                                                                               \
    ((char)((s) < 26    ? (s) + 'A'                                                                \
            : (s) < 52  ? (s)-26 + 'a'                                                             \
            : (s) < 62  ? (s)-52 + '0'                                                             \
            : (s) == 62 ? '+'                                                                      \
                        : '/'))

#define FOUR(x, i)    x(i), x((i) + 1), x((i) + 2), x((i) + 3)
#define SIXTEEN(x, i) FOUR(x, i), FOUR(x, (i) + 4), FOUR(x, (i) + 8), FOUR(x, (i) + 12)
#define SIXTYFOUR(x, i)                                                                            \
    SIXTEEN(x, i), SIXTEEN(x, (i) + 16), SIXTEEN(x, (i) + 32), SIXTEEN(x, (i) + 48)
#define ALL_BYTES(x) SIXTYFOUR(x, 0), SIXTYFOUR(x, 64), SIXTYFOUR(x, 128), SIXTYFOUR(x, 192)

/* Sextets already shifted to their place in the group: four look-ups and three ORs make 24 bits. */
#define BAD_GROUP       UINT32_C(0x80000000)
#define PLACED(i, left) (SEXTET(i) < 0 ? BAD_GROUP : (uint32_t)SEXTET(i) << (left))
#define PLACE_0(i)      PLACED(i, 18)
#define PLACE_1(i)      PLACED(i, 12)
#define PLACE_2(i)      PLACED(i, 6)
#define PLACE_3(i)      PLACED(i, 0)
static const uint32_t place[4][256] = {
    {ALL_BYTES(PLACE_0)}, {ALL_BYTES(PLACE_1)}, {ALL_BYTES(PLACE_2)}, {ALL_BYTES(PLACE_3)}};

/* Two characters for 12 bits. */
#define FIRST_OF(i)                                                                                \
    {                                                                                              \
        CHARACTER((i) >> 6), CHARACTER((i)&63)                                                     \
    }
#define PAIRS(i) SIXTYFOUR(FIRST_OF, i)
static const char pair[4096][2] = {
    PAIRS(0),    PAIRS(64),   PAIRS(128),  PAIRS(192),  PAIRS(256),  PAIRS(320),  PAIRS(384),
    PAIRS(448),  PAIRS(512),  PAIRS(576),  PAIRS(640),  PAIRS(704),  PAIRS(768),  PAIRS(832),
    PAIRS(896),  PAIRS(960),  PAIRS(1024), PAIRS(1088), PAIRS(1152), PAIRS(1216), PAIRS(1280),
    PAIRS(1344), PAIRS(1408), PAIRS(1472), PAIRS(1536), PAIRS(1600), PAIRS(1664), PAIRS(1728),
    PAIRS(1792), PAIRS(1856), PAIRS(1920), PAIRS(1984), PAIRS(2048), PAIRS(2112), PAIRS(2176),
    PAIRS(2240), PAIRS(2304), PAIRS(2368), PAIRS(2432), PAIRS(2496), PAIRS(2560), PAIRS(2624),
    PAIRS(2688), PAIRS(2752), PAIRS(2816), PAIRS(2880), PAIRS(2944), PAIRS(3008), PAIRS(3072),
    PAIRS(3136), PAIRS(3200), PAIRS(3264), PAIRS(3328), PAIRS(3392), PAIRS(3456), PAIRS(3520),
    PAIRS(3584), PAIRS(3648), PAIRS(3712), PAIRS(3776), PAIRS(3840), PAIRS(3904), PAIRS(3968),
    PAIRS(4032)};

static uint32_t group_of(const unsigned char *p)
{
    return place[0][p[0]] | place[1][p[1]] | place[2][p[2]] | place[3][p[3]];
}

static void put_group(char *out, uint32_t bits)
{
    out[0] = (char)(bits >> 16);
    out[1] = (char)(bits >> 8);
    out[2] = (char)bits;
}

/* Bytes of the line end at p[i], 0 when there is none. */
static size_t line_end(slice in, size_t i)
{
    if (i < in.n && in.p[i] == '\n')
        return 1;
    return i + 1 < in.n && in.p[i] == '\r' && in.p[i + 1] == '\n' ? 2 : 0;
}

size_t base64_groups_portable(slice in, char *out, size_t *written)
{
    const unsigned char *p = (const unsigned char *)in.p;
    char *start = out;
    size_t i = 0;
    for (;;) {
        for (; i + 8 <= in.n; i += 8, out += 6) {
            uint32_t one = group_of(p + i), two = group_of(p + i + 4);
            if ((one | two) & BAD_GROUP)
                break;
            uint64_t bits = htobe64(((uint64_t)one << 24 | two) << 16);
            memcpy(out, &bits, 8); /* two more than needed: written over, or in the slack */
        }
        for (; i + 4 <= in.n; i += 4, out += 3) {
            uint32_t bits = group_of(p + i);
            if (bits & BAD_GROUP)
                break;
            put_group(out, bits);
        }
        size_t end = line_end(in, i);
        if (!end)
            break;
        i += end;
    }
    *written = (size_t)(out - start);
    return i;
}

size_t base64_triples_portable(slice in, char *out)
{
    const unsigned char *p = (const unsigned char *)in.p;
    size_t i = 0;
    for (; i + 8 <= in.n; i += 6, out += 8) {
        uint64_t bits;
        memcpy(&bits, p + i, 8);
        bits = be64toh(bits);
        memcpy(out, pair[bits >> 52], 2);
        memcpy(out + 2, pair[bits >> 40 & 0xfff], 2);
        memcpy(out + 4, pair[bits >> 28 & 0xfff], 2);
        memcpy(out + 6, pair[bits >> 16 & 0xfff], 2);
    }
    for (; i + 3 <= in.n; i += 3, out += 4) {
        uint32_t bits = (uint32_t)p[i] << 16 | (uint32_t)p[i + 1] << 8 | p[i + 2];
        memcpy(out, pair[bits >> 12], 2);
        memcpy(out + 2, pair[bits & 0xfff], 2);
    }
    return i;
}

size_t base64_lines_portable(slice in, char *out)
{
    size_t i = 0;
    for (; i + LINE_BYTES <= in.n; i += LINE_BYTES, out += LINE_CHARS + 2) {
        base64_triples_portable(slice_sub(in, i, i + LINE_BYTES), out);
        memcpy(out + LINE_CHARS, "\r\n", 2);
    }
    return i;
}

#if defined(__x86_64__)
bool base64_has_avx2(void)
{
    return __builtin_cpu_supports("avx2");
}

#define AVX2 __attribute__((target("avx2")))

/* All ones in each byte of c within [low, high]; bytes from 0x80 are negative and never within. */
AVX2 static inline __m256i between(__m256i c, char low, char high)
{
    return _mm256_and_si256(_mm256_cmpgt_epi8(c, _mm256_set1_epi8((char)(low - 1))),
                            _mm256_cmpgt_epi8(_mm256_set1_epi8((char)(high + 1)), c));
}

/* value in the bytes that mask selects. */
AVX2 static inline __m256i where(__m256i mask, int value)
{
    return _mm256_and_si256(mask, _mm256_set1_epi8((char)value));
}

/*
 * 32 characters a step.  A step that meets something invalid keeps the whole groups before it and
 * goes on behind a line end: a line of 76 takes three steps.  Writes up to 32 bytes more than it
 * reports.
 */
AVX2 size_t base64_groups_avx2(slice in, char *out, size_t *written)
{
    const __m256i within = _mm256_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1,
                                            2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1);
    const __m256i across = _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 7, 7);
    size_t i = 0, n = 0;
    while (i + 32 <= in.n) {
        __m256i c = _mm256_loadu_si256((const __m256i_u *)(const void *)(in.p + i));
        __m256i upper = between(c, 'A', 'Z'), lower = between(c, 'a', 'z');
        __m256i digit = between(c, '0', '9');
        __m256i plus = _mm256_cmpeq_epi8(c, _mm256_set1_epi8('+'));
        __m256i slash = _mm256_cmpeq_epi8(c, _mm256_set1_epi8('/'));
        __m256i letter = _mm256_or_si256(upper, lower), sign = _mm256_or_si256(plus, slash);
        __m256i valid = _mm256_or_si256(_mm256_or_si256(letter, digit), sign);
        __m256i shift = _mm256_or_si256(
            _mm256_or_si256(where(upper, -'A'), where(lower, 26 - 'a')),
            _mm256_or_si256(where(digit, 52 - '0'),
                            _mm256_or_si256(where(plus, 62 - '+'), where(slash, 63 - '/'))));
        __m256i sextets = _mm256_add_epi8(c, shift);
        /* aaaaaa bbbbbb -> 12 bits in 16; two of those -> 24 bits in 32. */
        __m256i twelve = _mm256_maddubs_epi16(sextets, _mm256_set1_epi32(0x01400140));
        __m256i bits = _mm256_madd_epi16(twelve, _mm256_set1_epi32(0x00011000));
        __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(bits, within), across);
        _mm256_storeu_si256((__m256i_u *)(void *)(out + n), bytes);
        unsigned invalid = ~(unsigned)_mm256_movemask_epi8(valid);
        size_t good = invalid ? (size_t)__builtin_ctz(invalid) / 4 * 4 : 32;
        i += good;
        n += good / 4 * 3;
        if (invalid) {
            size_t end = line_end(in, i);
            if (!end) {
                *written = n;
                return i;
            }
            i += end;
        }
    }
    i += base64_groups_portable(slice_skip(in, i), out + n, written);
    *written += n;
    return i;
}

/* 24 bytes as 32 characters. */
AVX2 static inline __m256i encode_24(const char *p)
{
    const __m256i spread = _mm256_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10, /**/
                                            5, 4, 6, 5, 8, 7, 9, 8, 11, 10, 12, 11, 14, 13, 15, 14);
    __m128i low = _mm_loadu_si128((const __m128i_u *)(const void *)p);
    __m128i high = _mm_loadu_si128((const __m128i_u *)(const void *)(p + 8));
    /* Each triple xyz as the four bytes y x z y: then the sextets are shifts within 16 bits. */
    __m256i v = _mm256_shuffle_epi8(_mm256_set_m128i(high, low), spread);
    __m256i even = _mm256_mulhi_epu16(_mm256_and_si256(v, _mm256_set1_epi32(0x0fc0fc00)),
                                      _mm256_set1_epi32(0x04000040));
    __m256i odd = _mm256_mullo_epi16(_mm256_and_si256(v, _mm256_set1_epi32(0x003f03f0)),
                                     _mm256_set1_epi32(0x01000010));
    __m256i s = _mm256_or_si256(even, odd);
    __m256i c = _mm256_add_epi8(s, _mm256_set1_epi8('A'));
    __m256i from_26 = _mm256_cmpgt_epi8(s, _mm256_set1_epi8(25));
    __m256i from_52 = _mm256_cmpgt_epi8(s, _mm256_set1_epi8(51));
    c = _mm256_add_epi8(c, where(from_26, 'a' - 26 - 'A'));
    c = _mm256_add_epi8(c, where(from_52, '0' - 52 - ('a' - 26)));
    c = _mm256_add_epi8(c,
                        where(_mm256_cmpeq_epi8(s, _mm256_set1_epi8(62)), '+' - 62 - ('0' - 52)));
    return _mm256_add_epi8(
        c, where(_mm256_cmpeq_epi8(s, _mm256_set1_epi8(63)), '/' - 63 - ('0' - 52)));
}

AVX2 size_t base64_triples_avx2(slice in, char *out)
{
    size_t i = 0;
    for (; i + 24 <= in.n; i += 24, out += 32)
        _mm256_storeu_si256((__m256i_u *)(void *)out, encode_24(in.p + i));
    return i + base64_triples_portable(slice_skip(in, i), out);
}

/* Three steps a line; the third runs 20 characters into the next line, which is there. */
AVX2 size_t base64_lines_avx2(slice in, char *out)
{
    size_t i = 0;
    for (; i + 72 <= in.n; i += LINE_BYTES, out += LINE_CHARS + 2) {
        _mm256_storeu_si256((__m256i_u *)(void *)out, encode_24(in.p + i));
        _mm256_storeu_si256((__m256i_u *)(void *)(out + 32), encode_24(in.p + i + 24));
        _mm256_storeu_si256((__m256i_u *)(void *)(out + 64), encode_24(in.p + i + 48));
        memcpy(out + LINE_CHARS, "\r\n", 2);
    }
    return i + base64_lines_portable(slice_skip(in, i), out);
}
#else
bool base64_has_avx2(void)
{
    return false;
}

size_t base64_groups_avx2(slice in, char *out, size_t *written)
{
    return base64_groups_portable(in, out, written);
}

size_t base64_triples_avx2(slice in, char *out)
{
    return base64_triples_portable(in, out);
}

size_t base64_lines_avx2(slice in, char *out)
{
    return base64_lines_portable(in, out);
}
#endif

static size_t groups(slice in, char *out, size_t *written)
{
    return base64_has_avx2() ? base64_groups_avx2(in, out, written)
                             : base64_groups_portable(in, out, written);
}

static size_t triples(slice in, char *out)
{
    return base64_has_avx2() ? base64_triples_avx2(in, out) : base64_triples_portable(in, out);
}

static size_t lines(slice in, char *out)
{
    return base64_has_avx2() ? base64_lines_avx2(in, out) : base64_lines_portable(in, out);
}

size_t base64_decode_room(size_t n)
{
    return n / 4 * 3 + 3 + SLACK;
}

size_t base64_length(size_t n)
{
    return (n + 2) / 3 * 4;
}

uint64_t base64_lines_length(uint64_t n)
{
    return (n + 2) / 3 * 4 + (n + LINE_BYTES - 1) / LINE_BYTES * 2;
}

size_t base64_encode(slice in, char *out)
{
    char *start = out;
    size_t done = triples(in, out), left = in.n - done;
    const unsigned char *p = (const unsigned char *)in.p + done;
    out += done / 3 * 4;
    if (left) {
        uint32_t bits = (uint32_t)p[0] << 16 | (left > 1 ? (uint32_t)p[1] << 8 : 0);
        memcpy(out, pair[bits >> 12], 2);
        out[2] = left > 1 ? pair[bits & 0xfff][0] : '=';
        out[3] = '=';
        out += 4;
    }
    return (size_t)(out - start);
}

size_t base64_encode_lines(slice in, char *out)
{
    size_t done = lines(in, out), n = done / LINE_BYTES * (LINE_CHARS + 2);
    in = slice_skip(in, done);
    if (in.n) {
        n += base64_encode(in, out + n);
        memcpy(out + n, "\r\n", 2);
        n += 2;
    }
    return n;
}

slice base64_text(struct arena *a, slice in)
{
    char *out = arena_alloc(a, base64_length(in.n) + 1);
    return (slice){out, base64_encode(in, out)};
}

/* Writes the whole bytes of an open group and closes it. */
static size_t flush_group(struct base64_stream *s, char *out)
{
    size_t n = s->sextets * 6 / 8;
    uint32_t bits = s->bits << (24 - s->sextets * 6);
    for (size_t i = 0; i < n; i++)
        out[i] = (char)(bits >> (16 - 8 * i));
    if (s->sextets == 1)
        s->damaged = true;
    s->bits = s->sextets = 0;
    return n;
}

/* One character that is outside the kernel's regular run. */
static size_t take(struct base64_stream *s, unsigned char c, char *out)
{
    uint32_t sextet = place[3][c];
    if (sextet & BAD_GROUP) {
        if (c == '=') /* also in the middle: concatenated encodings (M4) */
            return flush_group(s, out);
        if (c != '\r' && c != '\n' && c != ' ' && c != '\t')
            s->damaged = true;
        return 0;
    }
    s->bits = s->bits << 6 | sextet;
    if (++s->sextets < 4)
        return 0;
    put_group(out, s->bits);
    s->bits = s->sextets = 0;
    return 3;
}

size_t base64_decode_step(struct base64_stream *s, slice in, char *out)
{
    size_t i = 0, n = 0;
    while (i < in.n) {
        if (s->sextets == 0) {
            size_t written;
            i += groups(slice_skip(in, i), out + n, &written);
            n += written;
            if (i == in.n)
                break;
        }
        n += take(s, (unsigned char)in.p[i++], out + n);
    }
    return n;
}

size_t base64_decode_end(struct base64_stream *s, char *out)
{
    if (s->sextets)
        s->damaged = true;
    return flush_group(s, out);
}

size_t base64_decode(slice in, char *out, bool *damaged)
{
    struct base64_stream s = {0};
    size_t n = base64_decode_step(&s, in, out);
    n += base64_decode_end(&s, out + n);
    if (damaged)
        *damaged = s.damaged;
    return n;
}

bool base64_decode_strict(struct arena *a, slice in, slice *out)
{
    *out = S("");
    if (in.n % 4)
        return false;
    if (in.n == 0)
        return true;
    char *p = arena_alloc(a, base64_decode_room(in.n));
    const unsigned char *last = (const unsigned char *)in.p + in.n - 4;
    size_t pads = last[3] != '=' ? 0 : last[2] != '=' ? 1 : 2;
    slice whole = slice_sub(in, 0, in.n - (pads ? 4 : 0));
    size_t n;
    if (groups(whole, p, &n) != whole.n || n != whole.n / 4 * 3) /* no line ends here */
        return false;
    if (pads) {
        uint32_t bits = place[0][last[0]] | place[1][last[1]] | (pads == 1 ? place[2][last[2]] : 0);
        if (bits & BAD_GROUP || bits & (pads == 1 ? 0xff : 0xffff))
            return false;
        put_group(p + n, bits);
        n += 3 - pads;
    }
    *out = (slice){p, n};
    return true;
}
