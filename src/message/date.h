/*
 * Dates (RFC 5322 3.3 and 4.3, RFC 9051 date-time, RFC 3339): every historical form is read, one
 * form is written.  Times are milliseconds since 1970 UTC; the zone is minutes east of UTC.
 */
#ifndef MESSAGE_DATE_H
#define MESSAGE_DATE_H

#include "base/arena.h"

/*
 * "Mon, 23 Nov 2026 20:24:01 +0000 (UTC)", and what was and is written instead: no weekday, no
 * seconds, two- and three-digit years, obsolete and military zones, comments anywhere, asctime
 * ("Mon Nov 23 20:24:01 2026"), RFC 850 ("Monday, 23-Nov-26 …"), ISO 8601, "11/23/2026"-less: no
 * guessing between day and month.  False when it is no date or an impossible one (30 Feb): then
 * there is no date, never "now" (rule M10).  An unknown zone is +0000.
 */
bool date_parse(slice value, int64_t *ms, int *zone_minutes);

/* "Mon, 23 Nov 2026 20:24:01 +0000" (RFC 5322).  Years 0 to 9999; beyond them they are clamped. */
slice date_print(struct arena *a, int64_t ms, int zone_minutes);
/* "23-Nov-2026 20:24:01 +0000": IMAP's INTERNALDATE, day padded with a space. */
slice date_print_imap(struct arena *a, int64_t ms, int zone_minutes);
/* Reads that form (APPEND); the space before a day of one digit may be missing. */
bool date_parse_imap(slice text, int64_t *ms, int *zone_minutes);
/* "2026-11-23T20:24:01+00:00" (RFC 3339), "Z" for UTC when utc is set (then the time is in UTC). */
slice date_print_3339(struct arena *a, int64_t ms, int zone_minutes, bool utc);
/* Reads RFC 3339, with fractions of a second. */
bool date_parse_3339(slice text, int64_t *ms, int *zone_minutes);

/* The calendar (proleptic Gregorian). */
struct date_fields {
    int year, month, day;     /* month 1-12, day 1-31 */
    int hour, minute, second; /* second 0-60 */
    int weekday;              /* 0 = Sunday */
};
void date_fields(int64_t ms, int zone_minutes, struct date_fields *out);
/* Milliseconds of fields in a zone (weekday is ignored); false when there is no such day or time.
 */
bool date_ms(const struct date_fields *f, int zone_minutes, int64_t *ms);

#endif
