/* core/zone.h beside the C library's localtime_r, an implementation nobody of us wrote, over 60 years of hours and the seconds around each change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>
#include "core/zone.h"

static const char *const zones[] = {"UTC", "Europe/Berlin", "America/New_York", "America/St_Johns", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca", "America/Sao_Paulo"};
enum { ZONE_N = sizeof zones / sizeof *zones };

static struct zone *load(const char *name)
{
	struct zone *z = NULL;
	struct err err = ERR_INIT;
	if (!zone_load(name, &z, &err))
		fail_msg("%s: %s", name, err.msg);
	return z;
}

static int32_t libc_offset(time_t at)
{
	struct tm tm;
	assert_non_null(localtime_r(&at, &tm));
	return (int32_t)tm.tm_gmtoff;
}

static void test_offsets(void **state)
{
	(void)state;
	for (size_t i = 0; i < ZONE_N; i++) {
		struct zone *z = load(zones[i]);
		setenv("TZ", zones[i], 1);
		tzset();
		time_t from = 0, to = (time_t)60 * 366 * 86400;      /* 1970 to 2030 */
		int changes = 0;
		int32_t last = libc_offset(from);
		for (time_t at = from; at < to; at += 1800) {
			int32_t want = libc_offset(at);
			if (zone_offset_s(z, (int64_t)at * 1000) != want)
				fail_msg("%s at %lld: %d, the C library says %d", zones[i], (long long)at, zone_offset_s(z, (int64_t)at * 1000), want);
			if (want != last) {
				changes++;
				for (time_t s = at - 1800; s <= at; s++)
					assert_int_equal(zone_offset_s(z, (int64_t)s * 1000), libc_offset(s));
			}
			last = want;
		}
		assert_true(i == 0 ? changes == 0 : i == 1 ? changes > 90 : true);
		/* Beyond the table the footer's rule goes on. */
		for (time_t at = (time_t)80 * 365 * 86400; at < (time_t)82 * 365 * 86400; at += 3600)
			assert_int_equal(zone_offset_s(z, (int64_t)at * 1000), libc_offset(at));
		zone_destroy(z);
	}
}

/* Local time and back: the same instant, except in the hour that comes twice, where it is the first. */
static void test_round_trip(void **state)
{
	(void)state;
	for (size_t i = 0; i < ZONE_N; i++) {
		struct zone *z = load(zones[i]);
		for (int64_t utc = INT64_C(1700000000000); utc < INT64_C(1800000000000); utc += 900000) {
			int64_t local = utc + zone_offset_s(z, utc) * INT64_C(1000), back = zone_to_utc(z, local);
			if (back != utc) {
				assert_true(back < utc);
				assert_int_equal(back + zone_offset_s(z, back) * INT64_C(1000), local);
			}
		}
		zone_destroy(z);
	}
}

static void test_skipped_and_twice(void **state)
{
	struct zone *z = load("Europe/Berlin");
	int64_t day = civil_days(2026, 3, 29) * 86400000;
	(void)state;
	/* 02:30 does not exist: it is 03:30 summer time, 01:30 UTC. */
	assert_int_equal(zone_to_utc(z, day + 9000000), day + 5400000);
	day = civil_days(2026, 10, 25) * 86400000;
	/* 02:30 comes twice: the first is summer time, 00:30 UTC. */
	assert_int_equal(zone_to_utc(z, day + 9000000), day + 1800000);
	zone_destroy(z);
	assert_int_equal(zone_offset_s(NULL, 0), 0);
	assert_int_equal(zone_to_utc(NULL, 42), 42);
}

static void test_refused(void **state)
{
	static const char *const names[] = {"", "Europe/Nowhere", "../../etc/passwd", "/etc/passwd", "Europe", "Europe/Berlin/", "posix\n"};
	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct zone *z = NULL;
		struct err err = ERR_INIT;
		if (zone_load(names[i], &z, &err))
			fail_msg("'%s' was taken", names[i]);
		assert_null(z);
		assert_int_equal(err.id, ERR_OPTION);
		err_clear(&err);
	}
}

static void test_civil(void **state)
{
	(void)state;
	assert_int_equal(civil_days(1970, 1, 1), 0);
	assert_int_equal(civil_days(2000, 3, 1), 11017);
	for (int64_t d = -800000; d < 800000; d++) {
		int64_t y;
		int m, dd;
		civil_from_days(d, &y, &m, &dd);
		assert_true(m >= 1 && m <= 12 && dd >= 1 && dd <= 31);
		assert_int_equal(civil_days(y, m, dd), d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_offsets), cmocka_unit_test(test_round_trip), cmocka_unit_test(test_skipped_and_twice),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_civil),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
