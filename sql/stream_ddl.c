/* sql/stream_ddl.h
 *
 *     CREATE [OR REPLACE] [TEMP] [SOURCE] STREAM [IF NOT EXISTS] s [(column, ..)] [FROM TOPIC 't'] [FORMAT 'f'] [KEY FORMAT 'f'] [EXPLODE '$.p[*]'] [WITH (option = value, ..)]
 *     CREATE [OR REPLACE] [TEMP] [SOURCE] TABLE  ...the same, with FROM TOPIC or a WITH that names a topic: the last value per key
 *     column:  name TYPE [PRIMARY] KEY | FROM '$.json.path' | FROM KEY ['$.path'] | FROM HEADER 'h' | NOT NULL
 *
 * The text becomes a struct stream when it is prepared and CREATE VIRTUAL TABLE when it runs. With columns (and a format other than auto) no broker
 * is asked; without, the topic is sampled once and the columns found are written down. ksqlDB's and Flink's option keys are rows of one table. */
#include "sql/stream_ddl.h"

#include <stdlib.h>
#include <strings.h>
#include "codec/codec.h"
#include "core/alloc.h"
#include "sql/pending.h"

struct create {
	struct stream *stream;
	bool replace, if_not_exists, temp, is_table, format_given;
};

static void create_free(void *data)
{
	struct create *c = data;
	stream_destroy(c->stream);
	free(c);
}

static void set(char **field, const char *value)
{
	free(*field);
	*field = value ? xstrdup(value) : NULL;
}

/* ---- options ---- */

struct option_def {
	const char *key;
	bool (*apply)(struct session *s, struct create *c, const char *key, const char *value, struct err *err);
};

static bool bad_value(const char *key, const char *value, const char *want, struct err *err)
{
	return err_set(err, ERR_OPTION, "%s = '%s': %s", key, value, want);
}

static bool format_name(const char *key, const char *value, char **field, struct err *err)
{
	static const struct {
		const char *alias, *format;
	} aliases[] = {{"delimited", "csv"}, {"kafka", "text"}, {"none", "text"}, {"string", "text"}, {"bytes", "raw"}, {"json_sr", "json"}};
	struct buf b = BUF_INIT;
	for (const char *p = value; *p; p++)
		buf_addc(&b, (char)(*p >= 'A' && *p <= 'Z' ? *p | 32 : *p));
	/* Flink's raw is whatever the column's type says; ours is bytes. */
	const char *name = strchr(key, '.') && strcmp(b.data, "raw") == 0 ? "text" : b.data;
	for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
		if (strcmp(name, aliases[i].alias) == 0)
			name = aliases[i].format;
	bool multi, ok = strcmp(name, "auto") == 0 || codec_known(name, &multi);
	if (ok) {
		set(field, name);
	} else {
		bad_value(key, value, "no such format", err);
		err_hint(err, "known: auto, %s", codec_names());
	}
	buf_finish(&b);
	return ok;
}

static bool on_topic(struct session *s, struct create *c, const char *key, const char *value, struct err *err)
{
	set(&c->stream->topic, value);
	return true;
}

static bool on_format(struct session *s, struct create *c, const char *key, const char *value, struct err *err)
{
	c->format_given = true;
	return format_name(key, value, &c->stream->format, err);
}

static bool on_key_format(struct session *s, struct create *c, const char *key, const char *value, struct err *err)
{
	return format_name(key, value, &c->stream->key_format, err);
}

static bool on_delimiter(struct session *s, struct create *c, const char *key, const char *value, struct err *err)
{
	static const struct {
		const char *name;
		char c;
	} names[] = {{"tab", '\t'}, {"\\t", '\t'}, {"space", ' '}, {"comma", ','}, {"semicolon", ';'}, {"pipe", '|'}};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcasecmp(value, names[i].name) == 0) {
			c->stream->delimiter = names[i].c;
			return true;
		}
	if (strlen(value) != 1 || (unsigned char)value[0] >= 0x80)
		return bad_value(key, value, "one ASCII character expected", err);
	c->stream->delimiter = value[0];
	return true;
}

static bool truth(const char *key, const char *value, bool *ret, struct err *err)
{
	static const char *const words[] = {"false", "true", "0", "1", "off", "on", "no", "yes"};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcasecmp(value, words[i]) == 0) {
			*ret = i % 2;
			return true;
		}
	return bad_value(key, value, "true or false expected", err);
}

static bool on_header(struct session *s, struct create *c, const char *key, const char *value, struct err *err)
{
	return truth(key, value, &c->stream->header, err);
}

static bool on_nan(struct session *s, struct create *c, const char *key, const char *value, struct err *err)
{
	if (strcasecmp(value, "null") != 0 && strcasecmp(value, "error") != 0)
		return bad_value(key, value, "null or error expected", err);
	c->stream->nan_null = strcasecmp(value, "null") == 0;
	return true;
}

static bool on_decimal(struct session *s, struct create *c, const char *key, const char *value, struct err *err)
{
	if (strcmp(value, ".") != 0 && strcmp(value, ",") != 0)
		return bad_value(key, value, "'.' or ',' expected", err);
	c->stream->decimal = value[0];
	return true;
}

static bool on_explode(struct session *s, struct create *c, const char *key, const char *value, struct err *err)
{
	set(&c->stream->explode, value);
	return true;
}

static bool on_timestamp(struct session *s, struct create *c, const char *key, const char *value, struct err *err)
{
	set(&c->stream->timestamp, value);
	return true;
}

static bool on_partitioner(struct session *s, struct create *c, const char *key, const char *value, struct err *err)
{
	if (!partitioner_parse(value, &c->stream->partitioner))
		return bad_value(key, value, "murmur2, consistent or none expected", err);
	c->stream->partitioner_given = true;
	return true;
}

static bool on_cluster(struct session *s, struct create *c, const char *key, const char *value, struct err *err)
{
	set(&c->stream->cluster, value);
	return true;
}

static bool on_connector(struct session *s, struct create *c, const char *key, const char *value, struct err *err)
{
	/* Flink says TABLE for both: an append-only topic is a stream, an upsert one the last value per key. */
	c->is_table = strcasecmp(value, "upsert-kafka") == 0;
	return c->is_table || strcasecmp(value, "kafka") == 0 || bad_value(key, value, "only kafka and upsert-kafka are tables here", err);
}

static bool on_startup(struct session *s, struct create *c, const char *key, const char *value, struct err *err)
{
	if (strcasecmp(value, "earliest-offset") != 0 && strcasecmp(value, "earliest") != 0)
		catalog_notice(s->catalog, NOTICE_INFO, "%s = '%s' is ignored: a SELECT reads the whole topic unless WHERE or --from says otherwise", key, value);
	return true;
}

static bool on_ignored(struct session *s, struct create *c, const char *key, const char *value, struct err *err)
{
	catalog_notice(s->catalog, NOTICE_INFO, "option %s has no meaning here and is ignored", key);
	return true;
}

static const struct option_def options[] = {
	{"topic", on_topic}, {"kafka_topic", on_topic},
	{"format", on_format}, {"value_format", on_format}, {"value.format", on_format},
	{"key_format", on_key_format}, {"key.format", on_key_format},
	{"delimiter", on_delimiter}, {"value_delimiter", on_delimiter}, {"csv.field-delimiter", on_delimiter}, {"value.csv.field-delimiter", on_delimiter},
	{"header", on_header}, {"decimal", on_decimal}, {"nan", on_nan}, {"explode", on_explode},
	{"timestamp", on_timestamp}, {"partitioner", on_partitioner}, {"cluster", on_cluster}, {"connector", on_connector},
	{"scan.startup.mode", on_startup}, {"auto.offset.reset", on_startup},
	{"scan.startup.timestamp-millis", on_ignored}, {"scan.startup.specific-offsets", on_ignored}, {"scan.bounded.mode", on_ignored},
	{"partitions", on_ignored}, {"replicas", on_ignored}, {"retention_ms", on_ignored}, {"timestamp_format", on_ignored}, {"wrap_single_value", on_ignored},
	{"key_delimiter", on_ignored}, {"value_schema_id", on_ignored}, {"key_schema_id", on_ignored}, {"value.fields-include", on_ignored}, {"key.fields", on_ignored},
	{"json.ignore-parse-errors", on_ignored}, {"json.fail-on-missing-field", on_ignored}, {"json.timestamp-format.standard", on_ignored},
	{"csv.ignore-parse-errors", on_ignored}, {"sink.partitioner", on_ignored}, {"sink.delivery-guarantee", on_ignored}, {"sink.parallelism", on_ignored},
	{"properties.group.id", on_ignored}, {"properties.client.id", on_ignored}, {"properties.auto.offset.reset", on_startup},
};

static bool apply_option(struct session *s, struct create *c, const char *key, const char *value, struct err *err)
{
	for (size_t i = 0; i < sizeof options / sizeof *options; i++)
		if (strcasecmp(options[i].key, key) == 0)
			return options[i].apply(s, c, key, value, err);
	if (strncasecmp(key, "properties.", 11) == 0 || strcasecmp(key, "bootstrap.servers") == 0 || strncasecmp(key, "sasl.", 5) == 0 || strncasecmp(key, "ssl.", 4) == 0 || strcasecmp(key, "security.protocol") == 0) {
		err_set(err, ERR_FORBIDDEN_SETTING, "option %s: client settings do not come from SQL", key);
		err_hint(err, "name a profile or an attached cluster instead: WITH (cluster = 'name'); ATTACH CLUSTER 'host:9092' AS name");
		return false;
	}
	return err_set(err, ERR_OPTION, "unknown option \"%s\"", key);
}

/* ( key = value, 'key' = value, .. ); keys may be dotted words */
static bool parse_options(struct session *s, struct parse *p, struct create *c, struct err *err)
{
	if (!parse_want(p, "(", err))
		return false;
	while (!parse_op(p, ")")) {
		struct buf key = BUF_INIT, value = BUF_INIT;
		int at = (int)parse_offset(p);
		bool ok = token_is_name(&p->token) || parse_fail(p, err, "an option");
		for (bool name = true; ok && (name ? token_is_name(&p->token) : token_is_op(&p->token, ".") || token_is_op(&p->token, "-")); name = !name) {
			token_unquote(&p->token, &key);
			parse_next(p);
		}
		ok = ok && parse_want(p, "=", err);
		bool negative = ok && parse_op(p, "-");
		if (ok && (token_is_name(&p->token) || p->token.kind == TOKEN_NUMBER)) {
			if (negative)
				buf_addc(&value, '-');
			token_unquote(&p->token, &value);
			parse_next(p);
		} else if (ok) {
			ok = parse_fail(p, err, "a value");
		}
		if (ok && !apply_option(s, c, key.data, value.data, err)) {
			err->sql_offset = at;
			ok = false;
		}
		buf_finish(&key);
		buf_finish(&value);
		if (!ok)
			return false;
		if (!parse_op(p, ",") && !token_is_op(&p->token, ")"))
			return parse_fail(p, err, ", or )");
	}
	return true;
}

/* ---- columns ---- */

/* A type with its arguments: VARCHAR(20), DECIMAL(10, 2), STRUCT<a INT, b ARRAY<INT>>. */
static enum column_type parse_type(struct parse *p)
{
	struct buf b = BUF_INIT;
	int angle = 0, round = 0;
	while (!parse_at_end(p)) {
		static const char *const stops[] = {"from", "primary", "key", "not", "null", "header", "headers", "metadata", "comment", "default", "virtual", "constraint", "as"};
		bool stop = false;
		if (!angle && !round) {
			if (token_is_op(&p->token, ",") || token_is_op(&p->token, ")"))
				break;
			for (size_t i = 0; i < sizeof stops / sizeof *stops; i++)
				stop |= parse_is(p, stops[i]);
			if (stop || p->token.kind == TOKEN_STRING)
				break;
		}
		angle += token_is_op(&p->token, "<") - token_is_op(&p->token, ">") - 2 * token_is_op(&p->token, ">>");
		round += token_is_op(&p->token, "(") - token_is_op(&p->token, ")");
		if (b.len < 200)
			buf_add(&b, p->token.text, p->token.len);
		parse_next(p);
	}
	static const char *const nested[] = {"struct", "array", "map", "row", "multiset"};
	enum column_type type = column_type_parse(b.data);
	for (size_t i = 0; i < sizeof nested / sizeof *nested; i++)
		if (strncasecmp(b.data, nested[i], strlen(nested[i])) == 0)
			type = COLUMN_JSON;
	buf_finish(&b);
	return type;
}

static bool parse_primary_key(struct parse *p, struct create *c, struct err *err)
{
	char *name = NULL;
	if (!parse_want(p, "(", err) || !parse_name(p, "a column", &name, err))
		return false;
	int i = stream_find_column(c->stream, name);
	if (i < 0)
		err_set(err, ERR_SQL, "PRIMARY KEY (%s): no such column", name);
	free(name);
	if (i < 0)
		return false;
	c->stream->columns[i].primary_key = true;
	c->stream->columns[i].origin = COLUMN_FROM_KEY;
	if (!token_is_op(&p->token, ")"))
		return err_set(err, ERR_UNSUPPORTED, "a key of several columns: the record key is one value; name its parts with FROM KEY '$.path'");
	parse_next(p);
	parse_words(p, "not enforced");
	return true;
}

/* What follows a column's type, in any order. */
static bool parse_column_rest(struct session *s, struct parse *p, struct create *c, struct column *col, struct err *err)
{
	while (!parse_at_end(p) && !token_is_op(&p->token, ",") && !token_is_op(&p->token, ")")) {
		if (parse_words(p, "not null") || parse_word(p, "null") || parse_word(p, "virtual"))
			continue;
		if (parse_words(p, "primary key")) {
			col->primary_key = true;
			col->origin = COLUMN_FROM_KEY;
		} else if (parse_word(p, "key")) {
			col->origin = COLUMN_FROM_KEY;
		} else if (parse_words(p, "from key")) {
			col->origin = COLUMN_FROM_KEY;
			if (p->token.kind == TOKEN_STRING && !parse_text(p, "a path", &col->path, err))
				return false;
		} else if (parse_words(p, "from header")) {
			col->origin = COLUMN_FROM_HEADER;
			if (!parse_text(p, "a header's name in quotes", &col->path, err))
				return false;
		} else if (parse_word(p, "header")) {
			col->origin = COLUMN_FROM_HEADER;
			if (!parse_want(p, "(", err) || !parse_text(p, "a header's name in quotes", &col->path, err) || !parse_want(p, ")", err))
				return false;
		} else if (parse_word(p, "from")) {
			free(col->path);
			col->path = NULL;
			if (!parse_text(p, "a path in quotes, KEY or HEADER", &col->path, err))
				return false;
		} else if (parse_is(p, "metadata") || parse_is(p, "headers") || parse_is(p, "as")) {
			err_set(err, ERR_UNSUPPORTED, "column %s: computed and metadata columns are not declared", col->name);
			err_hint(err, "leave it out: every topic table has _ts, _time, _partition, _offset, _key, _headers, and a view can compute");
			err->sql_offset = (int)parse_offset(p);
			return false;
		} else if (parse_word(p, "comment")) {
			parse_next(p);
		} else {
			return parse_fail(p, err, ", or )");
		}
	}
	return true;
}

static bool parse_columns(struct session *s, struct parse *p, struct create *c, struct err *err)
{
	while (!token_is_op(&p->token, ")")) {
		char *name = NULL;
		if (parse_words(p, "watermark for")) {
			catalog_notice(s->catalog, NOTICE_INFO, "WATERMARK has no meaning for queries that end and is ignored");
			parse_until(p, NULL);
		} else if (parse_words(p, "primary key")) {
			if (!parse_primary_key(p, c, err))
				return false;
		} else {
			if (!parse_name(p, "a column", &name, err))
				return false;
			if (stream_find_column(c->stream, name) >= 0) {
				err_set(err, ERR_SQL, "duplicate column name: %s", name);
				free(name);
				return false;
			}
			struct column *col = stream_add_column(c->stream, name, COLUMN_ANY, COLUMN_FROM_VALUE, NULL);
			free(name);
			col->type = parse_type(p);
			if (!parse_column_rest(s, p, c, col, err))
				return false;
		}
		if (!parse_op(p, ",") && !token_is_op(&p->token, ")"))
			return parse_fail(p, err, ", or )");
	}
	parse_next(p);
	return true;
}

/* A column without FROM is the field of its own name: JSON by path, CSV by header name or position. */
static void default_paths(struct create *c)
{
	bool by_name = strncmp(c->stream->format, "json", 4) == 0 || c->stream->header;
	bool lines = strcmp(c->stream->format, "csv") == 0 || strcmp(c->stream->format, "tsv") == 0;
	int position = 0;
	for (size_t i = 0; i < c->stream->column_n; i++) {
		struct column *col = &c->stream->columns[i];
		if (col->origin != COLUMN_FROM_VALUE)
			continue;
		if (!col->path && lines && !c->stream->header)
			col->path = xasprintf("$[%d]", position);
		else if (!col->path && by_name && lines)
			col->path = xstrdup(col->name);
		else if (!col->path && by_name) {
			struct buf path = BUF_INIT;
			bool plain = col->name[0] && strspn(col->name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == strlen(col->name);
			buf_addc(&path, c->stream->explode ? '@' : '$');      /* of the element, or of the document */
			buf_addf(&path, plain ? ".%s" : ".\"%s\"", col->name);
			col->path = buf_take(&path);
		}
		position++;
	}
}

/* ---- CREATE ---- */

static bool finish_schema(struct session *s, struct create *c, struct buf *report, struct err *err)
{
	struct stream *st = c->stream;
	bool columns_given = st->column_n > 0;
	size_t keys = 0;
	if (columns_given && !c->format_given)
		set(&st->format, "json");
	if (!columns_given || strcmp(st->format, "auto") == 0) {
		if (!stream_infer(&s->catalog->provider, st, 200, report, err))
			return false;
	}
	if (columns_given)
		default_paths(c);
	if (!c->is_table)
		return true;
	st->kind = STREAM_CHANGELOG;
	for (size_t i = 0; i < st->column_n; i++)
		keys += st->columns[i].primary_key;
	if (!keys && !columns_given) {
		struct column *col = stream_add_column(st, stream_find_column(st, "key") < 0 ? "key" : "record_key", COLUMN_TEXT, COLUMN_FROM_KEY, NULL);
		col->primary_key = true;
		struct column moved = *col;
		memmove(&st->columns[1], &st->columns[0], (st->column_n - 1) * sizeof moved);
		st->columns[0] = moved;
		keys = 1;
	}
	if (keys != 1) {
		err_set(err, ERR_SQL, "table %s: exactly one column must be the PRIMARY KEY (the record's key)", st->name);
		err_hint(err, "CREATE TABLE %s (k TEXT PRIMARY KEY, ...) FROM TOPIC '%s'; for every record as a row: CREATE STREAM", st->name, st->topic);
		return false;
	}
	return true;
}

static bool drop_table(struct session *s, const char *schema, const char *name, struct err *err)
{
	struct buf sql = BUF_INIT;
	buf_adds(&sql, "DROP TABLE ");
	sql_quote_name(&sql, schema);
	buf_addc(&sql, '.');
	sql_quote_name(&sql, name);
	bool ok = session_exec(s, sql.data, err);
	buf_finish(&sql);
	return ok;
}

/* May this stream wait (pending.h)? Only if making it later cannot fail for a reason that the user should hear of now: its arguments are read back
 * as vtab/ will read them, its columns are no relatives of the hidden ones, and its name is free in every schema. */
static bool may_wait(struct session *s, const struct create *c, const char *ddl)
{
	const struct stream *st = c->stream;
	struct stream *again = NULL;
	struct err ignored = ERR_INIT;
	if (s->persistent || !sqlite3_get_autocommit(s->db) || sqlite3_strnicmp(st->name, "sqlite_", 7) == 0 || st->column_n > 200)
		return false;
	for (size_t i = 0; i < st->column_n; i++)
		if (st->columns[i].name[0] == '_' || sqlite3_strnicmp(st->columns[i].name, "row", 3) == 0 || sqlite3_stricmp(st->columns[i].name, "oid") == 0)
			return false;
	if (resolve_table_exists(s, st->name))
		return false;
	bool ok = stream_from_sql(st->name, ddl, &again, &ignored) && again;
	stream_destroy(again);
	return ok;
}

static bool run_create(struct session *s, struct statement *statement, struct err *err)
{
	struct create *c = statement->data;
	struct stream *old = NULL;
	char *schema = NULL;
	struct buf report = BUF_INIT;
	bool ok = false;
	resolve_drop_auto(s, c->stream->name);
	if ((c->replace || c->if_not_exists) && !pending_make(s, c->stream->name, err))
		return false;
	if (pending_has(s, c->stream->name))
		return err_set(err, ERR_NAME_TAKEN, "stream \"%s\" already exists", c->stream->name);
	/* A plain CREATE leaves looking to SQLite's own hash of names; a name that is only in temp would hide the new stream. */
	bool taken = c->replace || c->if_not_exists ? resolve_table_exists(s, c->stream->name) :
		sqlite3_table_column_metadata(s->db, "temp", c->stream->name, NULL, NULL, NULL, NULL, NULL, NULL) == SQLITE_OK;
	if (taken) {
		struct err ignored = ERR_INIT;
		if (c->if_not_exists)
			return true;
		bool is_stream = stream_lookup(s, c->stream->name, &old, &schema, &ignored) && old;
		stream_destroy(old);
		if (!c->replace || !is_stream) {
			free(schema);
			return err_set(err, ERR_NAME_TAKEN, "%s \"%s\" already exists", is_stream ? "stream" : "table", c->stream->name);
		}
	}
	if (!finish_schema(s, c, &report, err))
		goto out;
	buf_clear(&statement->sql);
	stream_to_ddl(c->stream, c->temp ? "temp" : "main", &statement->sql);
	if (!schema && may_wait(s, c, statement->sql.data)) {
		pending_add(s, c->stream->name, statement->sql.data);
		ok = true;
		goto out;
	}
	/* A savepoint costs time in proportion to the tables open, so only replacing takes one. */
	if (schema && !session_exec(s, "SAVEPOINT weir_create", err))
		goto out;
	ok = (!schema || drop_table(s, schema, c->stream->name, err)) && session_exec(s, statement->sql.data, err);
	if (!ok && err->id == ERR_SQL && strstr(err->msg, "already exists"))
		err->id = ERR_NAME_TAKEN;
	if (schema && !session_exec(s, ok ? "RELEASE weir_create" : "ROLLBACK TO weir_create; RELEASE weir_create", ok ? err : NULL))
		ok = false;
	if (ok && report.len)
		catalog_notice(s->catalog, NOTICE_INFO, "%s: %s, %zu columns", c->stream->name, report.data, c->stream->column_n);
out:
	/* The SQL was run here; nothing is left for query_step to prepare. */
	statement->resolve = false;
	buf_finish(&report);
	free(schema);
	return ok;
}

bool stream_create_statement(struct session *s, const char *text, size_t len, struct statement *st, bool *ret_ours, struct err *err)
{
	struct parse p = parse_begin(text, 0, len);
	struct create *c = xcalloc(1, sizeof *c);
	char *name = NULL, *word = NULL;
	bool ok = false;
	*ret_ours = true;
	c->stream = stream_create(NULL, NULL);
	parse_word(&p, "create");
	c->replace = parse_words(&p, "or replace");
	c->temp = parse_word(&p, "temp") || parse_word(&p, "temporary");
	parse_word(&p, "source");
	c->is_table = parse_is(&p, "table");
	if (!c->is_table && !parse_is(&p, "stream"))
		goto not_ours;
	parse_next(&p);
	c->if_not_exists = parse_words(&p, "if not exists");
	if (c->is_table) {
		/* SQLite's own CREATE TABLE unless FROM TOPIC or WITH ( follows the name and the columns. */
		struct parse q = p;
		int depth = 0;
		parse_next(&q);
		for (; !parse_at_end(&q); parse_next(&q)) {
			depth += token_is_op(&q.token, "(") - token_is_op(&q.token, ")");
			struct parse r = q;
			if (depth == 0 && (parse_words(&r, "from topic") || (parse_word(&r, "with") && token_is_op(&r.token, "("))))
				break;
			if (depth == 0 && (parse_is(&q, "as") || token_is_op(&q.token, ".")))
				goto not_ours;
		}
		if (parse_at_end(&q))
			goto not_ours;
	}
	if (!parse_name(&p, "a name", &name, err))
		goto fail;
	c->stream->name = name;
	if (parse_op(&p, "(") && !parse_columns(s, &p, c, err))
		goto fail;
	while (!parse_at_end(&p)) {
		if (parse_words(&p, "from topic")) {
			if (!parse_name(&p, "a topic", &c->stream->topic, err))
				goto fail;
		} else if (parse_is(&p, "format") || parse_is(&p, "key")) {
			bool key = parse_word(&p, "key");
			if (!parse_want(&p, "format", err) || !parse_name(&p, "a format", &word, err) ||
			    !(key ? on_key_format : on_format)(s, c, "format", word, err))
				goto fail;
			free(word);
			word = NULL;
		} else if (parse_word(&p, "explode")) {
			if (!parse_text(&p, "a path in quotes", &c->stream->explode, err))
				goto fail;
		} else if (parse_word(&p, "with")) {
			if (!parse_options(s, &p, c, err))
				goto fail;
		} else if (parse_is(&p, "as")) {
			err_set(err, ERR_NOT_BUILT, "CREATE %s .. AS SELECT (a continuous query) is not built yet", c->is_table ? "TABLE" : "STREAM");
			err->sql_offset = (int)parse_offset(&p);
			goto fail;
		} else {
			parse_fail(&p, err, "FROM TOPIC, FORMAT, EXPLODE, WITH or the end");
			goto fail;
		}
	}
	if (!c->stream->topic)
		c->stream->topic = xstrdup(c->stream->name);
	st->run = run_create;
	st->data = c;
	st->free_data = create_free;
	st->rewritten = true;
	return true;
not_ours:
	*ret_ours = false;
	ok = true;
fail:
	free(word);
	create_free(c);
	return ok;
}

/* ---- DROP ---- */

struct drop {
	char *name;
	bool if_exists;
};

static void drop_free(void *data)
{
	struct drop *d = data;
	free(d->name);
	free(d);
}

static bool run_drop(struct session *s, struct statement *statement, struct err *err)
{
	struct drop *d = statement->data;
	struct stream *old = NULL;
	char *schema = NULL;
	struct err why = ERR_INIT;
	stream_lookup(s, d->name, &old, &schema, &why);
	bool is_stream = schema != NULL, ok;
	stream_destroy(old);
	if (is_stream)
		ok = drop_table(s, schema, d->name, err);
	else if (resolve_table_exists(s, d->name))
		ok = err_set(err, ERR_SQL, "\"%s\" is not a stream; DROP TABLE or DROP VIEW removes it", d->name);
	else
		ok = d->if_exists || err_set(err, ERR_SQL, "no stream \"%s\"", d->name);
	free(schema);
	return ok;
}

bool stream_drop_statement(struct session *s, const char *text, size_t len, struct statement *st, bool *ret_ours, struct err *err)
{
	struct parse p = parse_begin(text, 0, len);
	struct drop *d = xcalloc(1, sizeof *d);
	*ret_ours = true;
	parse_words(&p, "drop stream");
	d->if_exists = parse_words(&p, "if exists");
	parse_words(&p, "delete topic");
	if (!parse_name(&p, "a stream", &d->name, err) || !parse_end(&p, err)) {
		drop_free(d);
		return false;
	}
	st->run = run_drop;
	st->data = d;
	st->free_data = drop_free;
	return true;
}

/* ---- back to text ---- */

void stream_to_create(const struct stream *s, struct buf *to)
{
	buf_adds(to, s->kind == STREAM_CHANGELOG ? "CREATE TABLE " : "CREATE STREAM ");
	sql_quote_name(to, s->name);
	buf_adds(to, " (");
	for (size_t i = 0; i < s->column_n; i++) {
		const struct column *c = &s->columns[i];
		if (i)
			buf_adds(to, ", ");
		sql_quote_name(to, c->name);
		if (c->type != COLUMN_ANY)
			buf_addf(to, " %s", column_type_name(c->type));
		if (c->primary_key)
			buf_adds(to, " PRIMARY KEY");
		else if (c->origin == COLUMN_FROM_KEY)
			buf_adds(to, " FROM KEY");
		else if (c->origin == COLUMN_FROM_HEADER)
			buf_adds(to, " FROM HEADER");
		else if (c->path)
			buf_adds(to, " FROM");
		if (c->path) {
			buf_addc(to, ' ');
			sql_quote_text(to, c->path);
		}
	}
	buf_adds(to, ") FROM TOPIC ");
	sql_quote_text(to, s->topic);
	buf_adds(to, " WITH (format = ");
	sql_quote_text(to, s->format);
	const struct {
		const char *key, *value, *standard;
	} extra[] = {{"key_format", s->key_format, "text"}, {"cluster", s->cluster, NULL}, {"explode", s->explode, NULL}, {"timestamp", s->timestamp, NULL},
		{"partitioner", s->partitioner_given ? partitioner_name(s->partitioner) : NULL, NULL}, {"header", s->header ? "true" : NULL, NULL},
		{"nan", s->nan_null ? "null" : NULL, NULL}, {"decimal", s->decimal == ',' ? "," : NULL, NULL}};
	for (size_t i = 0; i < sizeof extra / sizeof *extra; i++) {
		if (!extra[i].value || (extra[i].standard && strcmp(extra[i].value, extra[i].standard) == 0))
			continue;
		buf_addf(to, ", %s = ", extra[i].key);
		sql_quote_text(to, extra[i].value);
	}
	if (s->delimiter != ',' && s->delimiter != '\t' && s->delimiter) {
		char d[2] = {s->delimiter, 0};
		buf_adds(to, ", delimiter = ");
		sql_quote_text(to, d);
	}
	buf_adds(to, ");");
}

/* ---- back from SQLite's schema ---- */

static bool args_of(const char *sql, struct buf **ret, int *ret_n)
{
	struct parse p = parse_begin(sql, 0, strlen(sql));
	struct buf *args = NULL;
	int n = 0, depth = 0;
	while (!parse_at_end(&p) && !parse_is(&p, "using"))
		parse_next(&p);
	if (!parse_words(&p, "using kafka") || !parse_op(&p, "("))
		return false;
	const char *from = p.token.text, *to = from;
	for (; !parse_at_end(&p); parse_next(&p)) {
		bool close = token_is_op(&p.token, ")"), comma = token_is_op(&p.token, ",");
		if (depth == 0 && (close || comma)) {
			args = xreallocarray(args, (size_t)n + 1, sizeof *args);
			args[n] = (struct buf)BUF_INIT;
			buf_add(&args[n++], from, (size_t)(to - from));
			from = to = p.token.text + 1;
			from += strspn(from, " \t\r\n\f");
			to = from;
			if (close)
				break;
			continue;
		}
		depth += token_is_op(&p.token, "(") - close;
		to = p.token.text + p.token.len;
	}
	*ret = args;
	*ret_n = n;
	return true;
}

bool stream_from_sql(const char *name, const char *sql, struct stream **ret, struct err *err)
{
	struct buf *args = NULL;
	int n = 0;
	if (!args_of(sql, &args, &n))
		return true;
	const char **argv = xcalloc((size_t)n + 1, sizeof *argv);
	for (int i = 0; i < n; i++)
		argv[i] = args[i].data;
	bool ok = stream_from_args(name, n, argv, ret, err);
	free(argv);
	for (int i = 0; i < n; i++)
		buf_finish(&args[i]);
	free(args);
	return ok;
}

bool stream_lookup(struct session *s, const char *name, struct stream **ret, char **ret_schema, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	bool ok = true;
	int rc = sqlite3_prepare_v2(s->db, "SELECT 'temp', name, sql FROM sqlite_temp_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE AND sql LIKE 'create virtual table%'"
		" UNION ALL SELECT 'main', name, sql FROM main.sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE AND sql LIKE 'create virtual table%'", -1, &stmt, NULL);
	if (rc != SQLITE_OK)
		return session_sqlite_error(s, rc, -1, err);
	sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
	if (sqlite3_step(stmt) == SQLITE_ROW) {
		struct stream *found = NULL;
		ok = stream_from_sql((const char *)sqlite3_column_text(stmt, 1), (const char *)sqlite3_column_text(stmt, 2), &found, err);
		if (ret_schema && (found || !ok))
			*ret_schema = xstrdup((const char *)sqlite3_column_text(stmt, 0));
		if (ok)
			*ret = found;
		else
			stream_destroy(found);
	}
	sqlite3_finalize(stmt);
	return ok;
}
