/* Cluster, reader and writer on the embedded broker: bounds, order, filter, need, partitions, unknown topics. */
#include <poll.h>
#include "kafka_fixture.h"

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
	int64_t low2[4];
	int64_t end2[4];
	assert_true(cluster_bounds(c, "all", 4, low2, end2, &err));
	assert_memory_equal(low2, low, sizeof low);
	assert_memory_equal(end2, end, sizeof end);
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

static bool keep_odd(void *arg, struct bytes key, struct bytes value)
{
	return value.len > 0 && (key.data[key.len - 1] - '0') % 2 == 1;
}

static void test_filter(void **state)
{
	fill("filter", 1, 1000, 0);
	struct cluster *c = connect_to(embedded_bootstrap(broker));
	struct scan_range range = {.partition = 0, .start = 0, .end = 1000};
	struct scan_request request = {.topic = "filter", .ranges = &range, .range_n = 1, .need = SCAN_NEED_KEY, .filter = {.keep = keep_odd}};
	struct seen seen;
	struct scan_stats stats;
	scan(c, &request, &seen, &stats);
	assert_int_equal(seen.row_n, 500);
	assert_int_equal(stats.filtered_n, 500);
	assert_int_equal(stats.message_n, 1000);
	assert_int_equal(stats.passed_n, 1000);
	cluster_destroy(c);
}

static void test_record_parts(void **state)
{
	struct err err = ERR_INIT;
	struct sink *sink;
	struct cluster *c = connect_to(embedded_bootstrap(broker));
	assert_true(embedded_create_topic(broker, "parts", 1, &err));
	if (!writer_open(c, "parts", PARTITIONER_MURMUR2, &sink, &err))
		fail_msg("%s", err.msg);
	struct buf headers = BUF_INIT;
	headers_add(&headers, bytes_str("a"), bytes_str("1"));
	headers_add(&headers, bytes_str("a"), bytes_of(NULL, 0));
	headers_add(&headers, bytes_str(""), bytes_of("\0\xff", 2));
	headers_add(&headers, bytes_str("empty"), bytes_of("", 0));
	char big[2000];
	memset(big, 'b', sizeof big);
	const struct sink_record records[] = {
		{.key = bytes_str("k"), .value = bytes_of(NULL, 0), .headers = bytes_of(headers.data, headers.len), .ts_ms = 5, .partition = 0},
		{.key = bytes_of(NULL, 0), .value = bytes_of("", 0), .ts_ms = TIME_NONE, .partition = SINK_PARTITION_ANY},
		{.key = bytes_of("", 0), .value = bytes_of("\0x", 2), .ts_ms = 1700000000000, .partition = 0},
		{.key = bytes_str("k"), .value = bytes_of(big, sizeof big), .ts_ms = 1, .partition = 0},
	};
	int64_t before = time_now_ms();
	for (size_t i = 0; i < 4; i++)
		assert_true(sink->impl->put(sink, &records[i], &err));
	assert_true(sink->impl->flush(sink, &err));
	assert_int_equal(sink->delivered_n, 4);
	sink->impl->destroy(sink);

	struct scan_range range = {.partition = 0, .start = 0, .end = 4};
	struct scan_request request = {.topic = "parts", .ranges = &range, .range_n = 1, .need = SCAN_NEED_KEY | SCAN_NEED_VALUE | SCAN_NEED_HEADERS, .max_message_bytes = 1000};
	struct source *s;
	struct batch *b = NULL;
	assert_true(reader_open(c, &request, &s, &err));
	while (source_next(s, 100, &b, &err) == SOURCE_IDLE) {
	}
	assert_non_null(b);
	assert_int_equal(b->record_n, 4);
	const struct record *r = b->records;
	assert_null(r[0].value);
	assert_int_equal(r[0].ts_ms, 5);
	assert_int_equal(r[0].ts_type, TS_TYPE_CREATE);
	assert_int_equal(r[0].headers_len, headers.len);
	assert_memory_equal(r[0].headers, headers.data, headers.len);
	assert_null(r[1].key);
	assert_non_null(r[1].value);
	assert_int_equal(r[1].value_len, 0);
	assert_null(r[1].headers);
	assert_true(r[1].ts_ms >= before && r[1].ts_ms <= time_now_ms());
	assert_non_null(r[2].key);
	assert_int_equal(r[2].key_len, 0);
	assert_int_equal(r[2].value_len, 2);
	assert_true(r[3].too_large);
	assert_null(r[3].value);
	assert_non_null(r[3].key);
	assert_int_equal(r[3].size, 2001);
	batch_unref(b);
	assert_int_equal(source_next(s, 100, &b, &err), SOURCE_END);
	assert_int_equal(s->stats.too_large_n, 1);
	source_destroy(s);
	buf_finish(&headers);
	cluster_destroy(c);
}

static void test_unknown_topic(void **state)
{
	struct err err = ERR_INIT;
	const struct cluster_topic *t;
	assert_true(embedded_create_topic(broker, "plant.sensors", 1, &err));
	assert_true(embedded_create_topic(broker, "plant.events", 1, &err));
	struct cluster *c = connect_to(embedded_bootstrap(broker));
	assert_false(cluster_topic_get(c, "plant.senosrs", &t, &err));
	assert_int_equal(err.id, ERR_TOPIC_UNKNOWN);
	assert_string_equal(err.hint, "Did you mean \"plant.sensors\"?");
	err_clear(&err);
	assert_false(cluster_topic_get(c, "sensors", &t, &err));
	assert_non_null(strstr(err.hint, "\"plant.sensors\""));
	assert_false(cluster_topic_get(c, "no/such\ntopic", &t, &err));
	assert_int_equal(err.id, ERR_TOPIC_UNKNOWN);
	/* Asking did not create it. */
	const struct cluster_meta *m;
	assert_true(cluster_metadata(c, true, &m, &err));
	for (size_t i = 0; i < m->topic_n; i++)
		assert_string_not_equal(m->topics[i].name, "plant.senosrs");
	assert_int_equal(m->broker_n, 3);
	assert_false(writer_open(c, "plant.senosrs", PARTITIONER_NONE, &(struct sink *){NULL}, &err));
	cluster_destroy(c);
}

static void test_two_scans_at_once(void **state)
{
	struct err err = ERR_INIT;
	fill("twice", 2, 2000, 100);
	struct cluster *c = connect_to(embedded_bootstrap(broker));
	struct scan_range ranges[2] = {{.partition = 0, .start = 0, .end = 1000}, {.partition = 1, .start = 0, .end = 1000}};
	struct scan_request request = {.topic = "twice", .ranges = ranges, .range_n = 2, .need = SCAN_NEED_VALUE};
	struct source *outer;
	struct batch *b = NULL;
	struct seen seen;
	seen_init(&seen);
	assert_true(reader_open(c, &request, &outer, &err));
	while (source_next(outer, 100, &b, &err) == SOURCE_IDLE) {
	}
	see(&seen, b);
	batch_unref(b);
	for (int i = 0; i < 3; i++) {
		struct seen inner;
		scan(c, &request, &inner, NULL);
		assert_int_equal(inner.row_n, 2000);
	}
	assert_int_equal(drain_more(outer, &seen, &err), SOURCE_END);
	assert_int_equal(seen.row_n, 2000);
	source_destroy(outer);
	cluster_destroy(c);
}

static void test_live(void **state)
{
	struct err err = ERR_INIT;
	fill("live", 1, 10, 0);
	struct cluster *c = connect_to(embedded_bootstrap(broker));
	struct scan_range range = {.partition = 0, .start = 5, .end = SCAN_END_NEVER};
	struct scan_request request = {.topic = "live", .ranges = &range, .range_n = 1, .need = SCAN_NEED_VALUE};
	struct source *s;
	struct batch *b;
	struct seen seen;
	seen_init(&seen);
	assert_true(reader_open(c, &request, &s, &err));
	int64_t until = time_mono_ms() + 10000;
	bool more = false;
	while (seen.row_n < 105 && time_mono_ms() < until) {
		enum source_status status = source_next(s, 20, &b, &err);
		assert_true(status == SOURCE_BATCH || status == SOURCE_IDLE);
		if (status == SOURCE_BATCH) {
			see(&seen, b);
			batch_unref(b);
		} else if (seen.row_n == 5 && !more) {
			add_records("live", 1, 10, 100, 0);
			more = true;
		}
	}
	assert_int_equal(seen.row_n, 105);
	int64_t start = time_mono_ms();
	source_destroy(s);
	assert_true(time_mono_ms() - start < 200);
	cluster_destroy(c);
}

/* Enough to move to the handle with large fetches on the way, in both orders. */
static void test_growth(void **state)
{
	fill("grow", 3, 9000, 1000);
	struct cluster *c = connect_to(embedded_bootstrap(broker));
	struct scan_range ranges[3];
	for (int p = 0; p < 3; p++)
		ranges[p] = (struct scan_range){.partition = p, .start = 0, .end = 3000};
	struct scan_request request = {.topic = "grow", .ranges = ranges, .range_n = 3, .need = SCAN_NEED_VALUE};
	for (int round = 0; round < 4; round++) {
		struct seen seen;
		struct scan_stats stats;
		request.order = round % 2 ? SCAN_ORDER_PARTITION_OFFSET : SCAN_ORDER_ANY;
		scan(c, &request, &seen, &stats);
		assert_int_equal(seen.row_n, 9000);
		assert_int_equal(seen.bytes, 9000 * 1000);
		assert_int_equal(stats.passed_n, 9000);
		if (round % 2)
			assert_true(seen.in_partition_order);
	}
	cluster_destroy(c);
}

/* A live read of the embedded broker: its descriptor wakes, positions are told, what comes is there within the broker's own delay. */
static void test_live_query(void **state)
{
	fill("live-query", 2, 3000, 100);
	struct cluster *c = connect_to(embedded_bootstrap(broker));
	struct err err = ERR_INIT;
	const struct cluster_topic *t;
	struct source *s = NULL;
	struct source_position at[2];
	struct seen seen;
	seen_init(&seen);
	assert_true(cluster_topic_get(c, "live-query", &t, &err));
	struct scan_range ranges[2] = {{0, 10, 100}, {1, 20, SCAN_END_NEVER}};
	seen.next[0] = 10;
	seen.next[1] = 20;
	struct scan_request request = {.topic = "live-query", .ranges = ranges, .range_n = 2, .need = SCAN_NEED_VALUE, .live = true, .gap_policy = GAP_WARN, .cancel = &cancel};
	assert_true(reader_open(c, &request, &s, &err));
	int fd = source_fd(s);
	assert_true(fd >= 0);
	assert_int_equal(source_fd(s), fd);
	assert_int_equal(source_positions(s, at, 1), 2);
	assert_int_equal(at[0].position, 10);
	assert_false(at[0].at_end);
	int slow_n = 0;                      /* a machine may stand still once; a reader that waits does so each time */
	for (int round = 0; round < 10; round++) {
		int64_t want = 1570 + 5 * round, began = time_mono_ms();
		while (seen.row_n < want && time_mono_ms() - began < 5000) {
			struct batch *b = NULL;
			enum source_status status = source_next(s, 0, &b, &err);
			assert_true(status == SOURCE_IDLE || status == SOURCE_BATCH);
			if (status == SOURCE_IDLE)
				poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 1000);
			else
				see(&seen, b);
			batch_unref(b);
		}
		assert_int_equal(seen.row_n, want);
		slow_n += round > 0 && time_mono_ms() - began > 150;
		assert_int_equal(source_positions(s, at, 2), 2);
		assert_true(at[0].at_end && at[1].at_end);
		assert_int_equal(at[0].position, 100);
		assert_int_equal(at[1].position, 1500 + 5 * round);
		assert_int_equal(at[1].end, 1500 + 5 * round);
		add_records("live-query", 2, 0, 10, 0);
	}
	if (slow_n > 4)
		fail_msg("%d of 9 messages took more than 150 ms", slow_n);
	int64_t began = time_mono_ms();
	source_destroy(s);
	assert_true(time_mono_ms() - began < 5000);
	cluster_destroy(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scan_all), cmocka_unit_test(test_filter), cmocka_unit_test(test_record_parts), cmocka_unit_test(test_unknown_topic),
		cmocka_unit_test(test_two_scans_at_once), cmocka_unit_test(test_live), cmocka_unit_test(test_live_query), cmocka_unit_test(test_growth),
	};
	return cmocka_run_group_tests(tests, broker_setup, broker_teardown);
}
