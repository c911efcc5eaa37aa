/* The JSON decoder: what a message with good and bad parts gives, by the rules of the format. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "codec/codec.h"

/* Decodes one message; columns[i] is a path. Fields and error text stay valid until the next call. */
static struct stream *stream;
static struct decoder *decoder;
static struct field fields[16];

static int finish(void **state)
{
	decoder_destroy(decoder);
	stream_destroy(stream);
	decoder = NULL;
	stream = NULL;
	return 0;
}

static size_t decode(const char *format, const char *explode, const void *value, size_t len, const char *const *paths)
{
	finish(NULL);
	stream = stream_create("t", "t");
	free(stream->format);
	stream->format = strdup(format);
	stream->explode = explode ? strdup(explode) : NULL;
	for (size_t i = 0; paths[i]; i++)
		stream_add_column(stream, paths[i], COLUMN_ANY, COLUMN_FROM_VALUE, paths[i][0] == '=' ? NULL : paths[i]);
	struct err err = ERR_INIT;
	decoder = decoder_create(stream, NULL, &err);
	assert_non_null(decoder);
	/* An exact copy lets sanitizers see a read past the end. */
	static uint8_t *copy;
	free(copy);
	copy = malloc(len ? len : 1);
	memcpy(copy, value, len);
	struct record r = {.value = copy, .value_len = (uint32_t)len};
	size_t n = decoder_load(decoder, &r);
	for (size_t i = 0; paths[i] && i < 16; i++)
		decoder_field(decoder, 0, i, &fields[i]);
	return n;
}

#define DECODE(value, ...) decode("json", NULL, value, sizeof(value) - 1, (const char *const[]){__VA_ARGS__, NULL})

static void check_text(const struct field *f, const char *want)
{
	assert_int_equal(f->type, FIELD_TEXT);
	assert_int_equal(f->bytes.len, strlen(want));
	assert_memory_equal(f->bytes.data, want, strlen(want));
}

static void check_error(const char *want)
{
	assert_string_equal(decoder_error(decoder, 0, true), want);
}

static void test_scalars(void **state)
{
	DECODE("{\"i\":-7,\"r\":0.10,\"e\":1E2,\"t\":\"x\",\"b\":true,\"n\":null,\"o\":{\"k\":[1, 2]},\"z\":-0}", "$.i", "$.r", "$.e", "$.t", "$.b", "$.n", "$.o", "$.o.k[1]", "$.z", "$.none");
	assert_int_equal(fields[0].type, FIELD_INTEGER);
	assert_int_equal(fields[0].u.i, -7);
	assert_int_equal(fields[1].type, FIELD_REAL);
	assert_true(fields[1].u.d == 0.1);
	assert_memory_equal(fields[1].bytes.data, "0.10", 4);
	assert_int_equal(fields[2].type, FIELD_REAL);
	assert_true(fields[2].u.d == 100.0);
	check_text(&fields[3], "x");
	assert_int_equal(fields[4].type, FIELD_BOOLEAN);
	assert_int_equal(fields[4].u.i, 1);
	assert_int_equal(fields[5].type, FIELD_NULL);
	assert_int_equal(fields[6].type, FIELD_JSON);
	assert_int_equal(fields[6].bytes.len, strlen("{\"k\":[1, 2]}"));
	assert_int_equal(fields[7].u.i, 2);
	assert_int_equal(fields[8].type, FIELD_INTEGER);
	assert_memory_equal(fields[8].bytes.data, "-0", 2);
	assert_int_equal(fields[9].type, FIELD_ABSENT);
	check_error("");
}

static void test_malformed(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{"{\"a\":1", "JSON: unexpected end at byte 6"},
		{"{\"a\":1}{\"a\":2}", "JSON: trailing data at byte 7"},
		{"{\"a\":1} x", "JSON: trailing data at byte 8"},
		{"{\"a\":01}", "JSON: bad number at byte 6"},
		{"{\"a\":1.}", "JSON: bad number at byte 7"},
		{"{\"a\":tru}", "JSON: expected a value at byte 5"},
		{"{\"a\" 1}", "JSON: expected ':' at byte 5"},
		{"{\"a\":1,}", "JSON: expected a key in quotes at byte 7"},
		{"{a:1}", "JSON: expected a key in quotes at byte 1"},
		{"{\"a\":1]", "JSON: expected ',' or '}' at byte 6"},
		{"[1 2]", "JSON: expected ',' or ']' at byte 3"},
		{"{\"a\":\"\\x\"}", "JSON: bad escape at byte 6"},
		{"{\"a\":\"\\u12g4\"}", "JSON: bad \\u escape at byte 6"},
		{"{\"a\":\"x\n\"}", "JSON: control character in a string at byte 7"},
		{"{\"a\":\"x", "JSON: unexpected end in a string at byte 7"},
		{"[1,]", "JSON: expected a value at byte 3"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		static const char *const paths[] = {"$.a", "$", NULL};
		assert_int_equal(decode("json", NULL, cases[i].text, strlen(cases[i].text), paths), 1);
		assert_int_equal(fields[0].type, FIELD_ERROR);
		assert_int_equal(fields[1].type, FIELD_ERROR);
		check_error(cases[i].error);
	}
}

static void test_repeated_key(void **state)
{
	DECODE("{\"a\":{\"b\":1,\"d\":5},\"x\":1,\"a\":{\"c\":2},\"x\":2}", "$.a.b", "$.a.c", "$.x", "$.a.d");
	assert_int_equal(fields[0].type, FIELD_ABSENT);
	assert_int_equal(fields[1].u.i, 2);
	assert_int_equal(fields[2].u.i, 2);
	assert_int_equal(fields[3].type, FIELD_ABSENT);
	DECODE("{\"a\":[1,2],\"a\":3}", "$.a[0]", "$.a");
	assert_int_equal(fields[0].type, FIELD_ABSENT);
	assert_int_equal(fields[1].u.i, 3);
}

static void test_explode(void **state)
{
	static const char doc[] = "{\"t\":5,\"v\":[{\"id\":1,\"t\":7},{\"id\":2},3],\"u\":\"bar\"}";
	static const char *const paths[] = {"$.t", "@.id", "@", "=u", NULL};
	assert_int_equal(decode("json", "$.v[*]", doc, sizeof doc - 1, paths), 3);
	for (size_t row = 0; row < 3; row++) {
		struct field f;
		decoder_field(decoder, row, 0, &f);
		assert_int_equal(f.u.i, 5);
		decoder_field(decoder, row, 1, &f);
		assert_int_equal(f.type, row < 2 ? FIELD_INTEGER : FIELD_ABSENT);
		if (row < 2)
			assert_int_equal(f.u.i, (int64_t)row + 1);
	}
	static const char *const empty[] = {"{\"v\":[]}", "{}", "{\"v\":null}", "", "{\"v\":["};
	for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
		assert_int_equal(decode("json", "$.v[*]", empty[i], strlen(empty[i]), paths), 1);
		assert_int_equal(fields[1].type, i == 4 ? FIELD_ERROR : FIELD_ABSENT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_scalars, finish),
		cmocka_unit_test_teardown(test_malformed, finish),
		cmocka_unit_test_teardown(test_repeated_key, finish),
		cmocka_unit_test_teardown(test_explode, finish),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
