/* How soon a message is there: from the send, and from the broker's acknowledgement, to a batch of the live reader and to a line of `kcat -u`, both reading the same
 * messages at the same time. Microseconds; negative from the acknowledgement: the reader was faster than the producer's.
 *     build/tests/weir-bench-live BROKERS TOPIC [messages a second] [seconds]           (a real broker; the topic must exist) */
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "core/alloc.h"
#include "core/time.h"
#include "kafka/cluster.h"

static struct cancel cancel;
static size_t message_n;
static int64_t *sent, *acked, *seen, *seen_kcat;    /* monotonic ns of each message */
static atomic_size_t seen_n, kcat_n;

static int64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
	acked[(size_t)(uintptr_t)m->_private] = now_ns();
}

static void note(int64_t *to, atomic_size_t *n, const char *text, int64_t at)
{
	size_t i = strtoul(text, NULL, 10);
	if (i < message_n && !to[i]) {
		to[i] = at;
		atomic_fetch_add(n, 1);
	}
}

static void *read_weir(void *arg)
{
	struct source *s = arg;
	struct err err = ERR_INIT;
	while (!cancel_requested(&cancel)) {
		struct batch *b = NULL;
		if (source_next(s, 0, &b, &err) == SOURCE_IDLE) {
			poll(&(struct pollfd){.fd = source_fd(s), .events = POLLIN}, 1, 200);
			continue;
		}
		int64_t at = now_ns();
		for (size_t i = 0; b && i < b->record_n; i++)
			note(seen, &seen_n, (const char *)b->records[i].value, at);
		batch_unref(b);
	}
	return NULL;
}

static void *read_kcat(void *arg)
{
	char line[256];
	FILE *f = arg;
	while (fgets(line, sizeof line, f))
		note(seen_kcat, &kcat_n, line, now_ns());
	return NULL;
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

static void report(const char *name, const int64_t *from, const int64_t *to)
{
	int64_t *d = xreallocarray(NULL, message_n, sizeof *d);
	size_t n = 0;
	for (size_t i = message_n / 10; i < message_n; i++)      /* the first tenth warms up */
		if (from[i] && to[i])
			d[n++] = (to[i] - from[i]) / 1000;
	qsort(d, n, sizeof *d, compare);
	if (n)
		printf("%-22s n %6zu   p50 %6" PRId64 "   p90 %6" PRId64 "   p99 %6" PRId64 "   max %6" PRId64 " us\n", name, n, d[n / 2], d[n * 9 / 10], d[n * 99 / 100], d[n - 1]);
	free(d);
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 1;
	int rate = argc > 3 ? atoi(argv[3]) : 100, seconds = argc > 4 ? atoi(argv[4]) : 20;
	message_n = (size_t)rate * (size_t)seconds;
	sent = xcalloc(message_n, sizeof *sent);
	acked = xcalloc(message_n, sizeof *acked);
	seen = xcalloc(message_n, sizeof *seen);
	seen_kcat = xcalloc(message_n, sizeof *seen_kcat);
	struct err err = ERR_INIT;
	struct kafka_config *config = kafka_config_create();
	kafka_config_set(config, "bootstrap.servers", argv[1], CONFIG_FROM_ARGV, &err);
	struct cluster *c = cluster_create("main", config, &cancel);
	const struct cluster_topic *t;
	int64_t low[64], end[64];
	struct scan_range ranges[64];
	struct source *s = NULL;
	if (!cluster_topic_get(c, argv[2], &t, &err) || t->partition_n > 64 || !cluster_bounds(c, argv[2], t->partition_n, low, end, &err)) {
		printf("%s\n", err.msg);
		return 1;
	}
	for (int32_t p = 0; p < t->partition_n; p++)
		ranges[p] = (struct scan_range){p, end[p], SCAN_END_NEVER};
	struct scan_request request = {.topic = argv[2], .ranges = ranges, .range_n = (size_t)t->partition_n, .need = SCAN_NEED_VALUE, .live = true, .gap_policy = GAP_WARN, .cancel = &cancel};
	if (!reader_open(c, &request, &s, &err)) {
		printf("%s\n", err.msg);
		return 1;
	}
	char *command = xasprintf("exec timeout %d kcat -b '%s' -C -u -q -o end -t '%s' -f '%%s\\n'", seconds + 8, argv[1], argv[2]);
	FILE *kcat = popen(command, "r");
	pthread_t threads[2];
	pthread_create(&threads[0], NULL, read_weir, s);
	pthread_create(&threads[1], NULL, read_kcat, kcat);
	nanosleep(&(struct timespec){.tv_sec = 3}, NULL);            /* kcat has joined by then */

	char text[256];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_conf_set(conf, "bootstrap.servers", argv[1], text, sizeof text);
	rd_kafka_conf_set(conf, "linger.ms", "0", text, sizeof text);
	rd_kafka_conf_set(conf, "socket.nagle.disable", "true", text, sizeof text);
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
	int64_t began = now_ns();
	for (size_t i = 0; i < message_n; i++) {
		int64_t at = began + (int64_t)i * 1000000000 / rate;
		for (int64_t left; (left = (at - now_ns()) / 1000000) > 0;)
			rd_kafka_poll(rk, (int)left);
		while (now_ns() < at)
			rd_kafka_poll(rk, 0);
		int len = snprintf(text, sizeof text, "%zu {\"line\":\"L1\",\"machine\":\"press-02\",\"value\":12.5,\"unit\":\"bar\",\"quality\":\"GOOD\"}", i);
		sent[i] = now_ns();
		rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(argv[2]), RD_KAFKA_V_VALUE(text, (size_t)len), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_OPAQUE((void *)(uintptr_t)i), RD_KAFKA_V_END);
	}
	rd_kafka_flush(rk, 10000);
	nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
	printf("%d messages a second for %d s: weir saw %zu, kcat %zu of %zu\n", rate, seconds, atomic_load(&seen_n), atomic_load(&kcat_n), message_n);
	report("send -> ack", sent, acked);
	report("send -> weir", sent, seen);
	report("send -> kcat -u", sent, seen_kcat);
	report("ack -> weir", acked, seen);
	report("ack -> kcat -u", acked, seen_kcat);
	atomic_store(&cancel.signal_n, 1);
	pthread_join(threads[0], NULL);
	int64_t from = now_ns();
	source_destroy(s);
	printf("destroyed in %" PRId64 " us\n", (now_ns() - from) / 1000);
	fflush(stdout);
	/* kcat ends at its next write to the closed pipe; leave it to that. */
	rd_kafka_destroy(rk);
	cluster_destroy(c);
	_Exit(0);
}
