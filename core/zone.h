/* Time zones, read from the system's TZif files (RFC 8536): offsets from UTC at an instant, and back from local time. Nothing global is touched (no TZ, no
 * tzset). A zone is immutable once loaded and may be shared by threads. */
#ifndef WEIR_CORE_ZONE_H
#define WEIR_CORE_ZONE_H

#include <stddef.h>
#include <stdint.h>
#include "core/err.h"

struct zone;

/* name: Europe/Berlin, UTC. ERR_OPTION for one that is not installed or no name of a zone. The caller destroys. */
bool zone_load(const char *name, struct zone **ret, struct err *err);
void zone_destroy(struct zone *z);
/* The same from the bytes of a TZif file. */
bool zone_parse(const void *data, size_t len, struct zone **ret, struct err *err);

int32_t zone_offset_s(const struct zone *z, int64_t utc_ms);         /* east of Greenwich; NULL is UTC */
/* Local wall-clock time, as ms since 1970 on that clock, to UTC. A time that the clock skips is moved on by the gap; of one that comes twice the first is taken. */
int64_t zone_to_utc(const struct zone *z, int64_t local_ms);

/* Days since 1970-01-01 of a civil date and back (proleptic Gregorian). */
int64_t civil_days(int64_t year, int month, int day);
void civil_from_days(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day);

#endif
