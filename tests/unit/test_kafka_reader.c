/* Cluster, reader and writer on the embedded broker: bounds, order, filter, need, partitions, unknown topics. */
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

static struct cluster *connect_to(const char *bootstrap)
{
	struct err err = ERR_INIT;
	struct kafka_config *config = kafka_config_create();
	assert_true(kafka_config_set(config, "bootstrap.servers", bootstrap, CONFIG_FROM_ARGV, &err));
	struct cluster *c = cluster_create("main", config, &cancel);
	kafka_config_destroy(config);
	return c;
}

static void fill(const char *topic, int partition_n, int record_n, size_t value_len)
{
	struct err err = ERR_INIT;
	struct sink *sink;
	char value[4096];
	if (!embedded_create_topic(broker, topic, partition_n, &err) || !embedded_open_sink(broker, topic, PARTITIONER_MURMUR2, &sink, &err))
		fail_msg("%s", err.msg);
	for (int i = 0; i < record_n; i++) {
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

struct seen {
	int64_t row_n;
	int64_t bytes;
	int64_t next[64];                    /* by partition: the offset expected next */
	bool in_partition_order;
	int32_t last_partition;
	int64_t null_value_n;
	int64_t null_key_n;
};

static enum source_status drain(struct source *s, struct seen *seen, struct err *err)
{
	memset(seen, 0, sizeof *seen);
	seen->in_partition_order = true;
	int64_t until = time_mono_ms() + 20000;
	while (time_mono_ms() < until) {
		struct batch *b;
		enum source_status status = source_next(s, 100, &b, err);
		if (status == SOURCE_IDLE)
			continue;
		if (status != SOURCE_BATCH)
			return status;
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
		batch_unref(b);
	}
	fail_msg("the scan did not end within 20 s");
	return SOURCE_ERROR;
}

static void scan(struct cluster *c, const struct scan_request *request, struct seen *seen, struct scan_stats *stats)
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

static void test_scan_all(void **state)
{
	fill("all", 4, 20000, 190);
	struct cluster *c = connect_to(embedded_bootstrap(broker));
	struct err err = ERR_INIT;
	const struct cluster_topic *t;
	assert_true(cluster_topic_get(c, "all", &t, &err));
	assert_int_equal(t->partition_n, 4);
	assert_true(cluster_is_embedded(c));
	int64_t low[4];
	int64_t end[4];
	assert_true(cluster_offsets(c, "all", 4, CLUSTER_EARLIEST, low, &err));
	assert_true(cluster_offsets(c, "all", 4, CLUSTER_LATEST, end, &err));
	struct scan_range ranges[4];
	for (int p = 0; p < 4; p++) {
		assert_int_equal(low[p], 0);
		assert_int_equal(end[p], 5000);
		ranges[p] = (struct scan_range){.partition = p, .start = low[p], .end = end[p]};
	}
	struct seen seen;
	struct scan_stats stats;
	struct scan_request request = {.topic = "all", .ranges = ranges, .range_n = 4, .need = SCAN_NEED_KEY | SCAN_NEED_VALUE};
	scan(c, &request, &seen, &stats);
	assert_int_equal(seen.row_n, 20000);
	assert_int_equal(seen.bytes, 20000 * 190);
	assert_int_equal(stats.message_n, 20000);
	assert_int_equal(stats.passed_n, stats.planned_n);

	/* One partition after the other. */
	request.order = SCAN_ORDER_PARTITION_OFFSET;
	request.need = 0;
	scan(c, &request, &seen, &stats);
	assert_int_equal(seen.row_n, 20000);
	assert_true(seen.in_partition_order);
	assert_int_equal(seen.null_value_n, 20000);
	assert_int_equal(seen.null_key_n, 20000);

	/* Inner ranges, and an empty one. */
	ranges[0] = (struct scan_range){.partition = 2, .start = 100, .end = 200};
	ranges[1] = (struct scan_range){.partition = 0, .start = 4999, .end = 5000};
	ranges[2] = (struct scan_range){.partition = 1, .start = 7, .end = 7};
	request.range_n = 3;
	request.order = SCAN_ORDER_ANY;
	scan(c, &request, &seen, &stats);
	assert_int_equal(seen.row_n, 101);
	assert_int_equal(seen.next[2], 200);
	assert_int_equal(seen.next[0], 5000);
	assert_int_equal(seen.next[1], 0);
	cluster_destroy(c);
}

static int setup(void **state)
{
	struct err err = ERR_INIT;
	broker = embedded_create(3, &err);
	return broker ? 0 : -1;
}

static int teardown(void **state)
{
	embedded_destroy(broker);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scan_all),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
