/* What can go wrong, on the embedded broker: every wait can be cancelled, every dead end is named. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>
#include "kafka_fixture.h"
#include "support/machine.h"

enum { FETCH = 1, CODE_OUT_OF_RANGE = 1, CODE_CORRUPT = 2, CODE_TOPIC_AUTHORIZATION = 29, CANCEL_MAX_MS = 200 };

/* A port that takes connections and never says a word. */
static int silent_port(char bootstrap[32])
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	snprintf(bootstrap, 32, "127.0.0.1:%d", ntohs(a.sin_port));
	return fd;
}

/* A test that failed may have left the broker down. */
static int broker_ready(void **state)
{
	struct err err = ERR_INIT;
	atomic_store(&cancel.signal_n, 0);
	atomic_store(&cancel.deadline_ms, 0);
	atomic_store(&machine_lost_ms, 0);
	embedded_clear_failures(broker, FETCH);
	return embedded_set_broker_up(broker, -1, true, &err) ? 0 : -1;
}

static int64_t cancelled_mono_ms;

static void *cancel_soon(void *arg)
{
	usleep(150 * 1000);
	cancelled_mono_ms = time_mono_ms();
	atomic_store(&cancel.signal_n, SIGINT);
	return NULL;
}

static void check_cancelled(pthread_t thread, const struct err *err)
{
	int64_t now = time_mono_ms();
	pthread_join(thread, NULL);
	atomic_store(&cancel.signal_n, 0);
	assert_int_equal(err->id, ERR_INTERRUPTED);
	check_within(now - cancelled_mono_ms, 0, CANCEL_MAX_MS);
}

static pthread_t start_cancel(void)
{
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, cancel_soon, NULL), 0);
	return thread;
}

static void test_cancel_metadata(void **state)
{
	char bootstrap[32];
	struct err err = ERR_INIT;
	const struct cluster_topic *t;
	int fd = silent_port(bootstrap);
	struct cluster *c = connect_to(bootstrap);
	pthread_t thread = start_cancel();
	assert_false(cluster_topic_get(c, "t", &t, &err));
	check_cancelled(thread, &err);
	int64_t start = time_mono_ms();
	cluster_destroy(c);
	check_within(time_mono_ms() - start, 0, CANCEL_MAX_MS);
	close(fd);
}

static void test_silent_broker(void **state)
{
	static const char *const settings[] = {"weir.request.timeout.ms", "700", NULL};
	char bootstrap[32];
	struct err err = ERR_INIT;
	const struct cluster_topic *t;
	int fd = silent_port(bootstrap);
	struct cluster *c = connect_with(bootstrap, settings);
	int64_t start = time_mono_ms();
	assert_false(cluster_topic_get(c, "t", &t, &err));
	assert_int_equal(err.id, ERR_CONNECT);
	assert_true(time_mono_ms() - start >= 600);
	check_within(time_mono_ms() - start, 0, 1500);
	cluster_destroy(c);
	close(fd);
}

static void test_time_limit(void **state)
{
	char bootstrap[32];
	struct err err = ERR_INIT;
	const struct cluster_topic *t;
	int fd = silent_port(bootstrap);
	struct cluster *c = connect_to(bootstrap);
	atomic_store(&cancel.deadline_ms, time_mono_ms() + 200);
	int64_t start = time_mono_ms();
	assert_false(cluster_topic_get(c, "t", &t, &err));
	atomic_store(&cancel.deadline_ms, 0);
	assert_int_equal(err.id, ERR_TIMEOUT);
	assert_true(time_mono_ms() - start >= 150);
	check_within(time_mono_ms() - start, 0, 500);
	cluster_destroy(c);
	close(fd);
}

static void test_refused(void **state)
{
	char bootstrap[32];
	struct err err = ERR_INIT;
	const struct cluster_meta *m;
	close(silent_port(bootstrap));
	struct cluster *c = connect_to(bootstrap);
	int64_t start = time_mono_ms();
	assert_false(cluster_metadata(c, true, &m, &err));
	assert_int_equal(err.id, ERR_CONNECT);
	assert_non_null(strstr(err.msg, "refused"));
	assert_non_null(strstr(err.msg, bootstrap));
	check_within(time_mono_ms() - start, 0, 3000);
	cluster_destroy(c);

	c = connect_to("no-such-host.invalid:9092");
	err_clear(&err);
	start = time_mono_ms();
	assert_false(cluster_metadata(c, true, &m, &err));
	assert_int_equal(err.id, ERR_CONNECT);
	assert_non_null(strstr(err.msg, "resolve"));
	check_within(time_mono_ms() - start, 0, 5000);
	cluster_destroy(c);
}

static struct source *open_all(struct cluster *c, const char *topic, int64_t end, enum gap_policy policy)
{
	struct err err = ERR_INIT;
	struct source *s;
	struct scan_range range = {.partition = 0, .start = 0, .end = end};
	struct scan_request request = {.topic = topic, .ranges = &range, .range_n = 1, .need = SCAN_NEED_VALUE, .gap_policy = policy, .cancel = &cancel};
	if (!reader_open(c, &request, &s, &err))
		fail_msg("%s", err.msg);
	return s;
}

static void test_cancel_scan(void **state)
{
	struct err err = ERR_INIT;
	struct seen seen;
	fill("cancel", 1, 10, 0);
	struct cluster *c = connect_to(embedded_bootstrap(broker));
	struct source *s = open_all(c, "cancel", SCAN_END_NEVER, GAP_FAIL);
	struct batch *b;
	seen_init(&seen);
	while (seen.row_n < 10) {
		enum source_status status = source_next(s, 100, &b, &err);
		assert_true(status == SOURCE_BATCH || status == SOURCE_IDLE);
		if (status == SOURCE_BATCH) {
			see(&seen, b);
			batch_unref(b);
		}
	}
	pthread_t thread = start_cancel();
	assert_int_equal(drain_more(s, &seen, &err), SOURCE_ERROR);
	check_cancelled(thread, &err);
	assert_int_equal(seen.row_n, 10);

	/* The same while every broker is away. */
	assert_true(embedded_set_broker_up(broker, -1, false, &err));
	thread = start_cancel();
	err_clear(&err);
	assert_int_equal(drain(s, &seen, &err), SOURCE_ERROR);
	check_cancelled(thread, &err);
	int64_t start = time_mono_ms();
	source_destroy(s);
	cluster_destroy(c);
	check_within(time_mono_ms() - start, 0, CANCEL_MAX_MS);
	assert_true(embedded_set_broker_up(broker, -1, true, &err));
}

static void test_broker_returns(void **state)
{
	struct err err = ERR_INIT;
	struct batch *b = NULL;
	struct seen seen;
	fill("returns", 1, 4000, 1000);
	struct cluster *c = connect_to(embedded_bootstrap(broker));
	struct source *s = open_all(c, "returns", 4000, GAP_FAIL);
	seen_init(&seen);
	while (source_next(s, 100, &b, &err) == SOURCE_IDLE) {
	}
	assert_non_null(b);
	see(&seen, b);
	batch_unref(b);
	assert_true(embedded_set_broker_up(broker, -1, false, &err));
	int64_t until = time_mono_ms() + 700;
	while (time_mono_ms() < until && seen.row_n < 4000) {
		enum source_status status = source_next(s, 50, &b, &err);
		assert_true(status == SOURCE_BATCH || status == SOURCE_IDLE);
		if (status == SOURCE_BATCH) {
			see(&seen, b);
			batch_unref(b);
		}
	}
	assert_true(embedded_set_broker_up(broker, -1, true, &err));
	if (drain_more(s, &seen, &err) != SOURCE_END)
		fail_msg("%s", err.msg);
	assert_int_equal(seen.row_n, 4000);
	source_destroy(s);
	cluster_destroy(c);
}

static int notice_n;

static void on_notice(void *arg, enum notice_level level, const char *text)
{
	notice_n++;
	assert_int_equal(level, NOTICE_WARNING);
	assert_null(strchr(text, '\n'));
}

static void test_broker_stays_away(void **state)
{
	static const char *const settings[] = {"weir.timeout.ms", "2500", NULL};
	struct err err = ERR_INIT;
	struct seen seen;
	struct batch *b = NULL;
	fill("away", 1, 10, 0);
	struct cluster *c = connect_with(embedded_bootstrap(broker), settings);
	cluster_set_notice(c, on_notice, NULL);
	notice_n = 0;
	struct source *s = open_all(c, "away", 1000000, GAP_FAIL);
	while (source_next(s, 100, &b, &err) == SOURCE_IDLE) {
	}
	batch_unref(b);
	assert_true(embedded_set_broker_up(broker, -1, false, &err));
	int64_t start = time_mono_ms();
	assert_int_equal(drain(s, &seen, &err), SOURCE_ERROR);
	assert_int_equal(err.id, ERR_CONNECT);
	check_within(time_mono_ms() - start, 2000, 6000);
	assert_true(notice_n >= 1);
	source_destroy(s);
	cluster_destroy(c);
	assert_true(embedded_set_broker_up(broker, -1, true, &err));
}

/* One broker of three is silent: no "all brokers down", but no data either. */
static void test_one_broker_away(void **state)
{
	static const char *const settings[] = {"weir.timeout.ms", "2000", NULL};
	struct err err = ERR_INIT;
	struct seen seen;
	struct batch *b = NULL;
	fill("one", 1, 4000, 1000);
	assert_true(embedded_set_leader(broker, "one", 0, 2, &err));
	struct cluster *c = connect_with(embedded_bootstrap(broker), settings);
	cluster_set_notice(c, on_notice, NULL);
	struct source *s = open_all(c, "one", 4000, GAP_FAIL);
	while (source_next(s, 100, &b, &err) == SOURCE_IDLE) {
	}
	batch_unref(b);
	assert_true(embedded_set_broker_up(broker, 2, false, &err));
	int64_t start = time_mono_ms();
	enum source_status status = drain(s, &seen, &err);
	if (status == SOURCE_ERROR) {            /* all of it may have been under way already */
		assert_int_equal(err.id, ERR_CONNECT);
		check_within(time_mono_ms() - start, 1500, 9000);
	}
	assert_true(status == SOURCE_ERROR || seen.row_n > 3000);
	source_destroy(s);

	s = open_all(c, "one", 4000, GAP_FAIL);
	assert_true(embedded_set_broker_up(broker, 2, true, &err));
	if (drain(s, &seen, &err) != SOURCE_END)
		fail_msg("%s", err.msg);
	assert_int_equal(seen.row_n, 4000);
	source_destroy(s);
	cluster_destroy(c);
}

static void test_leaderless(void **state)
{
	static const char *const settings[] = {"weir.request.timeout.ms", "1000", NULL};
	struct err err = ERR_INIT;
	struct seen seen;
	int64_t offsets[2];
	fill("headless", 2, 10, 0);
	struct cluster *c = connect_with(embedded_bootstrap(broker), settings);
	assert_true(embedded_set_leader(broker, "headless", 0, -1, &err));
	assert_false(cluster_offsets(c, "headless", 2, CLUSTER_LATEST, offsets, &err));
	assert_int_equal(err.id, ERR_LEADER);
	assert_non_null(strstr(err.msg, "partition 0"));
	err_clear(&err);
	struct source *s = open_all(c, "headless", 5, GAP_FAIL);
	assert_int_equal(drain(s, &seen, &err), SOURCE_ERROR);
	assert_int_equal(err.id, ERR_LEADER);
	assert_non_null(strstr(err.msg, "partition 0"));
	source_destroy(s);
	cluster_destroy(c);
}

/* The bootstrap address answers, a partition's broker does not. */
static void test_advertised_unreachable(void **state)
{
	static const char *const settings[] = {"weir.request.timeout.ms", "1500", NULL};
	struct err err = ERR_INIT;
	int64_t offsets[1];
	fill("far", 1, 10, 0);
	assert_true(embedded_set_leader(broker, "far", 0, 2, &err));
	assert_true(embedded_set_broker_up(broker, 2, false, &err));
	const char *all = embedded_bootstrap(broker);
	char first[64];
	snprintf(first, sizeof first, "%.*s", (int)strcspn(all, ","), all);
	struct cluster *c = connect_with(first, settings);
	assert_false(cluster_offsets(c, "far", 1, CLUSTER_LATEST, offsets, &err));
	assert_int_equal(err.id, ERR_CONNECT);
	if (!strstr(err.msg, "broker 2 advertises 127.0.0.1:"))
		fail_msg("%s", err.msg);
	assert_non_null(strstr(err.hint, "advertised.listeners"));
	cluster_destroy(c);
	assert_true(embedded_set_broker_up(broker, 2, true, &err));
}

static void test_gap(void **state)
{
	struct err err = ERR_INIT;
	struct seen seen;
	/* The mock keeps 5 MiB a partition: the oldest of these are gone. */
	fill("gap", 1, 9000, 1000);
	struct cluster *c = connect_to(embedded_bootstrap(broker));
	int64_t low;
	int64_t end;
	assert_true(cluster_offsets(c, "gap", 1, CLUSTER_EARLIEST, &low, &err));
	assert_true(cluster_offsets(c, "gap", 1, CLUSTER_LATEST, &end, &err));
	assert_int_equal(end, 9000);
	assert_in_range(low, 1, 8999);
	struct source *s = open_all(c, "gap", end, GAP_FAIL);
	assert_int_equal(drain(s, &seen, &err), SOURCE_ERROR);
	assert_int_equal(err.id, ERR_GAP);
	char want[64];
	snprintf(want, sizeof want, "offsets 0..%d of partition 0", (int)low - 1);
	assert_non_null(strstr(err.msg, want));
	source_destroy(s);

	cluster_set_notice(c, on_notice, NULL);
	notice_n = 0;
	s = open_all(c, "gap", end, GAP_WARN);
	if (drain(s, &seen, &err) != SOURCE_END)
		fail_msg("%s", err.msg);
	assert_int_equal(seen.row_n, end - low);
	assert_int_equal(s->stats.gap_n, low);
	assert_int_equal(notice_n, 1);
	source_destroy(s);

	/* All of the range is gone; and a range that begins after the end. */
	struct scan_range range = {.partition = 0, .start = 0, .end = low > 2 ? 2 : 1};
	struct scan_request request = {.topic = "gap", .ranges = &range, .range_n = 1, .gap_policy = GAP_WARN};
	struct scan_stats stats;
	scan(c, &request, &seen, &stats);
	assert_int_equal(seen.row_n, 0);
	range = (struct scan_range){.partition = 0, .start = 20000, .end = 20010};
	request.gap_policy = GAP_FAIL;
	assert_true(reader_open(c, &request, &s, &err));
	err_clear(&err);
	assert_int_equal(drain(s, &seen, &err), SOURCE_ERROR);
	assert_int_equal(err.id, ERR_GAP);
	source_destroy(s);
	cluster_destroy(c);
}

/* Out of range once, although the offset is there: a replica that lags. */
static void test_false_gap(void **state)
{
	struct err err = ERR_INIT;
	struct seen seen;
	fill("lag", 1, 10, 0);
	struct cluster *c = connect_to(embedded_bootstrap(broker));
	const struct cluster_topic *t;
	assert_true(cluster_topic_get(c, "lag", &t, &err));
	assert_true(embedded_fail_requests(broker, FETCH, CODE_OUT_OF_RANGE, 1, &err));
	struct source *s = open_all(c, "lag", 10, GAP_FAIL);
	if (drain(s, &seen, &err) != SOURCE_END)
		fail_msg("%s", err.msg);
	assert_int_equal(seen.row_n, 10);
	source_destroy(s);
	cluster_destroy(c);
}

static void test_not_authorized(void **state)
{
	struct err err = ERR_INIT;
	struct seen seen;
	fill("private", 1, 10, 0);
	struct cluster *c = connect_to(embedded_bootstrap(broker));
	assert_true(embedded_fail_requests(broker, FETCH, CODE_TOPIC_AUTHORIZATION, 1, &err));
	struct source *s = open_all(c, "private", 10, GAP_FAIL);
	assert_int_equal(drain(s, &seen, &err), SOURCE_ERROR);
	assert_int_equal(err.id, ERR_AUTHORIZATION);
	source_destroy(s);
	cluster_destroy(c);
}

static void test_bad_batch(void **state)
{
	static const char *const skip[] = {"weir.skip.bad.batch", "true", NULL};
	struct err err = ERR_INIT;
	struct seen seen;
	fill("damaged", 1, 10, 0);
	struct cluster *c = connect_to(embedded_bootstrap(broker));
	assert_true(embedded_fail_requests(broker, FETCH, CODE_CORRUPT, 100, &err));
	struct source *s = open_all(c, "damaged", 10, GAP_FAIL);
	assert_int_equal(drain(s, &seen, &err), SOURCE_ERROR);
	embedded_clear_failures(broker, FETCH);
	assert_int_equal(err.id, ERR_BAD_BATCH);
	assert_non_null(strstr(err.msg, "offset 0 of partition 0"));
	source_destroy(s);
	cluster_destroy(c);

	/* Two equal errors are no verdict; with skipping on, three cost the offset they are at. */
	c = connect_with(embedded_bootstrap(broker), skip);
	assert_true(embedded_fail_requests(broker, FETCH, CODE_CORRUPT, 2, &err));
	s = open_all(c, "damaged", 10, GAP_FAIL);
	if (drain(s, &seen, &err) != SOURCE_END)
		fail_msg("%s", err.msg);
	assert_int_equal(seen.row_n, 10);
	source_destroy(s);
	usleep(200 * 1000);                          /* its last fetch must not take one of the three */
	assert_true(embedded_fail_requests(broker, FETCH, CODE_CORRUPT, 3, &err));
	s = open_all(c, "damaged", 10, GAP_FAIL);
	if (drain(s, &seen, &err) != SOURCE_END)
		fail_msg("%s", err.msg);
	assert_int_equal(seen.row_n, 9);
	assert_int_equal(s->stats.gap_n, 1);
	source_destroy(s);
	cluster_destroy(c);
}

static void test_short_end(void **state)
{
	struct err err = ERR_INIT;
	struct seen seen;
	fill("short", 1, 10, 0);
	struct cluster *c = connect_to(embedded_bootstrap(broker));
	/* The frozen end lies beyond the log's: it was truncated since. */
	struct source *s = open_all(c, "short", 15, GAP_FAIL);
	assert_int_equal(drain(s, &seen, &err), SOURCE_ERROR);
	assert_int_equal(err.id, ERR_GAP);
	assert_int_equal(seen.row_n, 10);
	source_destroy(s);
	s = open_all(c, "short", 15, GAP_WARN);
	if (drain(s, &seen, &err) != SOURCE_END)
		fail_msg("%s", err.msg);
	assert_int_equal(seen.row_n, 10);
	source_destroy(s);
	cluster_destroy(c);
}

static void test_writer_faults(void **state)
{
	struct err err = ERR_INIT;
	struct sink *sink;
	assert_true(embedded_create_topic(broker, "w", 1, &err));
	struct cluster *c = connect_to(embedded_bootstrap(broker));
	if (!writer_open(c, "w", PARTITIONER_MURMUR2, &sink, &err))
		fail_msg("%s", err.msg);
	struct sink_record r = {.value = bytes_str("x"), .ts_ms = TIME_NONE, .partition = 0};
	assert_true(sink->impl->put(sink, &r, &err));
	assert_true(sink->impl->flush(sink, &err));
	/* A partition that is not there. */
	r.partition = 7;
	bool ok = sink->impl->put(sink, &r, &err) && sink->impl->flush(sink, &err);
	assert_false(ok);
	assert_int_equal(err.id, ERR_DELIVERY);
	assert_non_null(strstr(err.msg, "1 of "));
	sink->impl->destroy(sink);

	/* Ctrl-C while the brokers are away, and a quick end with messages still queued. */
	r.partition = 0;
	assert_true(writer_open(c, "w", PARTITIONER_MURMUR2, &sink, &err));
	assert_true(embedded_set_broker_up(broker, -1, false, &err));
	assert_true(sink->impl->put(sink, &r, &err));
	pthread_t thread = start_cancel();
	err_clear(&err);
	assert_false(sink->impl->flush(sink, &err));
	check_cancelled(thread, &err);
	int64_t start = time_mono_ms();
	sink->impl->destroy(sink);
	check_within(time_mono_ms() - start, 0, CANCEL_MAX_MS);
	assert_true(embedded_set_broker_up(broker, -1, true, &err));
	cluster_destroy(c);
}

#define TEST(f) cmocka_unit_test_setup(f, broker_ready)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_cancel_metadata), TEST(test_silent_broker), TEST(test_time_limit), TEST(test_refused),
		TEST(test_cancel_scan), TEST(test_broker_returns), TEST(test_broker_stays_away), TEST(test_one_broker_away), TEST(test_leaderless), TEST(test_advertised_unreachable),
		TEST(test_gap), TEST(test_false_gap), TEST(test_not_authorized), TEST(test_bad_batch), TEST(test_short_end), TEST(test_writer_faults),
	};
	machine_start();
	return cmocka_run_group_tests(tests, broker_setup, broker_teardown);
}
