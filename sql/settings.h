/* SET name = value: the session's settings as one table, behind SET, SHOW SETTINGS, weir_settings and completion. Thread: the session's. */
#ifndef WEIR_SQL_SETTINGS_H
#define WEIR_SQL_SETTINGS_H

#include "sql/catalog.h"

struct setting {
	const char *name;
	const char *values;                  /* what it takes */
	const char *help;
	bool (*set)(struct catalog *c, const char *value, struct err *err);
	void (*get)(const struct catalog *c, struct buf *to);
};

const struct setting *setting_at(size_t index);                     /* NULL after the last */
bool setting_set(struct catalog *c, const char *name, const char *value, struct err *err);

#endif
