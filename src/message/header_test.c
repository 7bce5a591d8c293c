/* Headers: where they end, their fields, what is wrong with them (RFC 5322 2.2, 4.5; M2, M11). */
#include "message/header.h"

#include "base/test.h"

#include "base/banned.h"

static void test_where_the_body_begins(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *in;
        size_t length;
    } rows[] = {
        {"empty line (RFC 5322 2.1)", "A: b\r\nC: d\r\n\r\nbody", 14},
        {"LF alone", "A: b\n\nbody", 6},
        {"empty line first", "\r\nbody", 2},
        {"nothing", "", 0},
        {"all header", "A: b\r\nC: d", 10},
        {"no header: the first line is no field (M2)", "Hello\r\nA: b\r\n\r\n", 0},
        {"mbox From line (M2)", "From one Mon Nov 23\nA: b\n\nx", 26},
        {"mbox From line before text", "From one Mon Nov 23\nhello\n", 20},
        {"a line that is no field is skipped", "A: b\nrubbish\nC: d\n\nx", 19},
        {"skipped without an empty line too", "A: b\nrubbish\nC: d\n", 18},
        {"behind the last field they begin the body", "A: b\nr\nC: d\ntext\n more\n\nx", 12},
        {"the same without an empty line", "A: b\ntext\n", 5},
        {"a boundary ends it", "A: b\n--x\nC: d\n\nx", 5},
        {"folding, white space only too (RFC 5322 4.2)", "A: b\n c\n \n\nx", 11},
        {"space before the colon (RFC 5322 4.5.1)", "A : b\n\nx", 7},
        {"a folded line in front", " x\nA: b\n\nx", 9},
        {"8-bit name", "A: b\n\xc3\xa4: c\nD: e\n\nx", 17},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        size_t got = header_length(slice_c(rows[i].in));
        if (got != rows[i].length)
            fail_msg("%s: got %zu, want %zu", rows[i].name, got, rows[i].length);
    }
}

static const char MAIL[] =
    "Received: a\r\n\tb\r\nreceived: c\r\nSubject :  hello\r\n world  \r\nX-Empty:\r\n"
    "Subject: second\r\nBCC: three@south.test\r\nDate: x\r\n\r\nSubject: body\r\n";

static slice mail(void)
{
    return slice_c(MAIL);
}

static void test_fields(void **state)
{
    (void)state;
    static const char *const names[] = {"Received", "received", "Subject", "X-Empty",
                                        "Subject",  "BCC",      "Date"};
    struct header_field f;
    size_t n = 0;
    slice rest = mail();
    for (; header_next(&rest, &f); n++)
        assert_slice(f.name, slice_c(names[n]));
    assert_int_equal(n, 7);
    assert_slice(slice_sub(rest, 0, 2), S("\r\n"));
}

static void test_find(void **state)
{
    (void)state;
    slice value;
    struct header_field f;
    struct arena a = {0};
    assert_true(header_find(mail(), S("subject"), &value)); /* the first counts (M11) */
    assert_slice(value, S("hello\r\n world"));
    assert_slice(header_unfold(&a, value), S("hello world"));
    assert_true(header_find(mail(), S("x-empty"), &value));
    assert_slice(value, S(""));
    assert_false(header_find(mail(), S("Body"), &value));
    assert_true(header_find_field(mail(), S("subject"), &f));
    assert_slice(f.whole, S("Subject :  hello\r\n world  \r\n"));
    assert_slice(f.raw, S("  hello\r\n world  "));
    assert_int_equal(header_count(mail(), S("RECEIVED")), 2);
    assert_false(header_find(S("text\nA: b\n\n"), S("A"), &value));
    assert_true(header_find(S("B: c\ntext\nA: b\n\n"), S("A"), &value));
    arena_end(&a);
}

static void test_facts(void **state)
{
    (void)state;
    struct header_facts f;
    header_facts(mail(), &f);
    assert_int_equal(f.fields, 7);
    assert_int_equal(f.received, 2);
    assert_int_equal(f.bcc, 1);
    assert_int_equal(f.from, 0);
    assert_true(f.has_date && f.has_subject);
    assert_false(f.has_message_id || f.is_list || f.auto_submitted || f.eight_bit);
    header_facts(
        S("Auto-Submitted: auto-replied (vacation)\nList-Id: <x.north.test>\nX: \xc3\xa4\n"), &f);
    assert_true(f.is_list && f.auto_submitted && f.eight_bit);
    header_facts(S("Auto-Submitted: no; x\nPrecedence: first-class\nTo: x\n\n"), &f);
    assert_false(f.is_list || f.auto_submitted);
    assert_true(f.has_to_or_cc);
}

static void test_without(void **state)
{
    (void)state;
    static const slice names[] = {{"Bcc", 3}, {"Received", 8}};
    struct arena a = {0};
    slice *pieces;
    char joined[256];
    size_t n = 0, count = header_without(&a, mail(), names, 2, &pieces);
    for (size_t i = 0; i < count; i++) {
        memcpy(joined + n, pieces[i].p, pieces[i].n);
        n += pieces[i].n;
    }
    assert_slice(((slice){joined, n}),
                 S("Subject :  hello\r\n world  \r\nX-Empty:\r\nSubject: second\r\n"
                   "Date: x\r\n\r\nSubject: body\r\n"));
    assert_int_equal(header_without(&a, S("A: b\n\nx"), names, 2, &pieces), 1);
    assert_slice(pieces[0], S("A: b\n\nx"));
    arena_end(&a);
}

static void test_value_safe(void **state)
{
    (void)state;
    assert_true(header_value_safe(S("x y")));
    assert_false(header_value_safe(S("x\r\nBcc: y")));
    assert_false(header_value_safe(S("x\ny")));
    assert_false(header_value_safe(((slice){"x\0y", 3})));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_where_the_body_begins),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_facts),
        cmocka_unit_test(test_without),
        cmocka_unit_test(test_value_safe),
    };
    return TEST_RUN(tests);
}
