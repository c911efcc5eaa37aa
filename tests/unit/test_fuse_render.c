/* Units of fuse/ without a mount: text, the strict JSON check, lines, names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "core/headers.h"
#include "core/time.h"
#include "fuse/json_check.h"
#include "fuse/mount.h"
#include "fuse/state.h"

static void test_text_keeps_what_it_got(void **state)
{
	struct text t;
	struct text_slice s;
	struct buf want = BUF_INIT;
	text_init(&t);
	for (int i = 0; i < 60000; i++) {
		char line[64];
		int n = snprintf(line, sizeof line, "line %d\n", i);
		assert_true(text_add(&t, line, (size_t)n));
		buf_add(&want, line, (size_t)n);
	}
	assert_int_equal(t.end, want.len);
	for (int64_t at = 0; at < t.end; at += (int64_t)s.len) {
		text_slice(&t, at, 100001, &s);
		size_t in = 0;
		for (int i = 0; i < s.n; i++) {
			assert_memory_equal(s.iov[i].iov_base, want.data + at + (int64_t)in, s.iov[i].iov_len);
			in += s.iov[i].iov_len;
		}
		assert_int_equal(in, s.len);
		size_t len = s.len;
		text_slice_finish(&s);
		s.len = len;
	}
	buf_finish(&want);
	text_finish(&t);
	(void)state;
}

static void test_text_drop_keeps_positions_and_held_bytes(void **state)
{
	struct text t;
	struct text_slice held, now;
	uint8_t block[1000];
	text_init(&t);
	for (int i = 0; i < 1000; i++) {
		memset(block, i, sizeof block);
		block[999] = '\n';
		assert_true(text_add(&t, block, sizeof block));
	}
	text_slice(&t, 3000, 10, &held);
	int64_t base = text_line_after(&t, 600500);
	assert_int_equal(base, 601000);
	text_drop(&t, base);
	assert_int_equal(t.base, 601000);
	assert_int_equal(text_len(&t), 1000000 - 601000);
	text_slice(&t, 601000, 5, &now);
	assert_int_equal(((uint8_t *)now.iov[0].iov_base)[0], 601 & 255);
	assert_int_equal(((uint8_t *)held.iov[0].iov_base)[0], 3);        /* a reader in the middle of its copy */
	text_slice_finish(&held);
	text_slice_finish(&now);
	assert_int_equal(text_line_after(&t, t.end), t.end);
	text_drop(&t, t.end + 5);
	assert_int_equal(text_len(&t), 0);
	text_finish(&t);
	(void)state;
}

static void check_json(const char *doc, size_t len, bool want, bool want_breaks)
{
	bool breaks = false;
	if (json_check(bytes_of(doc, len), &breaks) != want)
		fail_msg("json_check(%.*s) is not %d", (int)len, doc, want);
	if (want)
		assert_int_equal(breaks, want_breaks);
}
#define JSON(doc, want) check_json(doc, sizeof doc - 1, want, false)

static void test_json_check(void **state)
{
	static const char *const numbers[] = {"0", "-0", "1.10", "12345678901234567890", "1e5", "1E+5", "-1.5e-300"};
	static const char *const not_numbers[] = {"01", "+1", "1.", ".5", "1e", "-", "NaN", "Infinity", "-Infinity", "0x10"};
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		check_json(numbers[i], strlen(numbers[i]), true, false);
	for (size_t i = 0; i < sizeof not_numbers / sizeof *not_numbers; i++)
		check_json(not_numbers[i], strlen(not_numbers[i]), false, false);
	JSON("{\"a\":1,\"a\":2}", true);
	JSON("[]", true);
	JSON(" {} ", true);
	JSON("[1,[2,{\"x\":[{}]}],\"\\u00e9\\n\",true,false,null]", true);
	check_json("{\n\"a\" : 1\r\n}", 12, true, true);
	JSON("", false);
	JSON("  ", false);
	JSON("{} {}", false);
	JSON("[1,]", false);
	JSON("{\"a\":1,}", false);
	JSON("{\"a\"}", false);
	JSON("{a:1}", false);
	JSON("[1}", false);
	JSON("\"a\nb\"", false);
	JSON("\"\\x\"", false);
	JSON("\"\\u12g4\"", false);
	JSON("\"\xff\"", false);
	JSON("\"open", false);
	JSON("{\"a\":\"cut", false);
	JSON("\xef\xbb\xbf{}", false);
	JSON("{\"a\":1}\0", false);
	JSON("tru", false);
	/* Strings are looked at eight bytes at a time: each byte at each place. */
	for (int b = 0; b < 256; b++) {
		for (size_t at = 1; at < 20; at++) {
			char text[] = "\"abcdefgh\x7f ijklmnopq\"";
			text[at] = (char)b;
			bool plain = b >= 0x20 && b < 0x80 && b != '\\' && b != '"';
			check_json(text, 21, plain || (b == '\\' && at < 19 && strchr("\\/bfnrt", text[at + 1])), false);
		}
	}
	struct buf deep = BUF_INIT;
	for (int i = 0; i < 512; i++)
		buf_addc(&deep, '[');
	for (int i = 0; i < 512; i++)
		buf_addc(&deep, ']');
	check_json(deep.data, deep.len, true, false);
	check_json(deep.data, deep.len - 1, false, false);
	buf_clear(&deep);
	for (int i = 0; i < 100000; i++)
		buf_addc(&deep, i % 2 ? '[' : '{');
	check_json(deep.data, deep.len, false, false);
	buf_finish(&deep);
	(void)state;
}

static struct record record_of(const char *key, size_t key_len, const char *value, size_t value_len)
{
	return (struct record){.offset = 7, .ts_ms = 1788235200123, .key = (const uint8_t *)key, .key_len = (uint32_t)key_len, .value = (const uint8_t *)value,
		.value_len = (uint32_t)value_len};
}

static void check_line(enum form form, const struct record *r, const char *want)
{
	struct renderer *renderer = NULL;
	struct err err = ERR_INIT;
	struct buf line = BUF_INIT;
	assert_true(renderer_create("plant.a", form, NULL, &renderer, &err));
	render_record(renderer, 3, r, &line);
	assert_string_equal(line.data, want);
	assert_int_equal(strlen(line.data), line.len);
	renderer_destroy(renderer);
	buf_finish(&line);
}
#define NDJSON(value, want) do { \
		struct record r_ = record_of("k", 1, value, sizeof value - 1); \
		check_line(FORM_NDJSON, &r_, "{\"topic\":\"plant.a\",\"partition\":3,\"offset\":7,\"timestamp\":\"2026-09-01T04:00:00.123Z\",\"key\":\"k\"," want "}\n"); \
	} while (0)

static void test_ndjson(void **state)
{
	NDJSON("{\"a\":1.10,\"n\":12345678901234567890,\"a\":2}", "\"value\":{\"a\":1.10,\"n\":12345678901234567890,\"a\":2}");
	NDJSON("{\r\n \"a\": 1\n}", "\"value\":{   \"a\": 1 }");
	NDJSON("{\"a\":NaN}", "\"value\":\"{\\\"a\\\":NaN}\"");
	NDJSON("{\"a\":", "\"value\":\"{\\\"a\\\":\"");
	NDJSON("hello\nworld\t\"x\"\\", "\"value\":\"hello\\nworld\\t\\\"x\\\"\\\\\"");
	NDJSON("", "\"value\":\"\"");
	NDJSON("a\0b", "\"value\":\"a\\u0000b\"");
	NDJSON("\x1b]52;c\a", "\"value\":\"\\u001b]52;c\\u0007\"");
	NDJSON("gr\xc3\xbc\xc3\x9f", "\"value\":\"gr\xc3\xbc\xc3\x9f\"");
	NDJSON("\xff\x00\x01", "\"value_b64\":\"/wAB\"");
	NDJSON("\xff\x00", "\"value_b64\":\"/wA=\"");
	NDJSON("\xff", "\"value_b64\":\"/w==\"");

	struct record r = record_of(NULL, 0, NULL, 0);
	r.ts_ms = TIME_NONE;
	check_line(FORM_NDJSON, &r, "{\"topic\":\"plant.a\",\"partition\":3,\"offset\":7,\"timestamp\":null,\"key\":null,\"value\":null}\n");
	r = record_of("", 0, "1", 1);
	check_line(FORM_NDJSON, &r, "{\"topic\":\"plant.a\",\"partition\":3,\"offset\":7,\"timestamp\":\"2026-09-01T04:00:00.123Z\",\"key\":\"\",\"value\":1}\n");
	r = record_of("\xfe", 1, "1", 1);
	check_line(FORM_NDJSON, &r, "{\"topic\":\"plant.a\",\"partition\":3,\"offset\":7,\"timestamp\":\"2026-09-01T04:00:00.123Z\",\"key_b64\":\"/g==\",\"value\":1}\n");

	struct buf headers = BUF_INIT;
	headers_add(&headers, bytes_str("a"), bytes_str("x\"y"));
	headers_add(&headers, bytes_str("a"), bytes_of(NULL, 0));
	headers_add(&headers, bytes_str(""), bytes_of("\xff", 1));
	r = record_of("k", 1, "[]", 2);
	r.headers = (const uint8_t *)headers.data;
	r.headers_len = (uint32_t)headers.len;
	check_line(FORM_NDJSON, &r, "{\"topic\":\"plant.a\",\"partition\":3,\"offset\":7,\"timestamp\":\"2026-09-01T04:00:00.123Z\",\"key\":\"k\","
		"\"headers\":[[\"a\",\"x\\\"y\"],[\"a\",null],[\"\",{\"b64\":\"/w==\"}]],\"value\":[]}\n");
	check_line(FORM_CSV, &r, "plant.a,3,7,2026-09-01T04:00:00.123Z,k,\"[[\"\"a\"\",\"\"x\\\"\"y\"\"],[\"\"a\"\",null],[\"\"\"\",{\"\"b64\"\":\"\"/w==\"\"}]]\",[]\n");
	buf_finish(&headers);
	r = record_of("k", 1, NULL, 0);
	r.too_large = true;
	r.size = 99;
	check_line(FORM_NDJSON, &r, "{\"topic\":\"plant.a\",\"partition\":3,\"offset\":7,\"timestamp\":\"2026-09-01T04:00:00.123Z\",\"key\":\"k\",\"value\":null,"
		"\"error\":\"the value is too large to be read (99 bytes)\"}\n");
	(void)state;
}

static void test_csv_and_txt(void **state)
{
	struct record r = record_of("a,b", 3, "x\ny\rz\0\"q\"", 9);
	check_line(FORM_CSV, &r, "plant.a,3,7,2026-09-01T04:00:00.123Z,\"a,b\",,\"x\\ny\\rz\\0\"\"q\"\"\"\n");
	check_line(FORM_TXT, &r, "x\\ny\\rz\\0\"q\"\n");
	r = record_of(NULL, 0, "", 0);
	check_line(FORM_CSV, &r, "plant.a,3,7,2026-09-01T04:00:00.123Z,,,\"\"\n");
	check_line(FORM_TXT, &r, "\n");
	r = record_of("", 0, NULL, 0);
	check_line(FORM_CSV, &r, "plant.a,3,7,2026-09-01T04:00:00.123Z,\"\",,\n");
	check_line(FORM_TXT, &r, "\n");
	(void)state;
}

static void test_rows(void **state)
{
	static const char doc[] = "{\"line\":\"A,1\",\"t\":1.50,\"n\":7,\"ok\":true,\"o\":{\"x\":\n1}}";
	struct stream *s = stream_create("r", "plant.a");
	free(s->format);
	s->format = strdup("json");
	stream_add_column(s, "line", COLUMN_TEXT, COLUMN_FROM_VALUE, NULL);
	stream_add_column(s, "t", COLUMN_REAL, COLUMN_FROM_VALUE, NULL);
	stream_add_column(s, "n", COLUMN_INTEGER, COLUMN_FROM_VALUE, NULL);
	stream_add_column(s, "ok", COLUMN_BOOLEAN, COLUMN_FROM_VALUE, NULL);
	stream_add_column(s, "o", COLUMN_JSON, COLUMN_FROM_VALUE, NULL);
	stream_add_column(s, "gone", COLUMN_TEXT, COLUMN_FROM_VALUE, NULL);
	struct stream *again = stream_copy(s);
	struct renderer *renderer = NULL;
	struct err err = ERR_INIT;
	struct buf text = BUF_INIT;
	struct record r = record_of("k", 1, doc, sizeof doc - 1), bad = record_of("k", 1, "{", 1);
	assert_true(renderer_create("plant.a", FORM_ROWS_NDJSON, s, &renderer, &err));
	render_header(renderer, &text);
	render_record(renderer, 0, &r, &text);
	render_record(renderer, 0, &bad, &text);
	assert_string_equal(text.data, "{\"line\":\"A,1\",\"t\":1.5,\"n\":7,\"ok\":true,\"o\":{\"x\": 1},\"gone\":null}\n"
		"{\"line\":null,\"t\":null,\"n\":null,\"ok\":null,\"o\":null,\"gone\":null}\n");
	renderer_destroy(renderer);
	buf_clear(&text);
	assert_true(renderer_create("plant.a", FORM_ROWS_CSV, again, &renderer, &err));
	render_header(renderer, &text);
	render_record(renderer, 0, &r, &text);
	assert_string_equal(text.data, "line,t,n,ok,o,gone\n\"A,1\",1.5,7,1,\"{\"\"x\"\":\\n1}\",\n");
	renderer_destroy(renderer);
	buf_finish(&text);
	assert_false(renderer_create("plant.a", FORM_ROWS_CSV, NULL, &renderer, &err));
	(void)state;
}

static void test_forms(void **state)
{
	size_t stem = 0;
	enum form form = FORM_N;
	assert_true(form_parse("13.rows.csv", true, &stem, &form) && stem == 2 && form == FORM_ROWS_CSV);
	assert_true(form_parse("13.rows.csv", false, &stem, &form) && stem == 7 && form == FORM_CSV);
	assert_true(form_parse(".ndjson", true, &stem, &form) && stem == 0 && form == FORM_NDJSON);
	assert_false(form_parse("tail.json", true, &stem, &form));
	assert_false(form_parse("", true, &stem, &form));
	(void)state;
}

static void check_name(const void *raw, size_t len, const char *want)
{
	struct buf name = BUF_INIT, back = BUF_INIT;
	name_encode(&name, raw, len);
	assert_string_equal(name.data, want);
	assert_true(name_decode(name.data, name.len, &back));
	assert_int_equal(back.len, len);
	assert_memory_equal(back.data, raw, len);
	buf_finish(&name);
	buf_finish(&back);
}

static void test_names(void **state)
{
	static const char *const not_canonical[] = {"%61", "%2e", "a%", "%%", "%2", ".", "..", "a/b", "", "%2F%", "\xc3\xbc"};
	check_name("press-1", 7, "press-1");
	check_name("", 0, "%");
	check_name(".", 1, "%2E");
	check_name("..", 2, "%2E%2E");
	check_name("...", 3, "...");
	check_name("a/b", 3, "a%2Fb");
	check_name("\0\xff%", 3, "%00%FF%25");
	for (size_t i = 0; i < sizeof not_canonical / sizeof *not_canonical; i++) {
		struct buf back = BUF_INIT;
		if (name_decode(not_canonical[i], strlen(not_canonical[i]), &back))
			fail_msg("%s decodes", not_canonical[i]);
		buf_finish(&back);
	}
	(void)state;
}

static void test_options(void **state)
{
	struct mount_options o;
	struct err err = ERR_INIT;
	static const char *const bad[] = {"timeout=0", "timeout=x", "segment=0", "segment=-5", "ring=1", "cache=1k", "cache=12Q", "allow_root", "topics", "internal=1", "umask=8",
		"uid=-1", "segment"};
	mount_options_init(&o);
	assert_true(mount_options_parse(&o, "timeout=0.5,segment=100,window=0,ring=2M,cache=1G,topics=plant.*,internal,uid=5,umask=027,ro,noexec", &err));
	assert_true(o.timeout_ms == 500 && o.segment_n == 100 && o.window_n == 0 && o.ring_bytes == 2 << 20 && o.cache_bytes == 1 << 30 && o.internal && o.uid == 5 && o.umask == 027);
	assert_string_equal(o.topics, "plant.*");
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (mount_options_parse(&o, bad[i], &err))
			fail_msg("-o %s was taken", bad[i]);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_keeps_what_it_got), cmocka_unit_test(test_text_drop_keeps_positions_and_held_bytes), cmocka_unit_test(test_json_check),
		cmocka_unit_test(test_ndjson), cmocka_unit_test(test_csv_and_txt), cmocka_unit_test(test_rows), cmocka_unit_test(test_forms), cmocka_unit_test(test_names),
		cmocka_unit_test(test_options),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
