/* Durations, sizes and times as people write them, and what is none. */
#include "base/test.h"

#include "base/clock.h"
#include "base/units.h"

static void test_duration(void **state)
{
    static const struct {
        const char *in;
        int64_t want; /* -1: refused */
    } rows[] = {
        {"30", 30000},       {"30s", 30000},
        {"500ms", 500},      {"5m", 300000},
        {"5 min", 300000},   {"4h", 4 * HOUR_MS},
        {"5d", 5 * DAY_MS},  {"0", 0},
        {"2w", 14 * DAY_MS}, {"", -1},
        {"s", -1},           {"-5s", -1},
        {"5x", -1},          {"5s ", -1},
        {"1.5h", -1},        {"99999999999999999999s", -1},
        {"36526d", -1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t got = -1;
        bool ok = units_duration(slice_c(rows[i].in), &got);
        if (ok != (rows[i].want >= 0) || (ok && got != rows[i].want))
            fail_msg("%s", rows[i].in);
    }
}

static void test_size(void **state)
{
    static const struct {
        const char *in;
        int64_t want;
    } rows[] = {
        {"0", 0},
        {"1024", 1024},
        {"64K", 65536},
        {"50M", 50 << 20},
        {"50MiB", 50 << 20},
        {"2gb", INT64_C(2) << 30},
        {"1T", INT64_C(1) << 40},
        {"7B", 7},
        {"K", -1},
        {"50X", -1},
        {"9999999999T", -1},
        {"-1", -1},
        {"", -1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t got = 0;
        bool ok = units_size(slice_c(rows[i].in), &got);
        if (ok != (rows[i].want >= 0) || (ok && (int64_t)got != rows[i].want))
            fail_msg("%s", rows[i].in);
    }
}

static void test_time(void **state)
{
    static const struct {
        const char *in, *want; /* NULL: refused */
    } rows[] = {
        {"2026-11-23T20:15:00Z", "2026-11-23T20:15:00Z"},
        {"2026-11-23 20:15", "2026-11-23T12:15:00Z"}, /* local: UTC+8 */
        {"2026-11-23T20:15:30+08:00", "2026-11-23T12:15:30Z"},
        {"2026-11-23T20:15:30.250-05:30", "2026-11-24T01:45:30Z"},
        {"2026-11-23", "2026-11-22T16:00:00Z"},
        {"18:30", "2026-11-23T10:30:00Z"}, /* still to come today */
        {"08:00", "2026-11-24T00:00:00Z"}, /* tomorrow */
        {"2026-02-30", NULL},
        {"2026-13-01T00:00Z", NULL},
        {"25:00", NULL},
        {"2026-11-23T20:15:00Q", NULL},
        {"2026-11-23T20:15:00Zx", NULL},
        {"", NULL},
        {"soon", NULL},
    };
    (void)state;
    setenv("TZ", "UTC-8", 1);
    struct arena a = {0};
    int64_t now = 0;
    assert_true(units_time(S("2026-11-23T06:00:00Z"), 0, &now));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t got = 0;
        bool ok = units_time(slice_c(rows[i].in), now, &got);
        if (ok != (rows[i].want != NULL))
            fail_msg("%s", rows[i].in);
        if (ok)
            assert_slice(units_print_utc(&a, got), slice_c(rows[i].want));
    }
    arena_end(&a);
}

static void test_print(void **state)
{
    (void)state;
    struct arena a = {0};
    assert_slice(units_print_size(&a, 812), S("812 B"));
    assert_slice(units_print_size(&a, 4096), S("4.0 KiB"));
    assert_slice(units_print_size(&a, UINT64_C(1288490188)), S("1.2 GiB"));
    assert_slice(units_print_duration(&a, 30 * SECOND_MS), S("30 s"));
    assert_slice(units_print_duration(&a, 5 * DAY_MS), S("5 d"));
    assert_slice(units_print_duration(&a, 90 * MINUTE_MS), S("90 min"));
    arena_end(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_duration),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_print),
    };
    return TEST_RUN(tests);
}
