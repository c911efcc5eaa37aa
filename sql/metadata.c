/* sql/metadata.h: definitions and registration. Those that ask a broker are in metadata_kafka.c, those of the session here. */
#include "sql/metadata.h"

#include <stdlib.h>
#include "core/alloc.h"
#include "core/time.h"
#include "sql/aggregate/aggregate.h"
#include "sql/functions.h"
#include "sql/metadata_impl.h"
#include "sql/settings.h"

static bool fill_clusters(void *ctx, const char *filter, const char *filter_2, struct rowset *to, struct err *err)
{
	struct catalog *c = ctx;
	for (size_t i = 0; i < c->cluster_n; i++) {
		const struct attached *a = c->clusters[i];
		rowset_row(to);
		rowset_text(to, 0, a->name);
		rowset_int(to, 1, a == c->current);
		rowset_text(to, 2, kafka_config_get(a->config, "bootstrap.servers"));
		rowset_text(to, 3, a->profile);
		rowset_text(to, 4, a->startup ? "command line" : a->from_file ? "database file" : "attached");
		rowset_int(to, 5, a->cluster != NULL);
	}
	return true;
}

static bool fill_profiles(void *ctx, const char *filter, const char *filter_2, struct rowset *to, struct err *err)
{
	struct buf names = BUF_INIT;
	struct catalog *c = ctx;
	catalog_profiles(c, &names);
	for (char *p = names.data; *p;) {
		size_t n = strcspn(p, "\n");
		bool more = p[n] == '\n';
		p[n] = 0;
		rowset_row(to);
		rowset_text(to, 0, p);
		rowset_text(to, 1, c->config_path);
		p += n + more;
	}
	buf_finish(&names);
	return true;
}

static bool fill_errors(void *ctx, const char *filter, const char *filter_2, struct rowset *to, struct err *err)
{
	struct catalog *c = ctx;
	size_t first = c->bad_n == CATALOG_BAD_ROWS ? c->bad_next : 0;
	for (size_t i = 0; i < c->bad_n; i++) {
		const struct bad_row *b = &c->bad[(first + i) % CATALOG_BAD_ROWS];
		if (filter && strcmp(filter, b->topic) != 0)
			continue;
		char hex[2 * sizeof b->sample + 1];
		for (size_t k = 0; k < b->sample_n; k++) {
			static const char digits[] = "0123456789abcdef";
			hex[2 * k] = digits[b->sample[k] >> 4];
			hex[2 * k + 1] = digits[b->sample[k] & 15];
		}
		hex[2 * b->sample_n] = 0;
		rowset_row(to);
		rowset_text(to, 0, b->cluster);
		rowset_text(to, 1, b->topic);
		rowset_int(to, 2, b->partition);
		rowset_int(to, 3, b->offset);
		if (b->ts_ms != TIME_NONE)
			rowset_int(to, 4, b->ts_ms);
		rowset_int(to, 5, b->query_n);
		rowset_text(to, 6, b->stage);
		rowset_text(to, 7, b->text);
		rowset_text(to, 8, hex);
	}
	return true;
}

static bool fill_stats(void *ctx, const char *filter, const char *filter_2, struct rowset *to, struct err *err)
{
	struct catalog *c = ctx;
	const struct scan_stats *s = &c->last_stats;
	int64_t requests = 0;
	for (size_t i = 0; i < c->cluster_n; i++)
		requests += c->clusters[i]->cluster ? cluster_request_n(c->clusters[i]->cluster) : 0;
	const struct {
		const char *name;
		int64_t value;
		const char *help;
	} rows[] = {
		{"messages", s->message_n, "delivered by the broker to the last statement"},
		{"message_bytes", s->message_bytes, "bytes of their keys and values"},
		{"fetched_bytes", s->fetched_bytes, "bytes that came over the network, 0 = not known"},
		{"filtered", s->filtered_n, "rejected by their bytes, before decoding"},
		{"outside", s->outside_n, "delivered but outside the asked range or time"},
		{"rows", s->row_n, "rows given to SQLite"},
		{"decode_errors", s->decode_error_n, "messages that could not be decoded"},
		{"duplicates", s->duplicate_n, "offsets delivered twice and dropped"},
		{"gaps", s->gap_n, "offsets lost during the scan"},
		{"too_large", s->too_large_n, "messages above max_message"},
		{"planned", s->planned_n, "offsets in the frozen ranges"},
		{"scans", s->scan_n, "times a topic was opened"},
		{"leader_changes", s->leader_change_n, "leaders that moved during the scan"},
		{"session_requests", requests, "metadata and offset requests since the session began"},
		{"session_bad_messages", c->bad_total, "messages reported to weir_errors since the session began"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		rowset_row(to);
		rowset_text(to, 0, rows[i].name);
		rowset_int(to, 1, rows[i].value);
		rowset_text(to, 2, rows[i].help);
	}
	return true;
}

static bool fill_settings(void *ctx, const char *filter, const char *filter_2, struct rowset *to, struct err *err)
{
	const struct setting *s;
	for (size_t i = 0; (s = setting_at(i)); i++) {
		struct buf value = BUF_INIT;
		s->get(ctx, &value);
		rowset_row(to);
		rowset_text(to, 0, s->name);
		rowset_text(to, 1, value.data);
		rowset_text(to, 2, s->values);
		rowset_text(to, 3, s->help);
		buf_finish(&value);
	}
	return true;
}

static bool fill_functions(void *ctx, const char *filter, const char *filter_2, struct rowset *to, struct err *err)
{
	struct catalog *c = ctx;
	const struct function_info *f;
	sqlite3_stmt *stmt = NULL;
	for (size_t i = 0; (f = function_info_at(i)); i++) {
		rowset_row(to);
		rowset_text(to, 0, f->name);
		rowset_text(to, 1, f->signature);
		rowset_text(to, 2, "weir");
		rowset_text(to, 3, f->help);
	}
	for (size_t i = 0; aggregate_at(i); i++) {
		const struct aggregate *a = aggregate_at(i);
		if (a->replaces_sqlite)
			continue;
		rowset_row(to);
		rowset_text(to, 0, a->name);
		rowset_text(to, 1, a->signature);
		rowset_text(to, 2, "weir");
		rowset_text(to, 3, a->help);
	}
	if (sqlite3_prepare_v2(c->db, "SELECT name, max(narg) FROM pragma_function_list GROUP BY name ORDER BY name", -1, &stmt, NULL) != SQLITE_OK)
		return true;
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(stmt, 0);
		bool ours = false;
		for (size_t i = 0; !ours && (f = function_info_at(i)); i++)
			ours = strcmp(f->name, name) == 0;
		const struct aggregate *a = name ? aggregate_find(name, strlen(name), -1) : NULL;
		if (ours || (a && !a->replaces_sqlite))
			continue;
		rowset_row(to);
		rowset_text(to, 0, name);
		rowset_text(to, 2, "sqlite");
	}
	sqlite3_finalize(stmt);
	return true;
}

static const struct rowset_def defs[] = {
	{"weir_clusters", "cluster TEXT, current INTEGER, brokers TEXT, profile TEXT, origin TEXT, connected INTEGER", -1, -1, fill_clusters, "attached Kafka clusters"},
	{"weir_profiles", "profile TEXT, file TEXT", -1, -1, fill_profiles, "profiles of the configuration file"},
	{"weir_errors", "_cluster TEXT, _topic TEXT, _partition INTEGER, _offset INTEGER, _ts TIMESTAMP_MS, query INTEGER, stage TEXT, error TEXT, sample TEXT", 1, -1, fill_errors,
		"messages that could not be used as asked; the newest 10000"},
	{"weir_stats", "name TEXT, value INTEGER, help TEXT", -1, -1, fill_stats, "counts of the last statement that read a topic"},
	{"weir_settings", "name TEXT, value TEXT, \"values\" TEXT, help TEXT", -1, -1, fill_settings, "settings of SET"},
	{"weir_functions", "name TEXT, signature TEXT, origin TEXT, help TEXT", -1, -1, fill_functions, "functions of weir and SQLite"},
};

bool metadata_register(sqlite3 *db, struct catalog *catalog, struct err *err)
{
	struct err *last = &catalog->provider.last_error;
	catalog->db = db;
	for (size_t i = 0; i < sizeof defs / sizeof *defs; i++)
		if (!rowset_register(db, &defs[i], catalog, last, err))
			return false;
	size_t n = 0;
	const struct rowset_def *kafka = metadata_kafka_defs(&n);
	for (size_t i = 0; i < n; i++)
		if (!rowset_register(db, &kafka[i], catalog, last, err))
			return false;
	return true;
}
