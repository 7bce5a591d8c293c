/* The tree of parts: RFC 2045-2049, rules M1-M4, M9, M11; caps and memory. */
#include "message/parse.h"

#include "base/limits.h"
#include "message/derive.h"
#include "message/out.h"

#include "base/test.h"

#include "base/banned.h"

static char defect_letter(uint32_t d, uint32_t bit, char c)
{
    return d & bit ? c : '\0';
}

/*
 * The tree in one line: each part as number=type[body], children in braces behind; after "!" the
 * letters of some defects: c no close, p no parts, b no boundary, h no header, e encoded, d deep.
 */
static void show_part(struct out *o, const struct mime *m, size_t part)
{
    static const struct {
        uint32_t bit;
        char letter;
    } letters[] = {{DEFECT_NO_CLOSE, 'c'},          {DEFECT_NO_PARTS, 'p'},
                   {DEFECT_NO_BOUNDARY, 'b'},       {DEFECT_NO_HEADER, 'h'},
                   {DEFECT_ENCODED_CONTAINER, 'e'}, {DEFECT_NO_EMPTY_LINE, 'n'},
                   {DEFECT_BAD_FIELD, 'f'},         {DEFECT_TWICE, 't'}};
    struct mime_content c;
    uint32_t d = m->parts[part].defects;
    bool mark = false;
    mime_content(o->arena, m, part, &c);
    out_printf(o, "%.*s=%.*s", P(mime_number(o->arena, m, part)), P(c.type.value));
    if (m->parts[part].kind == MIME_LEAF)
        out_printf(o, "[%.*s]", P(mime_body(m, part)));
    for (size_t i = 0; i < sizeof(letters) / sizeof(*letters); i++)
        if (defect_letter(d, letters[i].bit, letters[i].letter)) {
            out_add(o, mark ? S("") : S("!"));
            out_byte(o, letters[i].letter);
            mark = true;
        }
    if (!m->parts[part].children)
        return;
    out_byte(o, '{');
    for (size_t i = mime_child(m, part); i; i = m->parts[i].next) {
        if (m->parts[i].index > 1)
            out_byte(o, ' ');
        show_part(o, m, i);
    }
    out_byte(o, '}');
}

static slice shown(struct arena *a, slice message)
{
    struct mime m;
    struct out o = {.arena = a};
    mime_parse(a, message, &m);
    show_part(&o, &m, 0);
    return out_slice(&o);
}

#define MIXED "Content-Type: multipart/mixed; boundary=a\n\n"

static void test_trees(void **state)
{
    (void)state;
    static const struct {
        const char *name, *in, *want;
    } rows[] = {
        {"M1 nothing", "", "1=text/plain[]"},
        {"M1 text", "A: b\n\nhello\n", "1=text/plain[hello\n]"},
        {"M2 no header", "hello\nA: b\n\n", "1=text/plain[hello\nA: b\n\n]!h"},
        {"M2 bad field skipped", "A: b\nrubbish\nC: d\n\nx", "1=text/plain[x]!f"},
        {"M3 two parts", MIXED "pre\n--a\n\none\n--a\n\ntwo\n--a--\nepi\n",
         "TEXT=multipart/mixed{1=text/plain[one] 2=text/plain[two]}"},
        {"M3 the line end before belongs to the boundary", MIXED "--a\n\none\r\n\r\n--a--",
         "TEXT=multipart/mixed{1=text/plain[one\r\n]}"},
        {"M3 no close", MIXED "--a\n\none\n", "TEXT=multipart/mixed!c{1=text/plain[one\n]}"},
        {"M3 white space behind", MIXED "--a \t\n\none\n--a-- \n",
         "TEXT=multipart/mixed{1=text/plain[one]}"},
        {"M3 prefix is another", MIXED "--a\n\n--ab\n--a-\none\n--a--",
         "TEXT=multipart/mixed{1=text/plain[--ab\n--a-\none]}"},
        {"M3 empty parts", MIXED "--a\n--a\n\n--a--",
         "TEXT=multipart/mixed{1=text/plain[]!n 2=text/plain[]}"},
        {"M3 header ended by boundary", MIXED "--a\nX: y\n--a\n\nz\n--a--",
         "TEXT=multipart/mixed{1=text/plain[]!n 2=text/plain[z]}"},
        {"M3 text without header or empty line", MIXED "--a\nhello there\n--a--",
         "TEXT=multipart/mixed{1=text/plain[hello there]!h}"},
        {"M3 no final line end", MIXED "--a\n\none\n--a--x",
         "TEXT=multipart/mixed!c{1=text/plain[one\n--a--x]}"},
        {"M3 nested, outer boundary a prefix of the inner",
         MIXED "--a\nContent-Type: multipart/alternative; boundary=ab\n\n--ab\n\none\n--ab\n\n"
               "two\n--ab--\n--a\n\nthree\n--a--",
         "TEXT=multipart/mixed{1=multipart/alternative{1.1=text/plain[one] 1.2=text/plain[two]} "
         "2=text/plain[three]}"},
        {"M3 outer boundary ends the inner",
         MIXED "--a\nContent-Type: multipart/alternative; boundary=b\n\n--b\n\none\n--a\n\ntwo\n"
               "--b\n--a--",
         "TEXT=multipart/mixed{1=multipart/alternative!c{1.1=text/plain[one]} "
         "2=text/plain[two\n--b]}"},
        {"M3 the same boundary inside: the innermost",
         MIXED "--a\nContent-Type: multipart/alternative; boundary=a\n\n--a\n\none\n--a--\n--a\n\n"
               "two\n--a--",
         "TEXT=multipart/mixed{1=multipart/alternative{1.1=text/plain[one]} 2=text/plain[two]}"},
        {"M3 boundary that ends in dashes",
         "Content-Type: multipart/mixed; boundary=\"a--\"\n\n--a--\n\none\n--a----",
         "TEXT=multipart/mixed{1=text/plain[one]}"},
        {"M3 quoted boundary with specials",
         "Content-Type: multipart/mixed; boundary=\"=_a:b/c?\"\n\n--=_a:b/c?\n\none\n--=_a:b/c?--",
         "TEXT=multipart/mixed{1=text/plain[one]}"},
        {"M3 no boundary", "Content-Type: multipart/mixed\n\n--a\n\none\n",
         "1=text/plain[--a\n\none\n]!b"},
        {"M3 boundary never comes", MIXED "hello\n", "1=text/plain[hello\n]!p"},
        {"M3 boundary at once behind the header",
         "Content-Type: multipart/mixed; boundary=a\n--a\n\none\n--a--",
         "TEXT=multipart/mixed!n{1=text/plain[one]}"},
        {"M3 after the close is epilogue", MIXED "--a\n\none\n--a--\n--a\n\ntwo\n",
         "TEXT=multipart/mixed{1=text/plain[one]}"},
        {"M9 message inside", MIXED "--a\nContent-Type: message/rfc822\n\nSubject: x\n\nin\n--a--",
         "TEXT=multipart/mixed{1=message/rfc822{1.1=text/plain[in]}}"},
        {"M9 multipart inside a message",
         MIXED "--a\nContent-Type: message/rfc822\n\nContent-Type: multipart/mixed; boundary=b\n\n"
               "--b\n\none\n--b\n\ntwo\n--b--\n\n--a--",
         "TEXT=multipart/mixed{1=message/rfc822{1.TEXT=multipart/mixed{1.1=text/plain[one] "
         "1.2=text/plain[two]}}}"},
        {"M9 a message that is only a header",
         MIXED "--a\nContent-Type: message/rfc822\n\nSubject: x\n\n--a--",
         "TEXT=multipart/mixed{1=message/rfc822{1.1=text/plain[]}}"},
        {"M9 the message is a message", "Content-Type: message/rfc822\n\nA: b\n\nin",
         "1=message/rfc822{1.1=text/plain[in]}"},
        {"RFC 2046 5.1.5 digest",
         "Content-Type: multipart/digest; boundary=a\n\n--a\n\nA: b\n\nin\n--a\nContent-Type: "
         "text/plain\n\nx\n--a--",
         "TEXT=multipart/digest{1=message/rfc822{1.1=text/plain[in]} 2=text/plain[x]}"},
        {"M4 encoded message",
         "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n"
         "QTogYg==\n",
         "1=message/rfc822[QTogYg==\n]!e"},
        {"M4 unknown encoding", "Content-Transfer-Encoding: rot13\n\nuryyb",
         "1=application/octet-stream[uryyb]"},
        {"M4 multipart that says base64",
         "Content-Transfer-Encoding: base64\n" MIXED "--a\n\none\n--a--",
         "TEXT=multipart/mixed!e{1=text/plain[one]}"},
        {"M11 the first of two", "Content-Type: text/html\nContent-Type: text/plain\n\nx",
         "1=text/html[x]!t"},
        {"bad type", "Content-Type: text\n\nx", "1=text/plain[x]"},
    };
    struct arena a = {0};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        slice got = shown(&a, slice_c(rows[i].in));
        if (!slice_eq(got, slice_c(rows[i].want)))
            fail_msg("%s: got\n%.*s\nwant\n%s", rows[i].name, P(got), rows[i].want);
    }
    arena_end(&a);
}

static void test_numbers(void **state)
{
    (void)state;
    slice mail =
        S("Content-Type: multipart/mixed; boundary=a\n\n--a\n\none\n--a\nContent-Type: "
          "message/rfc822\n\n"
          "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\n\ntwo\n--b--\n\n--a--");
    static const char *const numbers[] = {"TEXT", "1", "2", "2.TEXT", "2.1", "2.2"};
    static const char *const none[] = {"", "3", "0", "1.1", "2.3", "2.1.1", "x", "1.TEXT", "1..1"};
    struct arena a = {0};
    struct mime m;
    size_t part;
    mime_parse(&a, mail, &m);
    assert_int_equal(m.count, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_slice(mime_number(&a, &m, i), slice_c(numbers[i]));
        assert_true(mime_by_number(&m, slice_c(numbers[i]), &part));
        assert_int_equal(part, i);
    }
    for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
        if (mime_by_number(&m, slice_c(none[i]), &part))
            fail_msg("%s", none[i]);
    assert_int_equal(mime_after(&m, 1), 2);
    assert_int_equal(mime_after(&m, 2), 6);
    arena_end(&a);
}

static void test_lines(void **state)
{
    (void)state;
    struct arena a = {0};
    struct mime m;
    mime_parse(&a, S("A: b\r\n\r\n1\r\n2\r\n3"), &m);
    assert_int_equal(m.parts[0].lines, 2);
    mime_parse(
        &a,
        S("Content-Type: multipart/mixed; boundary=a\r\n\r\npre\r\n--a\r\n\r\n1\r\n2\r\n--a\r\n\r\n"
          "--a\r\n\r\n1\r\n2\r\n\r\n--a--\r\n"),
        &m);
    assert_int_equal(m.count, 4);
    assert_int_equal(m.parts[0].lines, 13);
    assert_int_equal(m.parts[1].lines, 1);
    assert_int_equal(m.parts[2].lines, 0);
    assert_int_equal(m.parts[3].lines, 2);
    arena_end(&a);
}

static void test_content(void **state)
{
    (void)state;
    struct arena a = {0};
    struct mime m;
    struct mime_content c;
    bool damaged;
    mime_parse(&a,
               S("Content-Type: TEXT/Plain (c); charset=\"ISO-8859-1\"; name=\"a.txt\"\n"
                 "Content-Transfer-Encoding: Quoted-Printable\nContent-ID: <x@y>\n"
                 "Content-Disposition: attachment; filename*=utf-8''%e9%a9%bf.txt\n\ncaf=E9=\n\n"),
               &m);
    mime_content(&a, &m, 0, &c);
    assert_slice(c.type.value, S("text/plain"));
    assert_slice(c.minor, S("plain"));
    assert_slice(c.charset, S("ISO-8859-1"));
    assert_slice(c.disposition.value, S("attachment"));
    assert_slice(c.name, S("\xe9\xa9\xbf.txt"));
    assert_slice(c.id, S("<x@y>"));
    assert_int_equal(c.encoding, CTE_QP);
    assert_slice(mime_decode(&a, &m, 0, &c, &damaged), S("caf\xe9\n"));
    assert_false(damaged);
    assert_slice(mime_text(&a, &m, 0, &c, NULL), S("caf\xc3\xa9\n"));
    mime_parse(&a, S("Content-Type: text/html\n\n<meta charset=gbk>\xc4\xe3"), &m); /* M7 */
    mime_content(&a, &m, 0, &c);
    assert_slice(mime_text(&a, &m, 0, &c, NULL), S("<meta charset=gbk>\xe4\xbd\xa0"));
    arena_end(&a);
}

/* The caps degrade: depth, parts and header bytes (M1). */
static void test_caps(void **state)
{
    (void)state;
    struct arena a = {0};
    struct out o = {.arena = &a};
    struct mime m;
    for (int i = 0; i < 1000; i++)
        out_printf(&o, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i);
    mime_parse(&a, out_slice(&o), &m);
    assert_int_equal(m.count, LIMIT_MIME_DEPTH + 1);
    assert_true(m.parts[m.count - 1].defects & DEFECT_TOO_DEEP);
    o = (struct out){.arena = &a};
    for (int i = 0; i < 1000; i++)
        out_add(&o, S("Content-Type: message/rfc822\n\n"));
    mime_parse(&a, out_slice(&o), &m);
    assert_int_equal(m.count, LIMIT_MIME_DEPTH + 1);
    o = (struct out){.arena = &a};
    out_add(&o, S(MIXED));
    for (int i = 0; i < 100000; i++)
        out_add(&o, S("--a\n\n"));
    mime_parse(&a, out_slice(&o), &m);
    assert_int_equal(m.count, LIMIT_MIME_PARTS);
    assert_true(m.parts[m.count - 1].defects & DEFECT_TOO_MANY);
    o = (struct out){.arena = &a};
    for (int i = 0; i < 100000; i++)
        out_printf(&o, "X-Field-%d: something\n", i);
    mime_parse(&a, out_slice(&o), &m);
    assert_true(m.parts[0].defects & DEFECT_LONG_HEADER);
    assert_true(m.parts[0].body >= LIMIT_HEADER && m.parts[0].body < LIMIT_HEADER + 100);
    arena_end(&a);
}

static slice repeated(struct arena *a, const char *start, const char *piece, size_t count)
{
    struct out o = {.arena = a};
    out_add(&o, slice_c(start));
    for (size_t i = 0; i < count; i++)
        out_add(&o, slice_c(piece));
    return out_slice(&o);
}

static size_t count_fields(const struct mime *m)
{
    struct header_field f;
    size_t n = 0;
    for (size_t i = 0; i < m->count; i++)
        for (slice rest = mime_header(m, i); header_next(&rest, &f);)
            n++;
    return n;
}

/*
 * Memory: a tree takes at most 64 bytes for each part and field, and nothing for the text, which is
 * not copied; what a delivery derives grows with the mail and no faster.
 */
static void test_memory(void **state)
{
    static const char *const rows[][2] = {
        {"A: b\n\n", "xxxxxxxxxxxx"},
        {"A: b\n\n", "\r\n"},
        {"", "X-Field: some value\n"},
        {"", "Subject: =?gbk?q?=D6=D0?=\n"},
        {"To: ", "=?gbk?q?=D6=D0?= <a@b.c>, "},
        {"Subject: ", "=?utf-8?q?a?= "},
        {MIXED, "--a\n\n"},
        {MIXED, "--a\nContent-Type: text/x; name=abc\n\nabc\n"},
        {"", "Content-Type: multipart/mixed; boundary=b\n\n--b\n"},
        {"", "Content-Type: message/rfc822\n\n"},
        {"Content-Type: text/html; charset=gbk\n\n", "<p>\xd6\xd0\xce\xc4<b>"},
        {"Content-Type: text/plain; charset=iso-8859-7\n\n", "\xe1\xe2\xe3\xe4"},
        {"Content-Transfer-Encoding: base64\n\n", "QUJDREVGR0hJ"},
        {"Content-Transfer-Encoding: quoted-printable\n\n", "=D6=D0=\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        for (size_t count = 1; count <= 30000; count = count * 12 + 3) {
            struct arena text = {0}, tree = {0}, derived = {0};
            struct derived d;
            struct mime m;
            slice in = repeated(&text, rows[i][0], rows[i][1], count);
            mime_parse(&tree, in, &m);
            assert_true(tree.used <= 64 * (m.count + count_fields(&m)));
            message_derive(in, &derived, &d);
            if (derived.used > 16 * in.n + 4096 * m.count)
                fail_msg("%s: %zu bytes derived of %zu", rows[i][1], derived.used, in.n);
            arena_end(&derived);
            arena_end(&tree);
            arena_end(&text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trees), cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_lines), cmocka_unit_test(test_content),
        cmocka_unit_test(test_caps),  cmocka_unit_test(test_memory),
    };
    return TEST_RUN(tests);
}
