/* Format and column inference: what samples of real-looking topics are taken for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "codec/codec.h"
#include "codec/infer.h"

static struct stream *s;
static struct buf report = BUF_INIT;

static int finish(void **state)
{
	stream_destroy(s);
	s = NULL;
	buf_finish(&report);
	return 0;
}

enum { SAMPLE_MAX = 64 };
static struct record records[SAMPLE_MAX];
static const struct record *samples[SAMPLE_MAX];
static size_t sample_n;

static void sample(const void *value, size_t len)
{
	records[sample_n] = (struct record){.value = value, .value_len = (uint32_t)len};
	samples[sample_n] = &records[sample_n];
	sample_n++;
}

static void begin(void)
{
	finish(NULL);
	sample_n = 0;
	s = stream_create("t", "t");
}

static void infer(void)
{
	infer_stream(s, samples, sample_n, &report);
}

static void infer_texts(const char *const *texts)
{
	begin();
	for (; *texts; texts++)
		sample(*texts, strlen(*texts));
	infer();
}

#define INFER(...) infer_texts((const char *const[]){__VA_ARGS__, NULL})

/* columns: "name type path, ..." */
static void check(const char *format, const char *columns, const char *said)
{
	struct buf b = BUF_INIT;
	for (size_t i = 0; i < s->column_n; i++)
		buf_addf(&b, "%s%s %s %s", i ? ", " : "", s->columns[i].name, column_type_name(s->columns[i].type), s->columns[i].path ? s->columns[i].path : "-");
	assert_string_equal(s->format, format);
	assert_string_equal(b.data, columns);
	assert_string_equal(report.data, said);
	buf_finish(&b);
}

static void test_json(void **state)
{
	INFER("{\"a\":1,\"o\":{\"x\":\"s\",\"deep\":{\"y\":true}},\"l\":[1]}", "{\"a\":2.5,\"b\":null,\"o\":{}}", "{\"a\":3,\"o\":{\"x\":7}}", "{\"a\":4,\"o\":{\"x\":\"q\"}}", "{bad");
	check("json", "a REAL $.a, o.x TEXT $.o.x, o.deep.y BOOLEAN $.o.deep.y, l JSON $.l, b  $.b", "json (4 of 5 messages; 1 could not be decoded), no keys");
	assert_null(s->columns[0].note);
	assert_string_equal(s->columns[1].note, "also INTEGER in 1 of 4 messages");
	assert_string_equal(s->columns[4].note, "only null in 4 messages");
}

static void test_json_names(void **state)
{
	INFER("{\"a\":1,\"A\":2,\"_ts\":3,\"a b\":4,\"x.y\":5,\"x\":{\"y\":6},\"q\\\"t\":7,\"rowtime\":8,\"\":9,\"a_2\":1}");
	check("json", "a INTEGER $.a, A_2 INTEGER $.A, _ts_2 INTEGER $._ts, a b INTEGER $.\"a b\", x.y INTEGER $.\"x.y\", x.y_2 INTEGER $.x.y, q\"t INTEGER $.\"q\\\"t\", "
		"rowtime_2 INTEGER $.rowtime, empty INTEGER $.\"\", a_2_2 INTEGER $.a_2",
		"json (1 of 1 messages), no keys");
	/* Every inferred path finds its value. */
	struct err err = ERR_INIT;
	struct decoder *d = decoder_create(s, NULL, &err);
	assert_non_null(d);
	decoder_load(d, samples[0]);
	for (size_t i = 0; i < s->column_n; i++) {
		struct field f;
		decoder_field(d, 0, i, &f);
		assert_int_equal(f.type, FIELD_INTEGER);
		assert_int_equal(f.u.i, i < 9 ? (int64_t)i + 1 : 1);
	}
	decoder_destroy(d);
}

static void test_json_odd_values(void **state)
{
	INFER("{\"n\":18446744073709551615,\"v\":NaN,\"w\":1e400}", "{\"n\":5,\"v\":1,\"w\":{\"k\":1}}", "[1,2]", "");
	check("json", "n INTEGER $.n, v REAL $.v, w REAL $.w, w.k INTEGER $.w.k, value JSON $", "json (3 of 3 messages; 1 without a value), no keys");
	assert_string_equal(s->columns[0].note, "beyond 64 bits in 1 of 3 messages, kept as TEXT digits");
	assert_string_equal(s->columns[2].note, "also an object in 1 of 3 messages");
	/* The last of repeated keys is the one that counts. */
	INFER("{\"a\":\"x\",\"a\":1}");
	check("json", "a INTEGER $.a", "json (1 of 1 messages), no keys");
	assert_null(s->columns[0].note);
}

static void test_json_many_keys(void **state)
{
	struct buf b = BUF_INIT;
	for (int i = 0; i < 2500; i++)
		buf_addf(&b, "%s\"k%d\":%d", i ? "," : "{", i, i);
	buf_addc(&b, '}');
	begin();
	sample(b.data, b.len);
	infer();
	assert_int_equal(s->column_n, CODEC_MAX_COLUMNS);
	assert_non_null(strstr(report.data, "more keys than 1900 columns"));
	buf_finish(&b);
}

static void test_explode(void **state)
{
	begin();
	s->explode = strdup("$.values[*]");
	static const char a[] = "{\"timestamp\":5,\"site\":{\"n\":\"x\"},\"other\":[1],\"values\":[{\"id\":\"t1\",\"v\":1.5,\"timestamp\":7},{\"id\":\"t2\",\"v\":true}]}";
	sample(a, sizeof a - 1);
	infer();
	check("json", "timestamp INTEGER $.timestamp, site.n TEXT $.site.n, id TEXT @.id, v REAL @.v, timestamp_2 INTEGER @.timestamp", "json (1 of 1 messages), no keys");
	begin();
	s->explode = strdup("$[*]");
	sample("[1,2,\"x\"]", 9);
	infer();
	check("json", "value INTEGER @", "json (1 of 1 messages), no keys");
	assert_string_equal(s->columns[0].note, "also TEXT in 1 of 3 elements");
}

static void test_json_lines(void **state)
{
	INFER("{\"a\":1}\n{\"a\":2}\n", "{\"a\":3}\n{\"b\":4}");
	check("jsonl", "a INTEGER $.a, b INTEGER $.b", "jsonl (2 of 2 messages), no keys");
}

static void test_csv(void **state)
{
	INFER("press-1,23.5,true", "press-2,24,false", "press-3,,true");
	check("csv", "c1 TEXT $[0], c2 REAL $[1], c3 BOOLEAN $[2]", "csv (3 of 3 messages), no keys");
	INFER("press-1;23,5", "press-2;24,1");
	check("csv", "c1 TEXT $[0], c2 REAL $[1]", "csv (2 of 2 messages; delimiter ';'; decimal comma), no keys");
	assert_int_equal(s->delimiter, ';');
	INFER("a\t1\tx", "b\t2\ty");
	check("tsv", "c1 TEXT $[0], c2 INTEGER $[1], c3 TEXT $[2]", "tsv (2 of 2 messages), no keys");
	INFER("tag,the value\r\nx,1\r\ny,2\r\n", "tag,the value\r\nz,3\r\n");
	check("csv", "tag TEXT $.tag, the value INTEGER $.\"the value\"", "csv (2 of 2 messages; with a header line), no keys");
}

static void test_text(void **state)
{
	INFER("23.5", "24", "-1e3");
	check("text", "value REAL -", "text (3 of 3 messages), no keys");
	INFER("1", "2");
	check("text", "value INTEGER -", "text (2 of 2 messages), no keys");
	INFER("23,5", "-0,25", "7");
	check("text", "value REAL -", "text (3 of 3 messages; decimal comma), no keys");
	INFER("true", "false");
	check("text", "value BOOLEAN -", "text (2 of 2 messages), no keys");
	INFER("2024-01-01 10:00:00,123 INFO started", "2024-01-01 10:00:01,456 WARN, again");
	check("text", "value TEXT -", "text (2 of 2 messages), no keys");
	INFER("Hello, world", "Goodbye, world");
	check("text", "value TEXT -", "text (2 of 2 messages), no keys");
	INFER("\"a\"", "\"b\"");
	check("json", "value TEXT $", "json (2 of 2 messages), no keys");
}

static void test_nothing(void **state)
{
	begin();
	infer();
	check("text", "value TEXT -", "text (the topic is empty: nothing to learn from), key text");
	INFER("", "  ");
	check("text", "value TEXT -", "text (2 messages, all without a value), no keys");
}

static void test_binary(void **state)
{
	begin();
	sample("\0\0\0\0\x07" "abcdef", 11);
	sample("\0\0\0\0\x07" "xyz", 8);
	sample("{\"a\":1}", 7);
	infer();
	check("raw", "value BLOB -", "raw (3 of 3 messages; Confluent-framed (schema id 7): not decoded in this version; 1 not Confluent-framed), no keys");
	begin();
	sample("\xff\xfe\x00\x01", 4);
	records[0].key = (const uint8_t *)"\xc3\x28";
	records[0].key_len = 2;
	infer();
	check("raw", "value BLOB -", "raw (1 of 1 messages), key text (binary in 1 of 1)");
}

static void test_declared(void **state)
{
	begin();
	free(s->format);
	s->format = strdup("csv");
	s->delimiter = ';';
	sample("a;1", 3);
	infer();
	check("csv", "c1 TEXT $[0], c2 INTEGER $[1]", "csv as declared (1 message looked at), no keys");
	begin();
	stream_add_column(s, "x", COLUMN_INTEGER, COLUMN_FROM_VALUE, "$.x");
	sample("{\"y\":1}", 7);
	infer();
	check("json", "x INTEGER $.x", "json (1 of 1 messages), no keys");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_json, finish),
		cmocka_unit_test_teardown(test_json_names, finish),
		cmocka_unit_test_teardown(test_json_odd_values, finish),
		cmocka_unit_test_teardown(test_json_many_keys, finish),
		cmocka_unit_test_teardown(test_explode, finish),
		cmocka_unit_test_teardown(test_json_lines, finish),
		cmocka_unit_test_teardown(test_csv, finish),
		cmocka_unit_test_teardown(test_text, finish),
		cmocka_unit_test_teardown(test_nothing, finish),
		cmocka_unit_test_teardown(test_binary, finish),
		cmocka_unit_test_teardown(test_declared, finish),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
