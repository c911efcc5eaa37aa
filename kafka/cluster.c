/* kafka/cluster.h: handles and metadata. The blocking librdkafka calls run through client_call(), so every wait has the
 * request timeout, the cancel flag and the fail-fast rules of client.c.
 *
 * Metadata of one topic is asked for by name on a real broker (cheap on a cluster of thousands of topics) and by the all-topics request
 * on librdkafka's mock, because the mock creates a topic that is asked for by name. Which of both it is tells the cluster id, which
 * comes with the first answer. What the broker says is checked before anything uses it: names must be legal, partitions complete. */
#include "kafka/cluster_private.h"

#include <stdlib.h>
#include <string.h>
#include "core/alloc.h"
#include "core/time.h"
#include "kafka/near_name.h"

enum {
	REQUEST_TIMEOUT_MS = 10000,
	METADATA_AGE_MS = 5000,
	STALL_TIMEOUT_MS = 60000,
	SINGLE_MAX = 64,                     /* topics cached one by one */
	NAME_MAX_BYTES = 249,                /* org.apache.kafka.common.internals.Topic */
};

static int64_t setting_ms(const struct kafka_config *config, const char *key, int64_t otherwise)
{
	const char *text = kafka_config_get(config, key);
	char *end;
	long long v = text ? strtoll(text, &end, 10) : 0;
	return text && *text && !*end && v > 0 ? v : otherwise;
}

struct cluster *cluster_create(const char *name, const struct kafka_config *config, struct cancel *cancel)
{
	struct cluster *c = xcalloc(1, sizeof *c);
	c->name = xstrdup(name);
	c->config = kafka_config_copy(config);
	c->cancel = cancel;
	c->request_timeout_ms = setting_ms(config, "weir.request.timeout.ms", REQUEST_TIMEOUT_MS);
	c->metadata_age_ms = setting_ms(config, "weir.metadata.max.age.ms", METADATA_AGE_MS);
	c->stall_timeout_ms = setting_ms(config, "weir.timeout.ms", STALL_TIMEOUT_MS);
	const char *skip = kafka_config_get(config, "weir.skip.bad.batch");
	c->skip_bad_batch = skip && strcmp(skip, "true") == 0;
	return c;
}

static void meta_free(struct cluster_meta *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->topic_n; i++) {
		for (int32_t p = 0; p < m->topics[i].partition_n; p++) {
			free(m->topics[i].partitions[p].replicas);
			free(m->topics[i].partitions[p].isrs);
		}
		free(m->topics[i].partitions);
		free(m->topics[i].name);
	}
	free(m->topics);
	for (size_t i = 0; i < m->broker_n; i++)
		free(m->brokers[i].host);
	free(m->brokers);
	free(m);
}

void cluster_forget_metadata(struct cluster *c)
{
	meta_free(c->meta);
	c->meta = NULL;
	for (size_t i = 0; i < c->single_n; i++)
		meta_free(c->single[i]);
	c->single_n = 0;
}

void cluster_destroy(struct cluster *c)
{
	if (!c)
		return;
	client_unref(c->client);
	for (int i = 0; i < c->spare_n; i++)
		client_unref(c->spare[i]);
	client_unref(c->uncommitted);
	cluster_forget_metadata(c);
	free(c->single);
	kafka_config_destroy(c->config);
	free(c->cluster_id_text);
	free(c->name);
	free(c);
}

const char *cluster_name(const struct cluster *c)
{
	return c->name;
}

const char *cluster_bootstrap(const struct cluster *c)
{
	const char *text = kafka_config_get(c->config, "bootstrap.servers");
	return text ? text : "";
}

bool cluster_is_embedded(struct cluster *c)
{
	return c->embedded;
}

int64_t cluster_request_n(const struct cluster *c)
{
	return c->request_n;
}

const char *cluster_library_version(void)
{
	static char text[512];
	if (text[0])
		return text;
	char features[400] = "";
	size_t size = sizeof features;
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_conf_get(conf, "builtin.features", features, &size);
	rd_kafka_conf_destroy(conf);
	snprintf(text, sizeof text, "librdkafka %s (%s)", rd_kafka_version_str(), features);
	return text;
}

void cluster_set_notice(struct cluster *c, void (*notice)(void *arg, enum notice_level level, const char *text), void *arg)
{
	c->notice = notice;
	c->notice_arg = arg;
}

void cluster_notify(struct cluster *c, enum notice_level level, const char *fmt, ...)
{
	if (!c->notice)
		return;
	struct buf text = BUF_INIT;
	va_list ap;
	va_start(ap, fmt);
	buf_vaddf(&text, fmt, ap);
	va_end(ap);
	c->notice(c->notice_arg, level, text.data);
	buf_finish(&text);
}

/* ---- handles */

static struct client *new_read_client(struct cluster *c, enum client_kind kind, struct err *err)
{
	if (!*cluster_bootstrap(c)) {
		err_set(err, ERR_NO_CLUSTER, "cluster %s: no bootstrap.servers", c->name);
		return NULL;
	}
	/* The embedded broker answers a parked fetch at its end only, not when a message comes. */
	static const char *const embedded_live[] = {"fetch.wait.max.ms", "20", NULL, NULL};
	return client_create(kind, c->name, c->config, kind == CLIENT_READ_LIVE && c->embedded ? embedded_live : NULL, NULL, NULL, err);
}

bool cluster_client(struct cluster *c, struct client **ret, struct err *err)
{
	if (!c->client) {
		c->client = new_read_client(c, CLIENT_READ_SMALL, err);
		if (!c->client)
			return false;
	}
	*ret = c->client;
	return true;
}

/* Two scans cannot share a handle: librdkafka has one fetch position per topic and partition in it. */
struct client *cluster_lend(struct cluster *c, enum client_kind kind, struct err *err)
{
	struct client *client;
	if (kind == CLIENT_READ_SMALL && !c->client_lent) {
		if (!cluster_client(c, &client, err))
			return NULL;
		c->client_lent = true;
		return client_ref(client);
	}
	for (int i = 0; i < c->spare_n; i++) {
		if (client_kind_of(c->spare[i]) != kind)
			continue;
		client = c->spare[i];
		c->spare[i] = c->spare[--c->spare_n];
		return client;
	}
	return new_read_client(c, kind, err);
}

void cluster_return(struct cluster *c, struct client *client, bool healthy)
{
	if (!client)
		return;
	if (client == c->client) {
		c->client_lent = false;
		if (!healthy) {
			client_unref(c->client);
			c->client = NULL;
			cluster_forget_metadata(c);          /* the next handle does not know these topics */
		}
	} else if (healthy && c->spare_n < CLUSTER_SPARE_MAX) {
		c->spare[c->spare_n++] = client;
		return;
	}
	client_unref(client);
}

/* ---- metadata */

bool topic_name_legal(const char *name)
{
	size_t len = strlen(name);
	if (len == 0 || len > NAME_MAX_BYTES || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	return strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == len;
}

/* Kafka's own bookkeeping, and that of Connect, Streams-free MirrorMaker 2 and the schema registry. */
static bool topic_is_internal(const char *name)
{
	static const char *const exact[] = {"_schemas", "mm2-offset-syncs", "heartbeats"};
	if (strncmp(name, "__", 2) == 0 || strncmp(name, "mm2-", 4) == 0 || strncmp(name, "_confluent", 10) == 0)
		return true;
	size_t len = strlen(name);
	if (len > 21 && strcmp(name + len - 21, ".checkpoints.internal") == 0)
		return true;
	for (size_t i = 0; i < sizeof exact / sizeof *exact; i++) {
		if (strcmp(name, exact[i]) == 0)
			return true;
	}
	return false;
}

/* rd_kafka_clusterid waits for a change of librdkafka's cache, and sleeps through one that comes between its look and its wait: so it is asked in slices.
 * NULL: the broker has none, or `until` has come. */
static char *wait_cluster_id(rd_kafka_t *rk, int64_t until)
{
	enum { SLICE_MS = 20 };
	for (;;) {
		int64_t began = time_mono_ms();
		char *id = rd_kafka_clusterid(rk, SLICE_MS);
		int64_t now = time_mono_ms();
		if (id || now - began < SLICE_MS || now >= until)
			return id;
	}
}

void metadata_call_run(rd_kafka_t *rk, void *state)
{
	struct metadata_call *m = state;
	int64_t until = time_mono_ms() + m->timeout_ms;
	if (!m->topic) {
		m->all = true;
		m->code = rd_kafka_metadata(rk, 1, NULL, &m->md, m->timeout_ms);
		return;
	}
	/* The cluster id comes with the answer to what librdkafka asks itself on connecting; without it nobody knows yet whether a topic may be
	 * asked for by name. (rd_kafka_metadata without a topic would ask for all of them.) */
	char *id = wait_cluster_id(rk, until);
	if (!id && time_mono_ms() >= until) {
		m->code = RD_KAFKA_RESP_ERR__TIMED_OUT;
		return;
	}
	bool mock = id && strncmp(id, "mockCluster", 11) == 0;
	if (id)                              /* a broker before 0.10.1 has none */
		rd_kafka_mem_free(rk, id);
	int64_t left = until - time_mono_ms();
	int timeout_ms = left > 1 ? (int)left : 1;
	if (mock) {
		m->all = true;
		m->code = rd_kafka_metadata(rk, 1, NULL, &m->md, timeout_ms);
		return;
	}
	rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, m->topic, NULL);
	if (!rkt) {
		m->code = rd_kafka_last_error();
		return;
	}
	m->code = rd_kafka_metadata(rk, 0, rkt, &m->md, timeout_ms);
	rd_kafka_topic_destroy(rkt);
}

void metadata_call_drop(void *state)
{
	struct metadata_call *m = state;
	if (m->md)
		rd_kafka_metadata_destroy(m->md);
	free(m->topic);
	free(m);
}

static int compare_topics(const void *a, const void *b)
{
	return strcmp(((const struct cluster_topic *)a)->name, ((const struct cluster_topic *)b)->name);
}

static int32_t *copy_ids(const int32_t *ids, int n)
{
	int32_t *copy = xmalloc(n > 0 ? (size_t)n * sizeof *copy : 1);
	if (n > 0)
		memcpy(copy, ids, (size_t)n * sizeof *copy);
	return copy;
}

/* False if the broker's answer for this topic makes no sense (a hole in the partition numbers). */
static bool topic_fill(struct cluster_topic *to, const struct rd_kafka_metadata_topic *from)
{
	to->partitions = xcalloc(from->partition_cnt > 0 ? (size_t)from->partition_cnt : 1, sizeof *to->partitions);
	to->partition_n = from->partition_cnt;
	to->name = xstrdup(from->topic);
	to->internal = topic_is_internal(from->topic);
	for (int i = 0; i < from->partition_cnt; i++)
		to->partitions[i].partition = -1;
	for (int i = 0; i < from->partition_cnt; i++) {
		const struct rd_kafka_metadata_partition *p = &from->partitions[i];
		if (p->id < 0 || p->id >= from->partition_cnt || to->partitions[p->id].partition >= 0)
			return false;
		struct cluster_partition *t = &to->partitions[p->id];
		t->partition = p->id;
		t->leader = p->leader;
		t->replica_n = p->replica_cnt > 0 ? (size_t)p->replica_cnt : 0;
		t->replicas = copy_ids(p->replicas, p->replica_cnt);
		t->isr_n = p->isr_cnt > 0 ? (size_t)p->isr_cnt : 0;
		t->isrs = copy_ids(p->isrs, p->isr_cnt);
	}
	return true;
}

static void topic_unfill(struct cluster_topic *t)
{
	for (int32_t p = 0; p < t->partition_n; p++) {
		free(t->partitions[p].replicas);
		free(t->partitions[p].isrs);
	}
	free(t->partitions);
	free(t->name);
	memset(t, 0, sizeof *t);
}

static struct cluster_meta *meta_from(const struct rd_kafka_metadata *md)
{
	struct cluster_meta *m = xcalloc(1, sizeof *m);
	m->topics = xcalloc(md->topic_cnt > 0 ? (size_t)md->topic_cnt : 1, sizeof *m->topics);
	for (int i = 0; i < md->topic_cnt; i++) {
		const struct rd_kafka_metadata_topic *t = &md->topics[i];
		if (t->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || t->err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED || t->err == RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION)
			continue;
		if (!topic_name_legal(t->topic))
			continue;
		if (topic_fill(&m->topics[m->topic_n], t))
			m->topic_n++;
		else
			topic_unfill(&m->topics[m->topic_n]);
	}
	qsort(m->topics, m->topic_n, sizeof *m->topics, compare_topics);
	m->brokers = xcalloc(md->broker_cnt > 0 ? (size_t)md->broker_cnt : 1, sizeof *m->brokers);
	for (int i = 0; i < md->broker_cnt; i++) {
		m->brokers[i].id = md->brokers[i].id;
		m->brokers[i].host = xstrdup(md->brokers[i].host);
		m->brokers[i].port = md->brokers[i].port;
	}
	m->broker_n = md->broker_cnt > 0 ? (size_t)md->broker_cnt : 0;
	m->fetched_mono_ms = time_mono_ms();
	return m;
}

static void learn_cluster_id(struct cluster *c, struct client *client)
{
	if (c->cluster_id_text)
		return;
	char *id = rd_kafka_clusterid(client_rk(client), 0);
	if (!id)
		return;
	c->cluster_id_text = xstrdup(id);
	c->embedded = strncmp(id, "mockCluster", 11) == 0;
	rd_kafka_mem_free(client_rk(client), id);
}

/* topic NULL = all. On success the call holds the answer; release it. */
static bool ask_metadata(struct cluster *c, const char *topic, struct call **ret_call, struct metadata_call **ret, struct err *err)
{
	struct client *client;
	if (!cluster_client(c, &client, err))
		return false;
	struct metadata_call *m = xcalloc(1, sizeof *m);
	m->topic = topic ? xstrdup(topic) : NULL;
	m->timeout_ms = (int)c->request_timeout_ms;
	c->request_n++;
	if (!client_call(client, c->cancel, c->request_timeout_ms, "metadata", metadata_call_run, m, metadata_call_drop, ret_call, err))
		return false;
	if (m->code) {
		client_err(client, err, m->code, "metadata request");
		call_release(*ret_call);
		return false;
	}
	client_trouble_clear(client);
	learn_cluster_id(c, client);
	*ret = m;
	return true;
}

bool cluster_introduce(struct cluster *c, struct client *client, struct cancel *cancel, const char *topic, struct err *err)
{
	struct metadata_call *m = xcalloc(1, sizeof *m);
	struct call *call;
	m->topic = xstrdup(topic);
	m->timeout_ms = (int)c->request_timeout_ms;
	c->request_n++;
	if (!client_call(client, cancel, c->request_timeout_ms, "metadata", metadata_call_run, m, metadata_call_drop, &call, err))
		return false;
	bool ok = !m->code || client_err(client, err, m->code, "metadata request");
	call_release(call);
	return ok;
}

static bool is_young(const struct cluster *c, const struct cluster_meta *m)
{
	return m && time_mono_ms() - m->fetched_mono_ms < c->metadata_age_ms;
}

static void keep_all(struct cluster *c, const struct rd_kafka_metadata *md)
{
	cluster_forget_metadata(c);
	c->meta = meta_from(md);
}

bool cluster_metadata(struct cluster *c, bool fresh, const struct cluster_meta **ret, struct err *err)
{
	if (fresh || !is_young(c, c->meta)) {
		struct call *call;
		struct metadata_call *m;
		if (!ask_metadata(c, NULL, &call, &m, err))
			return false;
		keep_all(c, m->md);
		call_release(call);
	}
	*ret = c->meta;
	return true;
}

static const struct cluster_topic *find_topic(const struct cluster_meta *m, const char *topic)
{
	struct cluster_topic key = {.name = (char *)topic};
	return bsearch(&key, m->topics, m->topic_n, sizeof *m->topics, compare_topics);
}

static bool unknown_topic(struct cluster *c, const char *topic, struct err *err)
{
	err_set(err, ERR_TOPIC_UNKNOWN, "no topic \"%s\" on cluster %s", topic, c->name);
	struct near_names near = {.n = 0};
	const struct cluster_meta *m;
	struct err ignored = ERR_INIT;
	if (!cluster_metadata(c, false, &m, &ignored))
		return false;
	for (size_t i = 0; i < m->topic_n; i++) {
		if (!m->topics[i].internal)
			near_names_offer(&near, topic, m->topics[i].name);
	}
	struct buf hint = BUF_INIT;
	for (int i = 0; i < near.n; i++)
		buf_addf(&hint, "%s\"%s\"", i == 0 ? "Did you mean " : i == near.n - 1 ? " or " : ", ", near.names[i]);
	if (near.n > 0)
		err_hint(err, "%s?", hint.data);
	else if (m->topic_n == 0)
		err_hint(err, "The cluster has no topics that this user may see.");
	buf_finish(&hint);
	return false;
}

bool cluster_topic_get(struct cluster *c, const char *topic, const struct cluster_topic **ret, struct err *err)
{
	const struct cluster_topic *found;
	if (!topic_name_legal(topic))
		return unknown_topic(c, topic, err);
	if (is_young(c, c->meta) && (found = find_topic(c->meta, topic))) {
		*ret = found;
		return true;
	}
	for (size_t i = 0; i < c->single_n; i++) {
		if (is_young(c, c->single[i]) && (found = find_topic(c->single[i], topic))) {
			*ret = found;
			return true;
		}
	}
	struct call *call;
	struct metadata_call *m;
	if (!ask_metadata(c, topic, &call, &m, err))
		return false;
	rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
	for (int i = 0; i < m->md->topic_cnt; i++) {
		if (strcmp(m->md->topics[i].topic, topic) == 0)
			code = m->md->topics[i].err;
	}
	const struct cluster_meta *in;
	if (m->all) {
		keep_all(c, m->md);
		in = c->meta;
	} else {
		if (c->single_n == SINGLE_MAX) {
			meta_free(c->single[0]);
			memmove(c->single, c->single + 1, (SINGLE_MAX - 1) * sizeof *c->single);
			c->single_n--;
		}
		for (size_t i = 0; i < c->single_n; i++) {
			if (!find_topic(c->single[i], topic))
				continue;
			meta_free(c->single[i]);
			c->single[i] = c->single[--c->single_n];
			break;
		}
		c->single = xreallocarray(c->single, c->single_n + 1, sizeof *c->single);
		in = c->single[c->single_n++] = meta_from(m->md);
	}
	call_release(call);
	if (code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
		return err_set(err, ERR_AUTHORIZATION, "cluster %s: not authorized to DESCRIBE topic \"%s\"", c->name, topic);
	found = find_topic(in, topic);
	if (!found) {
		if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC || code == RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION)
			return unknown_topic(c, topic, err);
		return err_set(err, ERR_BROKER, "cluster %s: topic \"%s\": %s", c->name, topic, code ? rd_kafka_err2str(code) : "the broker's metadata makes no sense");
	}
	*ret = found;
	return true;
}

bool cluster_id(struct cluster *c, struct buf *to, int32_t *ret_controller, struct err *err)
{
	struct client *client;
	if (!cluster_client(c, &client, err))
		return false;
	if (!c->cluster_id_text) {
		const struct cluster_meta *m;
		if (!cluster_metadata(c, true, &m, err))
			return false;
	}
	buf_adds(to, c->cluster_id_text ? c->cluster_id_text : "");
	if (ret_controller)
		*ret_controller = rd_kafka_controllerid(client_rk(client), 0);
	return true;
}
