/* Inside kafka/ (and its fuzz target): the parser of properties and profiles. Pure. */
#ifndef WEIR_KAFKA_CONFIG_FILE_H
#define WEIR_KAFKA_CONFIG_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include "core/err.h"

/* One setting, or (key and value NULL) the start of a section. section is "" before the first. False stops with err set. */
typedef bool (*config_pair_fn)(void *arg, const char *section, const char *key, const char *value, int line, struct err *err);

/* path is only named in messages. */
bool config_parse(const char *text, size_t len, const char *path, bool sections, config_pair_fn each, void *arg, struct err *err);

#endif
