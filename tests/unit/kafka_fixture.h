/* Shared by the tests of kafka/: an embedded broker, a cluster on it, topics filled with numbered records. */
#ifndef WEIR_TESTS_KAFKA_FIXTURE_H
#define WEIR_TESTS_KAFKA_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "core/headers.h"
#include "core/time.h"
#include "kafka/cluster.h"
#include "kafka/embedded.h"

static struct embedded *broker;
static struct cancel cancel;

static struct cluster *connect_with(const char *bootstrap, const char *const *settings)
{
	struct err err = ERR_INIT;
	struct kafka_config *config = kafka_config_create();
	assert_true(kafka_config_set(config, "bootstrap.servers", bootstrap, CONFIG_FROM_ARGV, &err));
	for (; settings && *settings; settings += 2) {
		if (!kafka_config_set(config, settings[0], settings[1], CONFIG_FROM_ARGV, &err))
			fail_msg("%s", err.msg);
	}
	struct cluster *c = cluster_create("main", config, &cancel);
	kafka_config_destroy(config);
	return c;
}

__attribute__((unused)) static struct cluster *connect_to(const char *bootstrap)
{
	return connect_with(bootstrap, NULL);
}

static void add_records(const char *topic, int partition_n, int first, int record_n, size_t value_len)
{
	struct err err = ERR_INIT;
	struct sink *sink;
	char value[4096];
	assert_true(value_len <= sizeof value);
	if (!embedded_open_sink(broker, topic, PARTITIONER_MURMUR2, &sink, &err))
		fail_msg("%s", err.msg);
	for (int i = first; i < first + record_n; i++) {
		char key[32];
		memset(value, 'x', sizeof value);
		snprintf(key, sizeof key, "key-%d", i);
		int n = snprintf(value, sizeof value, "{\"i\":%d}", i);
		struct sink_record r = {.key = bytes_str(key), .value = bytes_of(value, value_len > (size_t)n ? value_len : (size_t)n), .headers = bytes_of(NULL, 0),
			.ts_ms = 1700000000000 + i, .partition = i % partition_n};
		if (!sink->impl->put(sink, &r, &err))
			fail_msg("%s", err.msg);
	}
	if (!sink->impl->flush(sink, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(sink->delivered_n, record_n);
	sink->impl->destroy(sink);
}

__attribute__((unused)) static void fill(const char *topic, int partition_n, int record_n, size_t value_len)
{
	struct err err = ERR_INIT;
	if (!embedded_create_topic(broker, topic, partition_n, &err))
		fail_msg("%s", err.msg);
	add_records(topic, partition_n, 0, record_n, value_len);
}

struct seen {
	int64_t row_n;
	int64_t bytes;
	int64_t next[64];                    /* by partition: the offset expected next */
	bool in_partition_order;
	int32_t last_partition;
	int64_t null_value_n;
	int64_t null_key_n;
};

static void see(struct seen *seen, const struct batch *b)
{
	assert_true(b->record_n > 0 && b->sealed);
	if (b->partition < seen->last_partition)
		seen->in_partition_order = false;
	seen->last_partition = b->partition;
	for (size_t i = 0; i < b->record_n; i++) {
		const struct record *r = &b->records[i];
		assert_true(r->offset >= seen->next[b->partition]);
		seen->next[b->partition] = r->offset + 1;
		seen->row_n++;
		seen->bytes += r->value_len;
		seen->null_value_n += !r->value;
		seen->null_key_n += !r->key;
	}
}

static void seen_init(struct seen *seen)
{
	memset(seen, 0, sizeof *seen);
	seen->in_partition_order = true;
}

/* Goes on from what was seen. Returns END or ERROR. */
static enum source_status drain_more(struct source *s, struct seen *seen, struct err *err)
{
	int64_t until = time_mono_ms() + 20000;
	while (time_mono_ms() < until) {
		struct batch *b;
		enum source_status status = source_next(s, 100, &b, err);
		if (status == SOURCE_IDLE)
			continue;
		if (status != SOURCE_BATCH)
			return status;
		see(seen, b);
		batch_unref(b);
	}
	fail_msg("the scan did not end within 20 s");
	return SOURCE_ERROR;
}

static enum source_status drain(struct source *s, struct seen *seen, struct err *err)
{
	seen_init(seen);
	return drain_more(s, seen, err);
}

__attribute__((unused)) static void scan(struct cluster *c, const struct scan_request *request, struct seen *seen, struct scan_stats *stats)
{
	struct err err = ERR_INIT;
	struct source *s;
	if (!reader_open(c, request, &s, &err))
		fail_msg("%s", err.msg);
	if (drain(s, seen, &err) != SOURCE_END)
		fail_msg("%s", err.msg);
	if (stats)
		*stats = s->stats;
	source_destroy(s);
}

__attribute__((unused)) static int broker_setup(void **state)
{
	struct err err = ERR_INIT;
	broker = embedded_create(3, &err);
	return broker ? 0 : -1;
}

__attribute__((unused)) static int broker_teardown(void **state)
{
	embedded_destroy(broker);
	broker = NULL;
	return 0;
}

#endif
