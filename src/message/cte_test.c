/* Transfer encodings: names, uuencode, and the encoder's choice (RFC 2045 section 6, rule M4). */
#include "message/cte.h"

#include "base/test.h"
#include "message/uuencode.h"

static void test_parse(void **state)
{
    static const struct {
        const char *in;
        enum cte want;
    } rows[] = {
        {"7bit", CTE_7BIT},
        {"8BIT", CTE_8BIT},
        {"Binary", CTE_BINARY},
        {" quoted-printable ", CTE_QP},
        {"base64", CTE_BASE64},
        {"\"base64\"", CTE_BASE64},
        {"base64;", CTE_BASE64},
        {"base64 (comment)", CTE_BASE64},
        {"(comment) base64", CTE_BASE64},
        {"x-uuencode", CTE_UUENCODE},
        {"", CTE_7BIT},
        {"x-nonsense", CTE_UNKNOWN},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (cte_parse(slice_c(rows[i].in)) != rows[i].want)
            fail_msg("\"%s\"", rows[i].in);
    assert_string_equal(cte_name(CTE_QP), "quoted-printable");
}

static void test_choose(void **state)
{
    static const struct {
        const char *name, *in;
        bool text;
        enum cte want;
    } rows[] = {
        {"ASCII", "Hello\r\nworld\r\n", true, CTE_7BIT},
        {"empty", "", true, CTE_7BIT},
        {"a few letters", "Caf\xc3\xa9 in the north, and the letter went on and on\r\n", true,
         CTE_QP},
        {"Chinese", "驿站换马，书信继续北行", true, CTE_BASE64},
        {"From at line start", "a\r\nFrom b\r\n", true, CTE_QP},
        {"lone dot", "a\r\n.\r\n", true, CTE_QP},
        {"trailing space", "a \r\nb\r\n", true, CTE_QP},
        {"NUL in little text", "\1\2\3\4", true, CTE_BASE64},
        {"not text", "Hello", false, CTE_BASE64},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (cte_choose(slice_c(rows[i].in), rows[i].text) != rows[i].want)
            fail_msg("%s", rows[i].name);
}

static void test_uuencode(void **state)
{
    static const struct {
        const char *name, *in, *file, *want;
        bool found, terminated;
    } rows[] = {
        {"plain", "begin 644 cat.txt\r\n#0V%T\r\n`\r\nend\r\n", "cat.txt", "Cat", true, true},
        {"in a text", "Hi\n\nbegin 644 cat.txt\n#0V%T\n`\nend\nBye\n", "cat.txt", "Cat", true,
         true},
        {"two bytes", "begin 755 a b.txt\n\"0V$ \n`\nend\n", "a b.txt", "Ca", true, true},
        {"no end", "begin 644 x\n#0V%T\n", "x", "Cat", true, false},
        {"text behind", "begin 644 x\n#0V%T\nThis is no data line, is it?\n", "x", "Cat", true,
         false},
        {"prose", "begin 644 things today\nand more tomorrow\n", "", "", false, false},
        {"no mode", "begin here\n#0V%T\nend\n", "", "", false, false},
        {"not at a line's start", "x begin 644 a\n#0V%T\nend\n", "", "", false, false},
    };
    struct arena a = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct uu_file f;
        bool damaged = false;
        if (uu_find(slice_c(rows[i].in), 0, &f) != rows[i].found)
            fail_msg("%s", rows[i].name);
        if (!rows[i].found)
            continue;
        assert_slice(f.name, slice_c(rows[i].file));
        assert_int_equal(f.terminated, rows[i].terminated);
        slice got = uu_decode(&a, f.lines, &damaged);
        if (!slice_eq(got, slice_c(rows[i].want)) || damaged)
            fail_msg("%s: got \"%.*s\"", rows[i].name, P(got));
    }
    arena_end(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_choose),
        cmocka_unit_test(test_uuencode),
    };
    return TEST_RUN(tests);
}
