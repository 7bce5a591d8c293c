#include "base/test.h"

static void test_slice_u64(void **state)
{
    static const struct {
        const char *name, *in;
        uint64_t max;
        bool ok;
        uint64_t want;
    } rows[] = {
        {"zero", "0", 10, true, 0},
        {"plain", "1234", UINT64_MAX, true, 1234},
        {"largest", "18446744073709551615", UINT64_MAX, true, UINT64_MAX},
        {"one more", "18446744073709551616", UINT64_MAX, false, 0},
        {"overflow", "99999999999999999999999", UINT64_MAX, false, 0},
        {"above max", "11", 10, false, 0},
        {"empty", "", 10, false, 0},
        {"sign", "+1", 10, false, 0},
        {"space", " 1", 10, false, 0},
        {"letter", "1a", 100, false, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t got = 0;
        if (slice_u64(slice_c(rows[i].in), rows[i].max, &got) != rows[i].ok || got != rows[i].want)
            fail_msg("%s", rows[i].name);
    }
}

static void test_slice_eat_and_next(void **state)
{
    (void)state;
    slice s = S("MAIL FROM:<a@b>");
    assert_true(slice_eat_icase(&s, S("mail from:")));
    assert_slice(s, S("<a@b>"));
    assert_false(slice_eat(&s, S("x")));
    slice list = S("a,,b"), field;
    assert_true(slice_next(&list, ',', &field));
    assert_slice(field, S("a"));
    assert_true(slice_next(&list, ',', &field));
    assert_slice(field, S(""));
    assert_true(slice_next(&list, ',', &field));
    assert_slice(field, S("b"));
    assert_false(slice_next(&list, ',', &field));
    assert_slice(slice_trim(S(" \t x y\r\n")), S("x y"));
    assert_int_equal(slice_search(S("abcabd"), S("abd")), 3);
}

/* RFC 3629 section 4: overlong forms, surrogates and what is above U+10FFFF are not UTF-8. */
static void test_slice_is_utf8(void **state)
{
    (void)state;
    assert_true(slice_is_utf8(S("驿站 abc \xf0\xa0\xae\xb7")));
    assert_false(slice_is_utf8(S("\xc0\xaf")));
    assert_false(slice_is_utf8(S("\xe0\x80\xaf")));
    assert_false(slice_is_utf8(S("\xed\xa0\x80")));
    assert_false(slice_is_utf8(S("\xf4\x90\x80\x80")));
    assert_false(slice_is_utf8(S("\xe9\xa9")));
    assert_true(slice_is_ascii(S("0123456789abcdef")));
    assert_false(slice_is_ascii(S("0123456789abcde\x80")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slice_u64),
        cmocka_unit_test(test_slice_eat_and_next),
        cmocka_unit_test(test_slice_is_utf8),
    };
    return TEST_RUN(tests);
}
