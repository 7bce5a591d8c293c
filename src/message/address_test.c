/* Addresses in header fields: RFC 5322 3.4, 4.4 and its appendix A, RFC 6854, rule M10. */
#include "message/address.h"

#include "base/test.h"

#include "base/banned.h"

/* "name|local|domain" of each entry joined by " / "; groups as "{name" and "}". */
static slice shown(struct arena *a, slice value)
{
    struct address_list l;
    slice text = S("");
    address_parse(a, value, &l);
    for (size_t i = 0; i < l.count; i++) {
        struct address *x = &l.list[i];
        const char *sep = i ? " / " : "";
        if (x->kind == ADDRESS_GROUP_START)
            text = arena_printf(a, "%.*s%s{%.*s", P(text), sep, P(x->name));
        else if (x->kind == ADDRESS_GROUP_END)
            text = arena_printf(a, "%.*s%s}", P(text), sep);
        else
            text = arena_printf(a, "%.*s%s%.*s|%.*s|%.*s", P(text), sep, P(x->name), P(x->local),
                                P(x->domain));
    }
    return text;
}

static void test_lists(void **state)
{
    (void)state;
    static const struct {
        const char *name, *in, *want;
    } rows[] = {
        {"bare", "one@north.test", "|one|north.test"},
        {"angle", "<one@north.test>", "|one|north.test"},
        {"name", "One Two <one@north.test>", "One Two|one|north.test"},
        {"quoted name", "\"One, Two\" <one@north.test>", "One, Two|one|north.test"},
        {"escaped", "\"One \\\"Two\\\"\" <one@north.test>", "One \"Two\"|one|north.test"},
        {"dots (RFC 5322 4.1 obs-phrase)", "Joe Q. Public <joe@x>", "Joe Q. Public|joe|x"},
        {"two", "a@x, B <b@y>", "|a|x / B|b|y"},
        {"comment name", "one@north.test (One Two)", "One Two|one|north.test"},
        {"comments everywhere (A.5)", "Pete(A nice \\) chap) <pete(his account)@silly.test(host)>",
         "Pete|pete|silly.test"},
        {"nested", "a@x (b (c (d)) e)", "b (c (d)) e|a|x"},
        {"open comment", "Foo (bar <a@x>, b@y", "Foo (bar|a|x / |b|y"},
        {"group", "Friends: a@x, B <b@y>;", "{Friends / |a|x / B|b|y / }"},
        {"empty group", "undisclosed-recipients:;", "{undisclosed-recipients / }"},
        {"open group", "undisclosed-recipients:", "{undisclosed-recipients / }"},
        {"group then address", "G:a@x;, b@y", "{G / |a|x / } / |b|y"},
        {"route (4.4)", "<@a,@b:one@north.test>", "|one|north.test"},
        {"obs dots", "one . two @ north . test", "|one.two|north.test"},
        {"quoted local", "\"one two\"@x", "|one two|x"},
        {"quoted local in angle", "N <\"a\\\"b@c\"@x>", "N|a\"b@c|x"},
        {"literal", "a@[192.0.2.1]", "|a|[192.0.2.1]"},
        {"literal v6", "a@[IPv6:2001:db8::1]", "|a|[IPv6:2001:db8::1]"},
        {"missing comma", "a@x b@y", "|a|x / |b|y"},
        {"missing comma after angle", "<a@x> B <b@y>", "|a|x / B|b|y"},
        {"address as name", "a@x <a@y>", "a@x|a|y"},
        {"semicolons", "a@x; b@y", "|a|x / |b|y"},
        {"double angle", "<<a@x>>", "|a|x"},
        {"open angle", "N <a@x, b@y", "N|a|x / |b|y"},
        {"name behind the angle", "<a@x> One Two, b@y", "One Two|a|x / |b|y"},
        {"mailto", "<mailto:a@x>", "|a|x"},
        {"open quote", "\"One <a@x>", "\"One|a|x"},
        {"name without angle", "One Two a@x", "One Two|a|x"},
        {"word", "root", "|root|"},
        {"words", "One Two", "One Two||"},
        {"empty elements", ",, a@x,,", "|a|x"},
        {"null", "<>", "||"},
        {"at twice", "a@b@c", "|a@b|c"},
        {"trailing dot", "a@north.test.", "|a|north.test"},
        {"UTF-8 (RFC 6532)", "驿站 <驿@例子.test>", "驿站|驿|例子.test"},
        {"encoded word stays", "=?utf-8?q?a_b?= <a@x>", "=?utf-8?q?a_b?=|a|x"},
        {"folded", "One\r\n Two\r\n\t<a@x>,\r\n b@y", "One Two|a|x / |b|y"},
        {"empty", "", ""},
    };
    struct arena a = {0};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        slice got = shown(&a, slice_c(rows[i].in));
        if (!slice_eq(got, slice_c(rows[i].want)))
            fail_msg("%s: got %.*s, want %s", rows[i].name, P(got), rows[i].want);
    }
    arena_end(&a);
}

static void test_email(void **state)
{
    (void)state;
    struct arena a = {0};
    struct address x;
    assert_true(address_first(&a, S("\"one two\"@x"), &x));
    assert_slice(address_email(&a, &x), S("\"one two\"@x"));
    assert_true(address_first(&a, S("G:;, root"), &x));
    assert_slice(address_email(&a, &x), S("root"));
    assert_false(address_first(&a, S("G:;"), &x));
    arena_end(&a);
}

static void test_mailbox(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        bool want;
    } rows[] = {
        {"one@north.test", true},
        {"one.two+three@a.b.c", true},
        {"\"one two\"@x.test", true},
        {"\"a\\\"b\"@x", true},
        {"a@[192.0.2.1]", true},
        {"a@[IPv6:2001:db8::1]", true},
        {"驿@例子.test", true},
        {"a@localhost", true},
        {"", false},
        {"a", false},
        {"@x", false},
        {"a@", false},
        {".a@x", false},
        {"a.@x", false},
        {"a..b@x", false},
        {"a b@x", false},
        {"a@x y", false},
        {"a@-x", false},
        {"a@x-", false},
        {"a@x..y", false},
        {"a@x.", false},
        {"a@[192.0.2.256]", false},
        {"a@[tag:x]", false},
        {"\"a\\\xc3\xa4\"@x", false},
        {"a@[IPv6:1::2::3]", false},
        {"\"a@x", false},
        {"a@x@y", false},
        {"\xff@x", false},
        {"<a@x>", false},
    };
    slice local, domain;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (address_is_mailbox(slice_c(rows[i].in), &local, &domain) != rows[i].want)
            fail_msg("%s", rows[i].in);
}

/* 10^4 nested comments, open ones, and other shapes that invite a second scan. */
static void test_hostile(void **state)
{
    (void)state;
    static const char *const shapes[] = {"(",   ")",   "\"",   "<", ">",     "@",
                                         "a@",  ":",   ";",    "[", "\\",    "a,",
                                         "<a@", "(\"", "a@b ", ".", "<a@b>", "g:"};
    struct arena a = {0};
    for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
        size_t n = strlen(shapes[i]), total = 100000 / n * n;
        char *text = arena_alloc(&a, total + 10000);
        for (size_t at = 0; at < total; at += n)
            memcpy(text + at, shapes[i], n);
        struct address_list l;
        address_parse(&a, (slice){text, total}, &l);
        if (shapes[i][0] == '(') { /* closed again: one comment, then an address */
            memset(text, '(', 10000);
            memset(text + 10000, ')', 10000);
            memcpy(text + 20000, "a@b", 3);
            address_parse(&a, (slice){text, 20003}, &l);
            assert_int_equal(l.count, 1);
            assert_slice(l.list[0].domain, S("b"));
        }
        arena_reset(&a);
    }
    arena_end(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_email),
        cmocka_unit_test(test_mailbox),
        cmocka_unit_test(test_hostile),
    };
    return TEST_RUN(tests);
}
