/*
 * Numbers as people write them in the configuration and on the command line: 30s, 5m, 4h, 5d; 64K,
 * 50M, 2G; times of day and dates.  Whole slice or false.
 */
#ifndef BASE_UNITS_H
#define BASE_UNITS_H

#include "base/arena.h"

/* "500ms", "30s", "5m", "4h", "5d", "2w"; a bare number is seconds.  At most 100 years. */
bool units_duration(slice s, int64_t *ms);
/* "50M" = 50 * 2^20 bytes; K, M, G, T, optionally followed by B or iB; a bare number is bytes. */
bool units_size(slice s, uint64_t *bytes);
/*
 * RFC 3339 ("2026-11-23T20:15:00Z", also with a space, without seconds), a local date and time
 * without zone, or a local time of day "18:30": the next time it is so.
 */
bool units_time(slice s, int64_t now_ms, int64_t *at_ms);

/* "30 s", "5 min", "4 h", "5 d": for people. */
slice units_print_duration(struct arena *a, int64_t ms);
/* "812 B", "4.0 KiB", "1.2 GiB". */
slice units_print_size(struct arena *a, uint64_t bytes);
/* "2026-11-23T20:15:00Z". */
slice units_print_utc(struct arena *a, int64_t at_ms);
/* "2026-11-23 21:15:00" in the local zone. */
slice units_print_local(struct arena *a, int64_t at_ms);

#endif
