/* The chunk codec: C1 (what a chunk may hold), C2 (one encoding), C3 (its size), and varints. */
#include "base/test.h"

#include "store/change.h"
#include "store/chunk.h"
#include "store/crc32c.h"
#include "store/varint.h"

static void test_varints(void **state)
{
    (void)state;
    const struct {
        const char *name;
        uint64_t value;
        slice bytes;
    } rows[] = {
        {"zero", 0, S("\0")},
        {"one byte", 127, S("\x7f")},
        {"two bytes", 128, S("\x80\x01")},
        {"300", 300, S("\xac\x02")},
        {"32 bits", UINT32_MAX, S("\xff\xff\xff\xff\x0f")},
        {"64 bits", UINT64_MAX, S("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        unsigned char p[VARINT_MAX];
        uint64_t v;
        slice rest = rows[i].bytes;
        assert_slice(((slice){(char *)p, varint_put(p, rows[i].value)}), rows[i].bytes);
        assert_true(varint_take(&rest, &v));
        assert_int_equal(v, rows[i].value);
        assert_int_equal(rest.n, 0);
    }
    const struct {
        const char *name;
        slice bytes;
    } bad[] = {
        {"nothing", {"", 0}},
        {"cut", S("\x80")},
        {"longer than needed", S("\x80\x00")},
        {"above 64 bits", S("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02")},
        {"eleven bytes", S("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        uint64_t v;
        slice rest = bad[i].bytes;
        if (varint_take(&rest, &v))
            fail_msg("%s was taken", bad[i].name);
    }
    for (int64_t v = -70000; v < 70000; v += 97)
        assert_int_equal(unzigzag(zigzag(v)), v);
    assert_int_equal(unzigzag(zigzag(INT64_MIN)), INT64_MIN);
    assert_int_equal(unzigzag(zigzag(INT64_MAX)), INT64_MAX);
}

/* C1 */
static void test_bytes_that_are_no_chunk(void **state)
{
    (void)state;
    const struct {
        const char *name;
        slice bytes;
        bool good;
    } rows[] = {
        {"one entry", S("\x01\x01\x02\x02\x00\x05"), true},
        {"empty", S(""), false},
        {"no entry", S("\x01"), false},
        {"unknown version", S("\x02\x01\x02\x02\x00\x05"), false},
        {"cut", S("\x01\x01\x02\x02\x00"), false},
        {"uid 0", S("\x01\x00\x02\x02\x00\x05"), false},
        {"message 0", S("\x01\x01\x00\x02\x00\x05"), false},
        {"message negative", S("\x01\x01\x01\x02\x00\x05"), false},
        {"modseq 0", S("\x01\x01\x02\x00\x00\x05"), false},
        {"the same uid twice", S("\x01\x01\x02\x02\x00\x05\x00\x02\x02\x00\x05"), false},
        {"uid above 32 bits", S("\x01\xff\xff\xff\xff\x1f\x02\x02\x00\x05"), false},
        {"uids add up above 32 bits",
         S("\x01\xff\xff\xff\xff\x0f\x02\x02\x00\x05\x01\x02\x02\x00\x05"), false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct chunk *c = chunk_open(rows[i].bytes, 1);
        if ((c != NULL) != rows[i].good)
            fail_msg("%s: %s", rows[i].name, c ? "taken" : "refused");
        chunk_release(c);
    }
}

static struct entry some_entry(uint32_t n)
{
    return (struct entry){.uid = n * 3 + 1,
                          .message = 1000 - (n % 7) * 100 + n,
                          .modseq = 50 + n * 2 - n % 5,
                          .flags = n % 3 ? FLAG_SEEN | (uint64_t)n << 40 : 0,
                          .size = 4096 + n * 17};
}

static void assert_entry(const struct entry *got, const struct entry *want)
{
    assert_int_equal(got->uid, want->uid);
    assert_int_equal(got->message, want->message);
    assert_int_equal(got->modseq, want->modseq);
    assert_true(got->flags == want->flags);
    assert_int_equal(got->size, want->size);
}

/* C2, C3: fill a chunk, unpack it, find the same entries and sums. */
static void test_round_trip(void **state)
{
    (void)state;
    struct chunk *c = NULL;
    uint32_t n = 0, unseen = 0;
    uint64_t size = 0;
    for (;; n++) {
        struct entry e = some_entry(n);
        struct chunk *longer = chunk_append(c, &e, n % 2);
        if (!longer)
            break;
        chunk_release(c);
        c = longer;
        unseen += !(e.flags & FLAG_SEEN);
        size += e.size;
    }
    assert_true(n > 200);
    assert_true(chunk_bytes(c).n <= LIMIT_CHUNK);
    struct chunk *again = chunk_open(chunk_bytes(c), 7);
    assert_non_null(again);
    assert_slice(chunk_bytes(again), chunk_bytes(c));
    assert_int_equal(again->count, n);
    assert_int_equal(again->unseen, unseen);
    assert_int_equal(again->size, size);
    assert_int_equal(again->first_uid, 1);
    assert_int_equal(again->row, 7);
    uint32_t i = 0;
    for (struct chunk_reader r = chunk_read(again); chunk_next(&r); i++) {
        struct entry want = some_entry(i);
        assert_entry(&r.e, &want);
    }
    assert_int_equal(i, n);
    chunk_release(c);
    chunk_release(again);
}

static void test_extreme_entries(void **state)
{
    (void)state;
    static const struct entry rows[] = {
        {.uid = 1, .message = INT64_MAX, .modseq = INT64_MAX, .flags = UINT64_MAX, .size = 0},
        {.uid = 2, .message = 1, .modseq = 1, .flags = 0, .size = UINT64_MAX >> 1},
        {.uid = UINT32_MAX, .message = INT64_MAX, .modseq = 1, .flags = 1, .size = 1},
    };
    struct chunk *c = chunk_new(0);
    for (size_t i = 0; i < 3; i++)
        assert_true(chunk_add(c, &rows[i]));
    struct chunk *again = chunk_open(chunk_bytes(c), 0);
    assert_non_null(again);
    size_t i = 0;
    for (struct chunk_reader r = chunk_read(again); chunk_next(&r); i++)
        assert_entry(&r.e, &rows[i]);
    assert_int_equal(i, 3);
    chunk_release(c);
    chunk_release(again);
}

static void test_uid_sets(void **state)
{
    (void)state;
    static const uint32_t uids[] = {1, 2, 3, 7, 100, 101, UINT32_MAX};
    static const uint32_t want[][2] = {{1, 3}, {7, 7}, {100, 101}, {UINT32_MAX, UINT32_MAX}};
    struct arena a = {0};
    slice packed = uids_pack(&a, uids, 7);
    uint32_t from, to, before = 0;
    for (size_t i = 0; i < 4; i++) {
        assert_true(uids_next(&packed, &from, &to, &before));
        assert_int_equal(from, want[i][0]);
        assert_int_equal(to, want[i][1]);
    }
    assert_false(uids_next(&packed, &from, &to, &before));
    slice broken = S("\x05\xff\xff\xff\xff\x0f");
    before = 0;
    assert_false(uids_next(&broken, &from, &to, &before));
    arena_end(&a);
}

/* RFC 3720 B.4 gives the test patterns. */
static void test_crc32c(void **state)
{
    (void)state;
    char zeros[32] = {0}, ones[32], up[32], down[32];
    memset(ones, 0xff, sizeof(ones));
    for (int i = 0; i < 32; i++) {
        up[i] = (char)i;
        down[i] = (char)(31 - i);
    }
    const struct {
        slice in;
        uint32_t want;
    } rows[] = {
        {{zeros, 32}, 0x8a9136aa}, {{ones, 32}, 0x62a8ab43},     {{up, 32}, 0x46dd794e},
        {{down, 32}, 0x113fdb5c},  {S("123456789"), 0xe3069283}, {S(""), 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        assert_int_equal(crc32c(0, rows[i].in), rows[i].want);
        assert_int_equal(crc32c_table(0, rows[i].in), rows[i].want);
        for (size_t cut = 0; cut <= rows[i].in.n; cut++) { /* in two pieces */
            uint32_t half = crc32c(0, slice_sub(rows[i].in, 0, cut));
            assert_int_equal(crc32c(half, slice_skip(rows[i].in, cut)), rows[i].want);
            half = crc32c_table(0, slice_sub(rows[i].in, 0, cut));
            assert_int_equal(crc32c_table(half, slice_skip(rows[i].in, cut)), rows[i].want);
        }
    }
}

/* Long ones, in pieces side by side: the same as one byte after the other. */
static void test_crc32c_long(void **state)
{
    (void)state;
    static char text[5000];
    uint32_t seed = 7;
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)((seed = seed * 1664525 + 1013904223) >> 24);
    for (size_t n = 0; n < sizeof(text) - 8; n += 61) {
        slice whole = {text + n % 8, n};
        slice head = slice_sub(whole, 0, n / 3), tail = slice_skip(whole, n / 3);
        assert_int_equal(crc32c(0, whole), crc32c_table(0, whole));
        assert_int_equal(crc32c(crc32c(0, head), tail), crc32c_table(0, whole));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_varints),     cmocka_unit_test(test_bytes_that_are_no_chunk),
        cmocka_unit_test(test_round_trip),  cmocka_unit_test(test_extreme_entries),
        cmocka_unit_test(test_uid_sets),    cmocka_unit_test(test_crc32c),
        cmocka_unit_test(test_crc32c_long),
    };
    return TEST_RUN(tests);
}
