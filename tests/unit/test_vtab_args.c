/* The text of a table's arguments: what is read, what is refused, and that a stream written as DDL is read back equal. */
#include "support/vtab_fixture.h"
#include "vtab/table.h"

static struct stream *read_args(struct err *err, int argc, const char *const *argv)
{
	struct stream *s = NULL;
	err_clear(err);
	if (!stream_from_args("t", argc, argv, &s, err))
		assert_null(s);
	return s;
}
#define READ(err, ...) read_args(err, (int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)), (const char *const[]){__VA_ARGS__})

static void test_read(void **state)
{
	struct err err = ERR_INIT;
	struct stream *s = READ(&err, "'plant.sensors'", " format = 'json' ", "cluster = 'line1'", "id INTEGER", "\"odd \"\"name\" TEXT FROM '$.a,b'", "h TEXT FROM HEADER 'it''s'", "k FROM KEY", "kp VARCHAR(20) FROM KEY '$.x'", "d DOUBLE PRECISION NOT NULL", "partitioner = consistent");
	assert_non_null(s);
	assert_string_equal(s->topic, "plant.sensors");
	assert_string_equal(s->cluster, "line1");
	assert_int_equal(s->column_n, 6);
	assert_string_equal(s->columns[0].path, "$.id");
	assert_string_equal(s->columns[1].name, "odd \"name");
	assert_string_equal(s->columns[1].path, "$.a,b");
	assert_string_equal(s->columns[2].path, "it's");
	assert_int_equal(s->columns[2].origin, COLUMN_FROM_HEADER);
	assert_null(s->columns[3].path);
	assert_int_equal(s->columns[3].type, COLUMN_ANY);
	assert_int_equal(s->columns[4].type, COLUMN_TEXT);
	assert_int_equal(s->columns[5].type, COLUMN_REAL);
	assert_true(s->partitioner_given && s->partitioner == PARTITIONER_CONSISTENT);
	stream_destroy(s);

	/* ksqlDB and Flink. */
	s = READ(&err, "KAFKA_TOPIC='a'", "VALUE_FORMAT='DELIMITED'", "VALUE_DELIMITER='TAB'", "PARTITIONS=3", "x INT");
	assert_non_null(s);
	assert_string_equal(s->format, "csv");
	assert_int_equal(s->delimiter, '\t');
	assert_string_equal(s->columns[0].path, "x");
	stream_destroy(s);
	s = READ(&err, "'connector' = 'upsert-kafka'", "'topic' = 'a'", "'scan.startup.mode' = 'earliest-offset'", "'properties.group.id' = 'g'", "'value.format' = 'json'", "`id` STRING PRIMARY KEY");
	assert_non_null(s);
	assert_int_equal(s->kind, STREAM_CHANGELOG);
	assert_int_equal(s->columns[0].origin, COLUMN_FROM_KEY);
	stream_destroy(s);
}

static void refused(enum err_id id, const char *part, const char *hint, int argc, const char *const *argv)
{
	struct err err = ERR_INIT;
	struct stream *s = read_args(&err, argc, argv);
	if (s || err.id != id || !strstr(err.msg, part) || !strstr(err.hint, hint))
		fail_msg("%s: got %d %s (%s)", argv[argc - 1], (int)err.id, err.msg, err.hint);
}
#define REFUSED(id, part, hint, ...) refused(id, part, hint, (int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)), (const char *const[]){__VA_ARGS__})

static void test_refused(void **state)
{
	REFUSED(ERR_OPTION, "fromat", "format", "'a'", "fromat = 'json'");
	REFUSED(ERR_OPTION, "wibble", "options:", "'a'", "wibble = 'x'");
	REFUSED(ERR_OPTION, "unknown format", "json", "'a'", "format = 'jsn'");
	REFUSED(ERR_OPTION, "every topic table", "", "'a'", "_Offset INTEGER");
	REFUSED(ERR_OPTION, "every topic table", "", "'a'", "rowtime INTEGER");
	REFUSED(ERR_OPTION, "twice", "", "'a'", "x INT", "X INT");
	REFUSED(ERR_OPTION, "no topic", "", "format = 'json'");
	REFUSED(ERR_OPTION, "legal topic name", "", "'../etc'");
	REFUSED(ERR_OPTION, "quote is not closed", "", "'a'", "\"x INT");
	REFUSED(ERR_OPTION, "one PRIMARY KEY", "", "'a'", "x TEXT PRIMARY KEY", "y TEXT PRIMARY KEY");
	REFUSED(ERR_OPTION, "names no column", "", "'a'", "timestamp = 'z'", "x INT");
	REFUSED(ERR_OPTION, "", "", "'a'", "= 'x'");
	REFUSED(ERR_OPTION, "", "", "'a'", "x INT FROM");
	REFUSED(ERR_OPTION, "", "", "'a'", "x INT FROM HEADER");
	REFUSED(ERR_OPTION, "", "", "'a'", "'x' INT");
	static const char *const settings[] = {
		"bootstrap.servers", "'properties.bootstrap.servers'", "brokers", "sasl.password", "properties.sasl.jaas.config", "ssl.ca.location", "plugin.library.paths", "security.protocol", "'properties.interceptor.classes'", "'properties.anything'",
		"test.mock.num.brokers", "schema.registry.url",
	};
	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
		char arg[100];
		snprintf(arg, sizeof arg, "%s = 'x'", settings[i]);
		REFUSED(ERR_FORBIDDEN_SETTING, "", "profile", "'a'", arg);
	}
	REFUSED(ERR_FORBIDDEN_SETTING, "server address", "ATTACH CLUSTER", "'a'", "cluster = 'evil:9092'");
}

static void assert_same_stream(const struct stream *a, const struct stream *b, const char *ddl)
{
	bool same = strcmp(a->topic, b->topic) == 0 && strcmp(a->format, b->format) == 0 && strcmp(a->key_format, b->key_format) == 0 && a->delimiter == b->delimiter && a->decimal == b->decimal &&
		a->header == b->header && a->nan_null == b->nan_null && a->partitioner == b->partitioner && a->partitioner_given == b->partitioner_given && a->kind == b->kind && a->column_n == b->column_n;
	const char *const texts[][2] = {{a->cluster, b->cluster}, {a->explode, b->explode}, {a->timestamp, b->timestamp}};
	for (size_t i = 0; i < 3; i++)
		same = same && (texts[i][0] && texts[i][1] ? strcmp(texts[i][0], texts[i][1]) == 0 : texts[i][0] == texts[i][1]);
	for (size_t i = 0; same && i < a->column_n; i++) {
		const struct column *x = &a->columns[i], *y = &b->columns[i];
		same = strcmp(x->name, y->name) == 0 && (x->path && y->path ? strcmp(x->path, y->path) == 0 : x->path == y->path) && x->type == y->type && x->origin == y->origin && x->primary_key == y->primary_key;
	}
	if (!same)
		fail_msg("read back differently: %s", ddl);
}

/* Splits as SQLite does: by letting SQLite do it. */
static struct stream *split_stream;

static int split_connect(sqlite3 *d, void *aux, int argc, const char *const *argv, sqlite3_vtab **ret, char **ret_text)
{
	struct err err = ERR_INIT;
	if (!stream_from_args(argv[2], argc - 3, argv + 3, &split_stream, &err))
		*ret_text = sqlite3_mprintf("%s", err.msg);
	return SQLITE_ERROR;             /* no table is wanted */
}

static int split_destroy(sqlite3_vtab *base)
{
	return SQLITE_OK;
}

static uint32_t rnd(uint32_t n)
{
	static uint64_t seed = 362436069;
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 20) % n;
}

static const char *odd_text(void)
{
	static const char *const parts[] = {"a", "A b", "it's", "\"", "`", "]", "[0]", ",", "(", ")", "--", "/*", "$.x", "ü", "\n", "select", "from", ";", "=", "\\", "1", " ", "key", "'", "primary key"};
	static char text[200];
	text[0] = '\0';
	for (uint32_t i = 0, n = 1 + rnd(5); i < n; i++)
		strcat(text, parts[rnd(sizeof parts / sizeof *parts)]);
	return text;
}

static void test_round_trip(void **state)
{
	static const sqlite3_module split = {.xCreate = split_connect, .xConnect = split_connect, .xDestroy = split_destroy, .xDisconnect = split_destroy};
	static const char *const formats[] = {"json", "csv", "tsv", "text", "raw"};
	sqlite3_create_module(db, "split", &split, NULL);
	for (int round = 0; round < 2000; round++) {
		struct stream *s = stream_create(odd_text(), "top.ic-1_x");
		free(s->format);
		s->format = xstrdup(formats[rnd(5)]);
		if (strcmp(s->format, "tsv") == 0)
			s->delimiter = '\t';
		if (rnd(2)) {
			free(s->key_format);
			s->key_format = xstrdup("json");
		}
		if (rnd(3) == 0)
			s->delimiter = ";\t|,'"[rnd(5)];
		s->decimal = rnd(2) ? ',' : '.';
		s->header = rnd(2);
		s->nan_null = rnd(2);
		s->partitioner_given = rnd(2);
		if (s->partitioner_given)
			s->partitioner = (enum partitioner)rnd(3);
		bool key = rnd(3) == 0;
		for (uint32_t i = 0, n = rnd(5); i < n; i++) {
			const char *name = odd_text();
			if (stream_find_column(s, name) >= 0)
				continue;
			enum column_origin origin = (enum column_origin)rnd(3);
			char *n2 = xstrdup(name);
			bool whole = origin == COLUMN_FROM_KEY ? rnd(2) : origin == COLUMN_FROM_VALUE && rnd(2);
			stream_add_column(s, n2, (enum column_type)rnd(COLUMN_JSON + 1), origin, whole ? NULL : odd_text())->primary_key = key;
			s->kind = key ? STREAM_CHANGELOG : s->kind;
			key = false;
			free(n2);
		}
		stream_default_paths(s);             /* NULL means the default path, where the format has one */
		struct buf ddl = BUF_INIT;
		stream_to_ddl(s, "temp", &ddl);
		char *module = strstr(ddl.data, " USING kafka(");
		struct buf sql = BUF_INIT;
		buf_addf(&sql, "%.*s USING split(%s", (int)(module - ddl.data), ddl.data, module + strlen(" USING kafka("));
		split_stream = NULL;
		sqlite3_exec(db, sql.data, NULL, NULL, NULL);
		if (!split_stream)
			fail_msg("not read back: %s: %s", ddl.data, sqlite3_errmsg(db));
		assert_same_stream(s, split_stream, ddl.data);
		stream_destroy(split_stream);
		stream_destroy(s);
		buf_finish(&ddl);
		buf_finish(&sql);
	}
}

static int setup(void **state)
{
	return fixture_open();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read), cmocka_unit_test(test_refused), cmocka_unit_test_setup_teardown(test_round_trip, setup, fixture_close),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
