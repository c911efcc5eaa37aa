/* Units of core/: time, text, hashes, batches, headers, buffers, errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "core/batch.h"
#include "core/buf.h"
#include "core/err.h"
#include "core/hash.h"
#include "core/headers.h"
#include "core/position.h"
#include "core/schema.h"
#include "core/time.h"
#include "core/utf8.h"

static void check_iso(const char *text, int64_t want)
{
	int64_t got = -1;
	assert_true(time_parse_iso(text, strlen(text), &got));
	assert_int_equal(got, want);
}

static void test_time_iso(void **state)
{
	check_iso("1970-01-01", 0);
	check_iso("1970-01-01T00:00:00Z", 0);
	check_iso("2026-09-01T06:00+02:00", 1788235200000);
	check_iso("2026-09-01 04:00:00.123456789", 1788235200123);
	check_iso("2022-03-18T12:55:21.3424136Z", 1647608121342);
	check_iso("1969-12-31T23:59:59.999Z", -1);
	check_iso("2024-02-29T24:00:00Z", 1709251200000);
	check_iso("2016-12-31T23:59:60Z", 1483228800000);
	static const char *const bad[] = {"", "2026", "2026-13-01", "2026-02-29", "2026-01-01T", "2026-01-01T25:00", "2026-01-01T10:00:00.", "2026-01-01T10:00Zx", "2026-01-01T10:00+25:00"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		int64_t got = 7;
		assert_false(time_parse_iso(bad[i], strlen(bad[i]), &got));
		assert_int_equal(got, 7);
	}
}

static void test_time_format(void **state)
{
	char out[TIME_TEXT_MAX];
	time_format(1788235200123, out);
	assert_string_equal(out, "2026-09-01T04:00:00.123Z");
	time_format(-1, out);
	assert_string_equal(out, "1969-12-31T23:59:59.999Z");
	time_format(INT64_MAX, out);
	assert_string_equal(out, "+292278994-08-17T07:12:55.807Z");
	assert_true(time_format(INT64_MIN, out) < TIME_TEXT_MAX);
	for (int64_t t = -62135596800000; t < 253402300800000; t += 86399999 * (int64_t)977) {
		int64_t back = 0;
		size_t n = time_format(t, out);
		assert_true(time_parse_iso(out, n, &back));
		assert_int_equal(back, t);
	}
}

static void check_duration(const char *text, int64_t want)
{
	int64_t got = -1;
	assert_true(time_parse_duration(text, strlen(text), &got));
	assert_int_equal(got, want);
}

static void test_time_duration(void **state)
{
	check_duration("250ms", 250);
	check_duration("5 SECONDS", 5000);
	check_duration("1h30m", 5400000);
	check_duration("1.5s", 1500);
	check_duration("1d", 86400000);
	int64_t got;
	assert_false(time_parse_duration("", 0, &got));
	assert_false(time_parse_duration("5", 1, &got));
	assert_false(time_parse_duration("5 parsecs", 9, &got));
	assert_false(time_parse_duration("99999999999999999999d", 21, &got));
}

static void test_time_instant(void **state)
{
	const int64_t now = 1788246245000;     /* 2026-09-01T07:04:05Z */
	const int64_t midnight = 1788220800000;
	static const struct {
		const char *text;
		int64_t plus;
		int from_midnight;
	} cases[] = {
		{"now", 0, 0}, {"*", 0, 0}, {"*-8h", -28800000, 0}, {"-1h", -3600000, 0}, {"+5m", 300000, 0}, {"t", 0, 1}, {"today", 0, 1},
		{"t+6h", 21600000, 1}, {"y", -86400000, 1}, {"yesterday", -86400000, 1}, {" -1h ", -3600000, 0},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int64_t got = 0;
		assert_true(time_parse_instant(cases[i].text, strlen(cases[i].text), now, &got));
		assert_int_equal(got, (cases[i].from_midnight ? midnight : now) + cases[i].plus);
	}
	int64_t got = 0;
	assert_true(time_parse_instant("1788235200000", 13, now, &got));
	assert_int_equal(got, 1788235200000);
	assert_false(time_parse_instant("tomorrowish", 11, now, &got));
}

static void test_hash(void **state)
{
	/* Known values: Kafka's UtilsTest.testMurmur2 */
	assert_int_equal((int32_t)hash_murmur2("21", 2), -973932308);
	assert_int_equal((int32_t)hash_murmur2("foobar", 6), -790332482);
	assert_int_equal((int32_t)hash_murmur2("a-little-bit-long-string", 24), -985981536);
	assert_int_equal((int32_t)hash_murmur2("a-little-bit-longer-string", 26), -1486304829);
	assert_int_equal((int32_t)hash_murmur2("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", 48), -58897971);
	assert_int_equal((int32_t)hash_murmur2("abc", 3), 479470107);
	assert_int_equal(hash_crc32("123456789", 9), 0xCBF43926);
	enum partitioner p;
	assert_true(partitioner_parse("Murmur2_random", &p));
	assert_int_equal(p, PARTITIONER_MURMUR2);
	assert_false(partitioner_parse("random", &p));
}

static void test_utf8(void **state)
{
	assert_true(utf8_valid("plain ascii text", 16));
	assert_true(utf8_valid("Druckluft \xC3\xBC \xE2\x82\xAC \xF0\x9F\x98\x80", 21));
	assert_true(utf8_valid("a\0b", 3));
	assert_false(utf8_valid("\xC0\xAF", 2));
	assert_false(utf8_valid("\xED\xA0\x80", 3));
	assert_false(utf8_valid("\xF4\x90\x80\x80", 4));
	assert_false(utf8_valid("12345678\xE2\x82", 10));
	struct buf b = BUF_INIT;
	utf8_escape(&b, "a\x1b]52\a\n\0\xFF\xE2\x80\xAEz\xC2\x9B", 15, false);
	assert_string_equal(b.data, "a\\x1b]52\\x07\\n\\0\\xff\\u{202e}z\\x9b");
	buf_finish(&b);
	assert_int_equal(utf8_width("a\xE4\xB8\xAD\xCC\x81", 6), 3);
	size_t w;
	assert_int_equal(utf8_prefix("ab\xE4\xB8\xAD", 5, 3, &w), 2);
	assert_int_equal(w, 2);
}

static void test_batch(void **state)
{
	struct batch_pool *pool = batch_pool_create(4, 64, 2);
	struct batch *b = batch_create(pool, 3, 0);
	struct record meta = {.offset = 10, .ts_ms = 1};
	assert_true(batch_add(b, &meta, bytes_str("k"), bytes_str("value"), bytes_of(NULL, 0)));
	meta.offset = 12;
	assert_true(batch_add(b, &meta, bytes_of(NULL, 0), bytes_of(NULL, 0), bytes_of(NULL, 0)));
	assert_true(batch_add(b, &meta, bytes_of("", 0), bytes_of("", 0), bytes_of(NULL, 0)));
	assert_false(batch_add(b, &meta, bytes_of(NULL, 0), bytes_of(pool, 64), bytes_of(NULL, 0)));
	batch_seal(b);
	assert_int_equal(b->record_n, 3);
	assert_memory_equal(b->records[0].value, "value", 5);
	assert_null(b->records[1].value);
	assert_non_null(b->records[2].value);
	struct batch *shared = batch_ref(b);
	batch_unref(b);
	batch_pool_unref(pool);
	assert_memory_equal(shared->records[0].key, "k", 1);
	batch_unref(shared);
}

static void test_headers(void **state)
{
	struct buf b = BUF_INIT;
	headers_add(&b, bytes_str("a"), bytes_str("1"));
	headers_add(&b, bytes_str(""), bytes_of(NULL, 0));
	headers_add(&b, bytes_str("a"), bytes_of("", 0));
	struct header_iter it = headers_begin((const uint8_t *)b.data, b.len);
	struct bytes name, value;
	assert_true(headers_next(&it, &name, &value));
	assert_true(bytes_equal(value, bytes_str("1")));
	assert_true(headers_next(&it, &name, &value));
	assert_null(value.data);
	assert_true(headers_next(&it, &name, &value));
	assert_non_null(value.data);
	assert_int_equal(value.len, 0);
	assert_false(headers_next(&it, &name, &value));
	it = headers_begin((const uint8_t *)b.data, b.len - 1);
	while (headers_next(&it, &name, &value))
		;
	buf_finish(&b);
}

static void test_err(void **state)
{
	struct err err = ERR_INIT;
	assert_false(err_set(&err, ERR_TOPIC_UNKNOWN, "no topic \"%s\"", "a\x1b[2J"));
	assert_string_equal(err.msg, "no topic \"a\\x1b[2J\"");
	assert_int_equal(err_exit_code(&err), EXIT_SQL);
	int last = 0;
	for (int i = 0; err_info_at(i); i++) {
		assert_true(err_info_at(i)->number > last);
		last = err_info_at(i)->number;
		assert_true(err_info_at(i)->advice[0] != '\0');
	}
	assert_null(err_info_get(1));
}

static void test_schema(void **state)
{
	struct stream *s = stream_create("s", "t");
	stream_add_column(s, "a.b", COLUMN_REAL, COLUMN_FROM_VALUE, "$.a.b");
	struct stream *c = stream_copy(s);
	stream_destroy(s);
	assert_int_equal(stream_find_column(c, "A.B"), 0);
	assert_string_equal(c->columns[0].path, "$.a.b");
	stream_destroy(c);
	assert_int_equal(column_type_parse("BIGINT"), COLUMN_INTEGER);
	assert_int_equal(column_type_parse("TIMESTAMP_MS"), COLUMN_TIMESTAMP);
	assert_int_equal(column_type_parse("double precision"), COLUMN_REAL);
}

static void test_position(void **state)
{
	static const struct {
		const char *text;
		enum position_kind kind;
	} good[] = {{"beginning", POSITION_BEGINNING}, {"EARLIEST", POSITION_BEGINNING}, {"end", POSITION_END}, {"now", POSITION_END}, {"-1h", POSITION_TIME},
		{"2026-09-01T06:00Z", POSITION_TIME}, {"0:100,1:5", POSITION_OFFSETS}, {"offsets 0:100, 1:5", POSITION_OFFSETS}, {"OFFSETS 3:0", POSITION_OFFSETS}};
	static const char *const bad[] = {"", "whenever", "0:", ":1", "0:1,", "0:1;1:2", "-1:5", "0:-5", "0:99999999999999999999", "99999999999:1", "offsets", "offsets 1"};
	struct err err = ERR_INIT;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct position p;
		assert_true(position_parse(good[i].text, strlen(good[i].text), &p, &err));
		assert_int_equal(p.kind, good[i].kind);
		position_finish(&p);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct position p;
		assert_false(position_parse(bad[i], strlen(bad[i]), &p, &err));
		err_clear(&err);
	}
	/* A partition that holds [10, 50). */
	struct position p;
	assert_true(position_parse("0:20,2:5,3:70", 13, &p, &err));
	assert_int_equal(position_start(&p, 0, 10, 50, 0), 20);
	assert_int_equal(position_start(&p, 1, 10, 50, 0), 50);      /* not listed: not read */
	assert_int_equal(position_start(&p, 2, 10, 50, 0), 10);
	assert_int_equal(position_start(&p, 3, 10, 50, 0), 70);
	assert_int_equal(position_stop(&p, 0, 10, 50, 0), 20);
	assert_int_equal(position_stop(&p, 1, 10, 50, 0), 50);       /* not listed: to its end */
	assert_int_equal(position_unknown_partition(&p, 4), -1);
	assert_int_equal(position_unknown_partition(&p, 3), 3);
	position_finish(&p);
	struct position at = {.kind = POSITION_TIME}, first = {.kind = POSITION_BEGINNING}, last = {.kind = POSITION_END};
	assert_int_equal(position_start(&at, 0, 10, 50, 30), 30);
	assert_int_equal(position_start(&at, 0, 10, 50, 3), 10);
	assert_int_equal(position_stop(&at, 0, 10, 50, 80), 50);
	assert_int_equal(position_start(&first, 0, 10, 50, 30), 10);
	assert_int_equal(position_stop(&first, 0, 10, 50, 30), 10);
	assert_int_equal(position_start(&last, 0, 10, 50, 30), 50);
	assert_int_equal(position_stop(&last, 0, 10, 50, 30), 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time_iso), cmocka_unit_test(test_time_format), cmocka_unit_test(test_time_duration), cmocka_unit_test(test_time_instant),
		cmocka_unit_test(test_hash), cmocka_unit_test(test_utf8), cmocka_unit_test(test_batch), cmocka_unit_test(test_headers), cmocka_unit_test(test_err),
		cmocka_unit_test(test_schema), cmocka_unit_test(test_position),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
