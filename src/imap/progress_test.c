/*
 * A long search says how far it is (RFC 9585; rule I30), and IDLE and silence end when they should
 * (RFC 9051 5.4; rule I24).  Time is the test's own: this program has base/clock.h to itself.
 */
#include <stdatomic.h>

#include "base/clock.h"
#include "imap/fixture.h"
#include "base/banned.h"

static _Atomic int64_t now_ms = INT64_C(1795465441000);
static _Atomic int64_t each_ms; /* what every look at the clock takes */

int64_t clock_ms(void)
{
    return now_ms += each_ms;
}

int64_t clock_mono_ms(void)
{
    return now_ms += each_ms;
}

int64_t clock_mono_us(void)
{
    return clock_mono_ms() * 1000;
}

int clock_zone_minutes(int64_t at_ms)
{
    (void)at_ms;
    return 0;
}

/* "* OK [INPROGRESS ("a" n m)] …" only untagged, n below m and growing (RFC 9585 section 4). */
static void test_progress(void **state)
{
    struct harness h = {0};
    uint64_t n, m, last = 0;
    unsigned told = 0;
    (void)state;
    for (int i = 0; i < 2000; i++)
        imap_post_append(&post, MAILBOX_INBOX, 0, S("a:b\r\n\r\n"));
    imap_post_start(&post, &h);
    harness_feed(&h, S("x SELECT INBOX\r\n"));
    harness_said(&h);
    each_ms = 50;
    harness_feed(&h, S("a SEARCH BODY nothing\r\n"));
    each_ms = 0;
    slice said = harness_said(&h), line;
    assert_true(slice_ends(said, S("* SEARCH\r\na OK Searched\r\n")));
    while (slice_next(&said, '\n', &line)) {
        if (!slice_eat(&line, S("* OK [INPROGRESS (\"a\" ")))
            continue;
        assert_true(imap_number(&line, UINT32_MAX, &n) && imap_space(&line));
        assert_true(imap_number(&line, UINT32_MAX, &m) && slice_starts(line, S(")] ")));
        assert_true(n < m && n >= last && m == 2000);
        last = n;
        told++;
    }
    assert_true(told >= 3 && last > 0);
    harness_end(&h);
}

/* A client that says nothing has more than 30 minutes; one that idles hears a word meanwhile. */
static void test_silence(void **state)
{
    struct harness h = {0};
    unsigned words = 0;
    (void)state;
    imap_post_start(&post, &h);
    harness_feed(&h, S("a NOOP\r\nb IDLE\r\n"));
    harness_said(&h);
    int64_t begin = now_ms;
    while (!h.closed) {
        int64_t wait_ms = h.session->timeout_ms;
        assert_true(wait_ms > 0 && wait_ms < 29 * MINUTE_MS);
        now_ms += wait_ms;
        harness_expire(&h, END_TIMEOUT);
        words += slice_eq(harness_said(&h), S("* OK Still here\r\n"));
    }
    assert_true(now_ms - begin >= 30 * MINUTE_MS && words >= 2);
    harness_end(&h);
    imap_post_start(&post, &h);
    harness_feed(&h, S("a IDLE\r\nDONE\r\n"));
    assert_true(h.session->timeout_ms >= 30 * MINUTE_MS);
    harness_end(&h);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, imap_post_set_up, imap_post_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_progress), TEST(test_silence)};
    return TEST_RUN(tests);
}
