/* kafka/embedded.h. A producer handle owns the mock cluster; each sink is a further producer on its bootstrap address with a long linger, so
 * that thousands of records form one batch. */
#include "kafka/embedded.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>
#include "core/alloc.h"
#include "kafka/writer.h"

struct embedded {
	rd_kafka_t *rk;
	rd_kafka_mock_cluster_t *mock;
};

static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
}

struct embedded *embedded_create(int broker_n, struct err *err)
{
	char text[256];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	/* Without this the mock's own answers wait for Nagle: 40 ms stalls. */
	rd_kafka_conf_set(conf, "socket.nagle.disable", "true", text, sizeof text);
	/* The handle owns the mock this way and ends it after it is itself marked as ending: a mock of one's own (rd_kafka_mock_cluster_new) has to go
	 * first, and then its dummy broker's thread may look for the end a moment too early and sleep out a second. */
	char count[16];
	snprintf(count, sizeof count, "%d", broker_n);
	rd_kafka_conf_set(conf, "test.mock.num.brokers", count, text, sizeof text);
	rd_kafka_conf_set_log_cb(conf, on_log);
	rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
	if (!rk) {
		rd_kafka_conf_destroy(conf);
		err_set(err, ERR_INTERNAL, "the embedded broker did not start: %s", text);
		return NULL;
	}
	rd_kafka_mock_cluster_t *mock = rd_kafka_handle_mock_cluster(rk);
	if (!mock) {
		rd_kafka_destroy(rk);
		err_set(err, ERR_INTERNAL, "the embedded broker did not start (no free port on 127.0.0.1?)");
		return NULL;
	}
	struct embedded *e = xcalloc(1, sizeof *e);
	e->rk = rk;
	e->mock = mock;
	return e;
}

void embedded_destroy(struct embedded *e)
{
	if (!e)
		return;
	rd_kafka_destroy(e->rk);
	free(e);
}

const char *embedded_bootstrap(const struct embedded *e)
{
	return rd_kafka_mock_cluster_bootstraps(e->mock);
}

static bool mock_ok(rd_kafka_resp_err_t code, const char *what, struct err *err)
{
	return code == RD_KAFKA_RESP_ERR_NO_ERROR || err_set(err, ERR_BROKER, "the embedded broker refused: %s: %s", what, rd_kafka_err2str(code));
}

bool embedded_create_topic(struct embedded *e, const char *topic, int partition_n, struct err *err)
{
	return mock_ok(rd_kafka_mock_topic_create(e->mock, topic, partition_n, 1), topic, err);
}

bool embedded_open_sink(struct embedded *e, const char *topic, enum partitioner partitioner, struct sink **ret, struct err *err)
{
	/* The mock has no use for idempotence. A batch ends at 900 kB or with sink_flush, which does not wait for the linger time. */
	static const char *const settings[] = {"linger.ms", "500", "batch.num.messages", "100000", "batch.size", "900000", "compression.codec", "none", NULL};
	return embedded_open_sink_with(e, topic, partitioner, settings, ret, err);
}

bool embedded_open_sink_with(struct embedded *e, const char *topic, enum partitioner partitioner, const char *const *settings, struct sink **ret, struct err *err)
{
	struct kafka_config *config = kafka_config_create();
	bool ok = kafka_config_set(config, "bootstrap.servers", embedded_bootstrap(e), CONFIG_FROM_FILE, err) &&
		writer_create("embedded", config, NULL, topic, partitioner, settings, ret, err);
	kafka_config_destroy(config);
	return ok;
}

bool embedded_set_broker_up(struct embedded *e, int broker_id, bool up, struct err *err)
{
	return mock_ok(up ? rd_kafka_mock_broker_set_up(e->mock, broker_id) : rd_kafka_mock_broker_set_down(e->mock, broker_id), up ? "broker up" : "broker down", err);
}

bool embedded_set_rtt_ms(struct embedded *e, int broker_id, int rtt_ms, struct err *err)
{
	return mock_ok(rd_kafka_mock_broker_set_rtt(e->mock, broker_id, rtt_ms), "round trip time", err);
}

bool embedded_set_leader(struct embedded *e, const char *topic, int partition, int broker_id, struct err *err)
{
	return mock_ok(rd_kafka_mock_partition_set_leader(e->mock, topic, partition, broker_id), "leader", err);
}

bool embedded_fail_requests(struct embedded *e, int api_key, int code, int count, struct err *err)
{
	for (int i = 0; i < count; i++)
		rd_kafka_mock_push_request_errors(e->mock, (int16_t)api_key, 1, (rd_kafka_resp_err_t)code);
	return true;
}

void embedded_clear_failures(struct embedded *e, int api_key)
{
	rd_kafka_mock_clear_request_errors(e->mock, (int16_t)api_key);
}
