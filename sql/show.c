/* SHOW .. and PRINT: sugar for SELECTs on the weir_* tables and on the topic. */
#include <stdlib.h>
#include "core/alloc.h"
#include "sql/dialect.h"

static const struct {
	const char *words;                   /* after SHOW */
	const char *sql;
	const char *like;                    /* the column LIKE speaks of */
	const char *order;
} shows[] = {
	{"ALL TOPICS", "SELECT topic, partitions, replicas, internal FROM weir_topics WHERE 1", "topic", "topic"},
	{"BROKERS", "SELECT cluster, id, host, port, controller FROM weir_brokers WHERE 1", "host", "id"},
	{"CLUSTERS", "SELECT cluster, current, brokers, profile, origin FROM weir_clusters WHERE 1", "cluster", "cluster"},
	{"CONFIGS", "SELECT topic, name, value, is_default, source FROM weir_configs WHERE 1", "name", "topic, name"},
	{"ERRORS", "SELECT * FROM weir_errors WHERE 1", "_topic", "rowid"},
	{"FUNCTIONS", "SELECT signature, help FROM weir_functions WHERE origin = 'weir'", "name", "name"},
	{"ALL FUNCTIONS", "SELECT name, signature, origin, help FROM weir_functions WHERE 1", "name", "name"},
	{"GROUPS", "SELECT \"group\", state, protocol_type, protocol, members, coordinator FROM weir_groups WHERE 1", "\"group\"", "1"},
	{"PARTITIONS", "SELECT topic, partition, leader, replicas, isr, low, high FROM weir_partitions WHERE 1", "topic", "topic, partition"},
	{"PROFILES", "SELECT profile FROM weir_profiles WHERE 1", "profile", "profile"},
	{"PROPERTIES", "SELECT name, value, help FROM weir_settings WHERE 1", "name", "name"},
	{"QUERIES", "SELECT id, name, status, strategy, watermark, held_by, lag, rows_in, rows_out, late, failed, state_bytes FROM weir_queries WHERE 1", "name", "id"},
	{"SETTINGS", "SELECT name, value, \"values\", help FROM weir_settings WHERE 1", "name", "name"},
	{"STATS", "SELECT name, value, help FROM weir_stats WHERE 1", "name", "rowid"},
	{"STREAMS", "SELECT stream, topic, cluster, format, key_format, columns, kept FROM weir_streams WHERE kind = 'stream'", "stream", "stream"},
	{"TABLES", "SELECT name, kind FROM (SELECT stream AS name, 'changelog of ' || topic AS kind FROM weir_streams WHERE kind = 'table' UNION ALL"
		" SELECT name, iif(sql LIKE 'create virtual%', 'virtual table', 'table') FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
		" AND name <> 'weir_catalog' AND sql NOT LIKE 'create virtual table%using kafka%' UNION ALL"
		" SELECT name, 'temp table' FROM sqlite_temp_schema WHERE type = 'table' AND name NOT LIKE 'weir\\_%' ESCAPE '\\' AND sql NOT LIKE 'create virtual table%using kafka%') WHERE 1", "name", "name"},
	{"TOPICS", "SELECT topic, partitions, replicas FROM weir_topics WHERE NOT internal", "topic", "topic"},
	{"VIEWS", "SELECT name, sql FROM (SELECT name, sql FROM sqlite_schema WHERE type = 'view' UNION ALL SELECT name, sql FROM sqlite_temp_schema WHERE type = 'view') WHERE 1",
		"name", "name"},
};

/* SHOW COLUMNS FROM x and SHOW CONFIGS FOR x narrow by an exact name. */
bool show_statement(struct session *s, const char *text, size_t len, struct statement *st, bool *ret_ours, struct err *err)
{
	struct parse p = parse_begin(text, 0, len);
	char *pattern = NULL, *only = NULL;
	parse_next(&p);
	if (parse_word(&p, "columns"))
		return describe_statement(s, text, len, st, ret_ours, err);
	for (size_t i = 0; i < sizeof shows / sizeof *shows; i++) {
		if (!parse_words(&p, shows[i].words))
			continue;
		parse_word(&p, "extended");
		if ((parse_word(&p, "for") || parse_word(&p, "from") || parse_word(&p, "of")) && !parse_name(&p, "a name", &only, err))
			return false;
		bool ok = (!parse_word(&p, "like") || parse_text(&p, "a pattern in quotes", &pattern, err)) && parse_end(&p, err);
		if (ok) {
			buf_adds(&st->sql, shows[i].sql);
			if (only) {
				buf_adds(&st->sql, strstr(shows[i].sql, "weir_groups") ? " AND \"group\" = " : strstr(shows[i].sql, "topic") ? " AND topic = " : " AND name = ");
				sql_quote_text(&st->sql, only);
			}
			if (pattern) {
				buf_addf(&st->sql, " AND %s LIKE ", shows[i].like);
				sql_quote_text(&st->sql, pattern);
			}
			buf_addf(&st->sql, " ORDER BY %s", shows[i].order);
			st->rewritten = true;
		}
		free(pattern);
		free(only);
		return ok;
	}
	struct buf known = BUF_INIT;
	for (size_t i = 0; i < sizeof shows / sizeof *shows; i++)
		buf_addf(&known, "%s%s", i ? ", " : "", shows[i].words);
	parse_fail(&p, err, "one of the words below");
	err_hint(err, "SHOW %s", known.data);
	buf_finish(&known);
	return false;
}

enum { PRINT_MAX_ARMS = 256 };           /* SQLite allows 500 terms in a compound SELECT */

/* PRINT t [FROM BEGINNING | FROM 'time'] [LIMIT n]: the newest 10 messages if no start is given, as a live PRINT would begin at the end. */
bool print_statement(struct session *s, const char *text, size_t len, struct statement *st, bool *ret_ours, struct err *err)
{
	struct parse p = parse_begin(text, 0, len);
	char *topic = NULL, *cluster = NULL, *from = NULL, *table = NULL;
	struct buf limit = BUF_INIT, sql = BUF_INIT;
	bool beginning = false, ok = false;
	parse_word(&p, "print");
	if (!parse_name(&p, "a topic", &topic, err))
		goto out;
	if (parse_op(&p, ".")) {
		cluster = topic;
		topic = NULL;
		if (!parse_name(&p, "a topic", &topic, err))
			goto out;
	}
	if (parse_word(&p, "from")) {
		beginning = parse_word(&p, "beginning");
		if (!beginning && !parse_text(&p, "BEGINNING or a time in quotes", &from, err))
			goto out;
	}
	if (parse_word(&p, "interval") || parse_word(&p, "sample")) {
		parse_fail(&p, err, "LIMIT");
		goto out;
	}
	if (parse_word(&p, "limit")) {
		if (p.token.kind != TOKEN_NUMBER && p.token.kind != TOKEN_VARIABLE) {
			parse_fail(&p, err, "a number");
			goto out;
		}
		buf_add(&limit, p.token.text, p.token.len);
		parse_next(&p);
	}
	if (!parse_end(&p, err) || !resolve_stream(s, cluster, topic, &table, err))
		goto out;
	static const char columns[] = "SELECT _time, _partition, _offset, _key, _value, _headers FROM ";
	if (beginning || from) {
		buf_adds(&sql, columns);
		sql_quote_name(&sql, table);
		if (from) {
			buf_adds(&sql, " WHERE _ts >= ts(");
			sql_quote_text(&sql, from);
			buf_addc(&sql, ')');
		}
		if (limit.len)
			buf_addf(&sql, " LIMIT %s", limit.data);
	} else {
		struct provider *provider = &s->catalog->provider;
		struct topic_info info = {.partition_n = 1};
		struct stream *stream = NULL;
		char *schema = NULL;
		stream_lookup(s, table, &stream, &schema, err);
		bool known = !stream || provider->impl->topic_info(provider, stream->cluster, stream->topic, 0, &info, err);
		stream_destroy(stream);
		free(schema);
		if (!known)
			goto out;
		/* The last messages of each partition, of these the newest: a time order over the whole topic would have to read all of it. */
		int32_t arms = info.partition_n <= PRINT_MAX_ARMS ? info.partition_n : 1;
		const char *n = limit.len ? limit.data : "10";
		buf_adds(&sql, "SELECT * FROM (SELECT * FROM (");
		for (int32_t i = 0; i < arms; i++) {
			buf_addf(&sql, "%sSELECT * FROM (%s", i ? " UNION ALL " : "", columns);
			sql_quote_name(&sql, table);
			if (arms > 1)
				buf_addf(&sql, " WHERE _partition = %d", (int)i);
			buf_addf(&sql, " ORDER BY _offset DESC LIMIT %s)", n);
		}
		buf_addf(&sql, ") ORDER BY _time DESC, _partition, _offset DESC LIMIT %s) ORDER BY _time, _partition, _offset", n);
	}
	st->table = xstrdup(table);
	st->sql = sql;
	sql = (struct buf)BUF_INIT;
	st->rewritten = true;
	ok = true;
out:
	buf_finish(&limit);
	buf_finish(&sql);
	free(topic);
	free(cluster);
	free(from);
	free(table);
	return ok;
}
