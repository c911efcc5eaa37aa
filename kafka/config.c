/* kafka/config.h: the list of settings, what may come from where, and how it is shown. The tables below are the whole policy; translation
 * of Java's names happens when a handle is made (config_apply.c), because a store's type may be set after its location. */
#include "kafka/config.h"

#include <librdkafka/rdkafka.h>
#include <stdlib.h>
#include <string.h>
#include "core/alloc.h"
#include "kafka/config_private.h"

/* What SQL may set: nothing that names a host, a file, a credential or code. */
static const char *const sql_allowed[] = {
	"client.id", "client.rack", "isolation.level", "check.crcs", "broker.address.family", "broker.address.ttl", "api.version.request.timeout.ms",
	"fetch.wait.max.ms", "fetch.max.wait.ms", "fetch.min.bytes", "fetch.max.bytes", "fetch.message.max.bytes", "max.partition.fetch.bytes", "fetch.error.backoff.ms",
	"queued.min.messages", "queued.max.messages.kbytes", "receive.message.max.bytes", "message.max.bytes", "max.in.flight",
	"socket.timeout.ms", "socket.keepalive.enable", "socket.nagle.disable", "socket.max.fails", "socket.send.buffer.bytes", "socket.receive.buffer.bytes",
	"socket.connection.setup.timeout.ms", "connections.max.idle.ms", "reconnect.backoff.ms", "reconnect.backoff.max.ms", "retries", "retry.backoff.ms",
	"metadata.max.age.ms", "topic.metadata.refresh.interval.ms", "topic.metadata.refresh.fast.interval.ms", "request.timeout.ms", "delivery.timeout.ms", "message.timeout.ms",
	"linger.ms", "queue.buffering.max.ms", "batch.size", "batch.num.messages", "compression.type", "compression.codec", "compression.level", "acks", "request.required.acks",
	"weir.request.timeout.ms", "weir.metadata.max.age.ms", "weir.timeout.ms", "weir.skip.bad.batch",
};

/* Settings that load or run code, or only make sense inside a test. only_file: the user's own file may name them. */
static const struct {
	const char *prefix;
	bool only_file;
} dangerous[] = {
	{"plugin.library.paths", false},
	{"test.mock.", false},
	{"interceptor", false},
	{"default_topic_conf", false},
	{"opaque", false},
	{"sasl.kerberos.kinit.cmd", true},
	{"ssl.engine.", true},
	{"ssl_engine_callback_data", true},
	{"sasl.login.callback.handler.class", true},
};

/* Parts of a name whose value is a secret. librdkafka's own list misses some (2.0.2: the OAuth client secret). */
static const char *const secret_parts[] = {"password", "secret", "jaas.config", "key.pem", "keystore.key", "oauthbearer.config", "auth.user.info", "token", "credentials"};
static const char *const not_secret[] = {"sasl.oauthbearer.token.endpoint.url", "basic.auth.credentials.source", "basic.auth.user.info.source"};

/* Names of Java's clients and of the registry's: translated by config_java.c or without meaning here; accepted, so that one properties file
 * serves all tools. */
static const char *const java_exact[] = {
	"key.serializer", "value.serializer", "key.deserializer", "value.deserializer", "max.poll.records", "default.api.timeout.ms", "max.block.ms", "buffer.memory",
	"exclude.internal.topics", "auto.include.jmx.reporter", "enable.metrics.push", "partitioner.class", "partitioner.adaptive.partitioning.enable", "partitioner.ignore.keys",
	"internal.leave.group.on.close", "group.protocol", "group.remote.assignor", "client.dns.lookup", "retry.backoff.max.ms", "socket.connection.setup.timeout.max.ms",
	"partitioner.availability.timeout.ms", "security.providers", "request.timeout.ms", "receive.buffer.bytes", "send.buffer.bytes", "max.request.size", "metadata.recovery.strategy",
	"metadata.recovery.rebootstrap.trigger.ms", "metadata.max.idle.ms", "metric.reporters", "interceptor.classes", "transactional.id", "transaction.timeout.ms",
	"sasl.jaas.config", "sasl.login.callback.handler.class", "sasl.client.callback.handler.class", "sasl.login.class",
	"ssl.truststore.location", "ssl.truststore.type", "ssl.truststore.password", "ssl.truststore.certificates", "ssl.keystore.type", "ssl.keystore.key", "ssl.keystore.certificate.chain",
	"ssl.protocol", "ssl.provider", "ssl.enabled.protocols", "ssl.keymanager.algorithm", "ssl.trustmanager.algorithm", "ssl.secure.random.implementation", "ssl.engine.factory.class",
	"ssl.endpoint.identification.algorithm", "sasl.oauthbearer.token.endpoint.url", "sasl.kerberos.ticket.renew.jitter", "sasl.kerberos.ticket.renew.window.factor",
	"sasl.oauthbearer.clock.skew.seconds", "sasl.oauthbearer.expected.audience", "sasl.oauthbearer.expected.issuer", "sasl.oauthbearer.jwks.endpoint.refresh.ms",
	"sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", "sasl.oauthbearer.jwks.endpoint.url",
	"sasl.oauthbearer.scope.claim.name", "sasl.oauthbearer.sub.claim.name",
	"basic.auth.credentials.source", "basic.auth.user.info", "bearer.auth.credentials.source", "bearer.auth.token",
};
static const char *const java_prefix[] = {"weir.", "schema.registry.", "metrics.", "confluent.", "sasl.login.", "producer.", "consumer.", "admin."};

static bool has_prefix(const char *key, const char *prefix)
{
	return strncmp(key, prefix, strlen(prefix)) == 0;
}

static bool in_list(const char *key, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(key, list[i]) == 0)
			return true;
	}
	return false;
}
#define IN(key, list) in_list(key, list, sizeof(list) / sizeof *(list))

bool config_key_is_secret(const char *key)
{
	if (IN(key, not_secret))
		return false;
	for (size_t i = 0; i < sizeof secret_parts / sizeof *secret_parts; i++) {
		if (strcasestr(key, secret_parts[i]))
			return true;
	}
	return false;
}

bool config_key_is_java(const char *key)
{
	if (IN(key, java_exact))
		return true;
	for (size_t i = 0; i < sizeof java_prefix / sizeof *java_prefix; i++) {
		if (has_prefix(key, java_prefix[i]))
			return true;
	}
	return false;
}

struct kafka_config *kafka_config_create(void)
{
	return xcalloc(1, sizeof(struct kafka_config));
}

static void wipe(char *s)
{
	if (s)
		explicit_bzero(s, strlen(s));
	free(s);
}

void kafka_config_destroy(struct kafka_config *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n; i++) {
		free(c->entries[i].key);
		wipe(c->entries[i].value);
	}
	free(c->entries);
	free(c);
}

static void put(struct kafka_config *c, const char *key, const char *value)
{
	for (size_t i = 0; i < c->n; i++) {
		if (strcmp(c->entries[i].key, key) != 0)
			continue;
		wipe(c->entries[i].value);
		c->entries[i].value = xstrdup(value);
		return;
	}
	c->entries = xreallocarray(c->entries, c->n + 1, sizeof *c->entries);
	c->entries[c->n++] = (struct config_entry){.key = xstrdup(key), .value = xstrdup(value)};
}

struct kafka_config *kafka_config_copy(const struct kafka_config *c)
{
	struct kafka_config *copy = kafka_config_create();
	for (size_t i = 0; c && i < c->n; i++)
		put(copy, c->entries[i].key, c->entries[i].value);
	return copy;
}

void kafka_config_replace(struct kafka_config *c, struct kafka_config *with)
{
	struct kafka_config was = *c;
	*c = *with;
	*with = was;
}

const char *kafka_config_get(const struct kafka_config *c, const char *key)
{
	for (size_t i = 0; c && i < c->n; i++) {
		if (strcmp(c->entries[i].key, key) == 0)
			return c->entries[i].value;
	}
	return NULL;
}

/* librdkafka's other names for a setting (its _RK_C_ALIAS rows), so that "later wins" holds across them. */
static const char *canonical(const char *key)
{
	static const char *const alias[][2] = {
		{"metadata.broker.list", "bootstrap.servers"},
		{"sasl.mechanisms", "sasl.mechanism"},
		{"max.partition.fetch.bytes", "fetch.message.max.bytes"},
		{"fetch.max.wait.ms", "fetch.wait.max.ms"},
		{"compression.type", "compression.codec"},
		{"queue.buffering.max.ms", "linger.ms"},
	};
	for (size_t i = 0; i < sizeof alias / sizeof *alias; i++) {
		if (strcmp(key, alias[i][0]) == 0)
			return alias[i][1];
	}
	return key;
}

/* Does librdkafka take it? Nothing here loads code: what does was refused before. The value never reaches the message. */
static bool check_native(const char *key, const char *value, struct err *err)
{
	char text[512];
	rd_kafka_conf_t *scratch = rd_kafka_conf_new();
	rd_kafka_conf_res_t res = rd_kafka_conf_set(scratch, key, value, text, sizeof text);
	rd_kafka_conf_destroy(scratch);
	if (res == RD_KAFKA_CONF_OK)
		return true;
	if (res == RD_KAFKA_CONF_UNKNOWN)
		return err_set(err, ERR_CONFIG, "unknown client setting \"%s\"", key);
	if (config_key_is_secret(key))
		return err_set(err, ERR_CONFIG, "bad value for client setting \"%s\"", key);
	return err_set(err, ERR_CONFIG, "bad value for client setting \"%s\": %s", key, text);
}

bool kafka_config_set(struct kafka_config *c, const char *key, const char *value, enum config_origin origin, struct err *err)
{
	size_t key_len = strlen(key);
	if (key_len == 0 || key_len > 128 || strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != key_len)
		return err_set(err, ERR_CONFIG, "\"%.60s\" cannot be the name of a client setting", key);
	key = canonical(key);
	key_len = strlen(key);
	for (size_t i = 0; i < sizeof dangerous / sizeof *dangerous; i++) {
		if (!has_prefix(key, dangerous[i].prefix) || (dangerous[i].only_file && origin == CONFIG_FROM_FILE))
			continue;
		if (strcmp(key, "interceptor.classes") == 0 && origin == CONFIG_FROM_FILE)
			continue;            /* Java's: means nothing here */
		err_set(err, origin == CONFIG_FROM_SQL ? ERR_FORBIDDEN_SETTING : ERR_CONFIG, "client setting \"%s\" is refused%s", key,
			dangerous[i].only_file ? " here: it can run code, so only your own file may name it" : ": it loads code into weir");
		return false;
	}
	if (key_len > 3 && (strcmp(key + key_len - 3, "_cb") == 0))
		return err_set(err, ERR_CONFIG, "client setting \"%s\" is refused: it is a callback", key);
	if (origin == CONFIG_FROM_SQL && !IN(key, sql_allowed)) {
		err_set(err, ERR_FORBIDDEN_SETTING, "client setting \"%s\" cannot come from SQL", key);
		return false;
	}
	if (origin == CONFIG_FROM_ARGV && config_key_is_secret(key)) {
		err_set(err, ERR_CONFIG, "\"%s\" on the command line would show in the process list", key);
		err_hint(err, "Put it into a file that only you can read: -F client.properties, or a profile (-P name).");
		return false;
	}
	bool pem = strstr(key, "pem") || strstr(key, "certificate") || strstr(key, "keystore.key");
	if (!pem && (strchr(value, '\n') || strchr(value, '\r')))
		return err_set(err, ERR_CONFIG, "the value of client setting \"%s\" holds a line break", key);
	if (!config_key_is_java(key) && strcmp(key, "ssl.keystore.location") != 0 && !check_native(key, value, err))
		return false;
	if (has_prefix(key, "weir.") && (strstr(key, ".ms")) && (value[strspn(value, "0123456789")] || !*value))
		return err_set(err, ERR_CONFIG, "\"%s\" must be a number of milliseconds", key);
	put(c, key, value);
	return true;
}

void kafka_config_describe(const struct kafka_config *c, struct buf *to)
{
	for (size_t i = 0; i < c->n; i++)
		buf_addf(to, "%s = %s\n", c->entries[i].key, config_key_is_secret(c->entries[i].key) ? "********" : c->entries[i].value);
}
