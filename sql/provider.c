/* The provider of core/provider.h over the attached clusters: what vtab/ asks goes to kafka/cluster.h. Each call looks the cluster up by name,
 * so a table of a cluster that was detached fails with a clear error and works again after it is attached anew. Thread: the connection's. */
#include <stdlib.h>
#include <strings.h>
#include "core/alloc.h"
#include "core/time.h"
#include "sql/catalog.h"

enum { TOPIC_CONFIG_MS = 30000 };        /* how long message.timestamp.type and cleanup.policy are believed */

static struct catalog *catalog_of(struct provider *p)
{
	return (struct catalog *)p;
}

static struct topic_config *cached_config(struct catalog *c, const char *cluster, const char *topic)
{
	for (size_t i = 0; i < c->topic_config_n; i++)
		if (strcmp(c->topic_configs[i].cluster, cluster) == 0 && strcmp(c->topic_configs[i].topic, topic) == 0)
			return &c->topic_configs[i];
	c->topic_configs = xreallocarray(c->topic_configs, c->topic_config_n + 1, sizeof *c->topic_configs);
	struct topic_config *t = &c->topic_configs[c->topic_config_n++];
	*t = (struct topic_config){.cluster = xstrdup(cluster), .topic = xstrdup(topic), .ts_type = TS_TYPE_NONE, .mono_ms = INT64_MIN};
	return t;
}

/* A principal without DESCRIBE_CONFIGS still reads: the answer is then "not known". */
static void fill_config(struct catalog *c, const char *name, struct cluster *cluster, const char *topic, struct topic_info *info)
{
	struct topic_config *t = cached_config(c, name, topic);
	int64_t now = time_mono_ms();
	if (t->mono_ms == INT64_MIN || now - t->mono_ms > TOPIC_CONFIG_MS) {
		struct cluster_setting *settings = NULL;
		size_t n = 0;
		struct err ignored = ERR_INIT;
		t->ts_type = TS_TYPE_NONE;
		t->compacted = false;
		if (cluster_configs(cluster, topic, -1, &settings, &n, &ignored)) {
			for (size_t i = 0; i < n; i++) {
				const char *v = settings[i].value ? settings[i].value : "";
				if (strcmp(settings[i].name, "message.timestamp.type") == 0)
					t->ts_type = strcmp(v, "LogAppendTime") == 0 ? TS_TYPE_APPEND : TS_TYPE_CREATE;
				else if (strcmp(settings[i].name, "cleanup.policy") == 0)
					t->compacted = strstr(v, "compact") != NULL;
			}
			cluster_settings_free(settings, n);
		}
		t->mono_ms = now;
	}
	info->ts_type = t->ts_type;
	info->compacted = t->compacted;
}

static bool topic_info(struct provider *p, const char *cluster, const char *topic, unsigned ask, struct topic_info *ret, struct err *err)
{
	struct catalog *c = catalog_of(p);
	struct cluster *k = NULL;
	const struct cluster_topic *t = NULL;
	if (!catalog_cluster(c, cluster, &k, err) || !cluster_topic_get(k, topic, &t, err))
		return false;
	struct topic_info info = {.partition_n = t->partition_n, .internal = t->internal, .time_seek = !cluster_is_embedded(k), .ts_type = TS_TYPE_NONE};
	if ((ask & TOPIC_ASK_CONFIG) && info.time_seek)
		fill_config(c, cluster_name(k), k, topic, &info);
	*ret = info;
	return true;
}

static bool topic_bounds(struct provider *p, const char *cluster, const char *topic, int32_t n, struct partition_bounds *ret, struct err *err)
{
	struct cluster *k = NULL;
	if (n <= 0 || !catalog_cluster(catalog_of(p), cluster, &k, err))
		return n <= 0 ? err_set(err, ERR_INTERNAL, "topic %s has no partitions", topic) : false;
	struct catalog *c = catalog_of(p);
	for (size_t i = 0; i < c->known_bounds_n; i++) {
		const struct known_bounds *known = &c->known_bounds[i];
		if (strcmp(known->cluster, cluster_name(k)) == 0 && strcmp(known->topic, topic) == 0 && known->partition_n == n) {
			memcpy(ret, known->bounds, (size_t)n * sizeof *ret);
			return true;
		}
	}
	int64_t *low = xcalloc((size_t)n, sizeof *low), *end = xcalloc((size_t)n, sizeof *end);
	const struct cluster_topic *meta = NULL;
	bool ok = cluster_bounds(k, topic, n, low, end, err) && cluster_topic_get(k, topic, &meta, err);
	for (int32_t i = 0; ok && i < n; i++)
		ret[i] = (struct partition_bounds){.partition = i, .leader = i < meta->partition_n ? meta->partitions[i].leader : -1, .low = low[i], .end = end[i] < low[i] ? low[i] : end[i]};
	free(low);
	free(end);
	if (ok && c->preparing) {
		struct known_bounds known = {.cluster = xstrdup(cluster_name(k)), .topic = xstrdup(topic), .partition_n = n, .bounds = xreallocarray(NULL, (size_t)n, sizeof *ret)};
		memcpy(known.bounds, ret, (size_t)n * sizeof *ret);
		c->known_bounds = xreallocarray(c->known_bounds, c->known_bounds_n + 1, sizeof known);
		c->known_bounds[c->known_bounds_n++] = known;
	}
	return ok;
}

static bool topic_offsets_at(struct provider *p, const char *cluster, const char *topic, int32_t n, int64_t ts_ms, int64_t *ret, struct err *err)
{
	struct cluster *k = NULL;
	/* Negative "times" are the protocol's own words (-1 latest, -2 earliest); before 1970 everything is later. */
	return catalog_cluster(catalog_of(p), cluster, &k, err) && cluster_offsets(k, topic, n, ts_ms < 0 ? 0 : ts_ms, ret, err);
}

static bool open_scan(struct provider *p, const char *cluster, const struct scan_request *request, struct source **ret, struct err *err)
{
	struct cluster *k = NULL;
	return catalog_cluster(catalog_of(p), cluster, &k, err) && reader_open(k, request, ret, err);
}

static bool agreed(struct catalog *c, const char *cluster, const char *topic)
{
	char *key = xasprintf("%s\n%s", cluster, topic);
	bool ok = false;
	for (size_t i = 0; i < c->confirmed_n && !ok; i++)
		ok = strcmp(c->confirmed[i], key) == 0;
	if (!ok && c->confirm_write && c->confirm_write(c->arg, cluster, topic)) {
		c->confirmed = xreallocarray(c->confirmed, c->confirmed_n + 1, sizeof(char *));
		c->confirmed[c->confirmed_n++] = key;
		return true;
	}
	free(key);
	return ok;
}

static bool open_sink(struct provider *p, const char *cluster, const char *topic, enum partitioner partitioner, struct sink **ret, struct err *err)
{
	struct catalog *c = catalog_of(p);
	struct cluster *k = NULL;
	if (!p->write_allowed)
		return err_set(err, ERR_WRITE_OFF, "writing to topic %s is off", topic);
	if (!catalog_cluster(c, cluster, &k, err))
		return false;
	if (c->write_by_set && !agreed(c, cluster_name(k), topic)) {
		err_set(err, ERR_WRITE_OFF, "writing to topic %s on cluster %s was not confirmed", topic, cluster_name(k));
		err_hint(err, "answer yes at the prompt, or start with --write");
		return false;
	}
	return writer_open(k, topic, partitioner, ret, err);
}

static bool topic_names(struct provider *p, const char *cluster, char ***ret, size_t *ret_n, struct err *err)
{
	struct cluster *k = NULL;
	const struct cluster_meta *meta = NULL;
	if (!catalog_cluster(catalog_of(p), cluster, &k, err) || !cluster_metadata(k, false, &meta, err))
		return false;
	char **names = xcalloc(meta->topic_n ? meta->topic_n : 1, sizeof *names);
	for (size_t i = 0; i < meta->topic_n; i++)
		names[i] = xstrdup(meta->topics[i].name);
	*ret = names;
	*ret_n = meta->topic_n;
	return true;
}

static void notice(struct provider *p, enum notice_level level, const char *text)
{
	catalog_notice(catalog_of(p), level, "%s", text);
}

static void bad_message(struct provider *p, const struct bad_message *bad)
{
	struct catalog *c = catalog_of(p);
	if (!c->bad)
		c->bad = xcalloc(CATALOG_BAD_ROWS, sizeof *c->bad);
	struct bad_row *row = &c->bad[c->bad_next];
	if (c->bad_n == CATALOG_BAD_ROWS) {
		free(row->cluster);
		free(row->topic);
		free(row->stage);
		free(row->text);
	} else {
		c->bad_n++;
	}
	c->bad_next = (c->bad_next + 1) % CATALOG_BAD_ROWS;
	c->bad_total++;
	*row = (struct bad_row){
		.cluster = xstrdup(bad->cluster ? bad->cluster : ""), .topic = xstrdup(bad->topic ? bad->topic : ""), .stage = xstrdup(bad->stage ? bad->stage : ""),
		.text = xstrdup(bad->text ? bad->text : ""), .partition = bad->partition, .offset = bad->offset, .ts_ms = bad->ts_ms, .query_n = c->statement_n,
	};
	row->sample_n = bad->sample.len < sizeof row->sample ? bad->sample.len : sizeof row->sample;
	if (row->sample_n)
		memcpy(row->sample, bad->sample.data, row->sample_n);
}

static const char *provider_cluster_name(struct provider *p, const char *cluster)
{
	struct catalog *c = catalog_of(p);
	if (!cluster)
		return c->current ? c->current->shown : "";
	for (size_t i = 0; i < c->cluster_n; i++)
		if (strcasecmp(c->clusters[i]->name, cluster) == 0)
			return c->clusters[i]->shown;
	return cluster;
}

static bool topic_high_watermarks(struct provider *p, const char *cluster, const char *topic, int32_t n, int64_t *ret, struct err *err)
{
	struct cluster *k = NULL;
	return catalog_cluster(catalog_of(p), cluster, &k, err) && cluster_high_watermarks(k, topic, n, ret, err);
}

static const struct provider_impl impl = {
	.topic_info = topic_info,
	.topic_bounds = topic_bounds,
	.topic_high_watermarks = topic_high_watermarks,
	.topic_offsets_at = topic_offsets_at,
	.open_scan = open_scan,
	.open_sink = open_sink,
	.topic_names = topic_names,
	.notice = notice,
	.bad_message = bad_message,
	.cluster_name = provider_cluster_name,
};

void catalog_impl_init(struct provider *p)
{
	*p = (struct provider){.impl = &impl, .last_error = ERR_INIT, .time_slack_ms = -1};
}
