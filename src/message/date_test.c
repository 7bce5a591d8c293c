/* Dates: RFC 5322 3.3 and 4.3, and what four decades of mail wrote instead (rule M10). */
#include "message/date.h"

#include "base/test.h"

#include "base/banned.h"

static void test_read(void **state)
{
    (void)state;
    static const struct {
        const char *in, *want; /* RFC 3339, or NULL: no date */
    } rows[] = {
        {"Mon, 23 Nov 2026 20:24:01 +0000", "2026-11-23T20:24:01+00:00"},
        {"Mon, 23 Nov 2026 20:24:01 +0800 (CST)", "2026-11-23T20:24:01+08:00"},
        {"23 Nov 2026 20:24 -0330", "2026-11-23T20:24:00-03:30"},
        {"Fri, 21 Nov 97 09(comment):   55  :  06 -0600", "1997-11-21T09:55:06-06:00"},
        {"21 Nov 97 09:55:06 GMT", "1997-11-21T09:55:06+00:00"},
        {"21 Nov 49 09:55:06 EST", "2049-11-21T09:55:06-05:00"},
        {"21 Nov 102 09:55:06 PDT", "2002-11-21T09:55:06-07:00"},
        {"Mon Nov 23 20:24:01 2026", "2026-11-23T20:24:01+00:00"},
        {"Mon Nov  3 20:24:01 EST 2026", "2026-11-03T20:24:01-05:00"},
        {"Monday, 23-Nov-26 20:24:01 GMT", "2026-11-23T20:24:01+00:00"},
        {"2026-11-23T20:24:01Z", "2026-11-23T20:24:01+00:00"},
        {"2026-11-23 20:24:01 +0200", "2026-11-23T20:24:01+02:00"},
        {"2026-11-23T20:24:01.123+02:00", "2026-11-23T20:24:01+02:00"},
        {"Mon, 23 Nov 2026 8:24:01 PM +0100", "2026-11-23T20:24:01+01:00"},
        {"November 23, 2026 20:24", "2026-11-23T20:24:00+00:00"},
        {"Mon, 23 November 2026 20.24.01 +0000", "2026-11-23T20:24:01+00:00"},
        {"Mon, 23 Nov 2026", "2026-11-23T00:00:00+00:00"},
        {"Mon, 23 Nov 2026 20:24:01", "2026-11-23T20:24:01+00:00"},
        {"Mon, 23 Nov 2026 20:24:01 GMT+0100", "2026-11-23T20:24:01+01:00"},
        {"Mon, 23 Nov 2026 20:24:01 MET DST", "2026-11-23T20:24:01+02:00"},
        {"Mon, 23 Nov 2026 20:24:01 +2353 DST", "2026-11-23T20:24:01+23:53"},
        {"Mon, 23 Nov 2026 20:24:01 K", "2026-11-23T20:24:01+00:00"},
        {"Mon, 23 Nov 2026 20:24:01 XYZT", "2026-11-23T20:24:01+00:00"},
        {"Mon, 23 Nov 2026 20:24:01 -2500", "2026-11-23T20:24:01+00:00"},
        {"Mon, 23 Nov 2026 20:24:01 0100", "2026-11-23T20:24:01+01:00"},
        {"Mon, 23 Nov 2026 20:24:01+0100", "2026-11-23T20:24:01+01:00"},
        {"Thu,\r\n 13\r\n Feb\r\n 1969\r\n 23:32\r\n -0330 (Newfoundland Time)",
         "1969-02-13T23:32:00-03:30"},
        {"Sat, 31 Dec 2016 23:59:60 +0000", "2017-01-01T00:00:00+00:00"},
        {"29 Feb 2024 0:00 +0000", "2024-02-29T00:00:00+00:00"},
        {"23.11.2026 20:24", "2026-11-23T20:24:00+00:00"},
        {"29 Feb 2023 0:00 +0000", NULL},
        {"30 Feb 2024 0:00 +0000", NULL},
        {"31 Apr 2024 0:00 +0000", NULL},
        {"1 Jan 2024 24:00 +0000", NULL},
        {"1 Jan 2024 12:60 +0000", NULL},
        {"11/23/2026 20:24", NULL},
        {"yesterday", NULL},
        {"", NULL},
        {"(23 Nov 2026 20:24:01 +0000", NULL},
    };
    struct arena a = {0};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        int64_t ms;
        int zone;
        bool ok = date_parse(slice_c(rows[i].in), &ms, &zone);
        slice got = ok ? date_print_3339(&a, ms, zone, false) : S("none");
        slice want = rows[i].want ? slice_c(rows[i].want) : S("none");
        if (!slice_eq(got, want))
            fail_msg("%s: got %.*s, want %.*s", rows[i].in, P(got), P(want));
    }
    arena_end(&a);
}

static void test_print(void **state)
{
    (void)state;
    struct arena a = {0};
    int64_t ms = INT64_C(1795465441000), got;
    int zone;
    assert_slice(date_print(&a, ms, 0), S("Mon, 23 Nov 2026 20:24:01 +0000"));
    assert_slice(date_print(&a, ms, -210), S("Mon, 23 Nov 2026 16:54:01 -0330"));
    assert_slice(date_print_imap(&a, 0, 480), S(" 1-Jan-1970 08:00:00 +0800"));
    assert_slice(date_print_3339(&a, ms, 480, false), S("2026-11-24T04:24:01+08:00"));
    assert_slice(date_print_3339(&a, ms, 480, true), S("2026-11-23T20:24:01Z"));
    assert_slice(date_print(&a, INT64_MAX, 0), S("Fri, 31 Dec 9999 00:00:00 +0000"));
    assert_true(date_parse_imap(S(" 1-Jan-1970 08:00:00 +0800"), &got, &zone));
    assert_int_equal(got, 0);
    assert_int_equal(zone, 480);
    assert_true(date_parse_imap(S("1-Jan-1970 08:00:00 +0800"), &got, &zone)); /* imapflow */
    assert_false(date_parse_imap(S("11-Jan-1970 8:00:00 +0800"), &got, &zone));
    assert_false(date_parse_imap(S("31-Feb-1970 08:00:00 +0800"), &got, &zone));
    assert_true(date_parse_3339(S("2026-11-24T04:24:01.5+08:00"), &got, &zone));
    assert_int_equal(got, ms + 500);
    assert_false(date_parse_3339(S("2026-11-24T04:24:01"), &got, &zone));
    assert_false(date_parse_3339(S("2026-11-24 T04:24:01Z"), &got, &zone));
    arena_end(&a);
}

/* What is printed is read back: 400 years in steps of 9 days and some hours, all zones. */
static void test_round_trip(void **state)
{
    (void)state;
    struct arena a = {0};
    int zone = -720;
    for (int64_t ms = INT64_C(-6847804800000); ms < INT64_C(5774688000000); ms += 800001000) {
        int64_t got;
        int got_zone;
        zone = zone >= 840 ? -720 : zone + 15;
        assert_true(date_parse(date_print(&a, ms, zone), &got, &got_zone));
        assert_int_equal(got, ms);
        assert_int_equal(got_zone, zone);
        assert_true(date_parse_imap(date_print_imap(&a, ms, zone), &got, &got_zone));
        assert_int_equal(got, ms);
        assert_true(date_parse_3339(date_print_3339(&a, ms, zone, true), &got, &got_zone));
        assert_int_equal(got, ms);
        arena_reset(&a);
    }
    arena_end(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_print),
        cmocka_unit_test(test_round_trip),
    };
    return TEST_RUN(tests);
}
