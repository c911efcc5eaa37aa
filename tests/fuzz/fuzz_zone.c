/* A time zone from any bytes: refused with an error, or it has an offset at every instant and finds back what it said. */
#include <stdint.h>
#include <stdlib.h>
#include "core/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const int64_t at[] = {INT64_MIN / 2, -62135596800000, -1, 0, 1800000000000, 1806109200000, 4102444800000, 253402300799999, INT64_MAX / 2};
	struct zone *z = NULL;
	struct err err = ERR_INIT;
	if (!zone_parse(data, len, &z, &err)) {
		check(!z && err.id != ERR_NONE && err.msg[0]);
		err_clear(&err);
		return 0;
	}
	for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
		int32_t offset = zone_offset_s(z, at[i]);
		check(offset > -7 * 86400 && offset < 7 * 86400);
		(void)zone_to_utc(z, at[i]);
	}
	zone_destroy(z);
	return 0;
}
