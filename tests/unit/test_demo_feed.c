/* The demo's feed: the embedded broker really keeps the whole history (asked by a second client), live data follows, and stopping is clean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <poll.h>
#include <string.h>
#include <cmocka.h>
#include "core/cancel.h"
#include "kafka/cluster.h"
#include "kafka/config.h"
#include "shell/demo/demo.h"

static struct cancel cancel;

static struct cluster *connect_to(const struct demo *d)
{
	struct err err = ERR_INIT;
	struct kafka_config *config = kafka_config_create();
	assert_true(kafka_config_set(config, "bootstrap.servers", demo_bootstrap(d), CONFIG_FROM_FILE, &err));
	struct cluster *c = cluster_create("demo", config, &cancel);
	kafka_config_destroy(config);
	assert_non_null(c);
	return c;
}

static int64_t offset_sum(struct cluster *c, enum plant_topic topic, int64_t which)
{
	struct err err = ERR_INIT;
	int64_t offsets[PLANT_PARTITION_MAX], sum = 0;
	assert_true(cluster_offsets(c, plant_topics[topic].name, plant_topics[topic].partition_n, which, offsets, &err));
	for (int k = 0; k < plant_topics[topic].partition_n; k++)
		sum += offsets[k];
	return sum;
}

static void test_history_is_kept(void **state)
{
	struct err err = ERR_INIT;
	struct demo_options o = DEMO_OPTIONS_INIT;
	struct demo *d = NULL;
	assert_true(demo_parse_start("2026-09-01T06:00:00Z", &o.start_ms, &err));
	int64_t begin_ms = time_mono_ms();
	assert_true(demo_start(&o, &d, &err));
	print_message("history loaded in %d ms\n", (int)(time_mono_ms() - begin_ms));
	assert_false(demo_is_live(d));
	struct cluster *c = connect_to(d);
	for (int t = 0; t < PLANT_TOPIC_N; t++) {
		const struct cluster_topic *topic = NULL;
		assert_true(cluster_topic_get(c, plant_topics[t].name, &topic, &err));
		assert_int_equal(topic->partition_n, plant_topics[t].partition_n);
		int64_t low[PLANT_PARTITION_MAX], end[PLANT_PARTITION_MAX];
		assert_true(cluster_offsets(c, plant_topics[t].name, plant_topics[t].partition_n, CLUSTER_EARLIEST, low, &err));
		assert_true(cluster_offsets(c, plant_topics[t].name, plant_topics[t].partition_n, CLUSTER_LATEST, end, &err));
		for (int k = 0; k < plant_topics[t].partition_n; k++) {
			assert_int_equal(low[k], 0);
			assert_int_equal(end[k], demo_history(d)->message_n[t][k]);
		}
	}
	char text[256];
	demo_describe(d, text, sizeof text);
	assert_non_null(strstr(text, "52343 of them from 60 sensors since 2026-09-01T06:00:00Z"));
	cluster_destroy(c);
	assert_true(demo_stop(d, &err));
}

static void test_live(void **state)
{
	struct err err = ERR_INIT;
	struct demo_options o = DEMO_OPTIONS_INIT;
	struct demo *d = NULL;
	assert_true(demo_start(&o, &d, &err));
	assert_true(demo_is_live(d));
	assert_true(demo_start_ms(d) % 1000 == 0 && time_now_ms() - demo_start_ms(d) < PLANT_HISTORY_MS + 60000);
	struct cluster *c = connect_to(d);
	int64_t history_n = 0, end_n = 0, deadline_ms = time_mono_ms() + 10000;
	for (int k = 0; k < plant_topics[PLANT_SENSORS].partition_n; k++)
		history_n += demo_history(d)->message_n[PLANT_SENSORS][k];
	/* Two ticks at least, fifteen messages each. */
	while ((end_n = offset_sum(c, PLANT_SENSORS, CLUSTER_LATEST)) < history_n + 25 && time_mono_ms() < deadline_ms)
		poll(NULL, 0, 50);
	assert_true(end_n >= history_n + 25);
	assert_true(end_n < history_n + 600);
	assert_int_equal(offset_sum(c, PLANT_SENSORS, CLUSTER_EARLIEST), 0);
	cluster_destroy(c);
	assert_true(demo_stop(d, &err));
	assert_int_equal(err.id, ERR_NONE);
	assert_true(demo_stop(NULL, &err));
}

static void test_parse_start(void **state)
{
	struct err err = ERR_INIT;
	int64_t ms = 7;
	static const char *const bad[] = {"", "tomorrow", "2026-13-01", "1969-12-31T00:00:00Z", "9999999999999999"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_false(demo_parse_start(bad[i], &ms, &err));
		assert_int_equal(err.id, ERR_USAGE);
		assert_int_equal(ms, 7);
	}
	assert_true(demo_parse_start("2026-09-01T08:00:00.999+02:00", &ms, &err));
	assert_true(ms == 1788242400999);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_history_is_kept),
		cmocka_unit_test(test_live),
		cmocka_unit_test(test_parse_start),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
