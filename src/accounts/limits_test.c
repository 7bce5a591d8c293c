/*
 * The limits on guessing, with the clock in the test's hand: delays double, expire, and hit nobody
 * else.
 */
#include "accounts/limits.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/test.h"
#include "base/banned.h"

static int64_t attempt(struct limits *l, const char *name, const char *ip, uint64_t credential,
                       int64_t now_ms)
{
    struct limits_try t = {slice_c(name), slice_c(ip), credential, now_ms};
    return limits_wait(l, &t);
}

static void passed(struct limits *l, const char *name, const char *ip, uint64_t credential,
                   int64_t now_ms)
{
    struct limits_try t = {slice_c(name), slice_c(ip), credential, now_ms};
    limits_passed(l, &t);
}

#define ONE  "one@north.test"
#define TWO  "two@north.test"
#define HERE "192.0.2.1"

static void test_delays_double(void **state)
{
    (void)state;
    struct limits *l = limits_new();
    int64_t now = 1000;
    for (uint64_t i = 1; i <= 6; i++) /* five are free; the sixth is tried and costs */
        assert_int_equal(attempt(l, ONE, HERE, i, now), 0);
    assert_int_equal(attempt(l, ONE, HERE, 7, now), 1000);
    assert_int_equal(attempt(l, ONE, HERE, 7, now + 999), 1);
    now += 1000;
    assert_int_equal(attempt(l, ONE, HERE, 7, now), 0);
    assert_int_equal(attempt(l, ONE, HERE, 8, now), 2000);
    now += 2000;
    assert_int_equal(attempt(l, ONE, HERE, 8, now), 0);
    assert_int_equal(attempt(l, ONE, HERE, 9, now), 4000);
    for (uint64_t i = 9; i < 60; i++) {
        now += 5 * MINUTE_MS;
        assert_int_equal(attempt(l, ONE, HERE, i, now), 0);
    }
    assert_int_equal(attempt(l, ONE, HERE, 99, now), 5 * MINUTE_MS);
    limits_end(l);
}

static void test_others_are_not_locked_out(void **state)
{
    (void)state;
    struct limits *l = limits_new();
    for (uint64_t i = 1; i <= 6; i++)
        attempt(l, ONE, HERE, i, 0);
    assert_true(attempt(l, ONE, HERE, 7, 0) > 0);
    assert_int_equal(attempt(l, ONE, "192.0.2.2", 7, 0), 0); /* the owner, elsewhere */
    assert_int_equal(attempt(l, TWO, HERE, 7, 0), 0);        /* a colleague, same office */
    limits_end(l);
}

static void test_a_stale_password_counts_once(void **state)
{
    (void)state;
    struct limits *l = limits_new();
    for (int i = 0; i < 1000; i++)
        assert_int_equal(attempt(l, ONE, HERE, 42, i), 0);
    limits_end(l);
}

static void test_parallel_guesses_are_counted_at_once(void **state)
{
    (void)state;
    struct limits *l = limits_new();
    int tried = 0;
    for (uint64_t i = 1; i <= 1000; i++)
        tried += attempt(l, ONE, HERE, i, 0) == 0;
    assert_int_equal(tried, 6);
    limits_end(l);
}

static void test_the_right_password_clears(void **state)
{
    (void)state;
    struct limits *l = limits_new();
    for (int round = 0; round < 10; round++) {
        for (uint64_t i = 1; i <= 4; i++)
            assert_int_equal(attempt(l, ONE, HERE, i, round), 0);
        assert_int_equal(attempt(l, ONE, HERE, 77, round), 0);
        passed(l, ONE, HERE, 77, round);
    }
    limits_end(l);
}

static void test_many_right_logins_at_once(void **state)
{
    (void)state;
    struct limits *l = limits_new();
    for (int i = 0; i < 50; i++)
        assert_int_equal(attempt(l, ONE, HERE, 77, 0), 0);
    for (int i = 0; i < 50; i++)
        passed(l, ONE, HERE, 77, 0);
    assert_int_equal(attempt(l, ONE, HERE, 1, 0), 0);
    limits_end(l);
}

/* One password tried on many names: the place is slowed, but not who has logged in from it. */
static void test_spraying_slows_the_place(void **state)
{
    (void)state;
    struct limits *l = limits_new();
    char name[32];
    attempt(l, TWO, HERE, 5, 0);
    passed(l, TWO, HERE, 5, 0);
    int tried = 0;
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "user%d@north.test", i);
        tried += attempt(l, name, HERE, 42, 0) == 0;
    }
    assert_int_equal(tried, 21);
    assert_int_equal(attempt(l, TWO, HERE, 5, 0), 0);
    assert_true(attempt(l, ONE, HERE, 5, 0) > 0);
    assert_int_equal(attempt(l, ONE, HERE, 5, MINUTE_MS), 0);
    limits_end(l);
}

static void test_it_expires(void **state)
{
    (void)state;
    struct limits *l = limits_new();
    for (uint64_t i = 1; i <= 6; i++)
        attempt(l, ONE, HERE, i, 0);
    for (uint64_t i = 11; i <= 16; i++)
        assert_int_equal(attempt(l, ONE, HERE, i, HOUR_MS + 1), 0);
    limits_end(l);
}

static void test_undecided_does_not_count(void **state)
{
    (void)state;
    struct limits *l = limits_new();
    for (uint64_t i = 1; i <= 100; i++) {
        struct limits_try t = {S(ONE), S(HERE), i, 0};
        assert_int_equal(limits_wait(l, &t), 0);
        limits_undecided(l, &t);
    }
    limits_end(l);
}

static void test_forgive(void **state)
{
    (void)state;
    struct limits *l = limits_new();
    for (uint64_t i = 1; i <= 7; i++) {
        attempt(l, ONE, HERE, i, 0);
        attempt(l, ONE, "192.0.2.2", i, 0);
    }
    limits_forgive(l, S(HERE));
    assert_int_equal(attempt(l, ONE, HERE, 9, 0), 0);
    assert_true(attempt(l, ONE, "192.0.2.2", 9, 0) > 0);
    limits_end(l);
}

/* One customer has a /64 and 2^64 addresses. */
static void test_ipv6_is_one_place_per_64(void **state)
{
    (void)state;
    struct limits *l = limits_new();
    char ip[40];
    int tried = 0;
    for (int i = 0; i < 20; i++) {
        snprintf(ip, sizeof(ip), "2001:db8:0:1::%x", i);
        tried += attempt(l, ONE, ip, (uint64_t)i + 1, 0) == 0;
    }
    assert_int_equal(tried, 6);
    assert_int_equal(attempt(l, ONE, "2001:db8:0:2::1", 1, 0), 0);
    assert_int_equal(attempt(l, ONE, "::ffff:192.0.2.1", 1, 0), 0);
    limits_end(l);
}

static void test_a_million_strangers_stay_bounded(void **state)
{
    (void)state;
    struct limits *l = limits_new();
    char ip[40];
    for (int i = 0; i < 200000; i++) {
        snprintf(ip, sizeof(ip), "10.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255);
        assert_int_equal(attempt(l, ONE, ip, 1, i), 0);
    }
    limits_end(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delays_double),
        cmocka_unit_test(test_others_are_not_locked_out),
        cmocka_unit_test(test_a_stale_password_counts_once),
        cmocka_unit_test(test_parallel_guesses_are_counted_at_once),
        cmocka_unit_test(test_the_right_password_clears),
        cmocka_unit_test(test_many_right_logins_at_once),
        cmocka_unit_test(test_spraying_slows_the_place),
        cmocka_unit_test(test_it_expires),
        cmocka_unit_test(test_undecided_does_not_count),
        cmocka_unit_test(test_forgive),
        cmocka_unit_test(test_ipv6_is_one_place_per_64),
        cmocka_unit_test(test_a_million_strangers_stay_bounded),
    };
    return TEST_RUN(tests);
}
