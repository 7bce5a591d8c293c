/* RFC 9051 section 9 (formal syntax), RFC 7888 (literals), RFC 3501 5.1.3 (modified UTF-7). */
#include "base/test.h"

#include "imap/parse.h"
#include "imap/utf7.h"

static struct arena arena;

static void test_strings(void **state)
{
    static const struct {
        const char *in, *want, *rest; /* want NULL: refused */
    } rows[] = {
        {"INBOX rest", "INBOX", " rest"},
        {"a]b", "a]b", ""},
        {"\"a b\" x", "a b", " x"},
        {"\"a\\\"b\\\\c\"", "a\"b\\c", ""},
        {"\"a\\nb\"", NULL, NULL},
        {"\"open", NULL, NULL},
        {"\"a\nb\"", NULL, NULL},
        {"{5}\r\nhello x", "hello", " x"},
        {"{5+}\r\nhello", "hello", ""},
        {"{0}\r\n", "", ""},
        {"{6}\r\nhello", NULL, NULL},
        {"{99999999999999999999}\r\nhello", NULL, NULL},
        {"{-1}\r\nhello", NULL, NULL},
        {"~{5}\r\nhello", "~", "{5}\r\nhello"} /* no literal8 here: an atom */,
        {"(", NULL, NULL},
        {"", NULL, NULL},
        {"%", NULL, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        slice in = slice_c(rows[i].in), out;
        bool ok = imap_astring(&arena, &in, &out);
        if (ok != (rows[i].want != NULL))
            fail_msg("%s", rows[i].in);
        if (ok) {
            assert_slice(out, slice_c(rows[i].want));
            assert_slice(in, slice_c(rows[i].rest));
        } else {
            assert_slice(in, slice_c(rows[i].in));
        }
    }
    slice in = S("~{3}\r\na\0b)"), out;
    bool binary;
    assert_true(imap_string(&arena, &in, &out, &binary) && binary && out.n == 3);
    in = S("NIL)");
    bool nil;
    assert_true(imap_nstring(&arena, &in, &out, &nil) && nil);
    in = S("NILLY");
    assert_false(imap_nstring(&arena, &in, &out, &nil));
}

static void test_literal_at_end(void **state)
{
    struct imap_literal l;
    (void)state;
    assert_true(imap_literal_at_end(S("a LOGIN {5}"), &l) && l.size == 5 && !l.nonsync &&
                l.length == 3);
    assert_true(imap_literal_at_end(S("a APPEND x {10+}"), &l) && l.size == 10 && l.nonsync);
    assert_true(imap_literal_at_end(S("a APPEND x ~{10}"), &l) && l.binary && l.length == 5);
    assert_true(imap_literal_at_end(S("{9223372036854775808}"), &l) && l.size == INT64_MAX);
    assert_false(imap_literal_at_end(S("a {}"), &l));
    assert_false(imap_literal_at_end(S("a {+}"), &l));
    assert_false(imap_literal_at_end(S("a 5}"), &l));
    assert_false(imap_literal_at_end(S("}"), &l));
    assert_false(imap_literal_at_end(S("a {5} "), &l));
}

static void test_sets(void **state)
{
    static const struct {
        const char *in;
        uint32_t max;
        const char *want; /* NULL: refused */
    } rows[] = {
        {"1", 10, "1"},
        {"1:3,5", 10, "1:3,5"},
        {"3:1", 10, "1:3"},
        {"*", 10, "10"},
        {"5:*", 10, "5:10"},
        {"*:5", 10, "5:10"},
        {"20:*", 10, "10:20"},
        {"1,2,3", 10, "1:3"},
        {"7,1:3,2:5", 10, "1:5,7"},
        {"4294967295", 1, "4294967295"},
        {"4294967295,1:*", 5, "1:5,4294967295"},
        {"0", 10, NULL},
        {"1:0", 10, NULL},
        {"4294967296", 10, NULL},
        {"1,", 10, NULL},
        {",1", 10, NULL},
        {"", 10, NULL},
        {"1:", 10, NULL},
        {"a", 10, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        slice in = slice_c(rows[i].in);
        struct imap_set s;
        bool ok = imap_set(&arena, &in, rows[i].max, &s);
        if (ok != (rows[i].want != NULL))
            fail_msg("%s", rows[i].in);
        if (ok)
            assert_slice(imap_set_print(&arena, &s), slice_c(rows[i].want));
    }
    slice in = S("2:4,8");
    struct imap_set s;
    assert_true(imap_set(&arena, &in, 10, &s));
    for (uint32_t n = 0; n < 10; n++)
        assert_int_equal(imap_set_has(&s, n), (n >= 2 && n <= 4) || n == 8);
    assert_false(imap_set_has(&(struct imap_set){0}, 1));
}

static void test_dates(void **state)
{
    (void)state;
    int64_t days, ms;
    int zone;
    slice in = S("1-Jan-1970 x");
    assert_true(imap_date(&in, &days) && days == 0);
    assert_slice(in, S(" x"));
    in = S("\"23-Nov-2026\"");
    assert_true(imap_date(&in, &days) && days == 20780);
    in = S("31-Feb-2026");
    assert_false(imap_date(&in, &days));
    in = S("1-Nov-26");
    assert_false(imap_date(&in, &days));
    in = S("\" 1-Nov-2026 20:24:01 +0800\" {3}");
    assert_true(imap_date_time(&in, &ms, &zone) && zone == 480);
    assert_slice(in, S(" {3}"));
}

static void test_utf7(void **state)
{
    static const struct {
        const char *utf8, *utf7;
    } rows[] = {
        {"INBOX", "INBOX"}, {"已发送", "&XfJT0ZAB-"},
        {"a&b", "a&-b"},    {"~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"},
        {"𠮷", "&2ELftw-"}, {"é", "&AOk-"},
        {"", ""},
    };
    static const char *const bad[] = {"&", "&AGE-",      "&U,BTFw", "&U,BTF!-",
                                      "é", "&AOk-&AOk-", "&2EI-",   "&37c-"};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        slice back;
        assert_slice(utf7_encode(&arena, slice_c(rows[i].utf8)), slice_c(rows[i].utf7));
        assert_true(utf7_decode(&arena, slice_c(rows[i].utf7), &back));
        assert_slice(back, slice_c(rows[i].utf8));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        slice out;
        if (utf7_decode(&arena, slice_c(bad[i]), &out))
            fail_msg("%s", bad[i]);
    }
}

static int end_arena(void **state)
{
    (void)state;
    arena_end(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strings), cmocka_unit_test(test_literal_at_end),
        cmocka_unit_test(test_sets),    cmocka_unit_test(test_dates),
        cmocka_unit_test(test_utf7),
    };
    return cmocka_run_group_tests(tests, NULL, end_arena);
}
