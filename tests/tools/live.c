/* weir-live BROKERS TOPIC [from=begin|end] [end=P:OFFSET] [only=P] [gap=fail] [wait=fd|ms] [key=value...]: an endless read for a live query, without SQLite. Prints "PARTITION OFFSET
 * VALUE" for each record, "at end: PARTITION:POSITION/END .." whenever all are at their ends and one moved, notices as "notice: ..", and at the end, by SIGINT or
 * an error, "destroyed in N us". For the tests of tests/kafka/ and for trying faults by hand. */
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "core/alloc.h"
#include "core/time.h"
#include "kafka/cluster.h"

enum { PARTITION_MAX = 64 };

static struct cancel cancel;

static int64_t now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void on_signal(int number)
{
	atomic_store(&cancel.signal_n, number);
}

static void on_notice(void *arg, enum notice_level level, const char *text)
{
	printf("notice: %s\n", text);
	fflush(stdout);
}

static int fail(const struct err *err)
{
	printf("error %d: %s\n", err_exit_code(err), err->msg);
	return err_exit_code(err);
}

/* Prints them when all are at their ends and something moved. */
static void tell_positions(struct source *s, struct buf *told)
{
	struct source_position at[PARTITION_MAX];
	size_t n = source_positions(s, at, PARTITION_MAX);
	struct buf text = BUF_INIT;
	for (size_t i = 0; i < n && i < PARTITION_MAX; i++) {
		buf_addf(&text, " %d:%" PRId64 "/%" PRId64, at[i].partition, at[i].position, at[i].end);
		if (!at[i].at_end)
			buf_clear(&text);
		if (!at[i].at_end)
			break;
	}
	if (text.len && (!told->len || strcmp(text.data, told->data) != 0)) {
		printf("at end:%s\n", text.data);
		buf_clear(told);
		buf_adds(told, text.data);
	}
	buf_finish(&text);
}

static int read_on(struct source *s, bool by_fd, struct buf *told)
{
	struct err err = ERR_INIT;
	for (;;) {
		struct batch *b = NULL;
		enum source_status status = source_next(s, by_fd ? 0 : 200, &b, &err);
		if (status == SOURCE_ERROR)
			return fail(&err);
		if (status == SOURCE_END) {
			printf("end\n");
			return 0;
		}
		for (size_t i = 0; status == SOURCE_BATCH && i < b->record_n; i++)
			printf("%d %" PRId64 " %.*s\n", b->partition, b->records[i].offset, (int)b->records[i].value_len, (const char *)b->records[i].value);
		batch_unref(b);
		tell_positions(s, told);
		fflush(stdout);
		if (status == SOURCE_IDLE && by_fd)
			poll(&(struct pollfd){.fd = source_fd(s), .events = POLLIN}, 1, 500);
	}
}

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	if (argc < 3)
		return 1;
	signal(SIGINT, on_signal);
	struct scan_request request = {.topic = argv[2], .need = SCAN_NEED_VALUE, .live = true, .new_partitions = true, .gap_policy = GAP_WARN, .cancel = &cancel};
	struct kafka_config *config = kafka_config_create();
	bool ok = kafka_config_set(config, "bootstrap.servers", argv[1], CONFIG_FROM_ARGV, &err), from_end = false, by_fd = false;
	int64_t end_of[PARTITION_MAX];
	int only = -1;
	for (size_t i = 0; i < PARTITION_MAX; i++)
		end_of[i] = SCAN_END_NEVER;
	for (int i = 3; ok && i < argc; i++) {
		char *value = strchr(argv[i], '=');
		if (!value)
			return 1;
		*value++ = '\0';
		if (strcmp(argv[i], "from") == 0)
			from_end = strcmp(value, "end") == 0;
		else if (strcmp(argv[i], "end") == 0 && strchr(value, ':'))
			end_of[atoi(value) % PARTITION_MAX] = atoll(strchr(value, ':') + 1);
		else if (strcmp(argv[i], "only") == 0)
			only = atoi(value);
		else if (strcmp(argv[i], "gap") == 0)
			request.gap_policy = GAP_FAIL;
		else if (strcmp(argv[i], "wait") == 0)
			by_fd = strcmp(value, "fd") == 0;
		else
			ok = kafka_config_set(config, argv[i], value, CONFIG_FROM_ARGV, &err);
	}
	struct cluster *c = cluster_create("main", config, &cancel);
	cluster_set_notice(c, on_notice, NULL);
	const struct cluster_topic *t;
	int64_t low[PARTITION_MAX], end[PARTITION_MAX];
	struct scan_range ranges[PARTITION_MAX];
	if (!ok || !cluster_topic_get(c, request.topic, &t, &err) || t->partition_n > PARTITION_MAX || !cluster_bounds(c, request.topic, t->partition_n, low, end, &err))
		return fail(&err);
	for (int32_t p = 0; p < t->partition_n; p++)
		if (only < 0 || only == p)
			ranges[request.range_n++] = (struct scan_range){p, from_end ? end[p] : low[p], end_of[p]};
	request.ranges = ranges;
	request.new_partitions = only < 0;
	struct source *s = NULL;
	if (!reader_open(c, &request, &s, &err))
		return fail(&err);
	printf("open\n");
	fflush(stdout);
	struct buf told = BUF_INIT;
	int code = read_on(s, by_fd, &told);
	buf_finish(&told);
	int64_t gap_n = s->stats.gap_n;
	int64_t began = now_us();
	source_destroy(s);
	printf("destroyed in %" PRId64 " us, lost %" PRId64 "\n", now_us() - began, gap_n);
	cluster_destroy(c);
	kafka_config_destroy(config);
	return code;
}
