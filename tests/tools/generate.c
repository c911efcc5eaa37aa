/* weir-generate BROKERS TOPIC COUNT [--size small|large] [--codec none|lz4|zstd|snappy|gzip] [--seed N] [--start MS] [--step MS] [--devices N] [--linger MS]
 *
 * Fills an existing topic for the benchmarks with machine messages from a fixed seed: small = 9 fields, about 190 bytes; large = the same
 * with padding to about 1 kB. Message i has timestamp start + i * step, key = device, partition by murmur2 of the key. Prints what an
 * independent program must find again: count, rows with value > 92, sum and count of value per line (as JSON on stdout). */
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/hash.h"
#include "core/time.h"

enum { LINES = 4 };

static uint64_t rng_state;

static uint64_t rng_next(void)
{
	/* splitmix64 */
	uint64_t z = rng_state += 0x9E3779B97F4A7C15ull;
	z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
	z = (z ^ z >> 27) * 0x94D049BB133111EBull;
	return z ^ z >> 31;
}

static int64_t failed_n;

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *m, void *arg)
{
	if (m->err)
		failed_n++;
}

static void set(rd_kafka_conf_t *conf, const char *key, const char *value)
{
	char why[256];
	if (rd_kafka_conf_set(conf, key, value, why, sizeof why) != RD_KAFKA_CONF_OK) {
		fprintf(stderr, "%s\n", why);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	if (argc < 4) {
		fprintf(stderr, "usage: %s BROKERS TOPIC COUNT [options]\n", argv[0]);
		return 1;
	}
	int64_t n = strtoll(argv[3], NULL, 10);
	int64_t start = 1788235200000, step = 1;
	const char *codec = "lz4";
	const char *linger = "20";
	int devices = 1000;
	bool large = false;
	rng_state = 42;
	for (int i = 4; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--size") == 0)
			large = strcmp(argv[i + 1], "large") == 0;
		else if (strcmp(argv[i], "--codec") == 0)
			codec = argv[i + 1];
		else if (strcmp(argv[i], "--seed") == 0)
			rng_state = strtoull(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--start") == 0)
			start = strtoll(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--step") == 0)
			step = strtoll(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--devices") == 0)
			devices = atoi(argv[i + 1]);
		else if (strcmp(argv[i], "--linger") == 0)
			linger = argv[i + 1];
	}
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	set(conf, "bootstrap.servers", argv[1]);
	set(conf, "compression.codec", codec);
	set(conf, "linger.ms", linger);
	set(conf, "batch.num.messages", "10000");
	set(conf, "queue.buffering.max.messages", "400000");
	set(conf, "enable.idempotence", "true");
	set(conf, "partitioner", "murmur2_random");
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	char why[256];
	rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
	if (!rk) {
		fprintf(stderr, "%s\n", why);
		return 1;
	}
	int64_t high_n = 0, key7_n = 0, line_n[LINES] = {0};
	double line_sum[LINES] = {0};
	char pad[900];
	memset(pad, 'x', sizeof pad - 1);
	pad[sizeof pad - 1] = '\0';
	for (int64_t i = 0; i < n; i++) {
		uint64_t r = rng_next();
		int device = (int)(r % (uint64_t)devices);
		int line = device % LINES;
		double value = (double)(rng_next() % 100000) / 1000.0;
		int64_t ts = start + i * step;
		char at[TIME_TEXT_MAX], key[32], body[1400];
		time_format(ts, at);
		int key_len = snprintf(key, sizeof key, "dev-%05d", device);
		int len = snprintf(body, sizeof body,
			"{\"ts\":\"%s\",\"line\":\"L%d\",\"device\":\"%s\",\"tag\":\"pressure\",\"value\":%.3f,\"unit\":\"bar\",\"quality\":192,\"seq\":%" PRId64 ",\"batch\":\"B-%06d\"%s%s%s}",
			at, line, key, value, i, (int)(i / 1000), large ? ",\"note\":\"" : "", large ? pad : "", large ? "\"" : "");
		if (value > 92)
			high_n++;
		key7_n += device == 7;
		line_n[line]++;
		line_sum[line] += value;
		rd_kafka_resp_err_t e;
		do {
			e = rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(argv[2]), RD_KAFKA_V_KEY(key, (size_t)key_len), RD_KAFKA_V_VALUE(body, (size_t)len),
				RD_KAFKA_V_TIMESTAMP(ts), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
			if (e == RD_KAFKA_RESP_ERR__QUEUE_FULL)
				rd_kafka_poll(rk, 20);
		} while (e == RD_KAFKA_RESP_ERR__QUEUE_FULL);
		if (e) {
			fprintf(stderr, "%s\n", rd_kafka_err2str(e));
			return 1;
		}
		if ((i & 1023) == 0)
			rd_kafka_poll(rk, 0);
	}
	rd_kafka_flush(rk, 120000);
	int left = rd_kafka_outq_len(rk);
	rd_kafka_destroy(rk);
	printf("{\"count\":%" PRId64 ",\"failed\":%" PRId64 ",\"high\":%" PRId64 ",\"key7\":%" PRId64 ",\"lines\":{", n, failed_n + left, high_n, key7_n);
	for (int i = 0; i < LINES; i++)
		printf("%s\"L%d\":[%" PRId64 ",%.3f]", i ? "," : "", i, line_n[i], line_sum[i]);
	printf("}}\n");
	return failed_n || left ? 1 : 0;
}
