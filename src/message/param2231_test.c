/* Parameters: RFC 2231 examples, rules M6 and M8, the four styles of file names, careless senders.
 */
#include "message/param2231.h"

#include "base/limits.h"
#include "base/rand.h"
#include "base/test.h"

static void test_parse(void **state)
{
    static const struct {
        const char *name, *in, *value, *param, *want;
        bool damaged;
    } rows[] = {
        {"plain", "text/plain; charset=utf-8", "text/plain", "charset", "utf-8", false},
        {"case", "TEXT/HTML; CHARSET=UTF-8", "text/html", "charset", "UTF-8", false},
        {"quoted", "text/plain; charset=\"utf-8\"", "text/plain", "charset", "utf-8", false},
        {"comments", "text/plain (x); (y) charset = (z) us-ascii (Plain text)", "text/plain",
         "charset", "us-ascii", false},
        {"nested comment", "text/plain; charset=us-ascii (a (b \\) c) d)", "text/plain", "charset",
         "us-ascii", false},
        {"spaces in the type", "text / plain ; a=b", "text/plain", "a", "b", false},
        {"boundary with specials", "multipart/mixed; boundary=\"=_a:/?b\"", "multipart/mixed",
         "boundary", "=_a:/?b", false},
        {"folded", "multipart/mixed;\r\n\tboundary=\"a\"", "multipart/mixed", "boundary", "a",
         false},
        {"escaped quote", "a/b; name=\"x\\\"y\"", "a/b", "name", "x\"y", false},
        {"Windows path", "attachment; filename=\"C:\\temp\\a.txt\"", "attachment", "filename",
         "C:\\temp\\a.txt", false},
        {"unescaped quotes", "attachment; filename=\"a \"b\" c.txt\"", "attachment", "filename",
         "a \"b\" c.txt", true},
        {"unterminated", "attachment; filename=\"a.txt", "attachment", "filename", "a.txt", true},
        {"unquoted spaces", "attachment; filename=my file.txt; size=3", "attachment", "filename",
         "my file.txt", true},
        {"unquoted parentheses", "attachment; filename=a(1).txt", "attachment", "filename",
         "a(1).txt", false},
        {"no semicolons", "text/plain charset=utf-8 format=flowed", "text/plain", "format",
         "flowed", true},
        {"no semicolon after quotes", "text/plain; charset=\"utf-8\" format=flowed", "text/plain",
         "format", "flowed", true},
        {"double semicolon", "text/plain;; charset=x;", "text/plain", "charset", "x", false},
        {"first wins", "text/plain; charset=a; charset=b", "text/plain", "charset", "a", false},
        {"only parameters", "; charset=a", "", "charset", "a", false},
        {"no value", "text/plain; x; charset=a", "text/plain", "charset", "a", true},
        {"empty value", "text/plain; charset=; a=b", "text/plain", "a", "b", false},
        {"empty", "", "", "a", "", false},
        {"2231 3: continuation",
         "message/external-body; access-type=URL;\r\n URL*0=\"ftp://\";\r\n "
         "URL*1=\"cs.utk.edu/pub/moore/bulk-mailer/bulk-mailer.tar\"",
         "message/external-body", "url", "ftp://cs.utk.edu/pub/moore/bulk-mailer/bulk-mailer.tar",
         false},
        {"2231 4: charset",
         "application/x-stuff; title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A",
         "application/x-stuff", "title", "This is ***fun***", false},
        {"2231 4.1: both",
         "application/x-stuff; title*0*=us-ascii'en'This%20is%20even%20more%20;\r\n "
         "title*1*=%2A%2A%2Afun%2A%2A%2A%20;\r\n title*2=\"isn't it!\"",
         "application/x-stuff", "title", "This is even more ***fun*** isn't it!", false},
        {"M6: any order", "a/b; n*1=two; n*0=one", "a/b", "n", "onetwo", false},
        {"M6: a gap ends it", "a/b; n*0=one; n*2=three", "a/b", "n", "one", false},
        {"M6: leading zero", "a/b; n*00=bad; n*0=one", "a/b", "n", "one", true},
        {"M6: filename* is preferred",
         "attachment; filename=\"plain.txt\"; filename*=utf-8''%E9%A9%BF.txt", "attachment",
         "filename", "驿.txt", false},
        {"sections are preferred to plain",
         "attachment; filename=p; filename*0=\"a\"; filename*1=b", "attachment", "filename", "ab",
         false},
        {"character split between sections", "a/b; n*0*=utf-8''%E9%A9; n*1*=%BF", "a/b", "n", "驿",
         false},
        {"GB18030 in 2231", "a/b; n*=gb2312''%D6%D0%CE%C4", "a/b", "n", "中文", false},
        {"2047 in quotes", "a/b; name=\"=?utf-8?B?6am/56uZ?=.txt\"", "a/b", "name", "驿站.txt",
         false},
        {"2047 folded in quotes", "a/b; name=\"=?utf-8?B?6am/?=\r\n =?utf-8?B?56uZ?=\"", "a/b",
         "name", "驿站", false},
        {"2047 without quotes", "a/b; name==?utf-8?B?6am/56uZ?=", "a/b", "name", "驿站", false},
        {"2047 in sections", "a/b; name*0=\"=?utf-8?B?6am\"; name*1=\"/56uZ?=\"", "a/b", "name",
         "驿站", false},
        {"raw UTF-8", "a/b; name=\"驿站.txt\"", "a/b", "name", "驿站.txt", false},
        {"star forgotten", "a/b; name=utf-8''%E9%A9%BF", "a/b", "name", "驿", false},
        {"apostrophes are no charset", "a/b; name=\"it's 5' long\"", "a/b", "name", "it's 5' long",
         false},
        {"percent in a plain name", "a/b; name=\"100%25.txt\"", "a/b", "name", "100%25.txt", false},
        {"no charset part", "a/b; name*=%E9%A9%BF", "a/b", "name", "驿", false},
    };
    struct arena a = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct params p;
        params_parse(&a, slice_c(rows[i].in), &p);
        slice got = params_get(&p, slice_c(rows[i].param));
        if (!slice_eq(p.value, slice_c(rows[i].value)) || !slice_eq(got, slice_c(rows[i].want)) ||
            p.damaged != rows[i].damaged)
            fail_msg("%s: got \"%.*s\", \"%.*s\", %d", rows[i].name, P(p.value), P(got), p.damaged);
    }
    arena_end(&a);
}

static void test_language_and_flags(void **state)
{
    struct arena a = {0};
    struct params p;
    (void)state;
    params_parse(&a, S("a/b; t*=utf-8'zh-CN'%E9%A9%BF; u=x"), &p);
    assert_int_equal(p.count, 2);
    assert_slice(params_find(&p, S("t"))->language, S("zh-CN"));
    assert_true(params_find(&p, S("t"))->encoded);
    assert_false(params_find(&p, S("u"))->encoded);
    assert_null(params_find(&p, S("v")));
    arena_end(&a);
}

/* M8: "last path component only, no control chars, no .., no leading dot, length cap, bidi". */
static void test_filename_safe(void **state)
{
    static const char *const rows[][2] = {
        {"a.txt", "a.txt"},
        {"驿站.pdf", "驿站.pdf"},
        {"/etc/passwd", "passwd"},
        {"..\\..\\boot.ini", "boot.ini"},
        {"C:\\temp\\a.txt", "a.txt"},
        {"..", ""},
        {"../", ""},
        {".bashrc", "bashrc"},
        {"...x", "x"},
        {"a\r\nb\x01.txt", "ab.txt"},
        {"inv\xe2\x80\xae"
         "fdp.exe",
         "invfdp.exe"},
        {"a.txt. . ", "a.txt"},
        {"a\xff.txt", "a.txt"},
        {"", ""},
    };
    struct arena a = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_slice(filename_safe(&a, slice_c(rows[i][0])), slice_c(rows[i][1]));
    char name[900];
    for (size_t i = 0; i + 3 <= sizeof(name); i += 3)
        memcpy(name + i, "驿", 3);
    memcpy(name + sizeof(name) - 5, ".tiff", 5);
    slice got = filename_safe(&a, (slice){name, sizeof(name)});
    assert_true(got.n <= LIMIT_FILENAME && slice_ends(got, S(".tiff")));
    assert_true(slice_is_utf8(got));
    memset(name, 'x', sizeof(name)); /* what the cut bares is cleaned as well */
    name[LIMIT_FILENAME - 1] = name[LIMIT_FILENAME - 2] = ' ';
    assert_int_equal(filename_safe(&a, (slice){name, sizeof(name)}).n, LIMIT_FILENAME - 2);
    arena_end(&a);
}

static void test_print(void **state)
{
    static const struct {
        const char *in, *want;
        unsigned forms;
    } rows[] = {
        {"a.txt", "; name=a.txt", PARAM_2231},
        {"a b.txt", "; name=\"a b.txt\"", PARAM_2231},
        {"a\"b", "; name=\"a\\\"b\"", PARAM_2231},
        {"", "; name=\"\"", PARAM_2231},
        {"驿.txt", "; name*=utf-8''%E9%A9%BF.txt", PARAM_2231},
        {"驿.txt", "; name=\"=?utf-8?B?6am/LnR4dA==?=\"", PARAM_2047},
        {"驿.txt", "; name=\"=?utf-8?B?6am/LnR4dA==?=\";\r\n name*=utf-8''%E9%A9%BF.txt",
         PARAM_2231 | PARAM_2047},
        {"utf-7''%41", "; name*=utf-8''utf-7%27%27%2541", PARAM_2231 | PARAM_2047},
        {"驿站换马书信继续北行.pdf",
         ";\r\n name*0*=utf-8''%E9%A9%BF%E7%AB%99%E6%8D%A2%E9%A9%AC%E4%B9%A6%E4%BF%A1;\r\n "
         "name*1*=%E7%BB%A7%E7%BB%AD%E5%8C%97%E8%A1%8C.pdf",
         PARAM_2231},
    };
    struct arena a = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t column = 30;
        assert_slice(params_print(&a, S("name"), slice_c(rows[i].in), rows[i].forms, &column),
                     slice_c(rows[i].want));
    }
    arena_end(&a);
}

/* Any UTF-8 without controls comes back, in either form; no line passes 78. */
static void test_round_trip(void **state)
{
    static const char *const pieces[] = {"a", "b c", "\"", "\\", "é", "驿",   "𠮷", "%41",
                                         "'", ";",   "=",  "(",  "*", ".pdf", "=?", "?="};
    struct arena a = {0};
    (void)state;
    for (unsigned round = 0; round < 2000; round++) {
        struct params p;
        char text[300];
        size_t n = 0, column = 20;
        for (size_t k = 1 + rand_below(40); k; k--) {
            slice piece = slice_c(pieces[rand_below(sizeof(pieces) / sizeof(pieces[0]))]);
            memcpy(text + n, piece.p, piece.n);
            n += piece.n;
        }
        slice value = {text, n}, line;
        slice code = params_print(&a, S("name"), value, 1 + (unsigned)rand_below(3), &column);
        slice rest = code;
        params_parse(&a, arena_printf(&a, "a/b%.*s; z=1", P(code)), &p);
        if (!slice_eq(params_get(&p, S("name")), value))
            fail_msg("\"%.*s\" -> \"%.*s\" -> \"%.*s\"", P(value), P(code),
                     P(params_get(&p, S("name"))));
        assert_slice(params_get(&p, S("z")), S("1"));
        while (!slice_is_ascii(value) && slice_next(&rest, '\n', &line))
            assert_true(line.n <= 79);
        arena_reset(&a);
    }
    arena_end(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),         cmocka_unit_test(test_language_and_flags),
        cmocka_unit_test(test_filename_safe), cmocka_unit_test(test_print),
        cmocka_unit_test(test_round_trip),
    };
    return TEST_RUN(tests);
}
