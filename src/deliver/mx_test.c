/* MX selection (RFC 5321 5.1, RFC 7505, rule S30) against a real name server. */
#include "base/test.h"

#include "base/clock.h"
#include "deliver/deliver.h"
#include "net/name_server.h"

static const char zone[] = "two MX 20 b.mx.test.\n"
                           "two MX 10 a.mx.test.\n"
                           "a A 192.0.2.1\n"
                           "a AAAA 2001:db8::1\n"
                           "a A 192.0.2.2\n"
                           "b A 192.0.2.3\n"
                           "null MX 0 .\n"
                           "implicit A 192.0.2.9\n"
                           "lost MX 10 gone.mx.test.\n" /* an A of its own must not help */
                           "lost A 192.0.2.9\n"
                           "nothing TXT \"x\"\n"
                           "own MX 10 a.mx.test.\n"
                           "own MX 20 Mail.North.test.\n"
                           "own MX 20 b.mx.test.\n"
                           "own MX 30 b.mx.test.\n"
                           "first MX 10 mail.north.test.\n"
                           "first MX 20 a.mx.test.\n"
                           "inner MX 10 loopback.mx.test.\n"
                           "loopback A 127.0.0.1\n"
                           "alias CNAME two\n"
                           "cname MX 10 c.mx.test.\n"
                           "c CNAME b\n"
                           "equal MX 10 b.mx.test.\n"
                           "equal MX 10 implicit.mx.test.\n";

static int begin(void **state)
{
    const struct name_server_zone zones[] = {{"mx.test", zone}};
    *state = name_server_start(zones, 1);
    return 0;
}

static int finish(void **state)
{
    name_server_stop(*state);
    return 0;
}

static slice find(struct arena *a, slice domain, bool allow_private, enum outcome *o)
{
    struct mx_options options = {S("mail.north.test"), 25, allow_private};
    struct hop *hops = NULL;
    size_t count = 0;
    slice reply = S("");
    *o = mx_find(a, domain, &options, clock_mono_ms() + 20000, &hops, &count, &reply);
    slice text = *o == DONE ? S("") : slice_sub(reply, 0, slice_sub(reply, 0, 3).n + 7);
    for (size_t i = 0; i < count && *o == DONE; i++)
        text = arena_printf(a, "%.*s%s%.*s", P(text), i ? " " : "", P(hops[i].ip));
    return slice_trim(text);
}

static void test_rows(void **state)
{
    static const struct {
        const char *domain;
        bool allow_private;
        enum outcome outcome;
        const char *want; /* addresses in order, or the start of the reply */
    } rows[] = {
        {"two.mx.test", false, DONE, "192.0.2.1 2001:db8::1 192.0.2.2 192.0.2.3"},
        {"alias.mx.test", false, DONE, "192.0.2.1 2001:db8::1 192.0.2.2 192.0.2.3"},
        {"cname.mx.test", false, DONE, "192.0.2.3"},
        {"implicit.mx.test", false, DONE, "192.0.2.9"},
        {"null.mx.test", false, PERMFAIL, "556 5.1.10"},
        {"lost.mx.test", false, PERMFAIL, "550 5.4.4"},
        {"nothing.mx.test", false, PERMFAIL, "550 5.1.2"},
        {"nowhere.mx.test", false, PERMFAIL, "550 5.1.2"},
        {"own.mx.test", false, DONE, "192.0.2.1 2001:db8::1 192.0.2.2"},
        {"first.mx.test", false, PERMFAIL, "554 5.4.6"},
        {"inner.mx.test", false, PERMFAIL, "550 5.4.4"},
        {"inner.mx.test", true, DONE, "127.0.0.1"},
        {"[192.0.2.7]", false, DONE, "192.0.2.7"},
        {"[IPv6:2001:db8::7]", false, DONE, "2001:db8::7"},
        {"[127.0.0.1]", false, PERMFAIL, "550 5.4.4"},
        {"elsewhere.example", false, TEMPFAIL, "451 4.4.3"}, /* refused: nothing is known now */
    };
    if (!*state)
        skip();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena a = {0};
        enum outcome o;
        slice got = find(&a, slice_c(rows[i].domain), rows[i].allow_private, &o);
        /* The addresses of one host come in the server's order: compare as a set of equal length.
         */
        bool same = o == rows[i].outcome && got.n == strlen(rows[i].want);
        slice want = slice_c(rows[i].want), word;
        while (same && slice_next(&want, ' ', &word))
            same = slice_search(got, word) >= 0;
        if (!same)
            fail_msg("%s: %s \"%.*s\", want \"%s\"", rows[i].domain, outcome_name(o), P(got),
                     rows[i].want);
        arena_end(&a);
    }
}

/* RFC 5321 5.1: a better preference first, whatever the order of the records. */
static void test_order(void **state)
{
    if (!*state)
        skip();
    for (int i = 0; i < 20; i++) {
        struct arena a = {0};
        enum outcome o;
        slice got = find(&a, S("two.mx.test"), false, &o);
        assert_true(slice_ends(got, S("192.0.2.3")));
        arena_end(&a);
    }
}

/* Equal preferences are shuffled: both orders come up. */
static void test_shuffle(void **state)
{
    int first[2] = {0, 0};
    if (!*state)
        skip();
    for (int i = 0; i < 200; i++) {
        struct arena a = {0};
        enum outcome o;
        first[slice_starts(find(&a, S("equal.mx.test"), false, &o), S("192.0.2.9"))]++;
        arena_end(&a);
    }
    assert_true(first[0] > 20 && first[1] > 20);
}

static void test_private(void **state)
{
    static const char *const private[] = {
        "127.0.0.1",   "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
        "169.254.1.1", "0.0.0.0",  "100.64.0.1", "224.0.0.1",      "::1",
        "::",          "fe80::1",  "fd00::1",    "ff02::1",        "::ffff:127.0.0.1",
        "nonsense"};
    static const char *const public[] = {"192.0.2.1",        "172.15.0.1",     "172.32.0.1",
                                         "100.63.0.1",       "100.128.0.1",    "2001:db8::1",
                                         "::ffff:192.0.2.1", "223.255.255.255"};
    (void)state;
    for (size_t i = 0; i < sizeof(private) / sizeof(private[0]); i++)
        if (!ip_is_private(slice_c(private[i])))
            fail_msg("%s", private[i]);
    for (size_t i = 0; i < sizeof(public) / sizeof(public[0]); i++)
        if (ip_is_private(slice_c(public[i])))
            fail_msg("%s", public[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_order),
                                       cmocka_unit_test(test_shuffle),
                                       cmocka_unit_test(test_private)};
    return cmocka_run_group_tests(tests, begin, finish);
}
