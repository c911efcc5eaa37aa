/* The parser of properties files and profiles, and the translation of sasl.jaas.config, on any bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "kafka/config_file.h"
#include "kafka/config_java.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static bool each(void *arg, const char *section, const char *key, const char *value, int line, struct err *err)
{
	size_t *sum = arg;
	*sum += strlen(section) + (key ? strlen(key) + strlen(value) : 0);
	if (line <= 0)
		abort();
	struct err ignored = ERR_INIT;
	if (key && strcmp(key, "sasl.jaas.config") == 0) {
		struct kafka_config *c = kafka_config_create();
		kafka_config_set(c, key, value, CONFIG_FROM_FILE, &ignored);
		kafka_config_destroy(c);
	}
	return true;
}

static bool put(void *arg, const char *key, const char *value, struct err *err)
{
	size_t *sum = arg;
	*sum += strlen(key) + strlen(value);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	size_t sum = 0;
	struct err err = ERR_INIT;
	config_parse((const char *)data, len, "fuzz", false, each, &sum, &err);
	err_clear(&err);
	config_parse((const char *)data, len, "fuzz", true, each, &sum, &err);

	char *text = malloc(len + 1);
	if (!text)
		return 0;
	memcpy(text, data, len);
	text[len] = '\0';
	struct kafka_config *c = kafka_config_create();
	err_clear(&err);
	if (kafka_config_set(c, "sasl.jaas.config", text, CONFIG_FROM_FILE, &err))
		config_java_translate(c, put, &sum, &err);
	kafka_config_destroy(c);
	free(text);
	return 0;
}
