/* DESCRIBE [EXTENDED] name: columns of a stream, topic, table or view; extended: where it comes from and what it holds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/alloc.h"
#include "sql/dialect.h"
#include "sql/literal.h"

static const char *const hidden[][3] = {
	{"_topic", "TEXT", "topic"}, {"_partition", "INTEGER", "partition"}, {"_offset", "INTEGER", "offset"}, {"_ts", "TIMESTAMP_MS", "timestamp, ms since 1970 UTC"},
	{"_time", "TEXT", "the same instant, RFC 3339 UTC"}, {"_ts_type", "TEXT", "create or append"}, {"_key", "", "record key"}, {"_value", "", "record value; NULL = tombstone"},
	{"_headers", "TEXT", "headers, JSON array of pairs"}, {"_size", "INTEGER", "bytes of key and value"}, {"_schema_id", "INTEGER", "schema id of the framing"},
	{"_error", "TEXT", "why the value could not be decoded"},
};

static void describe_columns(const struct stream *st, bool with_hidden, const char *section, struct literal *to)
{
	struct buf from = BUF_INIT;
	for (size_t i = 0; i < st->column_n; i++) {
		const struct column *c = &st->columns[i];
		static const char *const origins[] = {[COLUMN_FROM_VALUE] = "value", [COLUMN_FROM_KEY] = "key", [COLUMN_FROM_HEADER] = "header"};
		buf_clear(&from);
		buf_addf(&from, "%s%s%s", origins[c->origin], c->path ? " " : "", c->path ? c->path : "");
		literal_row(to);
		if (section)
			literal_text(to, section);
		literal_text(to, c->name);
		literal_text(to, column_type_name(c->type));
		literal_text(to, from.data);
		literal_text(to, c->note ? c->note : c->primary_key ? "primary key" : NULL);
	}
	for (size_t i = 0; with_hidden && i < sizeof hidden / sizeof *hidden; i++) {
		literal_row(to);
		if (section)
			literal_text(to, section);
		literal_text(to, hidden[i][0]);
		literal_text(to, hidden[i][1]);
		literal_text(to, "record");
		literal_text(to, hidden[i][2]);
	}
	buf_finish(&from);
}

static void fact(struct literal *to, const char *section, const char *name, const char *value, const char *detail, const char *note)
{
	literal_row(to);
	literal_text(to, section);
	literal_text(to, name);
	literal_text(to, value);
	literal_text(to, detail);
	literal_text(to, note);
}

static bool describe_partitions(struct session *s, const struct stream *st, struct literal *to, struct err *err)
{
	struct provider *p = &s->catalog->provider;
	struct topic_info info;
	char value[64];
	if (!p->impl->topic_info(p, st->cluster, st->topic, TOPIC_ASK_CONFIG, &info, err))
		return false;
	struct partition_bounds *b = xcalloc((size_t)info.partition_n, sizeof *b);
	bool ok = p->impl->topic_bounds(p, st->cluster, st->topic, info.partition_n, b, err);
	if (ok) {
		static const char *const types[] = {[TS_TYPE_NONE] = "not known", [TS_TYPE_CREATE] = "CreateTime", [TS_TYPE_APPEND] = "LogAppendTime"};
		int64_t total = 0;
		for (int32_t i = 0; i < info.partition_n; i++)
			total += b[i].end - b[i].low;
		snprintf(value, sizeof value, "%d", info.partition_n);
		fact(to, "topic", "partitions", value, NULL, NULL);
		snprintf(value, sizeof value, "%lld", (long long)total);
		fact(to, "topic", "offsets", value, NULL, info.compacted ? "compacted: there are fewer records than offsets" : NULL);
		fact(to, "topic", "timestamps", types[info.ts_type], NULL, info.time_seek ? NULL : "this broker cannot seek by time");
		fact(to, "topic", "compacted", info.compacted ? "yes" : "no", NULL, NULL);
		for (int32_t i = 0; i < info.partition_n; i++) {
			char name[32], range[64];
			snprintf(name, sizeof name, "%d", i);
			snprintf(range, sizeof range, "%lld..%lld", (long long)b[i].low, (long long)b[i].end);
			snprintf(value, sizeof value, "%lld", (long long)(b[i].end - b[i].low));
			fact(to, "partition", name, value, range, NULL);
		}
	}
	free(b);
	return ok;
}

/* What a fresh sample says about the columns' types becomes their notes. A topic that nobody declared was sampled a moment ago; for declared
 * streams only EXTENDED asks, as it asks the broker anyway. Without a sample there are no notes. */
static void add_notes(struct session *s, struct stream *st)
{
	struct err ignored = ERR_INIT;
	struct buf report = BUF_INIT;
	struct stream *probe = stream_create(st->name, st->topic);
	free(probe->format);
	probe->format = xstrdup(st->format);
	probe->cluster = st->cluster ? xstrdup(st->cluster) : NULL;
	probe->explode = st->explode ? xstrdup(st->explode) : NULL;
	probe->delimiter = st->delimiter;
	probe->decimal = st->decimal;
	probe->header = st->header;
	probe->nan_null = st->nan_null;
	bool ok = stream_infer(&s->catalog->provider, probe, 200, &report, &ignored);
	for (size_t i = 0; ok && i < st->column_n; i++) {
		struct column *to = &st->columns[i];
		for (size_t k = 0; k < probe->column_n && !to->note && to->origin == COLUMN_FROM_VALUE; k++) {
			const struct column *from = &probe->columns[k];
			bool same = to->path && from->path ? strcmp(to->path, from->path) == 0 : sqlite3_stricmp(to->name, from->name) == 0;
			if (same && from->origin == COLUMN_FROM_VALUE && from->note)
				to->note = to->type == from->type ? xstrdup(from->note) : xasprintf("sampled as %s, %s", column_type_name(from->type), from->note);
		}
	}
	stream_destroy(probe);
	buf_finish(&report);
}

static bool was_declared(const struct session *s, const char *name)
{
	for (size_t i = 0; i < s->auto_stream_n; i++)
		if (sqlite3_stricmp(s->auto_streams[i], name) == 0)
			return false;
	return true;
}

static bool describe_stream(struct session *s, const struct stream *st, bool extended, struct statement *statement, struct err *err)
{
	static const char *const plain[] = {"column", "type", "from", "notes", NULL};
	static const char *const wide[] = {"section", "name", "value", "detail", "notes", NULL};
	struct literal l = literal_begin(extended ? wide : plain);
	bool ok = true;
	if (extended) {
		struct buf ddl = BUF_INIT;
		stream_to_ddl(st, "main", &ddl);
		fact(&l, "stream", "topic", st->topic, NULL, NULL);
		fact(&l, "stream", "cluster", s->catalog->provider.impl->cluster_name(&s->catalog->provider, st->cluster), NULL, st->cluster ? NULL : "the current one");
		fact(&l, "stream", "kind", st->kind == STREAM_CHANGELOG ? "table: last value per key" : "stream: every record", NULL, NULL);
		fact(&l, "stream", "format", st->format, st->explode, NULL);
		fact(&l, "stream", "key_format", st->key_format, NULL, NULL);
		fact(&l, "stream", "event time", st->timestamp ? st->timestamp : "_ts", NULL, NULL);
		fact(&l, "stream", "partitioner", st->partitioner_given ? partitioner_name(st->partitioner) : "detected from the records", NULL, NULL);
		fact(&l, "stream", "ddl", ddl.data, NULL, NULL);
		buf_finish(&ddl);
		ok = describe_partitions(s, st, &l, err);
	}
	describe_columns(st, extended, extended ? "column" : NULL, &l);
	literal_finish(&l, &statement->sql);
	return ok;
}

bool describe_statement(struct session *s, const char *text, size_t len, struct statement *st, bool *ret_ours, struct err *err)
{
	struct parse p = parse_begin(text, 0, len);
	char *name = NULL, *cluster = NULL, *local = NULL, *schema = NULL;
	struct stream *stream = NULL;
	bool ok = false;
	parse_next(&p);
	if (parse_word(&p, "columns") && !parse_word(&p, "from"))
		parse_word(&p, "in");
	bool extended = parse_word(&p, "extended");
	if (!parse_name(&p, "a stream, topic or table", &name, err))
		return false;
	if (parse_op(&p, ".")) {
		cluster = name;
		name = NULL;
		if (!parse_name(&p, "a name", &name, err))
			goto out;
		if (sqlite3_stricmp(cluster, "main") == 0 || sqlite3_stricmp(cluster, "temp") == 0) {
			free(cluster);
			cluster = NULL;
		}
	}
	if (!parse_end(&p, err))
		goto out;
	if (!cluster && !s->catalog->current && !resolve_table_exists(s, name)) {
		err_set(err, ERR_SQL, "no table \"%s\", and no cluster to look for a topic on", name);
		goto out;
	}
	if (!resolve_stream(s, cluster, name, &local, err) || !stream_lookup(s, local, &stream, &schema, err))
		goto out;
	st->rewritten = true;
	if (stream) {
		if (extended || !was_declared(s, local))
			add_notes(s, stream);
		ok = describe_stream(s, stream, extended, st, err);
		goto out;
	}
	buf_adds(&st->sql, "SELECT name AS \"column\", type, iif(hidden = 1, 'hidden', iif(hidden, 'generated', NULL)) AS \"from\","
		" nullif(trim(iif(pk, 'primary key ', '') || iif(\"notnull\", 'not null ', '') || iif(dflt_value IS NULL, '', 'default ' || dflt_value)), '') AS notes FROM pragma_table_xinfo(");
	sql_quote_text(&st->sql, local);
	buf_adds(&st->sql, ")");
	ok = true;
out:
	stream_destroy(stream);
	free(schema);
	free(local);
	free(cluster);
	free(name);
	return ok;
}
