/* RFC 5051: what is the same for a person is the same in bytes. */
#include "base/test.h"

#include "base/casefold.h"

static void test_fold(void **state)
{
    static const struct {
        const char *in, *want;
    } rows[] = {
        {"", ""},
        {"Hello WORLD", "hello world"},
        {" a\t\r\n  b ", " a b "},
        {"驿站 已发送", "驿站 已发送"},
        {"中文\r\n邮件", "中文邮件"}, /* a broken line */
        {"你好，\n  世界。\nかな", "你好,世界。か\xe3\x81\xaa"},
        {"中文\nmail\n邮件", "中文 mail 邮件"},
        {"中文\n", "中文 "},
        {"\n中文", " 中文"},
        {"한국\n어", "\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab\xe1\x84\x80\xe1\x85\xae\xe1\x86\xa8 "
                     "\xe1\x84\x8b\xe1\x85\xa5"},
        {"ÄÖÜ", "a\xcc\x88o\xcc\x88u\xcc\x88"},
        {"a\xcc\x88", "a\xcc\x88"}, /* as composed */
        {"Straße", "strasse"},
        {"ΣΊΣΥΦΟΣ", "σι\xcc\x81συφοσ"},
        {"σίσυφος", "σι\xcc\x81συφοσ"},
        {"ПРИВЕТ", "привет"},
        {"ＡＢＣ１２３", "abc123"},  /* full width */
        {"全角　空白", "全角 空白"}, /* U+3000 */
        {"a\xc2\xa0 b", "a b"},      /* NBSP */
        {"soft\xc2\xadhyphen", "softhyphen"},
        {"zero\xe2\x80\x8bwidth", "zerowidth"},
        {"ﬁn", "fin"}, /* ligature */
        {"ガ", "カ\xe3\x82\x99"},
        {"bad\xff\xc3", "bad\xff\xc3"},
        {"\xe9\xa9", "\xe9\xa9"}, /* a Han character that is cut */
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct buf out = {.max = 1000};
        casefold_add(&out, slice_c(rows[i].in));
        assert_slice(buf_slice(&out), slice_c(rows[i].want));
        buf_end(&out);
    }
}

/* A long text is put out in steps; each gives what the whole gives. */
static void test_long(void **state)
{
    struct buf in = {.max = 1 << 20}, out = {.max = 1 << 20};
    (void)state;
    for (int i = 0; i < 9000; i++)
        buf_add(&in, i % 7 ? S("AbC驿 ") : S("\xef\xb7\xba")); /* U+FDFA: 33 bytes */
    casefold_add(&out, buf_slice(&in));
    assert_true(slice_search(buf_slice(&out), S("abc驿 abc驿 abc驿 abc驿 abc驿 abc驿 ")) > 0);
    assert_true(slice_search(buf_slice(&out), S("A")) < 0);
    struct buf room = {0};
    assert_true(casefold_has(&room, buf_slice(&in), S("c驿 abc")));
    assert_false(casefold_has(&room, buf_slice(&in), S("c驿 bc")));
    assert_true(casefold_has(&room, buf_slice(&in), S("")));
    assert_true(casefold_has(&room, buf_slice(&in), buf_slice(&out)));
    assert_false(casefold_has(&room, slice_skip(buf_slice(&in), 1), buf_slice(&out)));
    assert_true(casefold_has(&room, S("A驿 b"), S("驿 B")) == false);
    assert_true(casefold_has(&room, S("A驿 b"), S("驿 b")));
    assert_int_equal(buf_length(&room), 0);
    struct buf small = {.max = 10};
    casefold_add(&small, buf_slice(&in));
    assert_true(small.full);
    buf_end(&in);
    buf_end(&out);
    buf_end(&room);
    buf_end(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fold), cmocka_unit_test(test_long)};
    return TEST_RUN(tests);
}
