/* weir-scan BROKERS TOPIC [need=kvh] [order=partition] [first=N] [last=N] [repeat=N] [delay_ns=N] [key=value...]: counts a topic through the reader alone, without
 * SQLite; prints rows, seconds, peak resident memory and what the reader counted. For measuring and for trying faults by hand. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include "core/alloc.h"
#include "core/time.h"
#include "kafka/cluster.h"

static struct cancel cancel;

static void on_signal(int number)
{
	atomic_store(&cancel.signal_n, number);
}

static void on_notice(void *arg, enum notice_level level, const char *text)
{
	fprintf(stderr, "notice: %s\n", text);
}

static double now_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int fail(const struct err *err)
{
	fprintf(stderr, "error %d: %s\n%s\n", err_exit_code(err), err->msg, err->hint);
	return err_exit_code(err);
}

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	struct scan_request request = {.need = 0, .cancel = &cancel};
	int repeat = 1;
	int64_t last = 0;
	int64_t delay_ns = 0;
	double start = now_s();
	if (argc < 3)
		return 1;
	signal(SIGINT, on_signal);
	struct kafka_config *config = kafka_config_create();
	bool ok = kafka_config_set(config, "bootstrap.servers", argv[1], CONFIG_FROM_ARGV, &err);
	for (int i = 3; ok && i < argc; i++) {
		char *equals = strchr(argv[i], '=');
		if (!equals)
			return 1;
		*equals++ = '\0';
		if (strcmp(argv[i], "need") == 0)
			request.need = (strchr(equals, 'k') ? SCAN_NEED_KEY : 0u) | (strchr(equals, 'v') ? SCAN_NEED_VALUE : 0u) | (strchr(equals, 'h') ? SCAN_NEED_HEADERS : 0u);
		else if (strcmp(argv[i], "order") == 0)
			request.order = SCAN_ORDER_PARTITION_OFFSET;
		else if (strcmp(argv[i], "gap") == 0)
			request.gap_policy = GAP_WARN;
		else if (strcmp(argv[i], "first") == 0)
			request.row_hint = atoll(equals);
		else if (strcmp(argv[i], "last") == 0)
			last = atoll(equals);
		else if (strcmp(argv[i], "repeat") == 0)
			repeat = atoi(equals);
		else if (strcmp(argv[i], "delay_ns") == 0)
			delay_ns = atoll(equals);
		else if (strcmp(argv[i], "file") == 0)
			ok = kafka_config_load_properties(config, equals, &err);
		else
			ok = kafka_config_set(config, argv[i], equals, CONFIG_FROM_ARGV, &err);
	}
	if (!ok)
		return fail(&err);
	struct cluster *c = cluster_create("main", config, &cancel);
	cluster_set_notice(c, on_notice, NULL);
	int code = 0;
	for (int round = 0; round < repeat && code == 0; round++) {
		double t0 = round ? now_s() : start;
		const struct cluster_topic *t;
		if (!cluster_topic_get(c, argv[2], &t, &err)) {
			code = fail(&err);
			break;
		}
		int32_t n = t->partition_n;
		double t1 = now_s();
		int64_t *low = xmalloc((size_t)n * sizeof *low);
		int64_t *end = xmalloc((size_t)n * sizeof *end);
		struct scan_range *ranges = xmalloc((size_t)n * sizeof *ranges);
		if (!cluster_bounds(c, argv[2], n, low, end, &err)) {
			code = fail(&err);
			break;
		}
		for (int32_t p = 0; p < n; p++)
			ranges[p] = (struct scan_range){.partition = p, .start = last && end[p] - last > low[p] ? end[p] - last : low[p], .end = end[p]};
		double t2 = now_s();
		request.topic = argv[2];
		request.ranges = ranges;
		request.range_n = (size_t)n;
		struct source *s;
		double first = 0;
		int64_t rows = 0;
		int64_t bytes = 0;
		if (!reader_open(c, &request, &s, &err)) {
			code = fail(&err);
			break;
		}
		for (;;) {
			struct batch *b;
			enum source_status status = source_next(s, 100, &b, &err);
			if (status == SOURCE_IDLE)
				continue;
			if (status == SOURCE_END)
				break;
			if (status == SOURCE_ERROR) {
				code = fail(&err);
				break;
			}
			if (first == 0)
				first = now_s();
			rows += (int64_t)b->record_n;
			for (size_t i = 0; i < b->record_n; i++)
				bytes += b->records[i].size;
			if (delay_ns) {
				double until = now_s() + (double)delay_ns * (double)b->record_n / 1e9;
				while (now_s() < until)
					;
			}
			batch_unref(b);
			if (request.row_hint && rows >= request.row_hint)
				break;
		}
		double t3 = now_s();
		struct scan_stats stats = s->stats;
		source_destroy(s);
		double t4 = now_s();
		struct rusage usage;
		getrusage(RUSAGE_SELF, &usage);
		printf("%" PRId64 " rows %" PRId64 " bytes  metadata %.1f offsets %.1f first %.1f scan %.1f close %.1f ms  rss %ld kB  user+sys %.2f s  dup %" PRId64 " outside %" PRId64 " gap %" PRId64
			" passed %" PRId64 "/%" PRId64 "\n", rows, bytes, (t1 - t0) * 1e3, (t2 - t1) * 1e3, first > 0 ? (first - t0) * 1e3 : 0, (t3 - t0) * 1e3, (t4 - t3) * 1e3, usage.ru_maxrss,
			(double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6, stats.duplicate_n, stats.outside_n, stats.gap_n, stats.passed_n, stats.planned_n);
		free(low);
		free(end);
		free(ranges);
	}
	double t5 = now_s();
	cluster_destroy(c);
	kafka_config_destroy(config);
	fprintf(stderr, "destroy %.1f ms\n", (now_s() - t5) * 1e3);
	return code;
}
