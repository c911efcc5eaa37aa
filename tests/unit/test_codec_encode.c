/* Fields -> payload. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "codec/encode.h"

static struct stream *s;
static struct field fields[16];
static bool given[16];

static int finish(void **state)
{
	stream_destroy(s);
	s = NULL;
	return 0;
}

static void begin(const char *format)
{
	finish(NULL);
	s = stream_create("t", "t");
	free(s->format);
	s->format = strdup(format);
}

static void add(const char *name, enum column_type type, const char *path, struct field f)
{
	fields[s->column_n] = f;
	given[s->column_n] = true;
	stream_add_column(s, name, type, COLUMN_FROM_VALUE, path);
}

static struct field text(const char *t)
{
	return (struct field){.type = FIELD_TEXT, .bytes = bytes_str(t)};
}

static struct field integer(int64_t i)
{
	return (struct field){.type = FIELD_INTEGER, .u.i = i};
}

static struct field real(double d)
{
	return (struct field){.type = FIELD_REAL, .u.d = d};
}

static void check(const char *want)
{
	struct buf b = BUF_INIT;
	struct err err = ERR_INIT;
	buf_adds(&b, "kept ");
	if (!encode_value(s, fields, given, &b, &err))
		fail_msg("%s", err.msg);
	assert_string_equal(b.data + 5, want);
	buf_finish(&b);
}

static void check_refused(enum err_id id)
{
	struct buf b = BUF_INIT;
	struct err err = ERR_INIT;
	buf_adds(&b, "kept");
	assert_false(encode_value(s, fields, given, &b, &err));
	assert_int_equal(err.id, id);
	assert_string_equal(b.data, "kept");
	buf_finish(&b);
}

static void test_json(void **state)
{
	begin("json");
	add("a", COLUMN_INTEGER, "$.a", integer(-5));
	add("o.x", COLUMN_TEXT, "$.o.x", text("q\"\n\x01\xC3\xA4\xFF"));
	add("b", COLUMN_BOOLEAN, "$.b", integer(1));
	add("o.y.z", COLUMN_REAL, NULL, integer(2));
	add("n", COLUMN_TEXT, "$.n", (struct field){.type = FIELD_NULL});
	add("j", COLUMN_JSON, "$.j", text("[1, {\"k\":null}]"));
	add("j2", COLUMN_JSON, "$.j2", text("[1"));
	add("j3", COLUMN_JSON, "$.j3", text("[NaN]"));
	add("left", COLUMN_ANY, "$.left", integer(1));
	add("k e.y", COLUMN_ANY, "$.\"k e.y\"", real(0.1));
	stream_add_column(s, "key", COLUMN_TEXT, COLUMN_FROM_KEY, NULL);
	given[8] = false;
	given[10] = true;
	fields[10] = text("not written");
	check("{\"a\":-5,\"o\":{\"x\":\"q\\\"\\n\\u0001\xC3\xA4\xEF\xBF\xBD\",\"y\":{\"z\":2.0}},\"b\":true,\"n\":null,\"j\":[1, {\"k\":null}],\"j2\":\"[1\",\"j3\":\"[NaN]\",\"k e.y\":0.1}");
	memset(given, 0, sizeof given);
	check("{}");
}

static void test_json_whole(void **state)
{
	begin("json");
	add("value", COLUMN_ANY, "$", real(1));
	check("1.0");
	add("x", COLUMN_ANY, "$.x", real(1));
	check_refused(ERR_TYPE);
}

static void test_refused(void **state)
{
	begin("json");
	add("a", COLUMN_ANY, "$.a", (struct field){.type = FIELD_BLOB, .bytes = bytes_of("x", 1)});
	check_refused(ERR_TYPE);
	fields[0] = real(NAN);
	check_refused(ERR_TYPE);
	fields[0] = integer(1);
	add("a.b", COLUMN_ANY, "$.a.b", integer(2));
	check_refused(ERR_TYPE);
	begin("json");
	add("a.b", COLUMN_ANY, "$.a.b", integer(2));
	add("a", COLUMN_ANY, "$.a", integer(1));
	check_refused(ERR_TYPE);
	begin("json");
	add("a", COLUMN_ANY, "$.a[1]", integer(2));
	check_refused(ERR_UNSUPPORTED);
	begin("json");
	add("a", COLUMN_ANY, "@.a", integer(2));
	check_refused(ERR_UNSUPPORTED);
}

static void test_csv(void **state)
{
	begin("csv");
	add("a", COLUMN_TEXT, NULL, text("x,y"));
	add("b", COLUMN_REAL, NULL, real(2.5));
	add("c", COLUMN_TEXT, NULL, text(""));
	add("d", COLUMN_TEXT, NULL, (struct field){.type = FIELD_NULL});
	add("e f", COLUMN_TEXT, NULL, text("\"q\"\n"));
	add("g", COLUMN_BOOLEAN, NULL, integer(0));
	check("\"x,y\",2.5,\"\",,\"\"\"q\"\"\n\",false");
	s->delimiter = ';';
	s->decimal = ',';
	s->header = true;
	check("a;b;c;d;e f;g\nx,y;2,5;\"\";;\"\"\"q\"\"\n\";false");
	begin("csv");
	s->header = true;
	add("a", COLUMN_TEXT, "$.\"the tag\"", text("x"));
	add("b", COLUMN_TEXT, "unit", text("bar"));
	check("the tag,unit\nx,bar");
	begin("csv");
	add("third", COLUMN_INTEGER, "$[2]", integer(3));
	add("first", COLUMN_INTEGER, "0", integer(1));
	check("1,,3");
	fields[0] = (struct field){.type = FIELD_BLOB, .bytes = bytes_of("x", 1)};
	check_refused(ERR_TYPE);
}

static void test_text(void **state)
{
	begin("text");
	add("value", COLUMN_TEXT, NULL, text("a\nb"));
	check("a\nb");
	fields[0] = integer(7);
	check("7");
	fields[0] = (struct field){.type = FIELD_BLOB, .bytes = bytes_of("\xFF", 1)};
	check("\xFF");
	add("more", COLUMN_TEXT, NULL, text("x"));
	check_refused(ERR_TYPE);
	begin("nosuch");
	check_refused(ERR_UNSUPPORTED);
}

static void test_reals(void **state)
{
	static const struct {
		double d;
		const char *want;
	} cases[] = {
		{1, "1.0"}, {0, "0.0"}, {-0.0, "-0.0"}, {0.1, "0.1"}, {1e300, "1e300"}, {1e15, "1e15"}, {123456789012345, "123456789012345.0"}, {-2.5e-7, "-2.5e-7"},
		{0.1 + 0.2, "0.30000000000000004"}, {1.0 / 3, "0.3333333333333333"}, {5e-324, "5e-324"}, {1.7976931348623157e308, "1.7976931348623157e308"}, {NAN, "null"}, {-INFINITY, "null"},
	};
	/* A decimal comma in the process's locale must not reach the data. */
	bool localized = setlocale(LC_NUMERIC, "de_DE.UTF-8") != NULL;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf b = BUF_INIT;
		encode_real(&b, cases[i].d);
		if (cases[i].d != 5e-324)
			assert_string_equal(b.data, cases[i].want);
		else
			assert_true(strtod(b.data, NULL) == 5e-324 || localized);
		buf_finish(&b);
	}
	setlocale(LC_NUMERIC, "C");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_json, finish),
		cmocka_unit_test_teardown(test_json_whole, finish),
		cmocka_unit_test_teardown(test_refused, finish),
		cmocka_unit_test_teardown(test_csv, finish),
		cmocka_unit_test_teardown(test_text, finish),
		cmocka_unit_test_teardown(test_reals, finish),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
