/* CSV, text and raw payloads; keys and headers as columns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "codec/codec.h"
#include "core/buf.h"
#include "core/headers.h"

static struct stream *stream;
static struct decoder *decoder;

static int finish(void **state)
{
	decoder_destroy(decoder);
	stream_destroy(stream);
	decoder = NULL;
	stream = NULL;
	return 0;
}

static void begin(const char *format)
{
	finish(NULL);
	stream = stream_create("t", "t");
	free(stream->format);
	stream->format = strdup(format);
}

static void column(const char *name, enum column_type type, const char *path)
{
	stream_add_column(stream, name, type, COLUMN_FROM_VALUE, path);
}

static size_t load(const void *value, size_t len)
{
	struct err err = ERR_INIT;
	if (!decoder)
		decoder = decoder_create(stream, NULL, &err);
	assert_non_null(decoder);
	struct record r = {.value = value, .value_len = (uint32_t)len};
	return decoder_load(decoder, &r);
}

#define LOAD(text) load(text, sizeof(text) - 1)

/* One row as text: int:1 real:2.5 bool:1 text:x null - (absent) blob:.. error */
static void check_row(size_t row, const char *want)
{
	struct buf b = BUF_INIT;
	for (size_t i = 0; i < stream->column_n; i++) {
		struct field f;
		decoder_field(decoder, row, i, &f);
		if (i)
			buf_addc(&b, '|');
		switch (f.type) {
		case FIELD_ABSENT:
			buf_addc(&b, '-');
			break;
		case FIELD_NULL:
			buf_adds(&b, "null");
			break;
		case FIELD_INTEGER:
			buf_addf(&b, "int:%lld", (long long)f.u.i);
			break;
		case FIELD_REAL:
			buf_addf(&b, "real:%g", f.u.d);
			break;
		case FIELD_BOOLEAN:
			buf_addf(&b, "bool:%lld", (long long)f.u.i);
			break;
		case FIELD_TEXT:
		case FIELD_JSON:
		case FIELD_BLOB:
			buf_adds(&b, f.type == FIELD_TEXT ? "text:" : f.type == FIELD_JSON ? "json:" : "blob:");
			buf_add(&b, f.bytes.data, f.bytes.len);
			break;
		case FIELD_ERROR:
			buf_adds(&b, "error");
			break;
		}
	}
	assert_string_equal(b.data, want);
	buf_finish(&b);
}

static void check_error(size_t row, const char *want)
{
	assert_string_equal(decoder_error(decoder, row, true), want);
}

static void test_rfc4180(void **state)
{
	begin("csv");
	column("a", COLUMN_ANY, NULL);
	column("b", COLUMN_ANY, NULL);
	column("c", COLUMN_TEXT, NULL);
	assert_int_equal(LOAD("\xEF\xBB\xBFx,1,\"say \"\"hi\"\"\"\r\n\r\n\"two\nlines\",2.50,\ry,007,\"\"\n\"12\",-3e2,z"), 4);
	check_row(0, "text:x|int:1|text:say \"hi\"");
	check_row(1, "text:two\nlines|real:2.5|null");
	check_row(2, "text:y|text:007|text:");
	check_row(3, "text:12|real:-300|text:z");
	for (size_t row = 0; row < 4; row++)
		check_error(row, "");
}

static void test_faults(void **state)
{
	begin("csv");
	column("a", COLUMN_TEXT, NULL);
	column("b", COLUMN_INTEGER, NULL);
	assert_int_equal(LOAD("x,1\n\"m\nn\",2\ny\nz,3,4\n\"q\"r,5\ns\xDF,6\nu\"v,7\n\"open,8\n9,9"), 8);
	check_row(2, "text:y|-");
	check_error(2, "CSV line 4: 1 fields, expected 2");
	check_row(3, "text:z|int:3");
	check_error(3, "CSV line 5: 3 fields, expected 2");
	check_row(4, "text:qr|int:5");
	check_error(4, "CSV line 6: text after a closing quote");
	check_row(5, "error|int:6");
	check_error(5, "a: invalid UTF-8");
	check_row(6, "text:u\"v|int:7");
	check_error(6, "");
	check_row(7, "text:open,8\n9,9|-");
	check_error(7, "CSV line 9: quote is not closed; CSV line 9: 1 fields, expected 2");
	check_error(0, "");
	assert_int_equal(load("a\0b,1", 5), 1);
	struct field f;
	decoder_field(decoder, 0, 0, &f);
	assert_int_equal(f.bytes.len, 3);
	/* A cell of 1 MB. */
	char *big = malloc(1 << 20);
	memset(big, 'x', 1 << 20);
	memcpy(big + (1 << 20) - 2, ",4", 2);
	assert_int_equal(load(big, 1 << 20), 1);
	decoder_field(decoder, 0, 0, &f);
	assert_int_equal(f.bytes.len, (1 << 20) - 2);
	free(big);
}

static void test_nothing(void **state)
{
	begin("csv");
	column("a", COLUMN_TEXT, NULL);
	assert_int_equal(LOAD(""), 1);
	check_row(0, "-");
	assert_int_equal(LOAD("\n\r\n"), 1);
	check_error(0, "");
	assert_int_equal(load(NULL, 0), 1);
	check_row(0, "-");
	check_error(0, "");
}

static void test_header(void **state)
{
	begin("csv");
	stream->header = true;
	column("value", COLUMN_REAL, NULL);
	column("tag", COLUMN_TEXT, "$.\"tag name\"");
	column("first", COLUMN_ANY, "$[0]");
	column("nowhere", COLUMN_ANY, NULL);
	assert_int_equal(LOAD("tag name,Value\nx,1\ny\n"), 2);
	check_row(0, "real:1|text:x|text:x|-");
	check_error(0, "");
	check_row(1, "-|text:y|text:y|-");
	check_error(1, "CSV line 3: 1 fields, expected 2");
	/* The next message may order its cells otherwise. */
	assert_int_equal(LOAD("value;x,value,tag name\na,2,b"), 1);
	check_row(0, "real:2|text:b|text:a|-");
	assert_int_equal(LOAD("tag name,value\n"), 1);
	check_row(0, "-|-|-|-");
}

static void test_types(void **state)
{
	begin("csv");
	stream->delimiter = ';';
	stream->decimal = ',';
	column("r", COLUMN_REAL, NULL);
	column("i", COLUMN_INTEGER, NULL);
	column("b", COLUMN_BOOLEAN, NULL);
	column("t", COLUMN_TIMESTAMP, NULL);
	column("any", COLUMN_ANY, NULL);
	assert_int_equal(LOAD("3,14;5;ON;1970-01-01 00:00:02;1,5\n 2 ;\"6\";false;99;1.5\nERR;x;?;later;0,\n5;18446744073709551615;1;;"), 4);
	check_row(0, "real:3.14|int:5|bool:1|int:2000|real:1.5");
	check_row(1, "real:2|int:6|bool:0|int:99|text:1.5");
	check_row(2, "text:ERR|text:x|text:?|text:later|real:0");
	check_row(3, "real:5|text:18446744073709551615|bool:1|null|null");
}

static void test_index_paths(void **state)
{
	begin("tsv");
	column("third", COLUMN_INTEGER, "$[2]");
	column("first", COLUMN_TEXT, "0");
	assert_int_equal(LOAD("a\tb\t3\td\te\n f\tg"), 2);
	check_row(0, "int:3|text:a");
	check_error(0, "");
	check_row(1, "-|text: f");
	check_error(1, "CSV line 2: 2 fields, expected at least 3");
}

static void test_text(void **state)
{
	begin("text");
	column("value", COLUMN_ANY, NULL);
	column("t", COLUMN_TEXT, NULL);
	column("i", COLUMN_INTEGER, NULL);
	column("r", COLUMN_REAL, NULL);
	column("b", COLUMN_BOOLEAN, NULL);
	assert_int_equal(LOAD("42"), 1);
	check_row(0, "text:42|text:42|int:42|real:42|text:42");
	LOAD("off\n");
	check_row(0, "text:off\n|text:off\n|text:off\n|text:off\n|bool:0");
	check_error(0, "");
	LOAD("");
	check_row(0, "text:|text:|text:|text:|text:");
	load(NULL, 0);
	check_row(0, "-|-|-|-|-");
	LOAD("\xFFz");
	check_row(0, "blob:\xFFz|blob:\xFFz|blob:\xFFz|blob:\xFFz|blob:\xFFz");
	check_error(0, "invalid UTF-8, given as BLOB");
	begin("raw");
	column("value", COLUMN_ANY, NULL);
	LOAD("abc");
	check_row(0, "blob:abc");
	check_error(0, "");
}

static void test_key_and_headers(void **state)
{
	begin("text");
	free(stream->key_format);
	stream->key_format = strdup("json");
	stream_add_column(stream, "k", COLUMN_ANY, COLUMN_FROM_KEY, NULL);
	stream_add_column(stream, "id", COLUMN_ANY, COLUMN_FROM_KEY, "$.id");
	stream_add_column(stream, "h", COLUMN_TEXT, COLUMN_FROM_HEADER, "unit");
	stream_add_column(stream, "n", COLUMN_INTEGER, COLUMN_FROM_HEADER, "count");
	stream_add_column(stream, "none", COLUMN_ANY, COLUMN_FROM_HEADER, NULL);
	struct buf headers = BUF_INIT;
	headers_add(&headers, bytes_str("unit"), bytes_str("psi"));
	headers_add(&headers, bytes_str("count"), bytes_str("12"));
	headers_add(&headers, bytes_str("unit"), bytes_str("bar"));
	headers_add(&headers, bytes_str(""), bytes_str("empty name"));
	decoder = decoder_create(stream, NULL, NULL);
	struct record r = {.key = (const uint8_t *)"{\"id\":7}", .key_len = 8, .value = (const uint8_t *)"v", .value_len = 1, .headers = (const uint8_t *)headers.data, .headers_len = (uint32_t)headers.len};
	decoder_load(decoder, &r);
	check_row(0, "json:{\"id\":7}|int:7|text:bar|int:12|-");
	check_error(0, "");
	headers_add(&headers, bytes_str("unit"), bytes_of(NULL, 0));
	headers_add(&headers, bytes_str("count"), bytes_str("\xFF"));
	r.headers = (const uint8_t *)headers.data;
	r.headers_len = (uint32_t)headers.len;
	r.key = (const uint8_t *)"{\"id\":";
	r.key_len = 6;
	decoder_load(decoder, &r);
	check_row(0, "error|error|null|blob:\xFF|-");
	check_error(0, "key: JSON: unexpected end at byte 6");
	r.key = NULL;
	r.headers = NULL;
	r.headers_len = 0;
	decoder_load(decoder, &r);
	check_row(0, "-|-|-|-|-");
	buf_finish(&headers);
	/* Keys as text: NULL, empty and binary stay apart. */
	begin("json");
	stream_add_column(stream, "k", COLUMN_ANY, COLUMN_FROM_KEY, NULL);
	decoder = decoder_create(stream, NULL, NULL);
	r = (struct record){.key = (const uint8_t *)"", .key_len = 0};
	decoder_load(decoder, &r);
	check_row(0, "text:");
	r = (struct record){.key = (const uint8_t *)"\xC3\x28", .key_len = 2};
	decoder_load(decoder, &r);
	check_row(0, "blob:\xC3\x28");
}

static void test_formats(void **state)
{
	bool multi;
	assert_true(codec_known("JSON", &multi));
	assert_false(multi);
	assert_true(codec_known("csv", &multi));
	assert_true(multi);
	assert_false(codec_known("auto", NULL));
	assert_false(codec_known("avro", &multi));
	/* Every name that is listed is known. */
	char *names = strdup(codec_names());
	for (char *at = strtok(names, ", "); at; at = strtok(NULL, ", "))
		assert_true(codec_known(at, NULL));
	free(names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_rfc4180, finish),
		cmocka_unit_test_teardown(test_faults, finish),
		cmocka_unit_test_teardown(test_nothing, finish),
		cmocka_unit_test_teardown(test_header, finish),
		cmocka_unit_test_teardown(test_types, finish),
		cmocka_unit_test_teardown(test_index_paths, finish),
		cmocka_unit_test_teardown(test_text, finish),
		cmocka_unit_test_teardown(test_key_and_headers, finish),
		cmocka_unit_test_teardown(test_formats, finish),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
