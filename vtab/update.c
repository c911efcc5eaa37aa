/* vtab/update.h.
 *
 *   INSERT   one message. Payload columns make the value (codec/encode.h), columns FROM HEADER its headers, a column FROM KEY its key; or
 *            _key, _value, _headers, _ts, _time, _partition are given. _value named with NULL, and no payload column, is a tombstone.
 *   DELETE   on a changelog table: a tombstone for the row's key.        UPDATE there: the key's new value.
 *
 * Messages go to a sink that is opened by the first one and kept by the table. xSync, which SQLite calls before it commits, waits until
 * all are delivered; what fails there fails the statement (or the COMMIT). A rollback cannot take back what the broker already has.
 *
 * SQLite passes NULL for a column that the INSERT does not name. A payload column that is not named is to be absent from the message and a
 * NULL to be null, so the names are read from the text of the running statement (named_columns). */
#include "vtab/update.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "codec/encode.h"
#include "core/alloc.h"
#include "core/headers.h"
#include "core/time.h"
#include "vtab/changelog.h"
#include "vtab/follow.h"
#include "vtab/scan.h"
#include "vtab/lexer.h"

struct writer {
	struct sink *sink;
	int64_t put_n;                       /* since the last flush */
	bool *named;                         /* declared columns that the running INSERT names */
	struct field *fields;                /* payload columns of the row at hand */
	bool *given;
	struct buf value, headers, key;
};

void writer_destroy(struct writer *w)
{
	if (!w)
		return;
	if (w->sink)
		w->sink->impl->destroy(w->sink);
	free(w->named);
	free(w->fields);
	free(w->given);
	buf_finish(&w->value);
	buf_finish(&w->headers);
	buf_finish(&w->key);
	free(w);
}

static struct writer *writer_get(struct table *t)
{
	if (!t->writer) {
		struct writer *w = xcalloc(1, sizeof *w);
		size_t n = t->stream->column_n;
		w->named = xcalloc(HIDDEN_N + n, sizeof *w->named);
		w->fields = xcalloc(n, sizeof *w->fields);
		w->given = xcalloc(n, sizeof *w->given);
		buf_init(&w->value);
		buf_init(&w->headers);
		buf_init(&w->key);
		t->writer = w;
	}
	return t->writer;
}

/* ---- which columns does the INSERT name ---- */

/* Behind INSERT .. INTO [schema.]name [AS alias]: true if it is this table; the lexer then stands behind the name. */
static bool insert_target(struct lexer *l, const struct table *t)
{
	while (l->now.kind != TOKEN_END && !token_is(l, "INTO"))
		lexer_next(l);
	if (l->now.kind == TOKEN_END)
		return false;
	bool same = false;
	do {
		lexer_next(l);
		if (l->now.kind != TOKEN_WORD && l->now.kind != TOKEN_NAME && l->now.kind != TOKEN_STRING)
			return false;
		same = t->stream->name && strcasecmp(l->now.text, t->stream->name) == 0;
		lexer_next(l);
	} while (token_is(l, "."));
	if (same && token_is(l, "AS")) {
		lexer_next(l);
		lexer_next(l);
	}
	return same;
}

static int declared_column(const struct table *t, const char *name)
{
	for (int i = 0; i < HIDDEN_N; i++)
		if (strcasecmp(hidden_names[i], name) == 0)
			return i;
	int i = stream_find_column(t->stream, name);
	return i < 0 ? -1 : i + HIDDEN_N;
}

/* Reads ( name, name ... ). False if there is no list. */
static bool read_list(struct lexer *l, const struct table *t, bool *named)
{
	if (!token_is(l, "("))
		return false;
	memset(named, 0, (HIDDEN_N + t->stream->column_n) * sizeof *named);
	while (l->now.kind != TOKEN_END && !token_is(l, ")")) {
		lexer_next(l);
		int column = l->now.text ? declared_column(t, l->now.text) : -1;
		if (column >= 0 && l->now.kind != TOKEN_PUNCTUATION)
			named[column] = true;
	}
	return true;
}

/* Without a list (INSERT INTO t VALUES, or a trigger's INSERT) every payload column is named. */
static void named_columns(struct table *t, bool *named)
{
	for (size_t i = 0; i < HIDDEN_N + t->stream->column_n; i++)
		named[i] = i >= HIDDEN_N;
	for (sqlite3_stmt *stmt = sqlite3_next_stmt(t->module->db, NULL); stmt; stmt = sqlite3_next_stmt(t->module->db, stmt)) {
		if (!sqlite3_stmt_busy(stmt) || sqlite3_stmt_readonly(stmt) || !sqlite3_sql(stmt))
			continue;
		struct lexer l;
		lexer_init(&l, sqlite3_sql(stmt), true);
		bool found = insert_target(&l, t) && read_list(&l, t, named);
		lexer_finish(&l);
		if (found)
			return;
	}
}

/* ---- one row -> one message ---- */

static bool is_null(sqlite3_value *v)
{
	return sqlite3_value_type(v) == SQLITE_NULL;
}

/* Text or blob as bytes; other types by their text. Borrowed from the value. */
static struct bytes value_bytes(sqlite3_value *v)
{
	if (is_null(v))
		return bytes_of(NULL, 0);
	const void *data = sqlite3_value_type(v) == SQLITE_BLOB ? sqlite3_value_blob(v) : (const void *)sqlite3_value_text(v);
	size_t len = (size_t)sqlite3_value_bytes(v);
	return bytes_of(data ? data : "", len);
}

static struct field value_field(sqlite3_value *v)
{
	struct field f = {.type = FIELD_NULL};
	switch (sqlite3_value_type(v)) {
	case SQLITE_INTEGER:
		f.type = FIELD_INTEGER;
		f.u.i = sqlite3_value_int64(v);
		break;
	case SQLITE_FLOAT:
		f.type = FIELD_REAL;
		f.u.d = sqlite3_value_double(v);
		break;
	case SQLITE_TEXT:
	case SQLITE_BLOB:
		f.type = sqlite3_value_type(v) == SQLITE_TEXT ? FIELD_TEXT : FIELD_BLOB;
		f.bytes = value_bytes(v);
		break;
	default:
		break;
	}
	return f;
}

static struct bytes column_bytes(sqlite3_stmt *stmt, int column)
{
	const void *text = sqlite3_column_text(stmt, column);
	return bytes_of(text, text ? (size_t)sqlite3_column_bytes(stmt, column) : 0);
}

static bool add_hex(struct buf *to, struct bytes hex)
{
	for (size_t i = 0; i + 1 < hex.len; i += 2) {
		int byte = 0;
		for (size_t k = 0; k < 2; k++) {
			char c = (char)(hex.data[i + k] | 0x20);
			if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
				return false;
			byte = byte * 16 + (c >= 'a' ? c - 'a' + 10 : c - '0');
		}
		buf_addc(to, (char)byte);
	}
	return hex.len % 2 == 0;
}

/* _headers: [["name","text"],["name",null],["name",{"hex":"00ff"}]] or {"name":"text"}. SQLite's own JSON functions read it;
 * CASE, because AND may evaluate both sides and json_array_length fails on what is not JSON. */
static bool add_headers(struct table *t, sqlite3_value *v, struct buf *to, struct err *err)
{
	static const char sql[] =
		"SELECT CASE WHEN json_type(?1) = 'array' THEN json_extract(value, '$[0]') ELSE key END,"
		" CASE WHEN json_type(?1) = 'array' THEN json_extract(value, '$[1]') ELSE json_extract(?1, fullkey) END,"
		" CASE WHEN json_type(?1) = 'array' THEN json_extract(value, '$[1].hex') ELSE json_extract(?1, fullkey || '.hex') END,"
		" CASE WHEN json_type(?1) = 'object' THEN 1 WHEN type = 'array' THEN json_array_length(value) = 2 END FROM json_each(?1)";
	if (is_null(v))
		return true;
	sqlite3_stmt *stmt = NULL;
	bool ok = sqlite3_prepare_v2(t->module->db, sql, -1, &stmt, NULL) == SQLITE_OK;
	if (ok)
		sqlite3_bind_value(stmt, 1, v);
	int rc = SQLITE_ERROR;
	while (ok && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		ok = sqlite3_column_int(stmt, 3) && sqlite3_column_type(stmt, 0) == SQLITE_TEXT;
		if (!ok)
			break;
		struct bytes name = column_bytes(stmt, 0);
		if (sqlite3_column_type(stmt, 2) == SQLITE_TEXT) {
			struct buf raw = BUF_INIT;
			ok = add_hex(&raw, column_bytes(stmt, 2));
			headers_add(to, name, bytes_of(raw.data, raw.len));
			buf_finish(&raw);
		} else {
			headers_add(to, name, column_bytes(stmt, 1));
		}
	}
	ok = ok && rc == SQLITE_DONE;
	sqlite3_finalize(stmt);
	if (!ok)
		return err_set(err, ERR_TYPE, "_headers is not a JSON array of pairs or an object: %.100s", (const char *)sqlite3_value_text(v));
	return true;
}

static bool message_time(sqlite3_value *const *columns, int64_t *ret, struct err *err)
{
	sqlite3_value *ts = !is_null(columns[HIDDEN_TS]) ? columns[HIDDEN_TS] : columns[HIDDEN_ROWTIME];
	sqlite3_value *text = columns[HIDDEN_TIME];
	if (!is_null(ts)) {
		if (sqlite3_value_numeric_type(ts) != SQLITE_INTEGER || sqlite3_value_int64(ts) < 0) {
			err_set(err, ERR_TYPE, "_ts takes milliseconds since 1970, not '%.60s'", (const char *)sqlite3_value_text(ts));
			err_hint(err, "write ts('..'), or give the text as _time");
			return false;
		}
		*ret = sqlite3_value_int64(ts);
	} else if (!is_null(text)) {
		struct bytes b = value_bytes(text);
		if (sqlite3_value_type(text) != SQLITE_TEXT || !time_parse_iso((const char *)b.data, b.len, ret) || *ret < 0)
			return err_set(err, ERR_TYPE, "_time takes a text like 2026-09-01T06:00:00Z, not '%.60s'", (const char *)sqlite3_value_text(text));
	}
	return true;
}

static bool message_partition(struct table *t, sqlite3_value *const *columns, int32_t *ret, struct err *err)
{
	sqlite3_value *v = !is_null(columns[HIDDEN_PARTITION]) ? columns[HIDDEN_PARTITION] : columns[HIDDEN_ROWPARTITION];
	struct provider *p = t->module->provider;
	struct topic_info info;
	if (is_null(v))
		return true;
	if (!p->impl->topic_info(p, t->stream->cluster, t->stream->topic, 0, &info, err))
		return false;
	int64_t n = sqlite3_value_int64(v);
	if (sqlite3_value_numeric_type(v) != SQLITE_INTEGER || n < 0 || n >= info.partition_n)
		return err_set(err, ERR_TYPE, "_partition is '%.40s', and %s has partitions 0 to %d", (const char *)sqlite3_value_text(v), t->stream->topic, info.partition_n - 1);
	*ret = (int32_t)n;
	return true;
}

/* Columns that say where a message is, or what it was: they cannot be chosen. */
static bool refuse_fixed(sqlite3_value *const *columns, struct err *err)
{
	static const int fixed[] = {HIDDEN_TOPIC, HIDDEN_OFFSET, HIDDEN_TS_TYPE, HIDDEN_SIZE, HIDDEN_SCHEMA_ID, HIDDEN_ERROR, HIDDEN_INDEX, HIDDEN_ROWOFFSET};
	for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
		if (!is_null(columns[fixed[i]])) {
			err_set(err, ERR_TYPE, "%s cannot be set: the broker decides it", hidden_names[fixed[i]]);
			err_hint(err, "INSERT may name the payload columns and _key _value _ts _time _headers _partition");
			return false;
		}
	}
	return true;
}

/* Key and headers from columns that are FROM KEY and FROM HEADER. */
static bool take_side_columns(struct table *t, struct writer *w, sqlite3_value *const *columns, const bool *named, struct bytes *key, struct err *err)
{
	const struct stream *s = t->stream;
	for (size_t i = 0; i < s->column_n; i++) {
		const struct column *c = &s->columns[i];
		sqlite3_value *v = columns[HIDDEN_N + i];
		if (c->origin == COLUMN_FROM_VALUE || !named[HIDDEN_N + i])
			continue;
		if (c->origin == COLUMN_FROM_HEADER) {
			headers_add(&w->headers, bytes_str(c->path), value_bytes(v));
			continue;
		}
		if (is_null(v))
			continue;
		if (c->path && strcmp(c->path, "$") != 0) {
			err_set(err, ERR_UNSUPPORTED, "column \"%s\" is a part of the key (%s); a key cannot be put together from parts yet", c->name, c->path);
			err_hint(err, "give the whole key as _key");
			return false;
		}
		struct bytes b = value_bytes(v);
		if (key->data && !bytes_equal(*key, b))
			return err_set(err, ERR_TYPE, "\"%s\" and _key are both given and differ", c->name);
		*key = b;
	}
	return true;
}

static bool put(struct table *t, const struct sink_record *r, struct err *err)
{
	struct provider *p = t->module->provider;
	struct writer *w = t->writer;
	if (!cancel_check(p->cancel, err))
		return false;
	if (!w->sink) {
		enum partitioner partitioner = t->stream->partitioner_given ? t->stream->partitioner : PARTITIONER_MURMUR2;
		const struct frozen *f = NULL;
		size_t sampled;
		if (!t->stream->partitioner_given && frozen_get(t->module, t->stream->cluster, t->stream->topic, &f, err)) {
			/* Where the topic's keys show another one, stay with it. */
			enum partitioner found = table_partitioner(t, f, true, &sampled);
			partitioner = found != PARTITIONER_NONE ? found : partitioner;
		}
		if (!p->impl->open_sink(p, t->stream->cluster, t->stream->topic, partitioner, &w->sink, err))
			return false;
	}
	if (!w->sink->impl->put(w->sink, r, err))
		return false;
	w->put_n++;
	return true;
}

/* Makes the message of a row and queues it. columns: values of all declared columns. */
static bool write_row(struct table *t, sqlite3_value *const *columns, const bool *named, struct err *err)
{
	struct writer *w = t->writer;
	const struct stream *s = t->stream;
	struct sink_record r = {.ts_ms = TIME_NONE, .partition = SINK_PARTITION_ANY, .key = value_bytes(columns[HIDDEN_KEY])};
	buf_clear(&w->value);
	buf_clear(&w->headers);
	if (!refuse_fixed(columns, err) || !message_time(columns, &r.ts_ms, err) || !message_partition(t, columns, &r.partition, err) ||
	    !add_headers(t, columns[HIDDEN_HEADERS], &w->headers, err) || !take_side_columns(t, w, columns, named, &r.key, err))
		return false;
	bool any_payload = false;
	for (size_t i = 0; i < s->column_n; i++) {
		sqlite3_value *v = columns[HIDDEN_N + i];
		w->given[i] = named[HIDDEN_N + i] && s->columns[i].origin == COLUMN_FROM_VALUE;
		w->fields[i] = value_field(v);
		any_payload = any_payload || (w->given[i] && (named[HIDDEN_VALUE] || !is_null(v)));
	}
	bool whole = !is_null(columns[HIDDEN_VALUE]);
	if (whole && any_payload) {
		for (size_t i = 0; i < s->column_n; i++)
			if (w->given[i] && !is_null(columns[HIDDEN_N + i]))
				return err_set(err, ERR_TYPE, "_value is the whole message; \"%s\" cannot be given beside it", s->columns[i].name);
	}
	bool tombstone = !whole && named[HIDDEN_VALUE];
	for (size_t i = 0; i < s->column_n && tombstone; i++)
		tombstone = !w->given[i] || is_null(columns[HIDDEN_N + i]);
	if (s->kind == STREAM_CHANGELOG && !r.key.data)
		return err_set(err, ERR_TYPE, "a row of the changelog table %s needs a key", s->name);
	if (whole) {
		r.value = value_bytes(columns[HIDDEN_VALUE]);
	} else if (!tombstone) {
		if (!encode_value(s, w->fields, w->given, &w->value, err))
			return false;
		r.value = bytes_of(w->value.data, w->value.len);
	}
	if (w->headers.len)
		r.headers = bytes_of(w->headers.data, w->headers.len);
	return put(t, &r, err);
}

/* ---- xUpdate ---- */

/* The key of a changelog row by its rowid, and its partition: what replaces a row goes where the row is, whoever partitioned it. */
static bool key_of_row(struct table *t, int64_t rowid, struct bytes *ret, int32_t *ret_partition, struct err *err)
{
	const struct changelog *states[] = {follow_state(t), t->changelog, t->changelog_part};
	const struct changelog_row *row = NULL;
	for (size_t i = 0; i < sizeof states / sizeof *states && !row; i++)
		if (states[i] && rowid >= 0)
			row = changelog_find(states[i], (int32_t)(rowid >> 48), rowid & (((int64_t)1 << 48) - 1));
	if (!row)
		return err_set(err, ERR_INTERNAL, "row %lld of %s is not known any more", (long long)rowid, t->stream->name);
	*ret = record_key(&row->record);
	*ret_partition = row->partition;
	return true;
}

static bool delete_row(struct table *t, sqlite3_value *rowid, struct err *err)
{
	struct bytes key;
	int32_t partition;
	if (!key_of_row(t, sqlite3_value_int64(rowid), &key, &partition, err))
		return false;
	return put(t, &(struct sink_record){.key = key, .ts_ms = TIME_NONE, .partition = partition}, err);
}

static bool refuse_log(struct table *t, struct err *err)
{
	err_set(err, ERR_UNSUPPORTED, "%s is a log: its messages cannot be deleted or changed", t->stream->name);
	err_hint(err, "only a changelog table (a column with PRIMARY KEY) takes DELETE and UPDATE, by key");
	return false;
}

/* Is a DELETE or UPDATE of this table running? */
static bool statement_changes(const struct table *t)
{
	for (sqlite3_stmt *stmt = sqlite3_next_stmt(t->module->db, NULL); stmt; stmt = sqlite3_next_stmt(t->module->db, stmt)) {
		if (!sqlite3_stmt_busy(stmt) || sqlite3_stmt_readonly(stmt) || !sqlite3_sql(stmt))
			continue;
		struct lexer l;
		lexer_init(&l, sqlite3_sql(stmt), true);
		bool same = false;
		if (token_is(&l, "DELETE") || token_is(&l, "UPDATE")) {
			do {
				lexer_next(&l);
				same = l.now.text && t->stream->name && strcasecmp(l.now.text, t->stream->name) == 0;
			} while (!same && l.now.kind != TOKEN_END && !token_is(&l, "SET") && !token_is(&l, "WHERE"));
		}
		lexer_finish(&l);
		if (same)
			return true;
	}
	return false;
}

/* The row's own key, its payload columns as they are after the change; position and time are the new message's. */
static bool change_row(struct table *t, sqlite3_value *rowid, sqlite3_value *const *columns, struct err *err)
{
	struct writer *w = t->writer;
	const struct stream *s = t->stream;
	struct bytes key;
	int32_t partition;
	if (!key_of_row(t, sqlite3_value_int64(rowid), &key, &partition, err))
		return false;
	buf_clear(&w->value);
	buf_clear(&w->headers);
	for (size_t i = 0; i < s->column_n; i++) {
		sqlite3_value *v = columns[HIDDEN_N + i];
		w->given[i] = s->columns[i].origin == COLUMN_FROM_VALUE;
		w->fields[i] = value_field(v);
		if (s->columns[i].origin == COLUMN_FROM_KEY && !s->columns[i].path && !bytes_equal(value_bytes(v), key)) {
			err_set(err, ERR_UNSUPPORTED, "the key of a changelog row cannot be changed");
			err_hint(err, "DELETE the row and INSERT it with the new key");
			return false;
		}
	}
	if (!encode_value(s, w->fields, w->given, &w->value, err))
		return false;
	return put(t, &(struct sink_record){.key = key, .value = bytes_of(w->value.data, w->value.len), .ts_ms = TIME_NONE, .partition = partition}, err);
}

static bool update(struct table *t, int argc, sqlite3_value **argv, struct err *err)
{
	struct provider *p = t->module->provider;
	bool insert = argc > 1 && is_null(argv[0]);
	if (!insert && t->stream->kind != STREAM_CHANGELOG)
		return refuse_log(t, err);
	if (!p->write_allowed) {
		err_set(err, ERR_WRITE_OFF, "writing to %s is off", t->stream->topic);
		err_hint(err, "start with --write, or SET write = on");
		return false;
	}
	if (t->stream->explode && insert && is_null(argv[2 + HIDDEN_VALUE]))
		return err_set(err, ERR_UNSUPPORTED, "the columns of %s come from rows inside a message (explode): give the whole message as _value", t->stream->name);
	struct writer *w = writer_get(t);
	if (argc == 1)
		return delete_row(t, argv[0], err);
	if (!insert)
		return change_row(t, argv[0], argv + 2, err);
	named_columns(t, w->named);
	return write_row(t, argv + 2, w->named, err);
}

int update_row(sqlite3_vtab *base, int argc, sqlite3_value **argv, sqlite3_int64 *ret_rowid)
{
	struct table *t = (struct table *)base;
	struct err err = ERR_INIT;
	if (!update(t, argc, argv, &err))
		return table_fail(t, &err);
	if (argc > 1)
		*ret_rowid = 0;              /* not known before the broker has it */
	return SQLITE_OK;
}

/* A log refuses before it is read through for the rows to delete. */
int update_begin(sqlite3_vtab *base)
{
	struct table *t = (struct table *)base;
	struct err err = ERR_INIT;
	if (t->stream->kind != STREAM_CHANGELOG && statement_changes(t)) {
		refuse_log(t, &err);
		return table_fail(t, &err);
	}
	return SQLITE_OK;
}

int update_sync(sqlite3_vtab *base)
{
	struct table *t = (struct table *)base;
	struct writer *w = t->writer;
	struct err err = ERR_INIT;
	if (!w || !w->sink || w->put_n == 0)
		return SQLITE_OK;
	w->put_n = 0;
	if (w->sink->impl->flush(w->sink, &err))
		return SQLITE_OK;
	/* A sink that failed is not used again. */
	w->sink->impl->destroy(w->sink);
	w->sink = NULL;
	return table_fail(t, &err);
}

int update_commit(sqlite3_vtab *base)
{
	return SQLITE_OK;
}

/* What is still queued is dropped with the sink; what was sent stays sent, and that is said. */
int update_rollback(sqlite3_vtab *base)
{
	struct table *t = (struct table *)base;
	struct writer *w = t->writer;
	if (!w || !w->sink || w->put_n == 0)
		return SQLITE_OK;
	notice(t->module, NOTICE_WARNING, "%s: the transaction was rolled back, but up to %lld messages may already be with the broker", t->stream->topic, (long long)w->put_n);
	w->put_n = 0;
	w->sink->impl->destroy(w->sink);
	w->sink = NULL;
	return SQLITE_OK;
}
