/* What delivery stores: previews, search text, body lists (RFC 8621 4.1.4), subjects (RFC 5256). */
#include "message/derive.h"

#include "message/out.h"

#include "base/test.h"

#include "base/banned.h"

/* RFC 5256 2.1, with the examples of its steps. */
static void test_subject(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"hi", "hi"},
        {"Re: hi", "hi"},
        {"RE: Fwd: FW : re[2]: hi", "hi"},
        {"[list] Re: [other] hi", "hi"},
        {"[list]", "[list]"},
        {"Re: [list]", "[list]"},
        {"hi (fwd) (FWD) ", "hi"},
        {"[Fwd: Re: hi]", "hi"},
        {"  a \t b\r\n c ", "a b c"},
        {"Re:", ""},
        {"Reply: hi", "Reply: hi"},
        {"re hi", "re hi"},
        {"[a [b] hi", "[a [b] hi"},
        {"", ""},
    };
    struct arena a = {0};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        assert_slice(subject_base(&a, slice_c(rows[i][0])), slice_c(rows[i][1]));
    arena_end(&a);
}

static void test_thread_keys(void **state)
{
    (void)state;
    struct arena a = {0};
    slice one = thread_keys_make(&a, S("Hi There"), S("1@x"), S(""), S(""));
    slice two = thread_keys_make(&a, S("hi there"), S("2@x"), S("<1@x>"), S("<1@x>"));
    slice zh = thread_keys_make(&a, S("\xe5\x9b\x9e\xe5\xa4\x8d\xef\xbc\x9a hi there"), S(""),
                                S("<2@x>"), S("<1@x> <2@x>"));
    assert_int_equal(thread_keys_count(one), 1);
    assert_int_equal(thread_keys_count(two), 2);
    assert_int_equal(thread_keys_count(zh), 3);
    assert_true(thread_keys_subject(one) == thread_keys_subject(two));
    assert_true(thread_keys_subject(one) == thread_keys_subject(zh));
    assert_true(thread_keys_id(one, 0) == thread_keys_id(two, 1));
    assert_true(thread_keys_id(zh, 0) == 0);
    assert_true(thread_keys_id(zh, 1) == thread_keys_id(two, 0));
    assert_int_equal(thread_keys_count(S("")), 0);
    arena_end(&a);
}

static slice list_text(struct arena *a, const struct mime *m, const size_t *parts, size_t count)
{
    struct out o = {.arena = a};
    for (size_t i = 0; i < count; i++)
        out_printf(&o, i ? " %.*s" : "%.*s", P(mime_body(m, parts[i])));
    return out_slice(&o);
}

/* The example at the end of RFC 8621 4.1.4: parts A to K, their letter is their content. */
static void test_rfc8621_example(void **state)
{
    (void)state;
    struct arena a = {0};
    struct mime m;
    struct body_lists l;
    mime_parse(
        &a,
        S("Content-Type: multipart/mixed; boundary=1\n\n"
          "--1\nContent-Type: text/plain\nContent-Disposition: inline\n\nA\n"
          "--1\nContent-Type: multipart/mixed; boundary=2\n\n"
          "--2\nContent-Type: multipart/alternative; boundary=3\n\n"
          "--3\nContent-Type: multipart/mixed; boundary=4\n\n"
          "--4\nContent-Type: text/plain\nContent-Disposition: inline\n\nB\n"
          "--4\nContent-Type: image/jpeg\nContent-Disposition: inline\n\nC\n"
          "--4\nContent-Type: text/plain\nContent-Disposition: inline\n\nD\n"
          "--4--\n--3\nContent-Type: multipart/related; boundary=5\n\n"
          "--5\nContent-Type: text/html\n\nE\n--5\nContent-Type: image/jpeg\n\nF\n--5--\n--3--\n"
          "--2\nContent-Type: image/jpeg\nContent-Disposition: attachment\n\nG\n"
          "--2\nContent-Type: application/x-excel\n\nH\n"
          "--2\nContent-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nJ\n--2--\n"
          "--1\nContent-Type: text/plain\nContent-Disposition: inline\n\nK\n--1--\n"),
        &m);
    body_lists(&a, &m, &l);
    assert_slice(list_text(&a, &m, l.text, l.text_count), S("A B C D K"));
    assert_slice(list_text(&a, &m, l.html, l.html_count), S("A E K"));
    assert_slice(list_text(&a, &m, l.attachments, l.attachment_count), S("C F G H J"));
    arena_end(&a);
}

static void test_derive(void **state)
{
    (void)state;
    struct arena a = {0};
    struct derived d;
    message_derive(
        S("Received: x\nReceived: y\nSubject: Re: =?utf-8?q?caf=C3=A9?=\nMessage-ID: <1@x>\n"
          "Date: Mon, 23 Nov 2026 20:24:01 +0800\nFrom: One <one@north.test>\n"
          "Content-Type: multipart/mixed; boundary=a\n\n--a\n\n> quoted\nHello\n  world\n"
          "--a\nContent-Disposition: attachment; filename=x.pdf\nContent-Type: application/pdf\n\n"
          "%PDF\n--a--\n"),
        &a, &d);
    assert_slice(d.subject, S("Re: caf\xc3\xa9"));
    assert_slice(d.base_subject, S("caf\xc3\xa9"));
    assert_slice(d.message_id, S("1@x"));
    assert_slice(d.preview, S("Hello world"));
    assert_slice(d.search,
                 S("Re: caf\xc3\xa9\nOne\none@north.test\n> quoted\nHello\n  world\nx.pdf\n"));
    assert_int_equal(d.received, 2);
    assert_true(d.has_date && d.has_attachment);
    assert_int_equal(d.date_ms, INT64_C(1795436641000));
    assert_int_equal(d.zone_minutes, 480);
    arena_end(&a);
}

/* 256 characters, not bytes, and never half a character. */
static void test_preview_cut(void **state)
{
    (void)state;
    struct arena a = {0};
    struct out o = {.arena = &a};
    struct derived d;
    out_add(&o, S("Content-Type: text/plain; charset=utf-8\n\n"));
    for (int i = 0; i < 300; i++)
        out_add(&o, S("\xe9\xa9\xbf"));
    message_derive(out_slice(&o), &a, &d);
    assert_int_equal(d.preview.n, 768);
    assert_true(slice_is_utf8(d.preview));
    message_derive(S("A: b\n\n> only\n> quoted"), &a, &d);
    assert_slice(d.preview, S("> only > quoted"));
    message_derive(S("Content-Type: text/html\n\n<style>x</style><p>Caf&eacute; <b>now</b></p>"),
                   &a, &d);
    assert_slice(d.preview, S("Caf\xc3\xa9 now"));
    assert_true(slice_search(d.search, S("<b>")) < 0);
    message_derive(S(""), &a, &d);
    assert_slice(d.preview, S(""));
    arena_end(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_subject),         cmocka_unit_test(test_thread_keys),
        cmocka_unit_test(test_rfc8621_example), cmocka_unit_test(test_derive),
        cmocka_unit_test(test_preview_cut),
    };
    return TEST_RUN(tests);
}
