/* kafka/config_java.h.
 *
 *   Java                                        librdkafka
 *   sasl.jaas.config  PlainLoginModule, Scram*  sasl.username, sasl.password
 *                     OAuthBearerLoginModule    sasl.oauthbearer.client.id, .client.secret, .scope, .extensions, .method=oidc
 *                     Krb5LoginModule           sasl.kerberos.principal, .keytab
 *   ssl.truststore.location (PEM)               ssl.ca.location
 *   ssl.truststore.certificates                 ssl.ca.pem
 *   ssl.keystore.location (PEM, both in one)    ssl.certificate.location, ssl.key.location
 *   ssl.keystore.location (PKCS12)              ssl.keystore.location, ssl.keystore.password
 *   ssl.keystore.certificate.chain, .key        ssl.certificate.pem, ssl.key.pem
 *   ssl.endpoint.identification.algorithm ""    none
 *   request.timeout.ms, {send,receive}.buffer.bytes, max.request.size
 *
 * A store's type is what its first bytes say; the declared type only names it in messages: Java's default "JKS" is often a PKCS12 file. */
#include "kafka/config_java.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "core/alloc.h"

struct put {
	config_java_fn fn;
	void *arg;
	const struct kafka_config *config;
};

static bool put(const struct put *to, const char *key, const char *value, struct err *err)
{
	return kafka_config_get(to->config, key) ? true : to->fn(to->arg, key, value, err);
}

/* ---- sasl.jaas.config: Module required name="value" name=value; */

enum { JAAS_MAX = 32 };

struct jaas {
	char *module;
	char *name[JAAS_MAX], *value[JAAS_MAX];
	int n;
};

enum jaas_token { JAAS_END, JAAS_WORD, JAAS_EQUALS, JAAS_SEMICOLON, JAAS_BAD };

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* word holds the text of JAAS_WORD: quoted with backslash escapes, or bare. */
static enum jaas_token jaas_next(const char **p, struct buf *word)
{
	while (is_space(**p))
		++*p;
	char c = **p;
	if (!c)
		return JAAS_END;
	if (c == '=' || c == ';') {
		++*p;
		return c == '=' ? JAAS_EQUALS : JAAS_SEMICOLON;
	}
	buf_clear(word);
	if (c != '"' && c != '\'') {
		while (**p && !is_space(**p) && !strchr("=;\"'", **p))
			buf_addc(word, *(*p)++);
		return JAAS_WORD;
	}
	for (++*p; **p && **p != c; ++*p) {
		if (**p == '\\' && (*p)[1])
			++*p;
		buf_addc(word, **p);
	}
	if (!**p)
		return JAAS_BAD;
	++*p;
	return JAAS_WORD;
}

static bool jaas_parse(struct jaas *j, const char *text)
{
	struct buf word = BUF_INIT;
	enum jaas_token token;
	bool ok = false;
	if (jaas_next(&text, &word) != JAAS_WORD)
		goto out;
	j->module = xstrdup(word.data);
	if (jaas_next(&text, &word) != JAAS_WORD)        /* "required" */
		goto out;
	while ((token = jaas_next(&text, &word)) == JAAS_WORD) {
		if (j->n == JAAS_MAX)
			goto out;
		j->name[j->n] = xstrdup(word.data);
		j->value[j->n++] = NULL;
		if (jaas_next(&text, &word) != JAAS_EQUALS || jaas_next(&text, &word) != JAAS_WORD)
			goto out;
		j->value[j->n - 1] = xstrdup(word.data);
	}
	ok = token == JAAS_SEMICOLON || token == JAAS_END;       /* a missing ; at the end is forgiven */
out:
	if (word.cap)
		explicit_bzero(word.data, word.cap);
	buf_finish(&word);
	return ok;
}

static void jaas_finish(struct jaas *j)
{
	free(j->module);
	for (int i = 0; i < j->n; i++) {
		free(j->name[i]);
		if (j->value[i])
			explicit_bzero(j->value[i], strlen(j->value[i]));
		free(j->value[i]);
	}
}

static const char *jaas_get(const struct jaas *j, const char *name)
{
	for (int i = 0; i < j->n; i++) {
		if (strcmp(j->name[i], name) == 0)
			return j->value[i];
	}
	return NULL;
}

static bool put_jaas(const struct put *to, const struct jaas *j, const char *name, const char *key, struct err *err)
{
	const char *value = jaas_get(j, name);
	return !value || put(to, key, value, err);
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s);
	size_t m = strlen(end);
	return n >= m && strcmp(s + n - m, end) == 0;
}

static bool jaas_oauth(const struct put *to, const struct jaas *j, struct err *err)
{
	struct buf extensions = BUF_INIT;
	for (int i = 0; i < j->n; i++) {
		if (strncmp(j->name[i], "extension_", 10) == 0)
			buf_addf(&extensions, "%s%s=%s", extensions.len ? "," : "", j->name[i] + 10, j->value[i]);
	}
	bool ok = put_jaas(to, j, "clientId", "sasl.oauthbearer.client.id", err) && put_jaas(to, j, "clientSecret", "sasl.oauthbearer.client.secret", err) &&
		put_jaas(to, j, "scope", "sasl.oauthbearer.scope", err) && (!extensions.len || put(to, "sasl.oauthbearer.extensions", extensions.data, err)) &&
		(!jaas_get(j, "clientId") || put(to, "sasl.oauthbearer.method", "oidc", err));
	buf_finish(&extensions);
	return ok;
}

static bool translate_jaas(const struct put *to, const char *text, struct err *err)
{
	struct jaas j = {.n = 0};
	bool ok = jaas_parse(&j, text);
	if (!ok) {
		err_set(err, ERR_CONFIG, "sasl.jaas.config cannot be understood");
		err_hint(err, "It looks like: org.apache.kafka.common.security.plain.PlainLoginModule required username=\"..\" password=\"..\";");
	} else if (ends_with(j.module, "PlainLoginModule") || ends_with(j.module, "ScramLoginModule")) {
		ok = put_jaas(to, &j, "username", "sasl.username", err) && put_jaas(to, &j, "password", "sasl.password", err);
		if (ok && ends_with(j.module, "PlainLoginModule"))
			ok = put(to, "sasl.mechanism", "PLAIN", err);
	} else if (ends_with(j.module, "OAuthBearerLoginModule")) {
		ok = jaas_oauth(to, &j, err);
	} else if (ends_with(j.module, "Krb5LoginModule")) {
		ok = put_jaas(to, &j, "principal", "sasl.kerberos.principal", err) && put_jaas(to, &j, "keyTab", "sasl.kerberos.keytab", err);
	} else {
		ok = err_set(err, ERR_CONFIG, "sasl.jaas.config names the login module %.120s, which weir does not know", j.module);
	}
	jaas_finish(&j);
	return ok;
}

/* ---- stores */

enum store_type { STORE_PEM, STORE_PKCS12, STORE_JKS, STORE_UNKNOWN };

static bool store_sniff(const char *key, const char *path, enum store_type *ret, struct err *err)
{
	unsigned char head[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return err_set(err, ERR_TLS, "%s: %s cannot be opened: %s", key, path, strerror(errno));
	ssize_t n = read(fd, head, sizeof head - 1);
	int failed = errno;
	close(fd);
	if (n < 0)
		return err_set(err, ERR_TLS, "%s: %s cannot be read: %s", key, path, strerror(failed));
	head[n] = 0;
	if (n >= 4 && (memcmp(head, "\xFE\xED\xFE\xED", 4) == 0 || memcmp(head, "\xCE\xCE\xCE\xCE", 4) == 0))
		*ret = STORE_JKS;
	else if (n >= 2 && head[0] == 0x30)
		*ret = STORE_PKCS12;
	else if (memmem(head, (size_t)n, "-----BEGIN", 10))
		*ret = STORE_PEM;
	else
		*ret = STORE_UNKNOWN;
	return true;
}

static bool refuse_store(const char *key, const char *path, enum store_type type, struct err *err)
{
	bool trust = strstr(key, "truststore") != NULL;
	err_set(err, ERR_CONFIG, "%s: %s is %s, which weir cannot read", key, path, type == STORE_JKS ? "a Java keystore (JKS)" : type == STORE_PKCS12 ? "a PKCS12 store" : "neither PEM nor PKCS12");
	if (type == STORE_JKS && trust)
		err_hint(err, "Convert it: keytool -list -rfc -keystore %s > ca.pem, then ssl.ca.location=ca.pem", path);
	else if (type == STORE_JKS)
		err_hint(err, "Convert it: keytool -importkeystore -srckeystore %s -destkeystore client.p12 -deststoretype PKCS12, then ssl.keystore.location=client.p12", path);
	else if (type == STORE_PKCS12)
		err_hint(err, "Convert it: openssl pkcs12 -in %s -nokeys -out ca.pem, then ssl.ca.location=ca.pem", path);
	return false;
}

static bool translate_truststore(const struct put *to, const char *path, struct err *err)
{
	enum store_type type;
	if (!store_sniff("ssl.truststore.location", path, &type, err))
		return false;
	return type == STORE_PEM ? put(to, "ssl.ca.location", path, err) : refuse_store("ssl.truststore.location", path, type, err);
}

static bool translate_keystore(const struct put *to, const char *path, struct err *err)
{
	enum store_type type;
	if (!store_sniff("ssl.keystore.location", path, &type, err))
		return false;
	switch (type) {
	case STORE_PEM:
		/* The chain comes along: librdkafka sends intermediates only from a certificate file. */
		return put(to, "ssl.certificate.location", path, err) && put(to, "ssl.key.location", path, err);
	case STORE_PKCS12:
		return to->fn(to->arg, "ssl.keystore.location", path, err);
	default:
		return refuse_store("ssl.keystore.location", path, type, err);
	}
}

static bool translate_identification(const struct put *to, const char *value, struct err *err)
{
	return to->fn(to->arg, "ssl.endpoint.identification.algorithm", strcasecmp(value, "https") == 0 ? "https" : "none", err);
}

static bool translate_socket_timeout(const struct put *to, const char *value, struct err *err)
{
	return put(to, "socket.timeout.ms", value, err);
}

static bool translate_ca_pem(const struct put *to, const char *value, struct err *err)
{
	return put(to, "ssl.ca.pem", value, err);
}

static bool translate_key_pem(const struct put *to, const char *value, struct err *err)
{
	return put(to, "ssl.key.pem", value, err);
}

static bool translate_chain_pem(const struct put *to, const char *value, struct err *err)
{
	return put(to, "ssl.certificate.pem", value, err);
}

static bool translate_send_buffer(const struct put *to, const char *value, struct err *err)
{
	return value[0] == '-' || put(to, "socket.send.buffer.bytes", value, err);
}

static bool translate_receive_buffer(const struct put *to, const char *value, struct err *err)
{
	return value[0] == '-' || put(to, "socket.receive.buffer.bytes", value, err);
}

static bool translate_token_url(const struct put *to, const char *value, struct err *err)
{
	return to->fn(to->arg, "sasl.oauthbearer.token.endpoint.url", value, err) && put(to, "sasl.oauthbearer.method", "oidc", err);
}

bool config_java_translate(const struct kafka_config *c, config_java_fn fn, void *arg, struct err *err)
{
	static const struct {
		const char *key;
		bool (*translate)(const struct put *to, const char *value, struct err *err);
	} rows[] = {
		{"sasl.jaas.config", translate_jaas},
		{"sasl.oauthbearer.token.endpoint.url", translate_token_url},
		{"ssl.truststore.location", translate_truststore},
		{"ssl.truststore.certificates", translate_ca_pem},
		{"ssl.keystore.location", translate_keystore},
		{"ssl.keystore.certificate.chain", translate_chain_pem},
		{"ssl.keystore.key", translate_key_pem},
		{"ssl.endpoint.identification.algorithm", translate_identification},
		{"request.timeout.ms", translate_socket_timeout},
		{"send.buffer.bytes", translate_send_buffer},
		{"receive.buffer.bytes", translate_receive_buffer},
	};
	struct put to = {.fn = fn, .arg = arg, .config = c};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *value = kafka_config_get(c, rows[i].key);
		if (value && !rows[i].translate(&to, value, err))
			return false;
	}
	return true;
}
