/* The weir_* tables that ask a broker. Column `cluster` is an attached cluster's name; without an equality on it the current cluster is asked (asking every
 * attached one would wait for those that are down). What the broker does not allow for one topic or group leaves NULLs there, not an error for all. */
#include <stdlib.h>
#include <strings.h>
#include "core/alloc.h"
#include "core/time.h"
#include "sql/metadata_impl.h"
#include "sql/session_impl.h"

/* The cluster to ask and its name in SQL. */
static bool pick(struct catalog *c, const char *filter, struct cluster **ret, const char **ret_name, struct err *err)
{
	struct attached *a = NULL;
	if (!catalog_find(c, filter, &a, err) || !catalog_cluster(c, filter, ret, err))
		return false;
	*ret_name = a->name;
	return true;
}

static void text_of_ids(struct rowset *to, int column, const int32_t *ids, size_t n)
{
	struct buf b = BUF_INIT;
	buf_addc(&b, '[');
	for (size_t i = 0; i < n; i++)
		buf_addf(&b, "%s%d", i ? "," : "", ids[i]);
	buf_addc(&b, ']');
	rowset_text(to, column, b.data);
	buf_finish(&b);
}

/* All topics, or the one that the query names. */
static bool topics_of(struct cluster *k, const char *topic, const struct cluster_topic **ret, size_t *ret_n, struct err *err)
{
	const struct cluster_meta *meta = NULL;
	if (topic) {
		*ret_n = 1;
		if (cluster_topic_get(k, topic, ret, err))
			return true;
		if (err->id != ERR_TOPIC_UNKNOWN)
			return false;
		err_clear(err);
		*ret_n = 0;
		return true;
	}
	if (!cluster_metadata(k, false, &meta, err))
		return false;
	*ret = meta->topics;
	*ret_n = meta->topic_n;
	return true;
}

static bool fill_brokers(void *ctx, const char *filter, const char *filter_2, struct rowset *to, struct err *err)
{
	struct cluster *k = NULL;
	const struct cluster_meta *meta = NULL;
	const char *name;
	int32_t controller = -1;
	struct buf id = BUF_INIT;
	struct err ignored = ERR_INIT;
	if (!pick(ctx, filter, &k, &name, err) || !cluster_metadata(k, false, &meta, err))
		return false;
	cluster_id(k, &id, &controller, &ignored);
	if (!cluster_metadata(k, false, &meta, err)) {
		buf_finish(&id);
		return false;
	}
	for (size_t i = 0; i < meta->broker_n; i++) {
		rowset_row(to);
		rowset_text(to, 0, name);
		rowset_int(to, 1, meta->brokers[i].id);
		rowset_text(to, 2, meta->brokers[i].host);
		rowset_int(to, 3, meta->brokers[i].port);
		rowset_int(to, 4, meta->brokers[i].id == controller);
	}
	buf_finish(&id);
	return true;
}

static bool fill_topics(void *ctx, const char *filter, const char *filter_2, struct rowset *to, struct err *err)
{
	struct cluster *k = NULL;
	const struct cluster_topic *t = NULL;
	size_t n = 0;
	const char *name;
	if (!pick(ctx, filter, &k, &name, err) || !topics_of(k, filter_2, &t, &n, err))
		return false;
	for (size_t i = 0; i < n; i++) {
		size_t replicas = 0, behind = 0, leaderless = 0;
		for (int32_t p = 0; p < t[i].partition_n; p++) {
			const struct cluster_partition *part = &t[i].partitions[p];
			replicas = part->replica_n > replicas ? part->replica_n : replicas;
			behind += part->isr_n < part->replica_n;
			leaderless += part->leader < 0;
		}
		rowset_row(to);
		rowset_text(to, 0, name);
		rowset_text(to, 1, t[i].name);
		rowset_int(to, 2, t[i].partition_n);
		rowset_int(to, 3, (int64_t)replicas);
		rowset_int(to, 4, t[i].internal);
		rowset_int(to, 5, (int64_t)behind);
		rowset_int(to, 6, (int64_t)leaderless);
	}
	return true;
}

enum { P_LOW, P_END, P_HIGH, P_KINDS };

struct edge {
	int64_t ts_ms, size;
	bool found;
};

/* Reads a few records of every partition in one scan and keeps the first or the last one seen of each. need = 0: no payload is copied. */
static void read_edges(struct catalog *c, struct cluster *k, const char *topic, const struct scan_range *ranges, size_t n, bool last, struct edge *ret)
{
	struct scan_request request = {.topic = topic, .ranges = ranges, .range_n = n, .need = 0, .order = SCAN_ORDER_ANY, .row_hint = (int64_t)n, .gap_policy = GAP_WARN, .cancel = &c->cancel};
	struct source *source = NULL;
	struct batch *batch = NULL;
	struct err ignored = ERR_INIT;
	enum source_status status;
	int64_t deadline = time_mono_ms() + 5000;
	if (!n || !reader_open(k, &request, &source, &ignored))
		return;
	while ((status = source_next(source, 100, &batch, &ignored)) == SOURCE_BATCH || (status == SOURCE_IDLE && time_mono_ms() < deadline)) {
		if (status != SOURCE_BATCH)
			continue;
		const struct record *r = &batch->records[last ? batch->record_n - 1 : 0];
		struct edge *e = &ret[batch->partition];
		if (last || !e->found)
			*e = (struct edge){.ts_ms = r->ts_ms, .size = r->size, .found = true};
		batch_unref(batch);
	}
	source_destroy(source);
}

/* First and last record of every partition: two scans, whatever the number of partitions. Near the end offsets may be markers or compacted
 * away, so the last of up to 16 offsets is taken. */
static void partition_edges(struct catalog *c, struct cluster *k, const char *topic, int32_t n, const int64_t *low, const int64_t *end, struct edge *first, struct edge *last)
{
	struct scan_range *ranges = xcalloc((size_t)n + 1, sizeof *ranges);
	size_t range_n = 0;
	for (int32_t p = 0; p < n; p++)
		if (end[p] > low[p])
			ranges[range_n++] = (struct scan_range){.partition = p, .start = low[p], .end = low[p] + 1};
	read_edges(c, k, topic, ranges, range_n, false, first);
	range_n = 0;
	for (int32_t p = 0; p < n; p++)
		if (end[p] > low[p])
			ranges[range_n++] = (struct scan_range){.partition = p, .start = end[p] - 16 > low[p] ? end[p] - 16 : low[p], .end = end[p]};
	read_edges(c, k, topic, ranges, range_n, true, last);
	free(ranges);
}

static bool fill_partitions(void *ctx, const char *filter, const char *filter_2, struct rowset *to, struct err *err)
{
	struct catalog *c = ctx;
	struct cluster *k = NULL;
	const struct cluster_topic *t = NULL;
	size_t n = 0;
	const char *name;
	if (!pick(c, filter, &k, &name, err) || !topics_of(k, filter_2, &t, &n, err))
		return false;
	/* The calls below may fetch metadata anew, so names and numbers are taken first. */
	char **names = xcalloc(n ? n : 1, sizeof *names);
	for (size_t i = 0; i < n; i++)
		names[i] = xstrdup(t[i].name);
	bool ok = true;
	for (size_t i = 0; i < n && ok; i++) {
		const struct cluster_topic *now = NULL;
		struct err why = ERR_INIT;
		if (!cluster_topic_get(k, names[i], &now, &why))
			continue;
		size_t count = (size_t)(now->partition_n > 0 ? now->partition_n : 1);
		int64_t *offsets[P_KINDS];
		bool have[P_KINDS];
		for (int kind = 0; kind < P_KINDS; kind++)
			offsets[kind] = xcalloc(count, sizeof(int64_t));
		have[P_LOW] = cluster_offsets(k, names[i], now->partition_n, CLUSTER_EARLIEST, offsets[P_LOW], &why);
		have[P_END] = have[P_LOW] && cluster_offsets(k, names[i], (int32_t)count, CLUSTER_LATEST, offsets[P_END], &why);
		have[P_HIGH] = have[P_END] && cluster_high_watermarks(k, names[i], (int32_t)count, offsets[P_HIGH], &why);
		struct edge *first = xcalloc(count, sizeof *first), *last = xcalloc(count, sizeof *last);
		if (filter_2 && have[P_END])
			partition_edges(c, k, names[i], (int32_t)count, offsets[P_LOW], offsets[P_END], first, last);
		ok = cancel_check(&c->cancel, err) && cluster_topic_get(k, names[i], &now, err);
		for (int32_t p = 0; ok && p < now->partition_n && (size_t)p < count; p++) {
			const struct cluster_partition *part = &now->partitions[p];
			rowset_row(to);
			rowset_text(to, 0, name);
			rowset_text(to, 1, names[i]);
			rowset_int(to, 2, p);
			rowset_int(to, 3, part->leader);
			text_of_ids(to, 4, part->replicas, part->replica_n);
			text_of_ids(to, 5, part->isrs, part->isr_n);
			if (have[P_LOW])
				rowset_int(to, 6, offsets[P_LOW][p]);
			if (have[P_HIGH])
				rowset_int(to, 7, offsets[P_HIGH][p]);
			if (have[P_END])
				rowset_int(to, 8, offsets[P_END][p]);
			if (first[p].found && first[p].ts_ms != TIME_NONE)
				rowset_int(to, 9, first[p].ts_ms);
			if (last[p].found && last[p].ts_ms != TIME_NONE)
				rowset_int(to, 10, last[p].ts_ms);
			if (first[p].found && last[p].found)
				rowset_int(to, 11, (first[p].size + last[p].size) / 2 * (offsets[P_END][p] - offsets[P_LOW][p]));
		}
		free(first);
		free(last);
		for (int kind = 0; kind < P_KINDS; kind++)
			free(offsets[kind]);
	}
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
	return ok;
}

static bool fill_groups(void *ctx, const char *filter, const char *filter_2, struct rowset *to, struct err *err)
{
	struct cluster *k = NULL;
	struct cluster_group *groups = NULL;
	size_t n = 0;
	const char *name;
	if (!pick(ctx, filter, &k, &name, err) || !cluster_groups(k, &groups, &n, err))
		return false;
	for (size_t i = 0; i < n; i++) {
		rowset_row(to);
		rowset_text(to, 0, name);
		rowset_text(to, 1, groups[i].name);
		rowset_text(to, 2, groups[i].state);
		rowset_text(to, 3, groups[i].protocol_type);
		rowset_text(to, 4, groups[i].protocol);
		rowset_int(to, 5, groups[i].member_n);
		rowset_int(to, 6, groups[i].coordinator);
	}
	cluster_groups_free(groups, n);
	return true;
}

/* End offsets of topics already asked for, so that a group's many partitions cost one request per topic. */
struct ends {
	char *topic;
	int64_t *end, *low;
	int32_t n;
};

static struct ends *ends_of(struct cluster *k, struct ends **list, size_t *list_n, const char *topic)
{
	for (size_t i = 0; i < *list_n; i++)
		if (strcmp((*list)[i].topic, topic) == 0)
			return &(*list)[i];
	*list = xreallocarray(*list, *list_n + 1, sizeof **list);
	struct ends *e = &(*list)[(*list_n)++];
	const struct cluster_topic *t = NULL;
	struct err ignored = ERR_INIT;
	*e = (struct ends){.topic = xstrdup(topic)};
	if (!cluster_topic_get(k, topic, &t, &ignored))
		return e;
	int32_t n = t->partition_n;
	e->end = xcalloc((size_t)n + 1, sizeof(int64_t));
	e->low = xcalloc((size_t)n + 1, sizeof(int64_t));
	if (cluster_offsets(k, topic, n, CLUSTER_EARLIEST, e->low, &ignored) && cluster_offsets(k, topic, n, CLUSTER_LATEST, e->end, &ignored))
		e->n = n;
	return e;
}

static bool group_offsets(struct catalog *c, struct cluster *k, const char *cluster, const char *group, struct ends **list, size_t *list_n, struct rowset *to, struct err *err)
{
	struct cluster_group_offset *o = NULL;
	size_t n = 0;
	if (!cluster_group_offsets(k, group, &o, &n, err))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (o[i].offset < 0)
			continue;
		struct ends *e = ends_of(k, list, list_n, o[i].topic);
		rowset_row(to);
		rowset_text(to, 0, cluster);
		rowset_text(to, 1, group);
		rowset_text(to, 2, o[i].topic);
		rowset_int(to, 3, o[i].partition);
		rowset_int(to, 4, o[i].offset);
		if (o[i].partition >= 0 && o[i].partition < e->n) {
			int64_t end = e->end[o[i].partition], low = e->low[o[i].partition];
			int64_t from = o[i].offset < low ? low : o[i].offset;
			rowset_int(to, 5, end);
			rowset_int(to, 6, end > from ? end - from : 0);
			rowset_int(to, 7, o[i].offset < low ? low - o[i].offset : 0);
		}
		rowset_text(to, 8, o[i].metadata);
	}
	cluster_group_offsets_free(o, n);
	return cancel_check(&c->cancel, err);
}

static bool fill_group_offsets(void *ctx, const char *filter, const char *filter_2, struct rowset *to, struct err *err)
{
	struct catalog *c = ctx;
	struct cluster *k = NULL;
	struct cluster_group *groups = NULL;
	struct ends *list = NULL;
	size_t n = 0, list_n = 0;
	const char *name;
	bool ok = pick(c, filter, &k, &name, err);
	if (ok && filter_2)
		ok = group_offsets(c, k, name, filter_2, &list, &list_n, to, err);
	else if (ok && (ok = cluster_groups(k, &groups, &n, err))) {
		for (size_t i = 0; i < n && ok; i++) {
			struct err why = ERR_INIT;
			if (!group_offsets(c, k, name, groups[i].name, &list, &list_n, to, &why)) {
				ok = why.id == ERR_AUTHORIZATION;      /* other groups go on */
				if (!ok)
					*err = why;
			}
		}
		cluster_groups_free(groups, n);
	}
	for (size_t i = 0; i < list_n; i++) {
		free(list[i].topic);
		free(list[i].end);
		free(list[i].low);
	}
	free(list);
	return ok;
}

static void add_settings(const char *cluster, const char *topic, int32_t broker, struct cluster_setting *settings, size_t n, struct rowset *to)
{
	for (size_t i = 0; i < n; i++) {
		rowset_row(to);
		rowset_text(to, 0, cluster);
		rowset_text(to, 1, topic);
		if (!topic)
			rowset_int(to, 2, broker);
		rowset_text(to, 3, settings[i].name);
		rowset_text(to, 4, settings[i].value);
		rowset_int(to, 5, settings[i].is_default);
		rowset_int(to, 6, settings[i].read_only);
		rowset_int(to, 7, settings[i].sensitive);
		rowset_text(to, 8, settings[i].source);
	}
	cluster_settings_free(settings, n);
}

static bool fill_configs(void *ctx, const char *filter, const char *filter_2, struct rowset *to, struct err *err)
{
	struct catalog *c = ctx;
	struct cluster *k = NULL;
	const struct cluster_meta *meta = NULL;
	struct cluster_setting *settings = NULL;
	size_t n = 0;
	const char *name;
	if (!pick(c, filter, &k, &name, err))
		return false;
	if (filter_2) {
		if (!cluster_configs(k, filter_2, -1, &settings, &n, err))
			return false;
		add_settings(name, filter_2, -1, settings, n, to);
		return true;
	}
	/* Without a topic: the brokers' settings. Every topic's would be one request each. */
	if (!cluster_metadata(k, false, &meta, err))
		return false;
	size_t broker_n = meta->broker_n;
	int32_t *ids = xcalloc(broker_n + 1, sizeof *ids);
	for (size_t i = 0; i < broker_n; i++)
		ids[i] = meta->brokers[i].id;
	bool ok = true;
	for (size_t i = 0; i < broker_n && ok; i++) {
		ok = cluster_configs(k, NULL, ids[i], &settings, &n, err);
		if (ok)
			add_settings(name, NULL, ids[i], settings, n, to);
	}
	free(ids);
	return ok;
}

/* Streams are read from SQLite's schema: that is where they live. */
static bool fill_streams(void *ctx, const char *filter, const char *filter_2, struct rowset *to, struct err *err)
{
	struct catalog *c = ctx;
	sqlite3_stmt *stmt = NULL;
	if (sqlite3_prepare_v2(c->db, "SELECT 'temp', name, sql FROM sqlite_temp_schema WHERE type = 'table' AND sql LIKE 'create virtual table%' UNION ALL"
		" SELECT 'main', name, sql FROM main.sqlite_schema WHERE type = 'table' AND sql LIKE 'create virtual table%'", -1, &stmt, NULL) != SQLITE_OK)
		return err_set(err, ERR_INTERNAL, "weir_streams: %s", sqlite3_errmsg(c->db));
	const char *file = sqlite3_db_filename(c->db, "main");
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		struct stream *s = NULL;
		struct err why = ERR_INIT;
		if (!stream_from_sql((const char *)sqlite3_column_text(stmt, 1), (const char *)sqlite3_column_text(stmt, 2), &s, &why) || !s)
			continue;
		rowset_row(to);
		rowset_text(to, 0, s->name);
		rowset_text(to, 1, s->kind == STREAM_CHANGELOG ? "table" : "stream");
		rowset_text(to, 2, s->topic);
		rowset_text(to, 3, s->cluster);
		rowset_text(to, 4, s->format);
		rowset_text(to, 5, s->key_format);
		rowset_int(to, 6, (int64_t)s->column_n);
		bool in_file = file && *file && strcmp((const char *)sqlite3_column_text(stmt, 0), "main") == 0;
		rowset_text(to, 7, in_file ? "file" : "session");
		rowset_text(to, 8, (const char *)sqlite3_column_text(stmt, 2));
		stream_destroy(s);
	}
	sqlite3_finalize(stmt);
	return true;
}

static const struct rowset_def defs[] = {
	{"weir_brokers", "cluster TEXT, id INTEGER, host TEXT, port INTEGER, controller INTEGER", 0, -1, fill_brokers, "brokers of a cluster"},
	{"weir_topics", "cluster TEXT, topic TEXT, partitions INTEGER, replicas INTEGER, internal INTEGER, under_replicated INTEGER, leaderless INTEGER", 0, 1, fill_topics, "topics, internal ones too"},
	{"weir_partitions", "cluster TEXT, topic TEXT, partition INTEGER, leader INTEGER, replicas TEXT, isr TEXT, low INTEGER, high INTEGER, lso INTEGER,"
		" first_ts TIMESTAMP_MS, last_ts TIMESTAMP_MS, bytes_estimate INTEGER", 0, 1, fill_partitions,
		"leader, replicas and offsets of partitions; the times and the estimate only where the query names one topic"},
	{"weir_groups", "cluster TEXT, \"group\" TEXT, state TEXT, protocol_type TEXT, protocol TEXT, members INTEGER, coordinator INTEGER", 0, -1, fill_groups, "consumer groups"},
	{"weir_group_offsets", "cluster TEXT, \"group\" TEXT, topic TEXT, partition INTEGER, \"offset\" INTEGER, \"end\" INTEGER, lag INTEGER, lost INTEGER, metadata TEXT", 0, 1,
		fill_group_offsets, "committed offsets with lag; lost = committed offsets that retention already removed"},
	{"weir_configs", "cluster TEXT, topic TEXT, broker INTEGER, name TEXT, value TEXT, is_default INTEGER, read_only INTEGER, sensitive INTEGER, source TEXT", 0, 1, fill_configs,
		"settings of one topic (WHERE topic = ..), else of the brokers"},
	{"weir_streams", "stream TEXT, kind TEXT, topic TEXT, cluster TEXT, format TEXT, key_format TEXT, columns INTEGER, kept TEXT, ddl TEXT", -1, -1, fill_streams, "registered streams and changelog tables"},
};

const struct rowset_def *metadata_kafka_defs(size_t *ret_n)
{
	*ret_n = sizeof defs / sizeof *defs;
	return defs;
}
