/* Topic and broker configs, groups, and groups' offsets: librdkafka's admin requests, answered on a queue of our own that is polled in
 * slices; and rd_kafka_list_groups, which blocks and so runs as a call. librdkafka's mock knows no admin requests: it has no configs. */
#include <stdlib.h>
#include <string.h>
#include "core/alloc.h"
#include "core/time.h"
#include "kafka/cluster_private.h"

/* Waits for one admin result. NULL: err is set. The caller destroys the event. */
static rd_kafka_event_t *await_event(struct cluster *c, struct client *client, rd_kafka_queue_t *queue, const char *what, struct err *err)
{
	int64_t start = time_mono_ms();
	for (;;) {
		rd_kafka_event_t *event = rd_kafka_queue_poll(queue, cancel_slice_ms(c->cancel, 20));
		if (event && rd_kafka_event_error(event)) {
			client_err(client, err, rd_kafka_event_error(event), what);
			rd_kafka_event_destroy(event);
			return NULL;
		}
		if (event)
			return event;
		if (!client_wait_on(client, c->cancel, start, c->request_timeout_ms, what, err))
			return NULL;
	}
}

static rd_kafka_AdminOptions_t *options_new(struct cluster *c, struct client *client, rd_kafka_admin_op_t op)
{
	char text[128];
	rd_kafka_AdminOptions_t *o = rd_kafka_AdminOptions_new(client_rk(client), op);
	rd_kafka_AdminOptions_set_request_timeout(o, (int)c->request_timeout_ms, text, sizeof text);
	return o;
}

static bool know_cluster(struct cluster *c, struct err *err)
{
	struct buf id = BUF_INIT;
	bool ok = cluster_id(c, &id, NULL, err);
	buf_finish(&id);
	return ok;
}

static const char *source_name(rd_kafka_ConfigSource_t source)
{
	switch (source) {
	case RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG:
		return "topic";
	case RD_KAFKA_CONFIG_SOURCE_DYNAMIC_BROKER_CONFIG:
		return "broker";
	case RD_KAFKA_CONFIG_SOURCE_DYNAMIC_DEFAULT_BROKER_CONFIG:
		return "cluster default";
	case RD_KAFKA_CONFIG_SOURCE_STATIC_BROKER_CONFIG:
		return "broker file";
	case RD_KAFKA_CONFIG_SOURCE_DEFAULT_CONFIG:
		return "default";
	default:
		return "unknown";
	}
}

void cluster_settings_free(struct cluster_setting *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(s[i].name);
		free(s[i].value);
		free(s[i].source);
	}
	free(s);
}

static char *copy_or_null(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

static char *copy_or_empty(const char *s)
{
	return xstrdup(s ? s : "");
}

bool cluster_configs(struct cluster *c, const char *topic, int32_t broker, struct cluster_setting **ret, size_t *ret_n, struct err *err)
{
	struct client *client;
	if (!cluster_client(c, &client, err) || !know_cluster(c, err))
		return false;
	if (c->embedded) {
		*ret = NULL;
		*ret_n = 0;
		return true;
	}
	char number[16];
	char what[300];
	snprintf(number, sizeof number, "%d", broker);
	if (topic)
		snprintf(what, sizeof what, "DESCRIBE_CONFIGS of topic \"%s\"", topic);
	else
		snprintf(what, sizeof what, "DESCRIBE_CONFIGS of broker %d", broker);
	rd_kafka_ConfigResource_t *resource = rd_kafka_ConfigResource_new(topic ? RD_KAFKA_RESOURCE_TOPIC : RD_KAFKA_RESOURCE_BROKER, topic ? topic : number);
	rd_kafka_queue_t *queue = rd_kafka_queue_new(client_rk(client));
	rd_kafka_AdminOptions_t *options = options_new(c, client, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
	c->request_n++;
	rd_kafka_DescribeConfigs(client_rk(client), &resource, 1, options, queue);
	rd_kafka_AdminOptions_destroy(options);
	rd_kafka_event_t *event = await_event(c, client, queue, what, err);
	bool ok = false;
	if (!event)
		goto out;
	size_t n;
	const rd_kafka_ConfigResource_t **got = rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &n);
	if (n != 1) {
		err_set(err, ERR_BROKER, "cluster %s: %s: no answer for it", c->name, what);
		goto out;
	}
	if (rd_kafka_ConfigResource_error(got[0])) {
		client_err(client, err, rd_kafka_ConfigResource_error(got[0]), what);
		goto out;
	}
	const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(got[0], &n);
	struct cluster_setting *s = xcalloc(n ? n : 1, sizeof *s);
	for (size_t i = 0; i < n; i++) {
		s[i].name = copy_or_empty(rd_kafka_ConfigEntry_name(entries[i]));
		s[i].sensitive = rd_kafka_ConfigEntry_is_sensitive(entries[i]) > 0;
		s[i].value = s[i].sensitive ? NULL : copy_or_null(rd_kafka_ConfigEntry_value(entries[i]));
		s[i].read_only = rd_kafka_ConfigEntry_is_read_only(entries[i]) > 0;
		rd_kafka_ConfigSource_t source = rd_kafka_ConfigEntry_source(entries[i]);
		s[i].is_default = source == RD_KAFKA_CONFIG_SOURCE_DEFAULT_CONFIG;
		s[i].source = xstrdup(source_name(source));
	}
	*ret = s;
	*ret_n = n;
	ok = true;
out:
	if (event)
		rd_kafka_event_destroy(event);
	rd_kafka_queue_destroy(queue);
	rd_kafka_ConfigResource_destroy(resource);
	return ok;
}

/* ---- groups */

struct groups_call {
	int timeout_ms;
	rd_kafka_resp_err_t code;
	const struct rd_kafka_group_list *list;
};

static void groups_call_run(rd_kafka_t *rk, void *state)
{
	struct groups_call *g = state;
	g->code = rd_kafka_list_groups(rk, NULL, &g->list, g->timeout_ms);
}

static void groups_call_drop(void *state)
{
	struct groups_call *g = state;
	if (g->list)
		rd_kafka_group_list_destroy(g->list);
	free(g);
}

void cluster_groups_free(struct cluster_group *g, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(g[i].name);
		free(g[i].state);
		free(g[i].protocol_type);
		free(g[i].protocol);
	}
	free(g);
}

static int compare_groups(const void *a, const void *b)
{
	return strcmp(((const struct cluster_group *)a)->name, ((const struct cluster_group *)b)->name);
}

bool cluster_groups(struct cluster *c, struct cluster_group **ret, size_t *ret_n, struct err *err)
{
	struct client *client;
	struct call *call;
	if (!cluster_client(c, &client, err) || !know_cluster(c, err))
		return false;
	if (c->embedded) {                       /* the mock answers neither ListGroups nor DescribeGroups */
		*ret = NULL;
		*ret_n = 0;
		return true;
	}
	struct groups_call *g = xcalloc(1, sizeof *g);
	g->timeout_ms = (int)c->request_timeout_ms;
	c->request_n++;
	if (!client_call(client, c->cancel, c->request_timeout_ms, "list of groups", groups_call_run, g, groups_call_drop, &call, err))
		return false;
	/* _PARTIAL: some brokers did not answer; show what is there. */
	if ((g->code && g->code != RD_KAFKA_RESP_ERR__PARTIAL) || !g->list) {
		client_err(client, err, g->code, "list of groups");
		call_release(call);
		return false;
	}
	size_t n = 0;
	struct cluster_group *out = xcalloc(g->list->group_cnt > 0 ? (size_t)g->list->group_cnt : 1, sizeof *out);
	for (int i = 0; i < g->list->group_cnt; i++) {
		const struct rd_kafka_group_info *info = &g->list->groups[i];
		out[n++] = (struct cluster_group){.name = copy_or_empty(info->group), .state = copy_or_empty(info->state), .protocol_type = copy_or_empty(info->protocol_type),
			.protocol = copy_or_empty(info->protocol), .member_n = info->member_cnt, .coordinator = info->broker.id};
	}
	qsort(out, n, sizeof *out, compare_groups);
	call_release(call);
	*ret = out;
	*ret_n = n;
	return true;
}

void cluster_group_offsets_free(struct cluster_group_offset *o, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(o[i].topic);
		free(o[i].metadata);
	}
	free(o);
}

bool cluster_group_offsets(struct cluster *c, const char *group, struct cluster_group_offset **ret, size_t *ret_n, struct err *err)
{
	struct client *client;
	if (!cluster_client(c, &client, err) || !know_cluster(c, err))
		return false;
	char what[300];
	snprintf(what, sizeof what, "offsets of group \"%s\"", group);
	rd_kafka_ListConsumerGroupOffsets_t *request = rd_kafka_ListConsumerGroupOffsets_new(group, NULL);
	rd_kafka_queue_t *queue = rd_kafka_queue_new(client_rk(client));
	rd_kafka_AdminOptions_t *options = options_new(c, client, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);
	c->request_n++;
	rd_kafka_ListConsumerGroupOffsets(client_rk(client), &request, 1, options, queue);
	rd_kafka_AdminOptions_destroy(options);
	rd_kafka_event_t *event = await_event(c, client, queue, what, err);
	bool ok = false;
	if (!event)
		goto out;
	size_t n;
	const rd_kafka_group_result_t **groups = rd_kafka_ListConsumerGroupOffsets_result_groups(rd_kafka_event_ListConsumerGroupOffsets_result(event), &n);
	const rd_kafka_error_t *failed = n == 1 ? rd_kafka_group_result_error(groups[0]) : NULL;
	if (n != 1 || failed) {
		client_err(client, err, failed ? rd_kafka_error_code(failed) : RD_KAFKA_RESP_ERR_UNKNOWN, what);
		goto out;
	}
	const rd_kafka_topic_partition_list_t *list = rd_kafka_group_result_partitions(groups[0]);
	size_t list_n = list && list->cnt > 0 ? (size_t)list->cnt : 0;
	struct cluster_group_offset *out = xcalloc(list_n ? list_n : 1, sizeof *out);
	for (size_t i = 0; i < list_n; i++) {
		const rd_kafka_topic_partition_t *p = &list->elems[i];
		out[i] = (struct cluster_group_offset){.topic = copy_or_empty(p->topic), .partition = p->partition, .offset = p->offset < 0 ? -1 : p->offset,
			.metadata = xstrndup(p->metadata ? p->metadata : "", p->metadata ? p->metadata_size : 0)};
	}
	*ret = out;
	*ret_n = list_n;
	ok = true;
out:
	if (event)
		rd_kafka_event_destroy(event);
	rd_kafka_queue_destroy(queue);
	rd_kafka_ListConsumerGroupOffsets_destroy(request);
	return ok;
}
