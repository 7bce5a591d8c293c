/* Time.  Milliseconds everywhere; wall time since 1970 UTC, monotonic time for deadlines. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#define SECOND_MS INT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)

/* Wall clock: for dates, schedules on disk, expiry. */
int64_t clock_ms(void);
/* Never goes back: for deadlines and durations in this process. */
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);
/* Minutes east of UTC of the local zone at that moment. */
int clock_zone_minutes(int64_t at_ms);

#endif
