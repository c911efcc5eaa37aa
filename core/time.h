/* Instants are int64 ms since 1970 UTC; durations are int64 ms. Pure functions, any thread; the clock functions read the system clocks. */
#ifndef WEIR_CORE_TIME_H
#define WEIR_CORE_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIME_NONE INT64_MIN                 /* no time: a record whose Kafka timestamp is -1 or absent */

int64_t time_now_ms(void);                  /* wall clock */
int64_t time_mono_ms(void);                 /* monotonic clock, for deadlines and timing */
int64_t time_mono_us(void);

/* RFC 3339 UTC with milliseconds: 2026-09-01T04:00:00.000Z. Years outside 0000..9999 get a sign and as many digits as needed
 * (+292278994-08-17T07:12:55.807Z); any int64 is safe. Returns the length. */
enum { TIME_TEXT_MAX = 40 };
size_t time_format(int64_t ms, char out[TIME_TEXT_MAX]);

/* ISO 8601 / RFC 3339: date, 'T' or ' ', hh:mm[:ss[.fraction of 0..9 digits or more]], zone Z, +hh:mm, +hhmm, +hh or none (= UTC).
 * A date alone is midnight UTC. Fractions are cut (floor), not rounded. False leaves *ret_ms untouched. */
bool time_parse_iso(const char *text, size_t len, int64_t *ret_ms);

/* '250ms' '5s' '1m' '8h' '1d' '2w' and sums ('1h30m'), '5 SECONDS', '1 minute'. No sign. */
bool time_parse_duration(const char *text, size_t len, int64_t *ret_ms);

/* What ts() takes: ISO text, '-1h' / '+5m' (from now), 'now', PI words '*' (now), 't' (today 00:00 UTC), 'y' (yesterday) each with an
 * optional offset ('*-8h', 't+6h', 'y-1d'), or an integer of ms in text. */
bool time_parse_instant(const char *text, size_t len, int64_t now_ms, int64_t *ret_ms);

/* Duration for people: 950ms, 12.3s, 4m 05s, 2h 03m, 3d 4h. Returns the length. */
size_t time_format_duration(int64_t ms, char out[TIME_TEXT_MAX]);

#endif
