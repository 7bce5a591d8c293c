/* A number and a unit from a table; dates by hand, because strptime(3) takes too much. */
#include "base/units.h"

#include <time.h>

#include "base/clock.h"
#include "base/banned.h"

struct unit {
    slice name;
    uint64_t factor;
};

/* The digits at the start of *s as a number; false when there are none or too many. */
static bool eat_number(slice *s, uint64_t *n)
{
    size_t digits = 0;
    while (digits < s->n && ascii_is_digit(s->p[digits]))
        digits++;
    bool ok = slice_u64(slice_sub(*s, 0, digits), INT64_MAX, n);
    *s = slice_skip(*s, digits);
    return ok;
}

static bool read_unit(slice s, const struct unit *units, size_t count, uint64_t max, uint64_t *out)
{
    uint64_t n;
    if (!eat_number(&s, &n))
        return false;
    slice_eat_wsp(&s);
    for (size_t i = 0; i < count; i++)
        if (slice_eq_icase(s, units[i].name)) {
            *out = n * units[i].factor;
            return n <= max / units[i].factor;
        }
    return false;
}

bool units_duration(slice s, int64_t *ms)
{
    static const struct unit units[] = {
        {{"", 0}, 1000},          {{"s", 1}, 1000},
        {{"ms", 2}, 1},           {{"m", 1}, 60 * 1000},
        {{"min", 3}, 60 * 1000},  {{"h", 1}, 3600 * 1000},
        {{"d", 1}, 86400 * 1000}, {{"w", 1}, 7 * 86400 * 1000},
    };
    uint64_t n;
    if (!read_unit(s, units, sizeof(units) / sizeof(units[0]), (uint64_t)(36525 * DAY_MS), &n))
        return false;
    *ms = (int64_t)n;
    return true;
}

bool units_size(slice s, uint64_t *bytes)
{
#define SIZES(letter, shift)                                                                       \
    {S(letter), UINT64_C(1) << shift}, {S(letter "B"), UINT64_C(1) << shift},                      \
    {                                                                                              \
        S(letter "iB"), UINT64_C(1) << shift                                                       \
    }
    const struct unit units[] = {{S(""), 1},     {S("B"), 1},    SIZES("K", 10),
                                 SIZES("M", 20), SIZES("G", 30), SIZES("T", 40)};
#undef SIZES
    return read_unit(s, units, sizeof(units) / sizeof(units[0]), INT64_MAX, bytes);
}

/* Two (or four) digits and then the separator (0: none). */
static bool eat_field(slice *s, size_t digits, char separator, int *out)
{
    uint64_t n;
    if (s->n < digits || !slice_u64(slice_sub(*s, 0, digits), 9999, &n))
        return false;
    *s = slice_skip(*s, digits);
    *out = (int)n;
    if (!separator)
        return true;
    if (!s->n || s->p[0] != separator)
        return false;
    *s = slice_skip(*s, 1);
    return true;
}

/* "20:15" or "20:15:30" or "20:15:30.123". */
static bool eat_clock(slice *s, struct tm *tm)
{
    if (!eat_field(s, 2, ':', &tm->tm_hour) || !eat_field(s, 2, 0, &tm->tm_min))
        return false;
    if (slice_eat(s, S(":")) && !eat_field(s, 2, 0, &tm->tm_sec))
        return false;
    if (slice_eat(s, S(".")))
        while (s->n && ascii_is_digit(s->p[0]))
            *s = slice_skip(*s, 1);
    return tm->tm_hour < 24 && tm->tm_min < 60 && tm->tm_sec <= 60;
}

/* "Z", "+08:00" or nothing (local).  Seconds east. */
static bool read_zone(slice s, bool *local, int *east)
{
    *local = s.n == 0;
    *east = 0;
    if (s.n == 0 || slice_eq_icase(s, S("Z")))
        return true;
    int sign = s.p[0] == '+' ? 1 : s.p[0] == '-' ? -1 : 0, hours, minutes;
    s = slice_skip(s, 1);
    if (!sign || !eat_field(&s, 2, ':', &hours) || !eat_field(&s, 2, 0, &minutes) || s.n ||
        hours > 23 || minutes > 59)
        return false;
    *east = sign * (hours * 3600 + minutes * 60);
    return true;
}

static bool read_date_time(slice s, int64_t *at_ms)
{
    struct tm tm = {.tm_isdst = -1};
    if (!eat_field(&s, 4, '-', &tm.tm_year) || !eat_field(&s, 2, '-', &tm.tm_mon) ||
        !eat_field(&s, 2, 0, &tm.tm_mday))
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    if (tm.tm_mon < 0 || tm.tm_mon > 11 || tm.tm_mday < 1 || tm.tm_mday > 31)
        return false;
    bool local = true;
    int east = 0, day = tm.tm_mday;
    if (s.n) {
        if (s.p[0] != 'T' && s.p[0] != 't' && s.p[0] != ' ')
            return false;
        s = slice_skip(s, 1);
        if (!eat_clock(&s, &tm) || !read_zone(s, &local, &east))
            return false;
    }
    time_t t = local ? mktime(&tm) : timegm(&tm) - east;
    *at_ms = (int64_t)t * 1000;
    return tm.tm_mday == day; /* "2026-02-30" was moved into March */
}

bool units_time(slice s, int64_t now_ms, int64_t *at_ms)
{
    s = slice_trim(s);
    struct tm tm;
    time_t now = (time_t)(now_ms / 1000);
    if (!localtime_r(&now, &tm))
        return false;
    tm.tm_sec = 0;
    tm.tm_isdst = -1;
    slice rest = s;
    if (!eat_clock(&rest, &tm) || rest.n)
        return read_date_time(s, at_ms);
    time_t t = mktime(&tm);
    if (t <= now) {
        tm.tm_mday++;
        tm.tm_isdst = -1;
        t = mktime(&tm);
    }
    *at_ms = (int64_t)t * 1000;
    return true;
}

slice units_print_duration(struct arena *a, int64_t ms)
{
    static const struct {
        int64_t ms;
        const char *name;
    } units[] = {{DAY_MS, "d"}, {HOUR_MS, "h"}, {MINUTE_MS, "min"}, {SECOND_MS, "s"}};
    if (ms <= 0)
        return S("0 s");
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (ms >= 2 * units[i].ms || ms == units[i].ms)
            return arena_printf(a, "%lld %s", (long long)(ms / units[i].ms), units[i].name);
    return arena_printf(a, "%lld ms", (long long)ms);
}

slice units_print_size(struct arena *a, uint64_t bytes)
{
    static const char *const names[] = {"KiB", "MiB", "GiB", "TiB"};
    if (bytes < 1024)
        return arena_printf(a, "%llu B", (unsigned long long)bytes);
    double n = (double)bytes / 1024;
    size_t i = 0;
    while (n >= 1024 && i < 3) {
        n /= 1024;
        i++;
    }
    return arena_printf(a, "%.1f %s", n, names[i]);
}

slice units_print_utc(struct arena *a, int64_t at_ms)
{
    time_t t = (time_t)(at_ms / 1000);
    struct tm tm;
    char text[32];
    gmtime_r(&t, &tm);
    return arena_dup(a, (slice){text, strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm)});
}

slice units_print_local(struct arena *a, int64_t at_ms)
{
    time_t t = (time_t)(at_ms / 1000);
    struct tm tm;
    char text[32];
    if (!localtime_r(&t, &tm))
        return units_print_utc(a, at_ms);
    return arena_dup(a, (slice){text, strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm)});
}
