/* Widths of Chinese and combining characters, cutting, and terminal controls of strangers. */
#include "base/test.h"

#include "base/text.h"

static void test_width(void **state)
{
    (void)state;
    assert_int_equal(text_width(S("abc")), 3);
    assert_int_equal(text_width(S("驿站")), 4);
    assert_int_equal(text_width(S("e\xcc\x81")), 1); /* a combining accent takes no column */
    assert_int_equal(text_width(S("\xff")), 1);
    assert_int_equal(text_width(S("📮")), 2);
}

static void test_column(void **state)
{
    static const struct {
        const char *in;
        size_t columns;
        const char *want;
    } rows[] = {
        {"abc", 5, "abc  "},
        {"abcdef", 5, "abcd…"},
        {"驿站驿站", 5, "驿站…"},
        {"驿站驿站", 4, "驿… "}, /* half a character is never shown */
        {"驿站", 4, "驿站"},
        {"a\x1b[31mb", 7, "a?[31mb"}, /* no terminal control from a stranger */
        {"\xff\xe9", 2, "??"},
        {"a\xe2\x80\xae"
         "b",
         3, "a?b"}, /* right-to-left override */
        {"", 2, "  "},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf b = {.max = 100};
        text_add_column(&b, slice_c(rows[i].in), rows[i].columns);
        assert_slice(buf_slice(&b), slice_c(rows[i].want));
        buf_end(&b);
    }
}

static void test_table(void **state)
{
    (void)state;
    const slice cells[] = {S("NAME"), S("SIZE"), S("TEXT"),
                           S("驿站"), S("12"),   S("你好"),
                           S("x"),    S("1234"), S("much longer than that"),
                           S("last"), S("5"),    S("")};
    struct buf b = {.max = 1000};
    text_table(&b, cells, 3, 4, 10, 1u << 1);
    assert_slice(buf_slice(&b), S("NAME  SIZE  TEXT\n"
                                  "驿站    12  你好\n"
                                  "x     1234  much long…\n"
                                  "last     5\n"));
    buf_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_width),
        cmocka_unit_test(test_column),
        cmocka_unit_test(test_table),
    };
    return TEST_RUN(tests);
}
