/* core/schema.h */
#include "core/schema.h"

#include <stdlib.h>
#include <strings.h>
#include "core/alloc.h"

static char *dup_or_null(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

struct stream *stream_create(const char *name, const char *topic)
{
	struct stream *s = xcalloc(1, sizeof *s);
	s->name = dup_or_null(name);
	s->topic = dup_or_null(topic);
	s->format = xstrdup("auto");
	s->key_format = xstrdup("text");
	s->delimiter = ',';
	s->decimal = '.';
	return s;
}

struct stream *stream_copy(const struct stream *s)
{
	struct stream *c = xmalloc(sizeof *c);
	*c = *s;
	c->name = dup_or_null(s->name);
	c->cluster = dup_or_null(s->cluster);
	c->topic = dup_or_null(s->topic);
	c->format = dup_or_null(s->format);
	c->key_format = dup_or_null(s->key_format);
	c->explode = dup_or_null(s->explode);
	c->timestamp = dup_or_null(s->timestamp);
	c->columns = NULL;
	c->column_n = 0;
	for (size_t i = 0; i < s->column_n; i++) {
		const struct column *from = &s->columns[i];
		struct column *to = stream_add_column(c, from->name, from->type, from->origin, from->path);
		to->primary_key = from->primary_key;
		to->note = dup_or_null(from->note);
	}
	return c;
}

void stream_destroy(struct stream *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->column_n; i++) {
		free(s->columns[i].name);
		free(s->columns[i].path);
		free(s->columns[i].note);
	}
	free(s->columns);
	free(s->name);
	free(s->cluster);
	free(s->topic);
	free(s->format);
	free(s->key_format);
	free(s->explode);
	free(s->timestamp);
	free(s);
}

struct column *stream_add_column(struct stream *s, const char *name, enum column_type type, enum column_origin origin, const char *path)
{
	s->columns = xreallocarray(s->columns, s->column_n + 1, sizeof *s->columns);
	struct column *c = &s->columns[s->column_n++];
	*c = (struct column){.name = xstrdup(name), .path = dup_or_null(path), .type = type, .origin = origin};
	return c;
}

int stream_find_column(const struct stream *s, const char *name)
{
	for (size_t i = 0; i < s->column_n; i++)
		if (strcasecmp(s->columns[i].name, name) == 0)
			return (int)i;
	return -1;
}

const char *column_type_name(enum column_type type)
{
	static const char *const names[] = {
		[COLUMN_ANY] = "", [COLUMN_INTEGER] = "INTEGER", [COLUMN_REAL] = "REAL", [COLUMN_TEXT] = "TEXT", [COLUMN_BOOLEAN] = "BOOLEAN",
		[COLUMN_TIMESTAMP] = "TIMESTAMP_MS", [COLUMN_BLOB] = "BLOB", [COLUMN_JSON] = "JSON",
	};
	return names[type];
}

enum column_type column_type_parse(const char *text)
{
	/* First match wins, as in SQLite's affinity rules (datatype3.html section 3.1), with our own words before them. */
	static const struct {
		const char *part;
		enum column_type type;
	} rules[] = {
		{"TIMESTAMP_MS", COLUMN_TIMESTAMP}, {"BOOL", COLUMN_BOOLEAN}, {"JSON", COLUMN_JSON}, {"INT", COLUMN_INTEGER}, {"CHAR", COLUMN_TEXT},
		{"CLOB", COLUMN_TEXT}, {"TEXT", COLUMN_TEXT}, {"STRING", COLUMN_TEXT}, {"BLOB", COLUMN_BLOB}, {"BYTES", COLUMN_BLOB}, {"BINARY", COLUMN_BLOB},
		{"REAL", COLUMN_REAL}, {"FLOA", COLUMN_REAL}, {"DOUB", COLUMN_REAL}, {"NUMERIC", COLUMN_REAL}, {"DECIMAL", COLUMN_REAL},
		{"TIMESTAMP", COLUMN_TEXT}, {"DATE", COLUMN_TEXT},
	};
	if (text) {
		for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
			if (strcasestr(text, rules[i].part))
				return rules[i].type;
	}
	return COLUMN_ANY;
}
