/* weir-bare-counter BROKERS TOPIC [key=value...]: counts a topic's messages with librdkafka and nothing else, by the best settings found. The yardstick
 * of the benchmarks: whatever reads through librdkafka cannot be faster than this. No copy, no order, no errors handled. */
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t count_n;
static int64_t bytes_n;
static int open_n;
static int64_t *ends;

static void on_message(rd_kafka_message_t *m, void *arg)
{
	if (m->err) {
		if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF && ends[m->partition] >= 0) {
			ends[m->partition] = -1;
			open_n--;
		}
		return;
	}
	count_n++;
	bytes_n += (int64_t)m->len;
	if (m->offset + 1 == ends[m->partition]) {
		ends[m->partition] = -1;
		open_n--;
	}
}

int main(int argc, char **argv)
{
	static const char *const settings[] = {"fetch.max.bytes", "1000000", "message.max.bytes", "1000000", "fetch.wait.max.ms", "10", "queued.min.messages", "10000000",
		"socket.nagle.disable", "true", "enable.partition.eof", "true", "check.crcs", "true", "isolation.level", "read_committed", "enable.auto.commit", "false", NULL};
	char text[512];
	if (argc < 3) {
		fprintf(stderr, "usage: %s BROKERS TOPIC [key=value...]\n", argv[0]);
		return 1;
	}
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_conf_set(conf, "bootstrap.servers", argv[1], text, sizeof text);
	for (int i = 0; settings[i]; i += 2)
		rd_kafka_conf_set(conf, settings[i], settings[i + 1], text, sizeof text);
	for (int i = 3; i < argc; i++) {
		char *equals = strchr(argv[i], '=');
		if (!equals)
			return 1;
		*equals = '\0';
		if (rd_kafka_conf_set(conf, argv[i], equals + 1, text, sizeof text) != RD_KAFKA_CONF_OK) {
			fprintf(stderr, "%s\n", text);
			return 1;
		}
	}
	rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
	if (!rk)
		return 1;
	rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, argv[2], NULL);
	const struct rd_kafka_metadata *md;
	if (rd_kafka_metadata(rk, 0, rkt, &md, 10000) || md->topics[0].partition_cnt == 0) {
		fprintf(stderr, "no such topic\n");
		return 1;
	}
	int n = md->topics[0].partition_cnt;
	rd_kafka_topic_partition_list_t *lists[2];
	for (int which = 0; which < 2; which++) {
		lists[which] = rd_kafka_topic_partition_list_new(n);
		for (int p = 0; p < n; p++)
			rd_kafka_topic_partition_list_add(lists[which], argv[2], p)->offset = which ? -1 : -2;
		if (rd_kafka_offsets_for_times(rk, lists[which], 10000))
			return 1;
	}
	rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
	ends = malloc((size_t)n * sizeof *ends);
	if (!ends)
		return 1;
	for (int p = 0; p < n; p++) {
		int64_t low = lists[0]->elems[p].offset;
		ends[p] = lists[1]->elems[p].offset;
		if (low >= ends[p])
			continue;
		open_n++;
		rd_kafka_consume_start_queue(rkt, p, low, queue);
	}
	while (open_n > 0)
		rd_kafka_consume_callback_queue(queue, 100, on_message, NULL);
	printf("%" PRId64 "\n", count_n);
	fflush(stdout);
	_Exit(0);
}
