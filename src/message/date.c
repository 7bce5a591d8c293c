/*
 * The reader takes a date apart into tokens and lets each say what it is: a number that can be a
 * day is the day, the next number the year, a word is a month, a weekday or a zone, and what has
 * colons is the time.  The order of the tokens then hardly matters, and that is what three decades
 * of mail ask.
 */
#include "message/date.h"

#include "base/clock.h"

#include "base/banned.h"

static const char *const MONTHS[] = {"january",   "february", "march",    "april",
                                     "may",       "june",     "july",     "august",
                                     "september", "october",  "november", "december"};
static const char *const WEEKDAYS[] = {"sunday",   "monday", "tuesday", "wednesday",
                                       "thursday", "friday", "saturday"};

/* RFC 5322 4.3, and those of later mail that mean one thing only. */
static const struct {
    const char *name;
    int minutes;
} ZONES[] = {
    {"ut", 0},      {"utc", 0},    {"gmt", 0},    {"z", 0},      {"wet", 0},    {"est", -300},
    {"edt", -240},  {"cst", -360}, {"cdt", -300}, {"mst", -420}, {"mdt", -360}, {"pst", -480},
    {"pdt", -420},  {"ast", -240}, {"adt", -180}, {"nst", -210}, {"ndt", -150}, {"akst", -540},
    {"akdt", -480}, {"hst", -600}, {"bst", 60},   {"west", 60},  {"cet", 60},   {"met", 60},
    {"mez", 60},    {"cest", 120}, {"mest", 120}, {"mesz", 120}, {"eet", 120},  {"eest", 180},
    {"msk", 180},   {"msd", 240},  {"hkt", 480},  {"sgt", 480},  {"awst", 480}, {"jst", 540},
    {"kst", 540},   {"acst", 570}, {"acdt", 630}, {"aest", 600}, {"aedt", 660}, {"nzst", 720},
    {"nzdt", 780},
};

/* Days since 1970-01-01 of a day in the proleptic Gregorian calendar. */
static int64_t days_of(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

void date_fields(int64_t ms, int zone_minutes, struct date_fields *out)
{
    int64_t seconds = ms / SECOND_MS - (ms % SECOND_MS < 0) + zone_minutes * INT64_C(60);
    int64_t days = seconds / 86400 - (seconds % 86400 < 0);
    int64_t rest = seconds - days * 86400;
    int64_t shifted = days + 719468;
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t of_era = shifted - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t m = (5 * of_year + 2) / 153;
    out->day = (int)(of_year - (153 * m + 2) / 5 + 1);
    out->month = (int)(m < 10 ? m + 3 : m - 9);
    out->year = (int)(year + era * 400 + (out->month <= 2));
    out->hour = (int)(rest / 3600);
    out->minute = (int)(rest / 60 % 60);
    out->second = (int)(rest % 60);
    out->weekday = (int)(((days + 4) % 7 + 7) % 7);
}

bool date_ms(const struct date_fields *f, int zone_minutes, int64_t *ms)
{
    if (f->year < 0 || f->year > 9999 || f->month < 1 || f->month > 12 || f->day < 1 ||
        f->day > month_days(f->year, f->month) || f->hour < 0 || f->hour > 23 || f->minute < 0 ||
        f->minute > 59 || f->second < 0 || f->second > 60)
        return false;
    int64_t seconds = days_of(f->year, f->month, f->day) * 86400 + f->hour * INT64_C(3600) +
                      f->minute * INT64_C(60) + f->second;
    *ms = (seconds - zone_minutes * INT64_C(60)) * SECOND_MS;
    return true;
}

/* What has been found so far; -1: nothing yet. */
struct reader {
    struct date_fields f;
    int zone;
    bool has_time, has_zone, summer;
};

/* Up to max digits at the front of *s. */
static int eat_digits(slice *s, size_t max, int *value)
{
    size_t n = 0;
    *value = 0;
    while (n < max && n < s->n && ascii_is_digit(s->p[n]))
        *value = *value * 10 + (s->p[n++] - '0');
    *s = slice_skip(*s, n);
    return (int)n;
}

static bool eat_any(slice *s, const char *set)
{
    if (!s->n || s->p[0] == '\0' || !strchr(set, s->p[0]))
        return false;
    *s = slice_skip(*s, 1);
    return true;
}

/* The number of the name that word begins (three letters at least), or -1. */
static int name_index(slice word, const char *const *names, int count)
{
    if (word.n && word.p[word.n - 1] == '.')
        word.n--;
    if (word.n < 3)
        return -1;
    for (int i = 0; i < count; i++)
        if (slice_starts_icase(slice_c(names[i]), word))
            return i;
    return -1;
}

static int month_of(slice word)
{
    return name_index(word, MONTHS, 12) + 1;
}

/* Years of two and three digits (RFC 5322 4.3). */
static int year_of(int value, int digits)
{
    if (digits == 2)
        return value + (value < 50 ? 2000 : 1900);
    return digits == 3 ? value + 1900 : value;
}

/* "+0800", "-5", "+08:00" at the front of *s. */
static bool eat_zone(slice *s, int *minutes)
{
    slice at = *s;
    int sign = at.n && at.p[0] == '-' ? -1 : 1, value;
    if (!eat_any(&at, "+-"))
        return false;
    int digits = eat_digits(&at, 4, &value), low = 0;
    if (digits == 0)
        return false;
    if (digits <= 2 && at.n > 2 && at.p[0] == ':') {
        at = slice_skip(at, 1);
        eat_digits(&at, 2, &low);
        value = value * 100 + low;
    } else if (digits <= 2) {
        value *= 100;
    }
    *minutes = sign * (value / 100 * 60 + value % 100);
    if (value / 100 > 23 || value % 100 > 59)
        *minutes = 0; /* such a zone is not on this earth: unknown */
    *s = at;
    return true;
}

static void read_zone_name(struct reader *r, slice word)
{
    for (size_t i = 0; i < sizeof(ZONES) / sizeof(*ZONES); i++)
        if (slice_eq_icase(word, slice_c(ZONES[i].name))) {
            r->zone = ZONES[i].minutes;
            r->has_zone = true;
        }
    if (slice_eq_icase(word, S("DST")) && r->has_zone && !r->summer) {
        r->zone += r->zone < 23 * 60 ? 60 : 0; /* a zone is less than a day */
        r->summer = true;
    }
}

static void read_half(struct reader *r, slice word)
{
    bool pm = slice_eq_icase(word, S("PM"));
    if (r->f.hour == 12 && !pm)
        r->f.hour = 0;
    else if (r->f.hour < 12 && pm)
        r->f.hour += 12;
}

static bool is_half(slice word)
{
    return slice_eq_icase(word, S("AM")) || slice_eq_icase(word, S("PM"));
}

/* Words: month, weekday, AM and PM, zone ("GMT+0200" has a number behind it). */
static void read_word(struct reader *r, slice word)
{
    size_t letters = 0;
    while (letters < word.n && ascii_is_alpha(word.p[letters]))
        letters++;
    slice rest = slice_skip(word, letters), name = slice_sub(word, 0, letters);
    if (r->f.month < 0 && month_of(word)) {
        r->f.month = month_of(word);
    } else if (r->has_time && is_half(word)) {
        read_half(r, word);
    } else if (r->has_time && name_index(word, WEEKDAYS, 7) < 0) {
        if (!r->has_zone)
            read_zone_name(r, name);
        if (r->has_zone && r->zone == 0 && rest.n)
            eat_zone(&rest, &r->zone);
        if (slice_eq_icase(name, S("DST")))
            read_zone_name(r, name);
    }
}

/* "20:24", "20:24:01", "20.24.01", "20:24:01.25", and what is glued to it: zone, Z, AM. */
static bool read_time(struct reader *r, slice token)
{
    int hour, minute, second = 0, ignored;
    if (r->has_time || !eat_digits(&token, 2, &hour) || !eat_any(&token, ":.") ||
        !eat_digits(&token, 2, &minute))
        return false;
    if (eat_any(&token, ":.") && !eat_digits(&token, 2, &second))
        return false;
    if (eat_any(&token, ".,"))
        while (eat_digits(&token, 9, &ignored))
            ;
    r->f.hour = hour;
    r->f.minute = minute;
    r->f.second = second;
    r->has_time = true;
    if (token.n && eat_zone(&token, &r->zone))
        r->has_zone = true;
    else if (token.n)
        read_word(r, token);
    return true;
}

/* "2026-11-23", "2026/11/23" or those with "T20:24:01Z" behind. */
static bool read_iso(struct reader *r, slice token)
{
    int year, month, day;
    if (eat_digits(&token, 4, &year) != 4 || !eat_any(&token, "-/") ||
        !eat_digits(&token, 2, &month) || !eat_any(&token, "-/") || !eat_digits(&token, 2, &day))
        return false;
    r->f.year = year;
    r->f.month = month;
    r->f.day = day;
    if (eat_any(&token, "Tt"))
        return read_time(r, token);
    return token.n == 0;
}

/* "23-Nov-26", "23/Nov/2026", "23.11.2026": the parts in the order day, month, year. */
static bool read_joined(struct reader *r, slice token)
{
    int day, month, year, digits;
    bool dotted = slice_find(token, '.') >= 0;
    if (r->f.day >= 0 || !eat_digits(&token, 2, &day) || !eat_any(&token, "-/."))
        return false;
    size_t letters = 0;
    while (letters < token.n && ascii_is_alpha(token.p[letters]))
        letters++;
    month = month_of(slice_sub(token, 0, letters));
    token = slice_skip(token, letters);
    if (!month && (!dotted || !eat_digits(&token, 2, &month)))
        return false;
    if (!eat_any(&token, "-/.") || (digits = eat_digits(&token, 4, &year)) < 2)
        return false;
    r->f.day = day;
    r->f.month = month;
    r->f.year = year_of(year, digits);
    return token.n == 0;
}

static void read_number(struct reader *r, slice token)
{
    int value, digits = eat_digits(&token, 4, &value);
    if (digits <= 2 && r->f.day < 0)
        r->f.day = value;
    else if (r->f.year < 0 && digits >= 2)
        r->f.year = year_of(value, digits);
    else if (r->has_time && !r->has_zone && digits == 4) {
        r->zone = value / 100 > 23 || value % 100 > 59 ? 0 : value / 100 * 60 + value % 100;
        r->has_zone = true;
    }
}

static bool all_digits(slice token)
{
    for (size_t i = 0; i < token.n; i++)
        if (!ascii_is_digit(token.p[i]))
            return false;
    return true;
}

static void read_token(struct reader *r, slice token)
{
    slice at = token;
    if (all_digits(token) && token.n <= 4) {
        read_number(r, token);
    } else if (ascii_is_digit(token.p[0])) {
        bool colon = slice_find(token, ':') >= 0;
        size_t digits = 0;
        while (digits < token.n && ascii_is_digit(token.p[digits]))
            digits++;
        slice rest = slice_skip(token, digits); /* "23rd", "23." */
        if (!(digits == 4 && read_iso(r, token)) && !(!colon && read_joined(r, token)) &&
            !read_time(r, token) && digits <= 4 &&
            (rest.n == 1 || slice_eq_icase(rest, S("st")) || slice_eq_icase(rest, S("nd")) ||
             slice_eq_icase(rest, S("rd")) || slice_eq_icase(rest, S("th"))))
            read_number(r, slice_sub(token, 0, digits));
    } else if (r->has_time && !r->has_zone && eat_zone(&at, &r->zone)) {
        r->has_zone = true;
    } else if (ascii_is_alpha(token.p[0])) {
        read_word(r, token);
    }
}

static bool is_break(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ',' || c == '(' || c == ')' ||
           c == '"' || c == ';' || c == '\0';
}

enum { DATE_LONGEST = 500 }; /* no date is longer */

/* The date with comments and separators made one space, and no space around a colon. */
static slice tidy(slice value, char out[DATE_LONGEST])
{
    size_t n = 0, depth = 0;
    bool gap = false;
    value = slice_sub(value, 0, DATE_LONGEST);
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];
        depth += c == '(';
        if (depth || is_break(c)) {
            depth -= depth && c == ')';
            i += depth && c == '\\';
            gap = true;
            continue;
        }
        if (gap && n && c != ':' && out[n - 1] != ':')
            out[n++] = ' ';
        gap = false;
        out[n++] = c;
    }
    return (slice){out, n};
}

bool date_parse(slice value, int64_t *ms, int *zone_minutes)
{
    struct reader r = {.f = {.year = -1, .month = -1, .day = -1}};
    char text[DATE_LONGEST];
    slice token, rest = tidy(value, text);
    while (slice_next(&rest, ' ', &token))
        read_token(&r, token);
    *zone_minutes = r.zone;
    *ms = 0;
    return date_ms(&r.f, r.zone, ms);
}

/* The fields of a moment that fit four digits of year. */
static int clamped_fields(int64_t ms, int zone, struct date_fields *f)
{
    static const int64_t first = INT64_C(-62167132800000), last = INT64_C(253402214400000);
    zone = zone < -1439 ? -1439 : zone > 1439 ? 1439 : zone;
    date_fields(ms < first ? first : ms > last ? last : ms, zone, f);
    return zone;
}

static const char *short_name(const char *const *names, int i, char out[4])
{
    memcpy(out, names[i], 3);
    out[0] = ascii_upper(out[0]);
    out[3] = '\0';
    return out;
}

slice date_print(struct arena *a, int64_t ms, int zone_minutes)
{
    struct date_fields f;
    char day[4], month[4];
    int zone = clamped_fields(ms, zone_minutes, &f), east = zone < 0 ? -zone : zone;
    return arena_printf(a, "%s, %d %s %04d %02d:%02d:%02d %c%02d%02d",
                        short_name(WEEKDAYS, f.weekday, day), f.day,
                        short_name(MONTHS, f.month - 1, month), f.year, f.hour, f.minute, f.second,
                        zone < 0 ? '-' : '+', east / 60, east % 60);
}

slice date_print_imap(struct arena *a, int64_t ms, int zone_minutes)
{
    struct date_fields f;
    char month[4];
    int zone = clamped_fields(ms, zone_minutes, &f), east = zone < 0 ? -zone : zone;
    return arena_printf(a, "%2d-%s-%04d %02d:%02d:%02d %c%02d%02d", f.day,
                        short_name(MONTHS, f.month - 1, month), f.year, f.hour, f.minute, f.second,
                        zone < 0 ? '-' : '+', east / 60, east % 60);
}

bool date_parse_imap(slice text, int64_t *ms, int *zone_minutes)
{
    struct date_fields f;
    char padded[26];
    slice s = text;
    if (s.n == 25) { /* some clients leave the space out */
        padded[0] = ' ';
        memcpy(padded + 1, text.p, 25);
        s = (slice){padded, 26};
    }
    if (s.n != 26 || s.p[2] != '-' || s.p[6] != '-' || s.p[11] != ' ' || s.p[14] != ':' ||
        s.p[17] != ':' || s.p[20] != ' ' || (s.p[21] != '+' && s.p[21] != '-'))
        return false;
    slice day = slice_trim(slice_sub(s, 0, 2)), zone = slice_skip(s, 21);
    f.month = month_of(slice_sub(s, 3, 6));
    slice digits[] = {day,
                      slice_sub(s, 7, 11),
                      slice_sub(s, 12, 14),
                      slice_sub(s, 15, 17),
                      slice_sub(s, 18, 20),
                      slice_skip(zone, 1)};
    uint64_t v[6];
    for (size_t i = 0; i < 6; i++)
        if (!slice_u64(digits[i], 9999, &v[i]))
            return false;
    f.day = (int)v[0];
    f.year = (int)v[1];
    f.hour = (int)v[2];
    f.minute = (int)v[3];
    f.second = (int)v[4];
    if (v[5] / 100 > 23 || v[5] % 100 > 59)
        return false;
    eat_zone(&zone, zone_minutes);
    return date_ms(&f, *zone_minutes, ms);
}

slice date_print_3339(struct arena *a, int64_t ms, int zone_minutes, bool utc)
{
    struct date_fields f;
    int zone = clamped_fields(ms, utc ? 0 : zone_minutes, &f), east = zone < 0 ? -zone : zone;
    slice text =
        arena_printf(a, "%04d-%02d-%02dT%02d:%02d:%02d%c%02d:%02d", f.year, f.month, f.day, f.hour,
                     f.minute, f.second, zone < 0 ? '-' : '+', east / 60, east % 60);
    if (utc)
        return arena_printf(a, "%.*sZ", (int)(text.n - 6), text.p);
    return text;
}

bool date_parse_3339(slice text, int64_t *ms, int *zone_minutes)
{
    struct date_fields f = {0};
    int fraction = 0, digits = 0;
    slice s = text;
    if (eat_digits(&s, 4, &f.year) != 4 || !eat_any(&s, "-") || eat_digits(&s, 2, &f.month) != 2 ||
        !eat_any(&s, "-") || eat_digits(&s, 2, &f.day) != 2 || !eat_any(&s, "Tt ") ||
        eat_digits(&s, 2, &f.hour) != 2 || !eat_any(&s, ":") || eat_digits(&s, 2, &f.minute) != 2 ||
        !eat_any(&s, ":") || eat_digits(&s, 2, &f.second) != 2)
        return false;
    if (eat_any(&s, ".")) {
        digits = eat_digits(&s, 3, &fraction);
        for (int n = digits; n > 0 && n < 3; n++)
            fraction *= 10;
        for (int ignored; eat_digits(&s, 9, &ignored);)
            ;
        if (!digits)
            return false;
    }
    *zone_minutes = 0;
    bool utc = eat_any(&s, "Zz");
    if (!utc &&
        (s.n != 6 || s.p[3] != ':' || !ascii_is_digit(s.p[1]) || !eat_zone(&s, zone_minutes)))
        return false;
    if (s.n || !date_ms(&f, *zone_minutes, ms))
        return false;
    *ms += fraction;
    return true;
}
