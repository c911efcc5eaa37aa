/* Units of shell/ that need no session: lexing of scripts, suggestions, numbers, JSON checks, the history's filter, CSV reading, sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "core/time.h"
#include "shell/csv_read.h"
#include "shell/history.h"
#include "shell/options.h"
#include "shell/print.h"
#include "shell/sqlscan.h"
#include "shell/suggest.h"

static void test_sqlscan(void **state)
{
	static const struct {
		const char *text;
		char open;
		bool semicolon, text_seen;
		size_t stop;                         /* where a backslash was found; 999 = none */
	} cases[] = {
		{"select 1;", 0, true, true, 999}, {"select ';", '\'', false, true, 999}, {"select 'it''s';", 0, true, true, 999}, {"-- ; x", '-', false, false, 999},
		{"/* ; */", 0, false, false, 999}, {"/* ;", '*', false, false, 999}, {"select \"a\\b\" \\gx", 0, false, true, 13}, {"[a;b]", 0, false, true, 999},
		{"`;", '`', false, true, 999}, {"  ", 0, false, false, 999}, {"select '\\x'", 0, false, true, 999}, {"a-b/c", 0, false, true, 999},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct sqlscan s;
		sqlscan_reset(&s);
		size_t len = strlen(cases[i].text);
		size_t used = sqlscan_feed(&s, cases[i].text, len);
		assert_int_equal(used, cases[i].stop == 999 ? len : cases[i].stop);
		assert_int_equal(s.open, cases[i].open);
		assert_int_equal(s.semicolon, cases[i].semicolon);
		assert_int_equal(s.text, cases[i].text_seen);
	}
	/* Split anywhere between lines, the state is the same as of the whole. */
	struct sqlscan s;
	sqlscan_reset(&s);
	sqlscan_feed(&s, "select 'a\n", 10);
	sqlscan_feed(&s, "b;'", 3);
	assert_false(s.semicolon);
	assert_int_equal(s.open, 0);
	assert_int_equal(sqlscan_statement("a 'x;' ; b", 10), 8);
	assert_int_equal(sqlscan_statement("a \\ ; b", 7), 5);
	assert_int_equal(sqlscan_blank(" -- x\n /* y */ z", 16), 15);
	assert_int_equal(sqlscan_blank("/* open", 7), 7);
}

static void test_suggest(void **state)
{
	assert_int_equal(suggest_distance("timing", "timing"), 0);
	assert_int_equal(suggest_distance("timng", "timing"), 1);
	assert_int_equal(suggest_distance("tmiing", "timing"), 1);
	assert_int_equal(suggest_distance("", "abc"), 3);
	assert_int_equal(suggest_distance("ABC", "abc"), 0);
	struct suggest s;
	suggest_init(&s, "broker");
	suggest_offer(&s, "timeout");
	assert_null(s.best);
	suggest_offer(&s, "brokers");
	assert_string_equal(s.best, "brokers");
}

static void test_real(void **state)
{
	char text[NUMBER_TEXT_MAX];
	/* Whatever comes out must read back to the same bits, and no shorter decimal may. */
	uint64_t x = 88172645463325252ull;
	for (int i = 0; i < 200000; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		double v;
		if (i % 2) {
			memcpy(&v, &x, sizeof v);
			if (v != v || v > 1.7e308 || v < -1.7e308)
				continue;
		} else {
			v = (double)(int64_t)(x % 2000000000u) / 1000.0 - 500000;
		}
		size_t n = print_real(v, text);
		assert_int_equal(n, strlen(text));
		assert_true(strtod(text, NULL) == v);
		assert_non_null(strpbrk(text, ".e"));
	}
	print_real(21.4, text);
	assert_string_equal(text, "21.4");
	print_real(-0.0, text);
	assert_string_equal(text, "-0.0");
	print_real(0.001, text);
	assert_string_equal(text, "0.001");
	assert_int_equal(int_text(INT64_MIN, text), 20);
	assert_string_equal(text, "-9223372036854775808");
}

static void test_json(void **state)
{
	static const char *const good[] = {"{}", "[]", " [1, 2.5e-3, -0, \"a\\u00e9\", true, false, null] ", "{\"a\":{\"b\":[{}]}}", "1", "\"x\"", "[[[[]]]]"};
	static const char *const bad[] = {"", "{", "[1,]", "{\"a\"}", "{\"a\":1,}", "01", "1.", "nul", "[1] 2", "\"a\nb\"", "\"\\x\"", "{a:1}", "[1}", "\"\xff\"", "-", "\"\\u12g4\"", "NaN"};
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_true(print_json_valid(good[i], strlen(good[i])));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(print_json_valid(bad[i], strlen(bad[i])));
	char deep[100000];
	memset(deep, '[', sizeof deep);
	assert_false(print_json_valid(deep, sizeof deep));
	struct buf b = BUF_INIT;
	print_json_string(&b, "a\"\\\n\x01\xff\xe2\x80\xae", 9, true);
	assert_string_equal(b.data, "\"a\\\"\\\\\\n\\u0001\xef\xbf\xbd\\u202e\"");
	buf_clear(&b);
	print_base64(&b, "\0\xff\x10z", 4);
	assert_string_equal(b.data, "AP8Qeg==");
	buf_finish(&b);
}

static void test_history_filter(void **state)
{
	static const char *const kept[] = {"select 1", "select * from tokens", "select password from users where id = 3", "\\set x 1", "select secret_level, x from plant"};
	static const char *const dropped[] = {" select 1", "\tselect 1", "", "set 'sasl.password' = 'x'", "attach cluster 'b' as c with (sasl.password='x')", "select 'PASSWORD: x'",
		"\\set token abc", "create user u identified password by 'x'", "{\"api_key\": \"x\"}", "sasl.jaas.config=org.apache"};
	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
		assert_true(history_keeps(kept[i]));
	for (size_t i = 0; i < sizeof dropped / sizeof *dropped; i++)
		assert_false(history_keeps(dropped[i]));
}

static void test_csv(void **state)
{
	static const char text[] = "\xef\xbb\xbf" "a,\"b \"\"q\"\"\",\r\n\"line\nbreak\",,x\n\nlast";
	int fd[2];
	assert_int_equal(pipe(fd), 0);
	assert_int_equal(write(fd[1], text, sizeof text - 1), sizeof text - 1);
	close(fd[1]);
	struct csv_reader *r = malloc(sizeof *r);
	struct err err = ERR_INIT;
	bool end;
	size_t len;
	csv_reader_init(r, fd[0], ',');
	assert_true(csv_reader_next(r, &end, &err) && !end);
	assert_int_equal(r->field_n, 3);
	assert_memory_equal(csv_reader_field(r, 1, &len), "b \"q\"", 5);
	assert_true(r->quoted[1] && !r->quoted[2]);
	assert_true(csv_reader_next(r, &end, &err) && !end);
	assert_int_equal(r->line, 2);
	assert_int_equal(r->field_n, 3);
	assert_memory_equal(csv_reader_field(r, 0, &len), "line\nbreak", 10);
	assert_true(csv_reader_next(r, &end, &err) && !end);
	assert_int_equal(r->line, 4);
	assert_int_equal(r->field_n, 1);
	assert_true(csv_reader_next(r, &end, &err) && !end);
	assert_memory_equal(csv_reader_field(r, 0, &len), "last", 4);
	assert_true(csv_reader_next(r, &end, &err) && end);
	csv_reader_finish(r);
	free(r);
	close(fd[0]);
}

static void test_sizes(void **state)
{
	int64_t v = 7;
	assert_true(options_parse_bytes("10", &v) && v == 10);
	assert_true(options_parse_bytes("1.5k", &v) && v == 1536);
	assert_true(options_parse_bytes("2MB", &v) && v == 2000000);
	assert_true(options_parse_bytes("1GiB", &v) && v == 1073741824);
	assert_false(options_parse_bytes("", &v));
	assert_false(options_parse_bytes("-1", &v));
	assert_false(options_parse_bytes("1x", &v));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sqlscan), cmocka_unit_test(test_suggest), cmocka_unit_test(test_real), cmocka_unit_test(test_json),
		cmocka_unit_test(test_history_filter), cmocka_unit_test(test_csv), cmocka_unit_test(test_sizes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
