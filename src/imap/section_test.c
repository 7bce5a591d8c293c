/* RFC 9051 6.4.5.1: rules I12 and I14. */
#include "base/test.h"

#include "imap/section.h"
#include "message/out.h"

static struct arena arena;

static int teardown(void **state)
{
    (void)state;
    arena_end(&arena);
    return 0;
}

/* The section of a message as a client gets it; "NIL" when it is missing. */
static slice get(slice message, slice spec)
{
    struct section s;
    struct section_range r;
    struct mime m;
    slice in = spec;
    assert_true(section_parse(&arena, &in, false, &s) && in.n == 0);
    mime_parse(&arena, message, &m);
    if (section_need(&s) == SECTION_NEEDS_TREE) {
        if (!section_of_part(&m, &s, &r))
            return S("NIL");
    } else {
        r = section_of_message(&s, header_length(message), message.n);
    }
    slice bytes = slice_sub(message, r.from, r.to);
    if (s.name_count)
        return section_fields(&arena, &s, bytes, r.to < message.n);
    return bytes;
}

struct row {
    const char *spec, *want;
};

static void check(const char *message, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        slice got = get(slice_c(message), slice_c(rows[i].spec));
        if (!slice_eq(got, slice_c(rows[i].want)))
            fail_msg("%s: got \"%.*s\", want \"%s\"", rows[i].spec, P(got), rows[i].want);
    }
}

/* "Every message has at least one part number": a message without multipart is part 1. */
static void test_plain(void **state)
{
    static const struct row rows[] = {
        {"[]", "From: a\r\nSubject: b\r\n c\r\nfrom: d\r\n\r\nbody\r\n"},
        {"[HEADER]", "From: a\r\nSubject: b\r\n c\r\nfrom: d\r\n\r\n"},
        {"[TEXT]", "body\r\n"},
        {"[1]", "body\r\n"},
        {"[1.MIME]", "From: a\r\nSubject: b\r\n c\r\nfrom: d\r\n\r\n"},
        {"[1.1]", "NIL"},
        {"[2]", "NIL"},
        {"[1.HEADER]", "NIL"},
        {"[1.TEXT]", "NIL"},
        {"[HEADER.FIELDS (FROM)]", "From: a\r\nfrom: d\r\n\r\n"},
        {"[HEADER.FIELDS (subject from)]", "From: a\r\nSubject: b\r\n c\r\nfrom: d\r\n\r\n"},
        {"[HEADER.FIELDS (x)]", "\r\n"},
        {"[HEADER.FIELDS (fro)]", "\r\n"},
        {"[HEADER.FIELDS.NOT (from)]", "Subject: b\r\n c\r\n\r\n"},
    };
    (void)state;
    check(rows[0].want, rows, sizeof(rows) / sizeof(rows[0]));
}

static const char nested[] = "Content-Type: multipart/mixed; boundary=b\r\n"
                             "\r\n"
                             "preamble\r\n"
                             "--b\r\n"
                             "\r\n"
                             "one\r\n"
                             "--b\r\n"
                             "Content-Type: multipart/alternative; boundary=c\r\n"
                             "\r\n"
                             "--c\r\n"
                             "X: 1\r\n"
                             "\r\n"
                             "two one\r\n"
                             "--c\r\n"
                             "Content-Type: text/html\r\n"
                             "\r\n"
                             "two two\r\n"
                             "--c--\r\n"
                             "--b\r\n"
                             "Content-Type: message/rfc822\r\n"
                             "\r\n"
                             "Subject: inside\r\n"
                             "From: one@north.test\r\n"
                             "\r\n"
                             "three\r\n"
                             "--b\r\n"
                             "Content-Type: message/rfc822\r\n"
                             "\r\n"
                             "Subject: many\r\n"
                             "Content-Type: multipart/mixed; boundary=d\r\n"
                             "\r\n"
                             "--d\r\n"
                             "\r\n"
                             "four one\r\n"
                             "--d--\r\n"
                             "--b--\r\n"
                             "epilogue\r\n";

static void test_nested(void **state)
{
    static const struct row rows[] = {
        {"[HEADER]", "Content-Type: multipart/mixed; boundary=b\r\n\r\n"},
        {"[1]", "one"},
        {"[1.MIME]", "\r\n"},
        {"[2]", "--c\r\nX: 1\r\n\r\ntwo one\r\n--c\r\nContent-Type: text/html\r\n\r\n"
                "two two\r\n--c--"},
        {"[2.1]", "two one"},
        {"[2.1.MIME]", "X: 1\r\n\r\n"},
        {"[2.2]", "two two"},
        {"[2.3]", "NIL"},
        {"[2.HEADER]", "NIL"},
        {"[2.MIME]", "Content-Type: multipart/alternative; boundary=c\r\n\r\n"},
        {"[3]", "Subject: inside\r\nFrom: one@north.test\r\n\r\nthree"},
        {"[3.MIME]", "Content-Type: message/rfc822\r\n\r\n"},
        {"[3.HEADER]", "Subject: inside\r\nFrom: one@north.test\r\n\r\n"},
        {"[3.HEADER.FIELDS (from)]", "From: one@north.test\r\n\r\n"},
        {"[3.TEXT]", "three"},
        {"[3.1]", "three"},
        {"[3.1.MIME]", "Subject: inside\r\nFrom: one@north.test\r\n\r\n"},
        {"[3.2]", "NIL"},
        {"[4.HEADER.FIELDS.NOT (content-type)]", "Subject: many\r\n\r\n"},
        {"[4.TEXT]", "--d\r\n\r\nfour one\r\n--d--"},
        {"[4.1]", "four one"},
        {"[4.1.1]", "NIL"},
        {"[5]", "NIL"},
    };
    (void)state;
    check(nested, rows, sizeof(rows) / sizeof(rows[0]));
}

/* "Except in the case of a message that has no body and no blank line" (RFC 9051 6.4.5.1). */
static void test_no_blank_line(void **state)
{
    static const struct row bare[] = {
        {"[HEADER]", "From: a\r\nTo: b\r\n"},
        {"[TEXT]", ""},
        {"[HEADER.FIELDS (to)]", "To: b\r\n"},
        {"[HEADER.FIELDS (x)]", ""},
    };
    static const struct row forgotten[] = {
        {"[HEADER]", "From: a\r\n"},
        {"[TEXT]", "this is no field\r\n"},
        {"[HEADER.FIELDS (from)]", "From: a\r\n\r\n"},
    };
    static const struct row blank[] = {
        {"[HEADER]", "From: a\r\n\r\n"},
        {"[HEADER.FIELDS (x)]", "\r\n"},
        {"[1]", ""},
    };
    static const struct row empty[] = {
        {"[]", ""}, {"[HEADER]", ""}, {"[TEXT]", ""}, {"[1]", ""}, {"[HEADER.FIELDS (x)]", ""},
    };
    (void)state;
    check("From: a\r\nTo: b\r\n", bare, 4);
    check("From: a\r\nthis is no field\r\n", forgotten, 3);
    check("From: a\r\n\r\n", blank, 3);
    check("", empty, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_plain, teardown),
        cmocka_unit_test_teardown(test_nested, teardown),
        cmocka_unit_test_teardown(test_no_blank_line, teardown),
    };
    return TEST_RUN(tests);
}
