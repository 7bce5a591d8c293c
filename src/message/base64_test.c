/* base64: RFC 4648 section 10 vectors, rule M4 (tolerance), kernels equal, streams equal. */
#include "message/base64.h"

#include "base/rand.h"
#include "base/test.h"
#include "message/base64_kernel.h"

static void test_vectors(void **state)
{
    static const char *const rows[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
    };
    struct arena a = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        slice back;
        assert_slice(base64_text(&a, slice_c(rows[i][0])), slice_c(rows[i][1]));
        assert_true(base64_decode_strict(&a, slice_c(rows[i][1]), &back));
        assert_slice(back, slice_c(rows[i][0]));
    }
    arena_end(&a);
}

/* M4: "Base64 decoder skips junk, tolerates missing padding and concatenated padding". */
static void test_tolerant(void **state)
{
    static const struct {
        const char *name, *in, *want;
        bool damaged;
    } rows[] = {
        {"line ends", "Zm9v\r\nYmFy\r\n", "foobar", false},
        {"lines of odd length", "Zm9vY\r\nmF\r\ny", "foobar", false},
        {"white space inside", "Z m\t9v", "foo", false},
        {"missing padding, one byte", "Zg", "f", true},
        {"missing padding, two bytes", "Zm8", "fo", true},
        {"half padding", "Zg=", "f", false},
        {"lone sextet", "Z", "", true},
        {"junk", "Zm9v!!YmFy", "foobar", true},
        {"8-bit junk",
         "Zm\xff"
         "9v",
         "foo", true},
        {"concatenated", "Zg==Zm8=Zm9v", "ffofoo", false},
        {"padding only", "====", "", false},
        {"much padding", "Zg=======", "f", false},
        {"spare bits", "Zh==", "f", false},
        {"trailing footer", "Zm9v\r\n--\r\n", "foo", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char out[128];
        bool damaged;
        slice in = slice_c(rows[i].in);
        assert_true(base64_decode_room(in.n) <= sizeof(out));
        size_t n = base64_decode(in, out, &damaged);
        if (!slice_eq((slice){out, n}, slice_c(rows[i].want)) || damaged != rows[i].damaged)
            fail_msg("%s: got \"%.*s\" %d", rows[i].name, (int)n, out, damaged);
    }
}

/* RFC 4648 sections 3.2-3.5: no white space, padding demanded, spare bits zero. */
static void test_strict_refuses(void **state)
{
    static const char *const rows[] = {"Zg",        "Zg=",  "Zh==", "Zm9=",     "Zm9v\r\n",
                                       "Zm9v Zg==", "====", "Z===", "Zg==Zg==", "Zm9v=",
                                       "Zm-v",      "=Zm9", "Zm=v", "Zm9vZ==="};
    struct arena a = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        slice out;
        if (base64_decode_strict(&a, slice_c(rows[i]), &out))
            fail_msg("accepted \"%s\"", rows[i]);
    }
    arena_end(&a);
}

/* RFC 2045 6.8: lines of at most 76, each ended by CRLF; the length is known before. */
static void test_lines(void **state)
{
    struct arena a = {0};
    (void)state;
    for (size_t n = 0; n < 400; n++) {
        char *bytes = arena_alloc(&a, n + 1), *out = arena_alloc(&a, base64_lines_length(n) + 1);
        rand_bytes(bytes, n);
        size_t length = base64_encode_lines((slice){bytes, n}, out);
        assert_int_equal(length, base64_lines_length(n));
        slice rest = {out, length}, line;
        while (slice_next(&rest, '\n', &line))
            assert_true(line.n <= 77 && line.p[line.n - 1] == '\r');
        assert_true(n == 0 || out[length - 1] == '\n');
        char *back = arena_alloc(&a, base64_decode_room(length));
        bool damaged;
        size_t got = base64_decode((slice){out, length}, back, &damaged);
        assert_slice(((slice){back, got}), ((slice){bytes, n}));
        assert_false(damaged);
        arena_reset(&a);
    }
    arena_end(&a);
}

/* Portable and AVX2 kernels give the same, for every length and every byte in every place. */
static void test_kernels_equal(void **state)
{
    char in[300], one[600], two[600];
    size_t one_n, two_n;
    (void)state;
    if (!base64_has_avx2())
        skip();
    for (size_t n = 0; n <= sizeof(in); n++) {
        rand_bytes(in, n);
        size_t used = base64_triples_portable((slice){in, n}, one);
        assert_int_equal(used, base64_triples_avx2((slice){in, n}, two));
        assert_memory_equal(one, two, used / 3 * 4);
        used = base64_lines_portable((slice){in, n}, one);
        assert_int_equal(used, base64_lines_avx2((slice){in, n}, two));
        assert_memory_equal(one, two, used / 57 * 78);
    }
    for (size_t at = 0; at < 96; at++) {
        for (int c = 0; c < 256; c++) {
            for (size_t i = 0; i < 96; i++)
                in[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[i % 64];
            in[40] = '\n';
            in[at] = (char)c;
            size_t used = base64_groups_portable((slice){in, 96}, one, &one_n);
            assert_int_equal(used, base64_groups_avx2((slice){in, 96}, two, &two_n));
            assert_int_equal(one_n, two_n);
            assert_memory_equal(one, two, one_n);
        }
    }
}

/* A body in steps gives what it gives at once, wherever it is cut. */
static void test_stream(void **state)
{
    char text[300], whole[300], parts[300];
    (void)state;
    for (unsigned round = 0; round < 300; round++) {
        size_t n = rand_below(200);
        for (size_t i = 0; i < n; i++)
            text[i] = "ABCDabcd0123+/=\r\n -"[rand_below(19)];
        bool damaged;
        size_t want = base64_decode((slice){text, n}, whole, &damaged), got = 0;
        struct base64_stream s = {0};
        for (size_t at = 0; at < n;) {
            size_t step = 1 + rand_below(40);
            slice in = slice_sub((slice){text, n}, at, at + step);
            got += base64_decode_step(&s, in, parts + got);
            at += in.n;
        }
        got += base64_decode_end(&s, parts + got);
        assert_slice(((slice){parts, got}), ((slice){whole, want}));
        assert_int_equal(s.damaged, damaged);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),        cmocka_unit_test(test_tolerant),
        cmocka_unit_test(test_strict_refuses), cmocka_unit_test(test_lines),
        cmocka_unit_test(test_kernels_equal),  cmocka_unit_test(test_stream),
    };
    return TEST_RUN(tests);
}
