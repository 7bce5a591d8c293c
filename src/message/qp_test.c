/* quoted-printable: RFC 2045 6.7 rules 1-5, rule M4. */
#include "message/qp.h"

#include "base/rand.h"
#include "message/qp_kernel.h"
#include "base/test.h"

static void test_decode(void **state)
{
    static const struct {
        const char *name, *in, *want;
        bool damaged;
    } rows[] = {
        {"plain", "abc", "abc", false},
        {"hex", "caf=C3=A9", "caf\xc3\xa9", false},
        {"lower-case hex (M4)", "=c3=a9", "\xc3\xa9", false},
        {"soft break", "ab=\r\ncd", "abcd", false},
        {"soft break, bare LF", "ab=\ncd", "abcd", false},
        {"soft break with white space (M4)", "ab= \t\r\ncd", "abcd", false},
        {"soft break at the end", "ab=", "ab", false},
        {"soft break and white space at the end", "= \t", "", false},
        {"soft break, then an empty line", "ab=\r\n\r\ncd", "ab\r\ncd", false},
        {"trailing white space is padding", "ab \t\r\ncd ", "ab\r\ncd", false},
        {"encoded white space stays", "ab=20\r\n", "ab \r\n", false},
        {"invalid digits kept (M4)", "a=XYb", "a=XYb", true},
        {"one digit, then end", "a=4", "a=4", true},
        {"two signs", "a==41", "a=A", true},
        {"= before text", "1+1=2", "1+1=2", true},
        {"8-bit passes", "caf\xc3\xa9", "caf\xc3\xa9", false},
        {"LF lines", "a\nb\n", "a\nb\n", false},
        {"encoded line end", "a=0D=0Ab", "a\r\nb", false},
        {"empty", "", "", false},
        {"only white space", " \t \r\n", "\r\n", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char out[64];
        bool damaged;
        size_t n = qp_decode(slice_c(rows[i].in), out, &damaged);
        if (!slice_eq((slice){out, n}, slice_c(rows[i].want)) || damaged != rows[i].damaged)
            fail_msg("%s: got \"%.*s\" %d", rows[i].name, (int)n, out, damaged);
    }
}

static void test_encode(void **state)
{
    static const struct {
        const char *name, *in, *want;
        enum qp_mode mode;
    } rows[] = {
        {"plain", "abc\r\n", "abc\r\n", QP_TEXT},
        {"LF becomes CRLF", "a\nb", "a\r\nb", QP_TEXT},
        {"equals sign", "1=1", "1=3D1", QP_TEXT},
        {"utf-8", "caf\xc3\xa9", "caf=C3=A9", QP_TEXT},
        {"trailing space (M4)", "a \r\nb", "a=20\r\nb", QP_TEXT},
        {"trailing tab at the end (M4)", "a\t", "a=09", QP_TEXT},
        {"From at line start (M4)", "From me\r\nFrom you", "=46rom me\r\n=46rom you", QP_TEXT},
        {"Fromage is not", "Fromage", "Fromage", QP_TEXT},
        {"lone dot (M4)", "a\r\n.\r\nb", "a\r\n=2E\r\nb", QP_TEXT},
        {"dots are plain", "..", "..", QP_TEXT},
        {"bare CR", "a\rb", "a=0Db", QP_TEXT},
        {"binary line ends", "a\r\nb\n", "a=0D=0Ab=0A", QP_BINARY},
        {"76 fit", "1234567890123456789012345678901234567890123456789012345678901234567890123456",
         "1234567890123456789012345678901234567890123456789012345678901234567890123456", QP_TEXT},
        {"77 do not",
         "12345678901234567890123456789012345678901234567890123456789012345678901234567",
         "123456789012345678901234567890123456789012345678901234567890123456789012345=\r\n67",
         QP_TEXT},
        {"a character is not split",
         "12345678901234567890123456789012345678901234567890123456789012345678901\xe9\xa9\xbf",
         "12345678901234567890123456789012345678901234567890123456789012345678901=\r\n=E9=A9=BF",
         QP_TEXT},
        {"empty", "", "", QP_TEXT},
    };
    struct arena a = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        slice got = qp_encode(&a, slice_c(rows[i].in), rows[i].mode);
        if (!slice_eq(got, slice_c(rows[i].want)))
            fail_msg("%s: got \"%.*s\"", rows[i].name, P(got));
        assert_int_equal(qp_length(slice_c(rows[i].in), rows[i].mode), got.n);
    }
    arena_end(&a);
}

/* Any bytes come back; no line is longer than 76; no line ends in white space. */
static void test_round_trip(void **state)
{
    struct arena a = {0};
    (void)state;
    for (unsigned round = 0; round < 500; round++) {
        size_t n = rand_below(600);
        char *in = arena_alloc(&a, n + 1);
        rand_bytes(in, n);
        for (size_t i = 0; round % 2 && i < n; i++)
            in[i] = "abc \t=.\r\n\xe9\xa9\xbf"[rand_below(12)];
        slice code = qp_encode(&a, (slice){in, n}, QP_BINARY), rest = code, line;
        while (slice_next(&rest, '\n', &line))
            assert_true(line.n <= 77);
        char *out = arena_alloc(&a, code.n + 1);
        bool damaged;
        size_t got = qp_decode(code, out, &damaged);
        assert_slice(((slice){out, got}), ((slice){in, n}));
        assert_false(damaged);
        arena_reset(&a);
    }
    arena_end(&a);
}

/* A body in steps gives what it gives at once, wherever it is cut. */
static void test_steps(void **state)
{
    char in[200], whole[200], parts[200];
    (void)state;
    for (unsigned round = 0; round < 500; round++) {
        size_t n = rand_below(sizeof(in)), start = 0, end = 0, got = 0, used;
        for (size_t i = 0; i < n; i++)
            in[i] = "abc4 \t==\r\n\r\n"[rand_below(12)];
        size_t want = qp_decode((slice){in, n}, whole, NULL);
        while (end < n) {
            end += 1 + rand_below(20);
            end = end > n ? n : end;
            slice piece = slice_sub((slice){in, n}, start, end);
            got += qp_decode_step(piece, end == n, parts + got, &used, NULL);
            start += used;
        }
        assert_int_equal(start, n);
        assert_slice(((slice){parts, got}), ((slice){whole, want}));
    }
}

/* What the processor's own loops give is what portable C gives, at every length and place. */
static void test_kernels(void **state)
{
    const struct qp_kernel *fast = qp_fastest();
    char in[100], one[100], two[100], signs[2][301];
    (void)state;
    if (fast == &qp_portable)
        print_message("this processor runs the portable loops only\n");
    for (unsigned round = 0; round < 20000; round++) {
        size_t n = rand_below(sizeof(in) + 1);
        rand_bytes(in, sizeof(in));
        for (size_t i = 0; round % 4 && i < n; i++)
            in[i] = round % 4 == 1   ? (char)(' ' + rand_below(0x5f))
                    : round % 4 == 2 ? "=C3=A9"[i % 6]
                                     : "=C3=a9\t\x08\x7f\r\n xyz"[rand_below(15)];
        if (n && round % 3 == 0)
            in[rand_below(n)] = (char)rand_below(256);
        slice s = {in, n};
        size_t used = fast->copy(s, one);
        assert_int_equal(qp_portable.copy(s, two), used);
        assert_memory_equal(one, two, used);
        assert_true(used == n || in[used] == '=' || in[used] == '\n');
        used = fast->signs(s, one);
        assert_int_equal(qp_portable.signs(s, two), used);
        assert_memory_equal(one, two, used);
        used = fast->plain(s, one);
        assert_int_equal(qp_portable.plain(s, two), used);
        assert_memory_equal(one, two, used);
        fast->encode(s, signs[0]);
        qp_portable.encode(s, signs[1]);
        assert_memory_equal(signs[0], signs[1], 3 * n);
        assert_int_equal(qp_portable.signs((slice){signs[0], 3 * n}, one), n);
        assert_memory_equal(one, in, n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode),     cmocka_unit_test(test_encode),
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_steps),
        cmocka_unit_test(test_kernels),
    };
    return TEST_RUN(tests);
}
