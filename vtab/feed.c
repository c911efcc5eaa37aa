/* vtab/feed.h. A feed is shared by its owner and the connected table, since SQLite may disconnect a table and connect it again (another change
 * of the schema); connecting finds the feed by the table's name in its module's list. */
#include "vtab/feed.h"

#include <stdlib.h>
#include "core/alloc.h"
#include "vtab/table.h"

struct piece {
	struct batch *batch;
	size_t from, to;
};

struct feed_table {
	int refs;
	struct module *module;
	struct feed_table *next, **prev;           /* module's list, while the owner has it */
	struct stream *stream;
	struct piece *pieces;
	size_t piece_n, piece_cap;
	size_t record_n;
	size_t at_record, at_row;            /* given out last */
	size_t told_record, told_row;        /* the first place not asked for by feed_table_first_time */
};

bool feed_table_create(sqlite3 *db, const char *name, const struct stream *s, struct feed_table **ret, struct err *err)
{
	struct module *m = module_of(db);
	if (!m)
		return err_set(err, ERR_INTERNAL, "a feed table needs the module kafka in its connection");
	if (strcmp(s->format, "auto") == 0 || strcmp(s->key_format, "auto") == 0)
		return err_set(err, ERR_OPTION, "the columns of %s are not known yet", s->topic);
	struct feed_table *f = xcalloc(1, sizeof *f);
	f->refs = 1;
	f->module = m;
	f->stream = stream_copy(s);
	f->stream->kind = STREAM_LOG;
	free(f->stream->name);
	f->stream->name = xstrdup(name);
	f->next = m->feeds;
	f->prev = &m->feeds;
	if (f->next)
		f->next->prev = &f->next;
	m->feeds = f;
	char *sql = sqlite3_mprintf("CREATE VIRTUAL TABLE temp.\"%w\" USING kafka_feed", name);
	char *text = NULL;
	int rc = sql ? sqlite3_exec(db, sql, NULL, NULL, &text) : SQLITE_NOMEM;
	sqlite3_free(sql);
	if (rc != SQLITE_OK) {
		err_set(err, rc == SQLITE_NOMEM ? ERR_MEMORY : ERR_OPTION, "the feed table \"%s\" of %s: %s", name, s->topic, text ? text : sqlite3_errstr(rc));
		sqlite3_free(text);
		*f->prev = f->next;
		if (f->next)
			f->next->prev = f->prev;
		feed_table_unref(f);
		return false;
	}
	*ret = f;
	return true;
}

void feed_table_destroy(struct feed_table *f)
{
	if (!f)
		return;
	feed_table_clear(f);
	/* Where the drop fails (a statement stands in it), the table stays, empty, until the connection closes. */
	char *sql = sqlite3_mprintf("DROP TABLE temp.\"%w\"", f->stream->name);
	if (sql)
		sqlite3_exec(f->module->db, sql, NULL, NULL, NULL);
	sqlite3_free(sql);
	*f->prev = f->next;
	if (f->next)
		f->next->prev = f->prev;
	feed_table_unref(f);
}

void feed_table_clear(struct feed_table *f)
{
	for (size_t i = 0; i < f->piece_n; i++)
		batch_unref(f->pieces[i].batch);
	f->piece_n = f->record_n = 0;
	f->told_record = f->told_row = 0;
}

void feed_table_add(struct feed_table *f, struct batch *b, size_t from, size_t to)
{
	if (from >= to)
		return;
	if (f->piece_n == f->piece_cap) {
		f->piece_cap = f->piece_cap ? 2 * f->piece_cap : 16;
		f->pieces = xreallocarray(f->pieces, f->piece_cap, sizeof *f->pieces);
	}
	f->pieces[f->piece_n++] = (struct piece){batch_ref(b), from, to};
	f->record_n += to - from;
}

size_t feed_table_record_n(const struct feed_table *f)
{
	return f->record_n;
}

void feed_table_next(const struct feed_table *f, struct feed_place *at, struct batch **ret_batch, const struct record **ret)
{
	*ret = NULL;
	while (at->piece < f->piece_n) {
		const struct piece *p = &f->pieces[at->piece];
		if (p->from + at->record < p->to) {
			*ret_batch = p->batch;
			*ret = &p->batch->records[p->from + at->record++];
			at->n++;
			return;
		}
		at->piece++;
		at->record = 0;
	}
	*ret_batch = NULL;
}

bool feed_table_first_time(struct feed_table *f, size_t record, size_t row)
{
	if (record < f->told_record || (record == f->told_record && row < f->told_row))
		return false;
	f->told_record = record;
	f->told_row = row + 1;
	return true;
}

struct feed_table *feed_table_find(const struct module *m, const char *name)
{
	for (struct feed_table *f = m->feeds; f; f = f->next)
		if (sqlite3_stricmp(f->stream->name, name) == 0)
			return f;
	return NULL;
}

const struct stream *feed_table_stream(const struct feed_table *f)
{
	return f->stream;
}

struct feed_table *feed_table_ref(struct feed_table *f)
{
	f->refs++;
	return f;
}

void feed_table_unref(struct feed_table *f)
{
	if (!f || --f->refs)
		return;
	feed_table_clear(f);
	free(f->pieces);
	stream_destroy(f->stream);
	free(f);
}

void feed_table_stand(struct feed_table *f, size_t record, size_t row)
{
	f->at_record = record;
	f->at_row = row;
}

void feed_table_current(const struct feed_table *f, size_t *ret_record, size_t *ret_row)
{
	*ret_record = f->at_record;
	*ret_row = f->at_row;
}
