/* RFC 5321 4.1.2, 4.1.3, 4.5.3.1; rules S6, S7, S8; the isemail vectors. */
#include "smtp/path.h"

#include "base/test.h"

#include "base/file.h"
#include "base/banned.h"

#define A63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void test_paths(void **state)
{
    static const struct {
        const char *name, *in;
        unsigned allow;
        enum path_result want;
        const char *address, *rest;
    } rows[] = {
        {"plain", "<one@north.test>", 0, PATH_OK, "one@north.test", ""},
        {"S6 case of the local part kept, domain lower", "<One@NORTH.Test>", 0, PATH_OK,
         "One@north.test", ""},
        {"the rest stays", "<a@b> SIZE=1", 0, PATH_OK, "a@b", " SIZE=1"},
        {"null", "<>", PATH_NULL, PATH_OK, "", ""},
        {"null not allowed", "<>", 0, PATH_SYNTAX, "", ""},
        {"S6 postmaster", "<PostMaster>", PATH_POSTMASTER, PATH_OK, "postmaster", ""},
        {"postmaster not allowed", "<postmaster>", 0, PATH_SYNTAX, "", ""},
        {"S6 source route", "<@a.test,@b.test:c@d.test>", 0, PATH_OK, "c@d.test", ""},
        {"S6 route of literals", "<@[IPv6:::1],@[127.0.0.1]:c@d.test>", 0, PATH_OK, "c@d.test", ""},
        {"route without mailbox", "<@a.test:>", 0, PATH_SYNTAX, "", ""},
        {"route not closed", "<@a.test,c@d.test>", 0, PATH_SYNTAX, "", ""},
        {"route of nothing", "<@:c@d.test>", 0, PATH_SYNTAX, "", ""},
        {"no brackets", "one@north.test", 0, PATH_SYNTAX, "", "one@north.test"},
        {"not closed", "<one@north.test", 0, PATH_SYNTAX, "", "one@north.test"},
        {"quotes not needed go", "<\"one\"@x.test>", 0, PATH_OK, "one@x.test", ""},
        {"quotes not needed go, escaped", "<\"o\\ne.\\a\"@x.test>", 0, PATH_OK, "one.a@x.test", ""},
        {"quotes needed", "<\"a b\"@x.test>", 0, PATH_OK, "\"a b\"@x.test", ""},
        {"least quoting", "<\"\\a\\\"\\\\\\ >@\"@x.test>", 0, PATH_OK, "\"a\\\"\\\\ >@\"@x.test",
         ""},
        {"empty quoted", "<\"\"@x.test>", 0, PATH_OK, "\"\"@x.test", ""},
        {"dots need quotes", "<\"a..b\"@x.test>", 0, PATH_OK, "\"a..b\"@x.test", ""},
        {"quoted then more", "<\"a\".b@x.test>", 0, PATH_SYNTAX, "", ""},
        {"two dots", "<a..b@x.test>", 0, PATH_SYNTAX, "", ""},
        {"leading dot", "<.a@x.test>", 0, PATH_SYNTAX, "", ""},
        {"no local part", "<@x.test>", 0, PATH_SYNTAX, "", ""},
        {"no domain", "<a@>", 0, PATH_SYNTAX, "", ""},
        {"space", "<a b@x.test>", 0, PATH_SYNTAX, "", ""},
        {"two at signs", "<a@b@x.test>", 0, PATH_SYNTAX, "", ""},
        {"underscore in domain", "<a@b_c.test>", 0, PATH_SYNTAX, "", ""},
        {"trailing dot", "<a@x.test.>", 0, PATH_SYNTAX, "", ""},
        {"hyphen first", "<a@-x.test>", 0, PATH_SYNTAX, "", ""},
        {"S8 IPv4", "<a@[192.0.2.1]>", 0, PATH_OK, "a@[192.0.2.1]", ""},
        {"S8 IPv6", "<a@[IPv6:2001:DB8::1]>", 0, PATH_OK, "a@[ipv6:2001:db8::1]", ""},
        {"S8 IPv6 with IPv4", "<a@[IPv6:::ffff:192.0.2.1]>", 0, PATH_OK,
         "a@[ipv6:::ffff:192.0.2.1]", ""},
        {"S8 IPv6 needs its tag", "<a@[2001:db8::1]>", 0, PATH_SYNTAX, "", ""},
        {"octet too large", "<a@[192.0.2.256]>", 0, PATH_SYNTAX, "", ""},
        {"IPv6 too long", "<a@[IPv6:1:2:3:4:5:6:7:8:9]>", 0, PATH_SYNTAX, "", ""},
        {"IPv6 :: for one group", "<a@[IPv6:1:2:3:4:5:6:7::]>", 0, PATH_SYNTAX, "", ""},
        {"IPv6 two gaps", "<a@[IPv6:1::2::3]>", 0, PATH_SYNTAX, "", ""},
        {"S7 eight bit", "<\xc3\xa9@x.test>", 0, PATH_EIGHT_BIT, "", ""},
        {"eight bit domain", "<a@\xe4\xbe\x8b\xe5\xad\x90.test>", 0, PATH_EIGHT_BIT, "", ""},
        {"U-label", "<a@\xe4\xbe\x8b\xe5\xad\x90.Test>", PATH_UTF8, PATH_OK, "a@xn--fsqu00a.test",
         ""},
        {"UTF-8 local part", "<\xc3\xa9@x.test>", PATH_UTF8, PATH_OK, "\xc3\xa9@x.test", ""},
        {"not UTF-8", "<\xc3@x.test>", PATH_UTF8, PATH_EIGHT_BIT, "", ""},
        {"64 octets", "<a" A63 "@x.test>", 0, PATH_OK, "a" A63 "@x.test", ""},
        {"65 octets", "<ab" A63 "@x.test>", 0, PATH_LONG_LOCAL, "", ""},
        {"label of 64", "<a@b" A63 ".test>", 0, PATH_SYNTAX, "", ""},
        {"path of 257", "<" A63 "@" A63 "." A63 "." A63 ">", 0, PATH_LONG_DOMAIN, NULL, ""},
        {"domain of 256", "<a@" A63 "." A63 "." A63 "." A63 ".>", 0, PATH_LONG_DOMAIN, "", ""},
    };
    (void)state;
    struct arena a = {0};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        slice in = slice_c(rows[i].in), address;
        enum path_result r = smtp_path_parse(&a, &in, rows[i].allow, &address);
        if (r != rows[i].want)
            fail_msg("%s: got %d, want %d", rows[i].name, (int)r, (int)rows[i].want);
        if (rows[i].address)
            assert_slice(address, slice_c(rows[i].address));
        assert_slice(in, slice_c(rows[i].rest));
    }
    arena_end(&a);
}

static void test_parts(void **state)
{
    (void)state;
    assert_slice(smtp_address_local(S("\"a@b\"@x.test")), S("\"a@b\""));
    assert_slice(smtp_address_domain(S("\"a@b\"@x.test")), S("x.test"));
    assert_slice(smtp_address_domain(S("")), S(""));
    assert_slice(smtp_literal_ip(S("[192.0.2.1]")), S("192.0.2.1"));
    assert_slice(smtp_literal_ip(S("[ipv6:2001:db8::1]")), S("2001:db8::1"));
    assert_slice(smtp_literal_ip(S("x.test")), S(""));
    assert_true(smtp_helo_valid(S("my_pc")));
    assert_true(smtp_helo_valid(S("pc.north.test.")));
    assert_false(smtp_helo_valid(S(".")));
    assert_false(smtp_helo_valid(S("a..")));
    assert_true(smtp_helo_valid(S("[127.0.0.1]")));
    assert_false(smtp_helo_valid(S("a b")));
    assert_false(smtp_helo_valid(S("")));
    assert_false(smtp_helo_valid(S("\xc3\xa9.test")));
}

/* What differs from the vectors' verdict, and why. */
static const struct {
    const char *address, *why;
} isemail_differences[] = {
    /* RFC 5321 4.1.3: "::" represents at least two groups; the newer vectors say so too. */
    {"first.last@[IPv6:1111:2222:3333::4444:5555:12.34.56.78]", ":: for one group"},
    {"first.last@[IPv6:1111:2222:3333::4444:5555:6666:7777]", ":: for one group"},
    {"first.last@[IPv6:::a2:a3:a4:b1:b2:b3:b4]", ":: for one group"},
    {"first.last@[IPv6:a1:a2:a3:a4:b1:b2:b3::]", ":: for one group"},
    {"first.last@[IPv6:::a2:a3:a4:b1:ffff:11.22.33.44]", ":: for one group"},
    {"first.last@[IPv6:a1:a2:a3:a4:b1::11.22.33.44]", ":: for one group"},
    {NULL, NULL},
};

/* The text between <tag> and </tag>, entities decoded, U+2400+n turned to the control byte n. */
static slice xml_text(struct arena *a, slice test, const char *tag)
{
    slice open = arena_printf(a, "<%s>", tag), close = arena_printf(a, "</%s>", tag);
    ptrdiff_t from = slice_search(test, open);
    if (from < 0)
        return S("");
    slice in = slice_skip(test, (size_t)from + open.n);
    in = slice_sub(in, 0, (size_t)slice_search(in, close));
    char *out = arena_alloc(a, in.n + 1);
    size_t n = 0;
    while (in.n) {
        if (slice_eat(&in, S("&amp;")))
            out[n++] = '&';
        else if (slice_eat(&in, S("&lt;")))
            out[n++] = '<';
        else if (slice_eat(&in, S("&gt;")))
            out[n++] = '>';
        else if (slice_eat(&in, S("&quot;")))
            out[n++] = '"';
        else if (slice_starts(in, S("&#x24"))) {
            out[n++] = (char)(ascii_unhex(in.p[5]) * 16 + ascii_unhex(in.p[6]));
            in = slice_skip(in, 8);
        } else if (slice_eat(&in, S("&#xA9;"))) {
            out[n++] = '\xc2', out[n++] = '\xa9';
        } else {
            out[n++] = in.p[0];
            in = slice_skip(in, 1);
        }
    }
    return (slice){out, n};
}

static const char *isemail_difference(slice address)
{
    for (size_t i = 0; isemail_differences[i].address; i++)
        if (slice_eq(address, slice_c(isemail_differences[i].address)))
            return isemail_differences[i].why;
    return NULL;
}

static unsigned run_isemail(const char *path)
{
    struct arena a = {0};
    slice file;
    if (file_read(&a, path, 1 << 20, &file) < 0) {
        print_message("no %s: skipped\n", path);
        skip();
    }
    unsigned wrong = 0;
    for (ptrdiff_t at; (at = slice_search(file, S("<test id"))) >= 0;) {
        slice test = slice_skip(file, (size_t)at);
        ptrdiff_t end = slice_search(test, S("</test>"));
        assert_true(end > 0);
        file = slice_skip(test, (size_t)end);
        test = slice_sub(test, 0, (size_t)end);
        slice address = xml_text(&a, test, "address"), normal;
        slice category = xml_text(&a, test, "category");
        bool want = slice_eq(category, S("ISEMAIL_VALID_CATEGORY")) ||
                    slice_eq(category, S("ISEMAIL_DNSWARN")) ||
                    slice_eq(category, S("ISEMAIL_RFC5321"));
        bool got = smtp_mailbox_parse(&a, address, 0, &normal) == PATH_OK;
        if (got == (want != (isemail_difference(address) != NULL)))
            continue;
        print_error("%s: %.*s (%.*s): got %s\n", path, P(address),
                    P(xml_text(&a, test, "diagnosis")), got ? "accepted" : "refused");
        wrong++;
    }
    arena_end(&a);
    return wrong;
}

static void test_isemail(void **state)
{
    (void)state;
    unsigned wrong = run_isemail("../shared/vectors/isemail/tests.xml") +
                     run_isemail("../shared/vectors/isemail/tests-original.xml");
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_isemail),
    };
    return TEST_RUN(tests);
}
