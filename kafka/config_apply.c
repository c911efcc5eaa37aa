/* kafka/config_apply.h. */
#include "kafka/config_apply.h"

#include <string.h>
#include "kafka/config_java.h"
#include "kafka/config_private.h"

struct pair {
	const char *key, *value;
};

/* Good for a bounded scan by the measurements in docs: many small fetches keep memory flat and the broker busy. The user may change them. */
static const struct pair large_defaults[] = {
	{"fetch.max.bytes", "500000"},
	{"fetch.message.max.bytes", "500000"},
	{"fetch.wait.max.ms", "10"},
};
/* librdkafka hands out a fetch only when all of it is decoded, 15 ms for 1 MB of lz4: a first row should not wait for that. */
static const struct pair small_defaults[] = {
	{"fetch.max.bytes", "131072"},
	{"fetch.message.max.bytes", "65536"},
	/* A fetch parked at a partition's end holds back every later request on its connection for so long. */
	{"fetch.wait.max.ms", "1"},
};
static const struct pair live_defaults[] = {
	{"fetch.max.bytes", "500000"},
	{"fetch.message.max.bytes", "500000"},
	{"fetch.wait.max.ms", "500"},
};
static const struct pair read_defaults[] = {
	{"fetch.error.backoff.ms", "50"},
	{"queued.min.messages", "10000000"},         /* the queue is bounded by bytes only */
	{"queued.max.messages.kbytes", "2048"},
	{"isolation.level", "read_committed"},
	{"check.crcs", "true"},
};
static const struct pair common_defaults[] = {
	{"client.id", "weir"},
	{"socket.nagle.disable", "true"},
	{"socket.keepalive.enable", "true"},
	{"socket.connection.setup.timeout.ms", "5000"},
	{"reconnect.backoff.ms", "50"},
	{"reconnect.backoff.max.ms", "1000"},
	{"topic.metadata.refresh.fast.interval.ms", "100"},
};
static const struct pair write_defaults[] = {
	{"linger.ms", "5"},
	{"compression.codec", "lz4"},
};
static const struct pair read_forced[] = {
	{"message.max.bytes", "65536"},              /* fetch.max.bytes must not be smaller; means nothing to a reader, larger records arrive */
	{"enable.auto.commit", "false"},
	{"enable.auto.offset.store", "false"},
	{"auto.offset.reset", "error"},
	{"enable.partition.eof", "true"},
	{"allow.auto.create.topics", "false"},
};
static const struct pair write_forced[] = {
	{"enable.idempotence", "true"},
	{"acks", "all"},
};
static const struct pair common_forced[] = {
	{"log_level", "4"},
	{"log.thread.name", "false"},
	{"statistics.interval.ms", "0"},
};

static bool set(rd_kafka_conf_t *conf, const char *key, const char *value, struct err *err)
{
	char text[512];
	if (rd_kafka_conf_set(conf, key, value, text, sizeof text) == RD_KAFKA_CONF_OK)
		return true;
	if (config_key_is_secret(key))
		return err_set(err, ERR_CONFIG, "bad value for client setting \"%s\"", key);
	return err_set(err, ERR_CONFIG, "client setting \"%s\": %s", key, text);
}

static bool set_pairs(rd_kafka_conf_t *conf, const struct pair *pairs, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		if (!set(conf, pairs[i].key, pairs[i].value, err))
			return false;
	}
	return true;
}
#define SET_PAIRS(conf, pairs, err) set_pairs(conf, pairs, sizeof(pairs) / sizeof *(pairs), err)

static bool set_translated(void *arg, const char *key, const char *value, struct err *err)
{
	return set(arg, key, value, err);
}

bool kafka_config_apply(const struct kafka_config *c, enum client_kind kind, const char *const *settings, rd_kafka_conf_t *conf, struct err *err)
{
	bool producer = kind == CLIENT_WRITE, ok = SET_PAIRS(conf, common_defaults, err);
	switch (kind) {
	case CLIENT_WRITE:
		ok = ok && SET_PAIRS(conf, write_defaults, err);
		break;
	case CLIENT_READ_SMALL:
		ok = ok && SET_PAIRS(conf, read_defaults, err) && SET_PAIRS(conf, small_defaults, err);
		break;
	case CLIENT_READ:
		ok = ok && SET_PAIRS(conf, read_defaults, err) && SET_PAIRS(conf, large_defaults, err);
		break;
	case CLIENT_READ_LIVE:
		ok = ok && SET_PAIRS(conf, read_defaults, err) && SET_PAIRS(conf, live_defaults, err);
		break;
	}
	if (!ok)
		return false;
	for (size_t i = 0; i < c->n; i++) {
		if (config_key_is_java(c->entries[i].key) || strcmp(c->entries[i].key, "ssl.keystore.location") == 0)
			continue;
		if (!set(conf, c->entries[i].key, c->entries[i].value, err))
			return false;
	}
	if (!config_java_translate(c, set_translated, conf, err))
		return false;
	for (const char *const *s = settings; s && s[0]; s += 2) {
		if (!set(conf, s[0], s[1], err))
			return false;
	}
	return SET_PAIRS(conf, common_forced, err) && (producer ? SET_PAIRS(conf, write_forced, err) : SET_PAIRS(conf, read_forced, err));
}
