/* The text of CREATE VIRTUAL TABLE t USING kafka(...) <-> struct stream.
 *
 * SQLite splits the arguments at commas outside quotes and parentheses; each is one of
 *     'topic'                                                     the topic (first argument, or topic = '..')
 *     name = value                                                an option: table `options` below
 *     column [TYPE] [FROM '$.path' | FROM HEADER 'h' | FROM KEY ['$.path']] [PRIMARY KEY] [NOT NULL]
 * stream_to_ddl writes what stream_from_args reads back to an equal stream. ksqlDB's and Flink's option names are understood; what
 * configures a client (servers, credentials, callbacks) is refused, because a database file from elsewhere must not choose where
 * we connect. Pure; any thread. */
#include "vtab/lexer.h"
#include "vtab/table.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "core/alloc.h"

/* ---- options ---- */

enum option {
	OPTION_TOPIC,
	OPTION_CLUSTER,
	OPTION_FORMAT,
	OPTION_KEY_FORMAT,
	OPTION_EXPLODE,
	OPTION_TIMESTAMP,
	OPTION_DELIMITER,
	OPTION_DECIMAL,
	OPTION_HEADER,
	OPTION_NAN,
	OPTION_PARTITIONER,
	OPTION_KIND,
	OPTION_CONNECTOR,
	OPTION_IGNORED,                      /* understood, of no meaning for a table that is read from its frozen start to its end */
};

static const struct {
	const char *name;
	enum option option;
	bool ours;                           /* offered in messages */
} options[] = {
	{"topic", OPTION_TOPIC, true}, {"cluster", OPTION_CLUSTER, true}, {"format", OPTION_FORMAT, true}, {"key_format", OPTION_KEY_FORMAT, true},
	{"explode", OPTION_EXPLODE, true}, {"timestamp", OPTION_TIMESTAMP, true}, {"delimiter", OPTION_DELIMITER, true}, {"decimal", OPTION_DECIMAL, true},
	{"header", OPTION_HEADER, true}, {"nan", OPTION_NAN, true}, {"partitioner", OPTION_PARTITIONER, true}, {"kind", OPTION_KIND, true},
	{"profile", OPTION_CLUSTER, false},
	/* ksqlDB */
	{"kafka_topic", OPTION_TOPIC, false}, {"value_format", OPTION_FORMAT, false}, {"value_delimiter", OPTION_DELIMITER, false},
	{"partitions", OPTION_IGNORED, false}, {"replicas", OPTION_IGNORED, false}, {"timestamp_format", OPTION_IGNORED, false},
	{"key_delimiter", OPTION_IGNORED, false}, {"wrap_single_value", OPTION_IGNORED, false}, {"retention_ms", OPTION_IGNORED, false},
	/* Flink */
	{"connector", OPTION_CONNECTOR, false}, {"value.format", OPTION_FORMAT, false}, {"key.format", OPTION_KEY_FORMAT, false},
	{"scan.startup.mode", OPTION_IGNORED, false}, {"scan.startup.timestamp-millis", OPTION_IGNORED, false},
	{"scan.startup.specific-offsets", OPTION_IGNORED, false}, {"scan.bounded.mode", OPTION_IGNORED, false}, {"key.fields", OPTION_IGNORED, false},
	{"key.fields-prefix", OPTION_IGNORED, false}, {"value.fields-include", OPTION_IGNORED, false}, {"sink.partitioner", OPTION_IGNORED, false},
	{"sink.delivery-guarantee", OPTION_IGNORED, false}, {"json.ignore-parse-errors", OPTION_IGNORED, false}, {"json.fail-on-missing-field", OPTION_IGNORED, false},
	{"csv.field-delimiter", OPTION_DELIMITER, false}, {"csv.ignore-parse-errors", OPTION_IGNORED, false}, {"json.timestamp-format.standard", OPTION_IGNORED, false},
	{"properties.group.id", OPTION_IGNORED, false}, {"properties.client.id", OPTION_IGNORED, false}, {"properties.auto.offset.reset", OPTION_IGNORED, false},
	{"properties.enable.auto.commit", OPTION_IGNORED, false}, {"properties.isolation.level", OPTION_IGNORED, false},
};

/* Option names that would configure a client. Anything under properties. that is not in the table above is one too. */
static bool option_is_client_setting(const char *name)
{
	static const char *const parts[] = {
		"bootstrap", "broker", "servers", "sasl", "ssl", "security", "password", "passwd", "secret", "token", "username", "credential", "oauth", "kerberos",
		"principal", "keytab", "jaas", "plugin", "library", "callback", "interceptor", "callback", "metadata.", "client.", "socket.", "debug", "proxy",
		"schema.registry", "schema_registry", "registry.url", "truststore", "keystore", "properties.", "test.mock", "group.id", "group.instance", "host", "certificate",
	};
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (strcasestr(name, parts[i]))
			return true;
	return false;
}

/* Edit distance up to a small bound; for "did you mean". */
static size_t edit_distance(const char *a, const char *b)
{
	size_t row[64];
	size_t n = strlen(b);
	if (n >= sizeof row / sizeof *row || strlen(a) >= sizeof row / sizeof *row)
		return SIZE_MAX;
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t above = row[j];
			size_t change = diagonal + (tolower((unsigned char)a[i - 1]) != tolower((unsigned char)b[j - 1]));
			size_t best = above < row[j - 1] ? above + 1 : row[j - 1] + 1;
			row[j] = change < best ? change : best;
			diagonal = above;
		}
	}
	return row[n];
}

static bool option_unknown(const char *name, struct err *err)
{
	const char *near = NULL;
	size_t best = 3;
	for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
		size_t d = edit_distance(name, options[i].name);
		if (d < best) {
			best = d;
			near = options[i].name;
		}
	}
	err_set(err, ERR_OPTION, "unknown table option \"%s\"", name);
	if (near) {
		err_hint(err, "did you mean %s?", near);
	} else {
		struct buf list = BUF_INIT;
		for (size_t i = 0; i < sizeof options / sizeof *options; i++)
			if (options[i].ours)
				buf_addf(&list, "%s%s", list.len ? ", " : "", options[i].name);
		err_hint(err, "options: %s", list.data);
		buf_finish(&list);
	}
	return false;
}

static void set_text(char **slot, const char *value)
{
	free(*slot);
	*slot = xstrdup(value);
}

static void set_lower(char **slot, const char *value)
{
	set_text(slot, value);
	for (char *c = *slot; *c; c++)
		*c = (char)tolower((unsigned char)*c);
}

static bool parse_flag(const char *name, const char *value, bool *ret, struct err *err)
{
	static const char *const yes[] = {"true", "on", "yes", "1"};
	static const char *const no[] = {"false", "off", "no", "0"};
	for (size_t i = 0; i < 4; i++) {
		if (strcasecmp(value, yes[i]) == 0 || strcasecmp(value, no[i]) == 0) {
			*ret = strcasecmp(value, yes[i]) == 0;
			return true;
		}
	}
	return err_set(err, ERR_OPTION, "option %s takes true or false, not \"%s\"", name, value);
}

static bool parse_char(const char *name, const char *value, char *ret, struct err *err)
{
	static const struct {
		const char *word;
		char c;
	} words[] = {{"\\t", '\t'}, {"tab", '\t'}, {"space", ' '}, {"comma", ','}, {"semicolon", ';'}, {"pipe", '|'}};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (strcasecmp(words[i].word, value) == 0) {
			*ret = words[i].c;
			return true;
		}
	}
	if (strlen(value) != 1 || value[0] == '"' || value[0] == '\n' || value[0] == '\r' || (unsigned char)value[0] >= 0x80)
		return err_set(err, ERR_OPTION, "option %s takes one ASCII character, not \"%s\"", name, value);
	*ret = value[0];
	return true;
}

/* Names that other systems use for our formats. */
static bool set_format(struct stream *s, bool key, const char *value, bool delimiter_given, struct err *err)
{
	static const struct {
		const char *name, *format;
	} aliases[] = {{"delimited", "csv"}, {"string", "text"}, {"kafka", "text"}, {"none", "text"}, {"bytes", "raw"}, {"ndjson", "json"}};
	char **slot = key ? &s->key_format : &s->format;
	set_lower(slot, value);
	for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
		if (strcmp(*slot, aliases[i].name) == 0)
			set_text(slot, aliases[i].format);
	if (!key && strcmp(*slot, "tsv") == 0 && !delimiter_given)
		s->delimiter = '\t';
	bool multi_row;
	if (strcmp(*slot, "auto") != 0 && !codec_known(*slot, &multi_row)) {
		err_set(err, ERR_OPTION, "unknown %sformat \"%s\"", key ? "key " : "", value);
		err_hint(err, "formats: %s, auto", codec_names());
		return false;
	}
	return true;
}

static bool apply_option(struct stream *s, const char *name, const char *value, bool *delimiter_given, struct err *err)
{
	enum option option = OPTION_IGNORED;
	bool found = false;
	for (size_t i = 0; i < sizeof options / sizeof *options && !found; i++) {
		if (strcasecmp(options[i].name, name) == 0) {
			option = options[i].option;
			found = true;
		}
	}
	if (!found && option_is_client_setting(name)) {
		err_set(err, ERR_FORBIDDEN_SETTING, "\"%s\" is a client setting and cannot be given in SQL", name);
		err_hint(err, "put it in a profile of the configuration file and name that: cluster = 'profile'");
		return false;
	}
	if (!found)
		return option_unknown(name, err);
	switch (option) {
	case OPTION_TOPIC:
		set_text(&s->topic, value);
		return true;
	case OPTION_CLUSTER:
		/* A server address in the place of a name is the same thing as the refused setting. */
		if (strpbrk(value, ":,/")) {
			err_set(err, ERR_FORBIDDEN_SETTING, "cluster = '%s' looks like a server address; only a profile or an attached cluster can be named here", value);
			err_hint(err, "ATTACH CLUSTER '%s' AS name, or put it in a profile of the configuration file", value);
			return false;
		}
		set_text(&s->cluster, value);
		return true;
	case OPTION_FORMAT:
		return set_format(s, false, value, *delimiter_given, err);
	case OPTION_KEY_FORMAT:
		return set_format(s, true, value, *delimiter_given, err);
	case OPTION_EXPLODE:
		set_text(&s->explode, value);
		return true;
	case OPTION_TIMESTAMP:
		set_text(&s->timestamp, value);
		return true;
	case OPTION_DELIMITER:
		*delimiter_given = true;
		return parse_char(name, value, &s->delimiter, err);
	case OPTION_DECIMAL:
		if (strcmp(value, ".") != 0 && strcmp(value, ",") != 0)
			return err_set(err, ERR_OPTION, "option decimal takes '.' or ',', not \"%s\"", value);
		s->decimal = value[0];
		return true;
	case OPTION_HEADER:
		return parse_flag(name, value, &s->header, err);
	case OPTION_NAN:
		if (strcasecmp(value, "null") != 0 && strcasecmp(value, "error") != 0)
			return err_set(err, ERR_OPTION, "option nan takes null or error, not \"%s\"", value);
		s->nan_null = strcasecmp(value, "null") == 0;
		return true;
	case OPTION_PARTITIONER:
		if (!partitioner_parse(value, &s->partitioner))
			return err_set(err, ERR_OPTION, "option partitioner takes murmur2, consistent or none, not \"%s\"", value);
		s->partitioner_given = true;
		return true;
	case OPTION_KIND:
		if (strcasecmp(value, "log") != 0 && strcasecmp(value, "changelog") != 0)
			return err_set(err, ERR_OPTION, "option kind takes log or changelog, not \"%s\"", value);
		s->kind = strcasecmp(value, "log") == 0 ? STREAM_LOG : STREAM_CHANGELOG;
		return true;
	case OPTION_CONNECTOR:
		if (strcasecmp(value, "kafka") != 0 && strcasecmp(value, "upsert-kafka") != 0)
			return err_set(err, ERR_OPTION, "connector = '%s' is not Kafka", value);
		if (strcasecmp(value, "upsert-kafka") == 0)
			s->kind = STREAM_CHANGELOG;
		return true;
	case OPTION_IGNORED:
		return true;
	}
	return true;
}

/* ---- columns ---- */

static bool plain_name(const char *name)
{
	if (!isalpha((unsigned char)name[0]) && name[0] != '_')
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && *name != '_')
			return false;
	return true;
}

bool format_is_json(const struct stream *s)
{
	return strcmp(s->format, "json") == 0 || strcmp(s->format, "jsonl") == 0;
}

/* NULL = the whole value. The caller frees. */
static char *default_path(const struct stream *s, const char *name)
{
	if (strcmp(s->format, "text") == 0 || strcmp(s->format, "raw") == 0 || strcmp(s->format, "auto") == 0)
		return NULL;
	if (strcmp(s->format, "csv") == 0 || strcmp(s->format, "tsv") == 0)
		return xstrdup(name);
	return xasprintf(plain_name(name) ? "$.%s" : "$.\"%s\"", name);
}

void stream_default_paths(struct stream *s)
{
	for (size_t i = 0; i < s->column_n; i++)
		if (s->columns[i].origin == COLUMN_FROM_VALUE && !s->columns[i].path)
			s->columns[i].path = default_path(s, s->columns[i].name);
}

static bool column_error(const char *arg, const char *what, struct err *err)
{
	err_set(err, ERR_OPTION, "cannot read the column or option \"%s\": %s", arg, what);
	err_hint(err, "a column is: name TYPE [FROM '$.path' | FROM HEADER 'name' | FROM KEY]; an option is: name = 'value'");
	return false;
}

/* FROM '$.path' | FROM HEADER 'h' | FROM KEY ['$.path']; the lexer stands behind FROM. */
static bool parse_from(struct lexer *l, const char *arg, enum column_origin *origin, char **path, struct err *err)
{
	if (token_is(l, "HEADER")) {
		*origin = COLUMN_FROM_HEADER;
		lexer_next(l);
		if (l->now.kind != TOKEN_STRING)
			return column_error(arg, "FROM HEADER needs the header's name in quotes", err);
	} else if (token_is(l, "KEY")) {
		*origin = COLUMN_FROM_KEY;
		lexer_next(l);
		if (l->now.kind != TOKEN_STRING)
			return true;
	} else if (token_is(l, "VALUE")) {
		*origin = COLUMN_FROM_VALUE;
		lexer_next(l);
		if (l->now.kind != TOKEN_STRING)
			return true;
	} else if (l->now.kind != TOKEN_STRING) {
		return column_error(arg, "FROM needs '$.path', HEADER 'name' or KEY", err);
	}
	free(*path);
	*path = xstrdup(l->now.text);
	lexer_next(l);
	return true;
}

static bool parse_column(struct stream *s, struct lexer *l, const char *arg, char *name, struct err *err)
{
	struct buf type = BUF_INIT;
	char *path = NULL;
	enum column_origin origin = COLUMN_FROM_VALUE;
	bool primary_key = false;
	bool origin_given = false;
	bool ok = false;
	int depth = 0;
	while (l->now.kind != TOKEN_END) {
		if (l->now.kind == TOKEN_BAD) {
			column_error(arg, "a quote is not closed", err);
			goto out;
		}
		if (depth == 0 && token_is(l, "FROM")) {
			lexer_next(l);
			if (!parse_from(l, arg, &origin, &path, err))
				goto out;
			origin_given = true;
			continue;
		}
		bool not_word = depth == 0 && token_is(l, "NOT");
		if (depth == 0 && (token_is(l, "PRIMARY") || not_word)) {
			lexer_next(l);
			if (!token_is(l, not_word ? "NULL" : "KEY")) {
				column_error(arg, not_word ? "NULL expected after NOT" : "KEY expected after PRIMARY", err);
				goto out;
			}
			primary_key = primary_key || !not_word;
			lexer_next(l);
			continue;
		}
		if (token_is(l, "("))
			depth++;
		else if (token_is(l, ")"))
			depth--;
		else if (l->now.kind == TOKEN_STRING || l->now.kind == TOKEN_NAME || (l->now.kind == TOKEN_PUNCTUATION && depth == 0)) {
			column_error(arg, "unexpected text after the type", err);
			goto out;
		}
		if (origin_given) {
			column_error(arg, "unexpected text after FROM", err);
			goto out;
		}
		buf_addf(&type, "%s%s", type.len ? " " : "", l->now.text);
		lexer_next(l);
	}
	if (!*name) {
		column_error(arg, "a column needs a name", err);
	} else if (hidden_name_known(name) || strcasecmp(name, "rowid") == 0) {
		err_set(err, ERR_OPTION, "column \"%s\": every topic table has a column of this name", name);
		err_hint(err, "give it another name: %s_2 TYPE FROM '$.%s'", name, name);
	} else if (stream_find_column(s, name) >= 0) {
		err_set(err, ERR_OPTION, "column \"%s\" is declared twice (names differ only by more than case)", name);
	} else if (s->column_n >= CODEC_MAX_COLUMNS) {
		err_set(err, ERR_OPTION, "more than %d columns", CODEC_MAX_COLUMNS);
	} else {
		if (primary_key) {
			s->kind = STREAM_CHANGELOG;
			if (!origin_given)
				origin = COLUMN_FROM_KEY;
		}
		stream_add_column(s, name, column_type_parse(type.len ? type.data : NULL), origin, path)->primary_key = primary_key;
		ok = true;
	}
out:
	buf_finish(&type);
	free(path);
	return ok;
}

static bool parse_arg(struct stream *s, const char *arg, int index, bool *delimiter_given, struct err *err)
{
	struct lexer l;
	lexer_init(&l, arg, false);
	struct token first = l.now;
	l.now.text = NULL;
	lexer_next(&l);
	bool ok;
	if (first.kind == TOKEN_END) {
		ok = true;                   /* kafka() or a stray comma */
	} else if (first.kind == TOKEN_BAD || first.kind == TOKEN_PUNCTUATION) {
		ok = column_error(arg, first.kind == TOKEN_BAD ? "a quote is not closed" : "a name is expected", err);
	} else if (token_is(&l, "=")) {
		lexer_next(&l);
		/* A value of several words or signs is kept as written. */
		struct token value = l.now;
		l.now.text = NULL;
		lexer_next(&l);
		if (value.kind == TOKEN_END || value.kind == TOKEN_BAD || value.kind == TOKEN_PUNCTUATION || l.now.kind != TOKEN_END)
			ok = column_error(arg, "one value in quotes is expected after =", err);
		else
			ok = apply_option(s, first.text, value.text, delimiter_given, err);
		free(value.text);
	} else if (l.now.kind == TOKEN_END && first.kind == TOKEN_STRING) {
		if (index > 0 && s->topic)
			ok = column_error(arg, "only the first argument can be a bare string: the topic", err);
		else {
			set_text(&s->topic, first.text);
			ok = true;
		}
	} else if (l.now.kind == TOKEN_END && index == 0 && first.kind == TOKEN_NAME) {
		set_text(&s->topic, first.text);
		ok = true;
	} else if (first.kind == TOKEN_STRING) {
		ok = column_error(arg, "a column's name goes in double quotes", err);
	} else {
		ok = parse_column(s, &l, arg, first.text, err);
	}
	free(first.text);
	lexer_finish(&l);
	return ok;
}

/* What Kafka allows: [a-zA-Z0-9._-]{1,249}, not "." or "..". */
static bool topic_name_legal(const char *name)
{
	size_t n = strlen(name);
	if (n < 1 || n > 249 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("._-", name[i]))
			return false;
	return true;
}

static bool check_stream(struct stream *s, struct err *err)
{
	if (!s->topic) {
		err_set(err, ERR_OPTION, "no topic is named");
		err_hint(err, "the first argument is the topic: kafka('orders', format = 'json')");
		return false;
	}
	if (!topic_name_legal(s->topic))
		return err_set(err, ERR_OPTION, "\"%s\" is not a legal topic name (letters, digits, . _ -, at most 249)", s->topic);
	if (s->timestamp && s->column_n && stream_find_column(s, s->timestamp) < 0)
		return err_set(err, ERR_OPTION, "timestamp = '%s' names no column", s->timestamp);
	size_t key_n = 0;
	for (size_t i = 0; i < s->column_n; i++)
		key_n += s->columns[i].primary_key;
	if (key_n > 1)
		return err_set(err, ERR_OPTION, "a changelog table has one PRIMARY KEY column, not %zu", key_n);
	if (s->explode && s->kind == STREAM_CHANGELOG)
		return err_set(err, ERR_OPTION, "explode and PRIMARY KEY do not go together: a changelog has one row a key");
	return true;
}

bool stream_from_args(const char *name, int argc, const char *const *argv, struct stream **ret, struct err *err)
{
	struct stream *s = stream_create(name, NULL);
	bool delimiter_given = false;
	for (int i = 0; i < argc; i++) {
		if (!parse_arg(s, argv[i], i, &delimiter_given, err)) {
			stream_destroy(s);
			return false;
		}
	}
	if (!check_stream(s, err)) {
		stream_destroy(s);
		return false;
	}
	stream_default_paths(s);
	*ret = s;
	return true;
}

/* ---- stream -> text ---- */

static void add_quoted(struct buf *to, char quote, const char *text)
{
	buf_addc(to, quote);
	for (; *text; text++) {
		if (*text == quote)
			buf_addc(to, quote);
		buf_addc(to, *text);
	}
	buf_addc(to, quote);
}

static void add_option(struct buf *to, const char *name, const char *value)
{
	if (!value)
		return;
	buf_addf(to, ", %s = ", name);
	add_quoted(to, '\'', value);
}

static void add_column(struct buf *to, const struct stream *s, const struct column *c)
{
	buf_adds(to, ", ");
	add_quoted(to, '"', c->name);
	if (c->type != COLUMN_ANY)
		buf_addf(to, " %s", column_type_name(c->type));
	char *implied = c->origin == COLUMN_FROM_VALUE ? default_path(s, c->name) : NULL;
	bool implied_same = (!implied && !c->path) || (implied && c->path && strcmp(implied, c->path) == 0);
	free(implied);
	static const char *const origins[] = {[COLUMN_FROM_VALUE] = " FROM", [COLUMN_FROM_KEY] = " FROM KEY", [COLUMN_FROM_HEADER] = " FROM HEADER"};
	if (c->origin != COLUMN_FROM_VALUE || !implied_same || c->primary_key) {
		buf_adds(to, origins[c->origin]);
		if (c->origin == COLUMN_FROM_VALUE && !c->path)
			buf_adds(to, " VALUE");
		if (c->path) {
			buf_addc(to, ' ');
			add_quoted(to, '\'', c->path);
		}
	}
	if (c->primary_key)
		buf_adds(to, " PRIMARY KEY");
}

void stream_to_ddl(const struct stream *s, const char *schema, struct buf *to)
{
	buf_adds(to, "CREATE VIRTUAL TABLE ");
	if (schema) {
		add_quoted(to, '"', schema);
		buf_addc(to, '.');
	}
	add_quoted(to, '"', s->name ? s->name : s->topic);
	buf_adds(to, " USING kafka(");
	add_quoted(to, '\'', s->topic);
	add_option(to, "cluster", s->cluster);
	add_option(to, "format", s->format);
	if (strcmp(s->key_format, "text") != 0)
		add_option(to, "key_format", s->key_format);
	add_option(to, "explode", s->explode);
	add_option(to, "timestamp", s->timestamp);
	if (s->delimiter != (strcmp(s->format, "tsv") == 0 ? '\t' : ','))
		add_option(to, "delimiter", s->delimiter == '\t' ? "\\t" : (char[]){s->delimiter, '\0'});
	if (s->decimal != '.')
		add_option(to, "decimal", (char[]){s->decimal, '\0'});
	if (s->header)
		add_option(to, "header", "true");
	if (s->nan_null)
		add_option(to, "nan", "null");
	if (s->partitioner_given)
		add_option(to, "partitioner", partitioner_name(s->partitioner));
	bool has_key = false;
	for (size_t i = 0; i < s->column_n; i++)
		has_key = has_key || s->columns[i].primary_key;
	if (s->kind == STREAM_CHANGELOG && !has_key)
		add_option(to, "kind", "changelog");
	for (size_t i = 0; i < s->column_n; i++)
		add_column(to, s, &s->columns[i]);
	buf_addc(to, ')');
}
