/* Client settings: where they may come from, Java's names and files, secrets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "kafka/config.h"
#include "kafka/config_apply.h"
#include "kafka/config_java.h"

static char dir[64];

static void write_file(const char *name, const char *text, size_t len, mode_t mode, char path[256])
{
	snprintf(path, 256, "%s/%s", dir, name);
	unlink(path);
	int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), (ssize_t)len);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

/* What librdkafka gets in the end; NULL = apply failed. */
static rd_kafka_conf_t *applied(const struct kafka_config *c, struct err *err)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	if (kafka_config_apply(c, CLIENT_READ, NULL, conf, err))
		return conf;
	rd_kafka_conf_destroy(conf);
	return NULL;
}

static void check(const struct kafka_config *c, const char *key, const char *want)
{
	struct err err = ERR_INIT;
	char got[1024] = "";
	size_t size = sizeof got;
	rd_kafka_conf_t *conf = applied(c, &err);
	if (!conf)
		fail_msg("%s", err.msg);
	assert_int_equal(rd_kafka_conf_get(conf, key, got, &size), RD_KAFKA_CONF_OK);
	rd_kafka_conf_destroy(conf);
	assert_string_equal(got, want);
}

static void load(struct kafka_config *c, const char *text)
{
	char path[256];
	struct err err = ERR_INIT;
	write_file("client.properties", text, strlen(text), 0600, path);
	if (!kafka_config_load_properties(c, path, &err))
		fail_msg("%s", err.msg);
}

static void test_origins(void **state)
{
	static const struct {
		const char *key, *value;
		enum config_origin origin;
		enum err_id want;
	} cases[] = {
		{"bootstrap.servers", "b:9092", CONFIG_FROM_FILE, ERR_NONE},
		{"bootstrap.servers", "b:9092", CONFIG_FROM_SQL, ERR_FORBIDDEN_SETTING},
		{"client.id", "x", CONFIG_FROM_SQL, ERR_NONE},
		{"fetch.max.bytes", "1000000", CONFIG_FROM_SQL, ERR_NONE},
		{"sasl.password", "x", CONFIG_FROM_SQL, ERR_FORBIDDEN_SETTING},
		{"ssl.ca.location", "/etc/passwd", CONFIG_FROM_SQL, ERR_FORBIDDEN_SETTING},
		{"debug", "all", CONFIG_FROM_SQL, ERR_FORBIDDEN_SETTING},
		{"sasl.password", "x", CONFIG_FROM_FILE, ERR_NONE},
		{"sasl.password", "x", CONFIG_FROM_ARGV, ERR_CONFIG},
		{"sasl.oauthbearer.client.secret", "x", CONFIG_FROM_ARGV, ERR_CONFIG},
		{"sasl.jaas.config", "x", CONFIG_FROM_ARGV, ERR_CONFIG},
		{"ssl.key.pem", "x", CONFIG_FROM_ARGV, ERR_CONFIG},
		{"plugin.library.paths", "/tmp/x.so", CONFIG_FROM_FILE, ERR_CONFIG},
		{"plugin.library.paths", "/tmp/x.so", CONFIG_FROM_SQL, ERR_FORBIDDEN_SETTING},
		{"test.mock.num.brokers", "3", CONFIG_FROM_FILE, ERR_CONFIG},
		{"sasl.kerberos.kinit.cmd", "true", CONFIG_FROM_ARGV, ERR_CONFIG},
		{"sasl.kerberos.kinit.cmd", "kinit", CONFIG_FROM_FILE, ERR_NONE},
		{"ssl.engine.location", "/tmp/x.so", CONFIG_FROM_ARGV, ERR_CONFIG},
		{"error_cb", "x", CONFIG_FROM_FILE, ERR_CONFIG},
		{"interceptors", "x", CONFIG_FROM_FILE, ERR_CONFIG},
		{"no.such.setting", "x", CONFIG_FROM_FILE, ERR_CONFIG},
		{"fetch.max.bytes", "many", CONFIG_FROM_FILE, ERR_CONFIG},
		{"client.id", "a\nb", CONFIG_FROM_FILE, ERR_CONFIG},
		{"", "x", CONFIG_FROM_FILE, ERR_CONFIG},
		{"a b", "x", CONFIG_FROM_FILE, ERR_CONFIG},
		{"key.deserializer", "org.apache.kafka.x", CONFIG_FROM_FILE, ERR_NONE},
		{"schema.registry.url", "http://r", CONFIG_FROM_FILE, ERR_NONE},
		{"weir.timeout.ms", "10", CONFIG_FROM_ARGV, ERR_NONE},
		{"weir.timeout.ms", "soon", CONFIG_FROM_ARGV, ERR_CONFIG},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct err err = ERR_INIT;
		struct kafka_config *c = kafka_config_create();
		bool ok = kafka_config_set(c, cases[i].key, cases[i].value, cases[i].origin, &err);
		if (ok != (cases[i].want == ERR_NONE) || err.id != cases[i].want)
			fail_msg("%s from %d: %d %s", cases[i].key, cases[i].origin, err.id, err.msg);
		if (!ok && cases[i].want == ERR_CONFIG && cases[i].key[0])
			assert_non_null(strstr(err.msg, cases[i].key));
		kafka_config_destroy(c);
	}
}

static void test_properties(void **state)
{
	struct kafka_config *c = kafka_config_create();
	load(c, "\xEF\xBB\xBF# comment\r\n! other\n\n  bootstrap.servers = b1:9092,\\\n     b2:9092\r\nclient.id:caf\\u00e9\\\n\\t!\nsocket.timeout.ms 12345\nmetadata.broker.list=last:1");
	assert_string_equal(kafka_config_get(c, "bootstrap.servers"), "last:1");
	assert_string_equal(kafka_config_get(c, "client.id"), "caf\xC3\xA9\t!");
	assert_string_equal(kafka_config_get(c, "socket.timeout.ms"), "12345");
	assert_null(kafka_config_get(c, "sasl.username"));
	kafka_config_destroy(c);
}

static bool collect(void *arg, const char *key, const char *value, struct err *err)
{
	buf_addf(arg, "%s=%s\n", key, value);
	return true;
}

static void test_jaas(void **state)
{
	struct kafka_config *c = kafka_config_create();
	load(c, "bootstrap.servers=b:1\nsecurity.protocol=SASL_PLAINTEXT\nsasl.mechanism=SCRAM-SHA-256\n"
		"sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \\\n  username=\"ali\\\\\"ce\" \\\n  password='p=;w d';\n");
	check(c, "sasl.username", "ali\"ce");
	check(c, "sasl.password", "p=;w d");
	check(c, "sasl.mechanism", "SCRAM-SHA-256");
	check(c, "security.protocol", "sasl_plaintext");
	struct buf text = BUF_INIT;
	kafka_config_describe(c, &text);
	assert_null(strstr(text.data, "p=;w"));
	assert_non_null(strstr(text.data, "sasl.jaas.config = ********"));
	buf_finish(&text);
	kafka_config_destroy(c);

	c = kafka_config_create();
	load(c, "sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username=bob password=secret;\n");
	check(c, "sasl.username", "bob");
	check(c, "sasl.password", "secret");
	check(c, "sasl.mechanism", "PLAIN");
	kafka_config_destroy(c);

	c = kafka_config_create();
	load(c, "sasl.mechanism=OAUTHBEARER\nsasl.oauthbearer.token.endpoint.url=https://idp/token\nsasl.login.callback.handler.class=org.x.Handler\n"
		"sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required clientId='id' clientSecret='s' scope='a b' extension_x='1' extension_y='2';\n");
	/* Not every librdkafka is built with OIDC, so this looks at the translation alone. */
	struct buf got = BUF_INIT;
	struct err oauth_err = ERR_INIT;
	assert_true(config_java_translate(c, collect, &got, &oauth_err));
	assert_string_equal(got.data, "sasl.oauthbearer.client.id=id\nsasl.oauthbearer.client.secret=s\nsasl.oauthbearer.scope=a b\nsasl.oauthbearer.extensions=x=1,y=2\n"
		"sasl.oauthbearer.method=oidc\nsasl.oauthbearer.token.endpoint.url=https://idp/token\nsasl.oauthbearer.method=oidc\n");
	buf_finish(&got);
	kafka_config_destroy(c);

	static const char *const bad[] = {"nonsense", "a.PlainLoginModule required username=\"x;", "a.PlainLoginModule required username", "my.own.LoginModule required a=b;"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct err err = ERR_INIT;
		c = kafka_config_create();
		assert_true(kafka_config_set(c, "sasl.jaas.config", bad[i], CONFIG_FROM_FILE, &err));
		rd_kafka_conf_t *conf = applied(c, &err);
		assert_null(conf);
		assert_int_equal(err.id, ERR_CONFIG);
		assert_null(strstr(err.msg, "username"));
		kafka_config_destroy(c);
	}
}

static void test_stores(void **state)
{
	char path[256];
	struct err err = ERR_INIT;
	struct kafka_config *c = kafka_config_create();
	static const char pem[] = "subject\n-----BEGIN CERTIFICATE-----\nx\n";
	write_file("ca.pem", pem, strlen(pem), 0644, path);
	assert_true(kafka_config_set(c, "ssl.truststore.type", "PEM", CONFIG_FROM_FILE, &err));
	assert_true(kafka_config_set(c, "ssl.truststore.location", path, CONFIG_FROM_FILE, &err));
	assert_true(kafka_config_set(c, "ssl.endpoint.identification.algorithm", "", CONFIG_FROM_FILE, &err));
	assert_true(kafka_config_set(c, "ssl.keystore.location", path, CONFIG_FROM_FILE, &err));
	check(c, "ssl.ca.location", path);
	check(c, "ssl.certificate.location", path);
	check(c, "ssl.key.location", path);
	check(c, "ssl.endpoint.identification.algorithm", "none");
	kafka_config_destroy(c);

	c = kafka_config_create();
	write_file("trust.jks", "\xFE\xED\xFE\xED\0\0\0\2", 8, 0644, path);
	assert_true(kafka_config_set(c, "ssl.truststore.location", path, CONFIG_FROM_FILE, &err));
	assert_null(applied(c, &err));
	assert_int_equal(err.id, ERR_CONFIG);
	assert_non_null(strstr(err.hint, "keytool"));
	kafka_config_destroy(c);

	c = kafka_config_create();
	err_clear(&err);
	assert_true(kafka_config_set(c, "ssl.truststore.location", "/no/such/file", CONFIG_FROM_FILE, &err));
	assert_null(applied(c, &err));
	assert_int_equal(err.id, ERR_TLS);
	assert_non_null(strstr(err.msg, "/no/such/file"));
	kafka_config_destroy(c);
}

static void test_secret_files(void **state)
{
	static const char secret[] = "sasl.password=x\n";
	static const char plain[] = "bootstrap.servers=b:1\n";
	char path[256];
	char other[256];
	struct err err = ERR_INIT;
	struct kafka_config *c = kafka_config_create();
	write_file("open", secret, strlen(secret), 0644, path);
	assert_false(kafka_config_load_properties(c, path, &err));
	assert_int_equal(err.id, ERR_SECRET_FILE);
	assert_non_null(strstr(err.hint, "chmod 600"));
	assert_null(kafka_config_get(c, "sasl.password"));
	/* A bad setting in it changes nothing: the file must be closed first. */
	write_file("open", "no.such=1\nsasl.password=x\n", 26, 0640, path);
	err_clear(&err);
	assert_false(kafka_config_load_properties(c, path, &err));
	write_file("plain", plain, strlen(plain), 0644, path);
	assert_true(kafka_config_load_properties(c, path, &err));

	snprintf(other, sizeof other, "%s/link", dir);
	unlink(other);
	assert_int_equal(symlink(path, other), 0);
	assert_false(kafka_config_load_properties(c, other, &err));
	assert_non_null(strstr(err.msg, "symbolic link"));
	snprintf(other, sizeof other, "%s/fifo", dir);
	unlink(other);
	assert_int_equal(mkfifo(other, 0600), 0);
	assert_false(kafka_config_load_properties(c, other, &err));
	assert_non_null(strstr(err.msg, "regular file"));
	assert_false(kafka_config_load_properties(c, dir, &err));
	assert_false(kafka_config_load_properties(c, "/no/such/file", &err));
	write_file("nul", "a\0b", 3, 0600, path);
	assert_false(kafka_config_load_properties(c, path, &err));
	/* The error names line and key and never the value. */
	write_file("typo", "bootstrap.servers=b:1\n\nfetch.max.bytes=hush\n", 44, 0600, path);
	assert_false(kafka_config_load_properties(c, path, &err));
	assert_non_null(strstr(err.msg, ":3:"));
	assert_non_null(strstr(err.msg, "fetch.max.bytes"));
	kafka_config_destroy(c);
}

static void test_profiles(void **state)
{
	static const char text[] = "; weir\n[plant]\nbootstrap.servers = p:9092\n\n[ line 1 ]\nbootstrap.servers=l:9092\nsasl.password=x\nweir.timeout.ms=5\n";
	char path[256];
	struct err err = ERR_INIT;
	bool found = false;
	struct kafka_config *c = kafka_config_create();
	write_file("config", text, strlen(text), 0600, path);
	assert_true(kafka_config_load_profile(c, path, "line 1", &found, &err));
	assert_true(found);
	assert_string_equal(kafka_config_get(c, "bootstrap.servers"), "l:9092");
	assert_string_equal(kafka_config_get(c, "weir.timeout.ms"), "5");
	assert_true(kafka_config_load_profile(c, path, "none", &found, &err));
	assert_false(found);
	assert_true(kafka_config_load_profile(c, "/no/such/file", "plant", &found, &err));
	assert_false(found);
	struct buf names = BUF_INIT;
	assert_true(kafka_config_list_profiles(path, &names, &err));
	assert_string_equal(names.data, "plant\nline 1\n");
	buf_finish(&names);
	kafka_config_destroy(c);
}

static int setup(void **state)
{
	snprintf(dir, sizeof dir, "/tmp/weir-config-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[128];
	snprintf(command, sizeof command, "rm -rf '%s'", dir);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_origins), cmocka_unit_test(test_properties), cmocka_unit_test(test_jaas), cmocka_unit_test(test_stores),
		cmocka_unit_test(test_secret_files), cmocka_unit_test(test_profiles),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
