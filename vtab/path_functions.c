/* vtab/path_functions.h. The three functions of two arguments take the place of SQLite's own on our connection. (xFindFunction would do it for
 * our columns only, but SQLite does not ask it inside aggregates: sum(_value ->> 'a').) A call looks for an open cursor whose current message
 * has exactly the bytes of the first argument; equal bytes have equal fields, so a match by chance is no harm. Then the path joins that
 * cursor's decoder, and from the next row on its value comes with the decoder's one pass.
 * In all other cases SQLite's own function answers, in a private empty database where it is not replaced.
 *
 * Results equal SQLite's, with one difference by intent: a message that is not JSON gives NULL, not an error that ends the query. */
#include "vtab/path_functions.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "core/alloc.h"
#include "vtab/cursor.h"

enum path_kind { PATH_EXTRACT, PATH_JSON, PATH_VALUE };

enum { MAX_PATHS = 64 };                 /* of one cursor: a path that is no constant must not fill the decoder */

static const struct {
	const char *name;
	const char *sql;                     /* SQLite's own */
} functions[] = {
	[PATH_EXTRACT] = {"json_extract", "SELECT json_extract(?1, ?2)"},
	[PATH_JSON] = {"->", "SELECT ?1 -> ?2"},
	[PATH_VALUE] = {"->>", "SELECT ?1 ->> ?2"},
};

/* Kept by SQLite with the path argument, as long as that is a constant. */
struct path_memo {
	uint64_t decoder_id;
	int slot;                            /* -1: SQLite answers */
	uint64_t from_load_n;                /* valid for records loaded after this one */
};

/* message: the first argument is a message of ours, which need not be JSON. */
static void fallback(sqlite3_context *context, struct module *m, enum path_kind kind, sqlite3_value **argv, bool message)
{
	sqlite3_stmt **stmt = &m->json_fallback[kind];
	if (!m->json_db && sqlite3_open_v2(":memory:", &m->json_db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
		sqlite3_close(m->json_db);
		m->json_db = NULL;
		sqlite3_result_error_nomem(context);
		return;
	}
	if (!*stmt && sqlite3_prepare_v3(m->json_db, functions[kind].sql, -1, SQLITE_PREPARE_PERSISTENT, stmt, NULL) != SQLITE_OK) {
		sqlite3_result_error(context, sqlite3_errmsg(m->json_db), -1);
		return;
	}
	sqlite3_bind_value(*stmt, 1, argv[0]);
	sqlite3_bind_value(*stmt, 2, argv[1]);
	if (sqlite3_step(*stmt) == SQLITE_ROW) {
		sqlite3_value *v = sqlite3_column_value(*stmt, 0);
		unsigned subtype = sqlite3_value_subtype(v);
		sqlite3_result_value(context, v);
		if (subtype || (kind == PATH_JSON && sqlite3_value_type(v) != SQLITE_NULL))
			sqlite3_result_subtype(context, 'J');
	} else if (message && !strstr(sqlite3_errmsg(m->json_db), "path")) {
		sqlite3_result_null(context);
	} else {
		sqlite3_result_error(context, sqlite3_errmsg(m->json_db), -1);
	}
	sqlite3_reset(*stmt);
	sqlite3_clear_bindings(*stmt);
}

/* SQLite renders an object or array without white space; everything else as it stands. */
static void result_json(sqlite3_context *context, struct bytes json, bool subtype)
{
	char *to = sqlite3_malloc64(json.len ? json.len : 1);
	if (!to) {
		sqlite3_result_error_nomem(context);
		return;
	}
	size_t n = 0;
	bool string = false;
	for (size_t i = 0; i < json.len; i++) {
		uint8_t c = json.data[i];
		if (!string && (c == ' ' || c == '\t' || c == '\n' || c == '\r'))
			continue;
		to[n++] = (char)c;
		if (c == '"')
			string = !string;
		if (string && c == '\\' && i + 1 < json.len)
			to[n++] = (char)json.data[++i];
	}
	sqlite3_result_text64(context, to, n, sqlite3_free, SQLITE_UTF8);
	if (subtype)
		sqlite3_result_subtype(context, 'J');
}

/* The field as -> gives it: JSON text. False: its source spelling is not known. */
static bool result_as_json(sqlite3_context *context, const struct field *f, struct bytes message)
{
	switch (f->type) {
	case FIELD_ABSENT:
		sqlite3_result_null(context);
		return true;
	case FIELD_NULL:
		sqlite3_result_text(context, "null", 4, SQLITE_STATIC);
		break;
	case FIELD_BOOLEAN:
		sqlite3_result_text(context, f->u.i ? "true" : "false", -1, SQLITE_STATIC);
		break;
	case FIELD_INTEGER:
	case FIELD_REAL:
		if (!f->bytes.data)
			return false;
		sqlite3_result_text64(context, (const char *)f->bytes.data, f->bytes.len, SQLITE_TRANSIENT, SQLITE_UTF8);
		break;
	case FIELD_TEXT: {
		/* A number beyond 64 bits is text to us. Escapes are kept as they were sent, which is not known any more. */
		if (memchr(message.data, '\\', message.len) || !memmem(message.data, message.len, f->bytes.data, f->bytes.len))
			return false;
		bool digits = f->bytes.len >= 19;
		for (size_t i = 0; digits && i < f->bytes.len; i++)
			digits = isdigit(f->bytes.data[i]) || f->bytes.data[i] == '-';
		if (digits)
			return false;
		struct buf b = BUF_INIT;
		buf_addc(&b, '"');
		buf_add(&b, f->bytes.data, f->bytes.len);
		buf_addc(&b, '"');
		sqlite3_result_text64(context, b.data, b.len, SQLITE_TRANSIENT, SQLITE_UTF8);
		buf_finish(&b);
		break;
	}
	case FIELD_JSON:
		result_json(context, f->bytes, true);
		return true;
	case FIELD_BLOB:
	case FIELD_ERROR:
		return false;
	}
	sqlite3_result_subtype(context, 'J');
	return true;
}

static bool result_as_value(sqlite3_context *context, const struct field *f, bool subtype)
{
	if (f->type == FIELD_JSON) {
		result_json(context, f->bytes, subtype);
		return true;
	}
	if (f->type == FIELD_ERROR || f->type == FIELD_BLOB)
		return false;
	if (f->type == FIELD_TEXT && f->bytes.len >= 19) {
		bool digits = true;
		for (size_t i = 0; digits && i < f->bytes.len; i++)
			digits = isdigit(f->bytes.data[i]) || f->bytes.data[i] == '-';
		if (digits)
			return false;        /* SQLite makes a REAL of it */
	}
	result_field(context, f, COLUMN_ANY);
	return true;
}

/* A path in the full form, which json_extract needs; the arrows take a plain key too. NULL = leave it to SQLite. Caller frees. */
static char *full_path(enum path_kind kind, sqlite3_value *arg)
{
	if (sqlite3_value_type(arg) != SQLITE_TEXT)
		return NULL;
	const char *text = (const char *)sqlite3_value_text(arg);
	size_t len = (size_t)sqlite3_value_bytes(arg);
	if (!text || strlen(text) != len)
		return NULL;
	if (text[0] == '$')
		return xstrdup(text);
	bool plain = kind != PATH_EXTRACT && (isalpha((unsigned char)text[0]) || text[0] == '_');
	for (size_t i = 0; plain && i < len; i++)
		plain = isalnum((unsigned char)text[i]) || text[i] == '_';
	return plain ? xasprintf("$.%s", text) : NULL;
}

static struct cursor *find_cursor(struct module *m, sqlite3_value *value)
{
	if (!m->cursors)
		return NULL;
	int type = sqlite3_value_type(value);
	if (type != SQLITE_TEXT && type != SQLITE_BLOB)
		return NULL;
	const void *text = type == SQLITE_TEXT ? (const void *)sqlite3_value_text(value) : sqlite3_value_blob(value);
	size_t len = (size_t)sqlite3_value_bytes(value);
	for (struct cursor *c = m->cursors; c; c = c->next) {
		const struct record *r = c->record;
		if (r && c->payload && r->value && r->value_len == len && (len == 0 || memcmp(r->value, text, len) == 0))
			return c;
	}
	return NULL;
}

static void call(sqlite3_context *context, sqlite3_value **argv, enum path_kind kind)
{
	struct module *m = sqlite3_user_data(context);
	struct cursor *c = find_cursor(m, argv[0]);
	if (!c || !format_is_json(c->table->stream) || sqlite3_value_type(argv[0]) != SQLITE_TEXT) {
		fallback(context, m, kind, argv, c != NULL);
		return;
	}
	struct path_memo *memo = sqlite3_get_auxdata(context, 1);
	if (!memo || memo->decoder_id != c->decoder_id) {
		char *path = c->path_n < MAX_PATHS ? full_path(kind, argv[1]) : NULL;
		memo = sqlite3_malloc(sizeof *memo);
		if (!memo) {
			free(path);
			sqlite3_result_error_nomem(context);
			return;
		}
		*memo = (struct path_memo){.decoder_id = c->decoder_id, .slot = path ? decoder_add_path(c->decoder, bytes_str(path)) : -1, .from_load_n = c->load_n};
		if (memo->slot >= c->path_n)
			c->path_n = memo->slot + 1;
		free(path);
		/* A decoder kept from an earlier scan has read it in the current message already. */
		bool known = memo->slot >= 0 && memo->slot < c->path_kept;
		if (known)
			memo->from_load_n = 0;
		sqlite3_set_auxdata(context, 1, memo, sqlite3_free);
		if (!known) {
			fallback(context, m, kind, argv, true);
			return;
		}
		memo = sqlite3_get_auxdata(context, 1);
		if (!memo) {
			fallback(context, m, kind, argv, true);
			return;
		}
	}
	if (memo->slot < 0 || c->load_n <= memo->from_load_n) {
		fallback(context, m, kind, argv, true);
		return;
	}
	struct field f;
	decoder_path_field(c->decoder, memo->slot, &f);
	bool done = kind == PATH_JSON ? result_as_json(context, &f, record_value(c->record)) : result_as_value(context, &f, kind == PATH_EXTRACT);
	if (!done)
		fallback(context, m, kind, argv, true);
}

static void call_extract(sqlite3_context *context, int argc, sqlite3_value **argv)
{
	call(context, argv, PATH_EXTRACT);
}

static void call_json(sqlite3_context *context, int argc, sqlite3_value **argv)
{
	call(context, argv, PATH_JSON);
}

static void call_value(sqlite3_context *context, int argc, sqlite3_value **argv)
{
	call(context, argv, PATH_VALUE);
}

bool path_functions_register(struct module *m)
{
	static void (*const calls[])(sqlite3_context *, int, sqlite3_value **) = {[PATH_EXTRACT] = call_extract, [PATH_JSON] = call_json, [PATH_VALUE] = call_value};
	for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
		if (sqlite3_create_function(m->db, functions[i].name, 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, m, calls[i], NULL, NULL) != SQLITE_OK)
			return false;
	return true;
}

void path_functions_finish(struct module *m)
{
	for (size_t i = 0; i < sizeof m->json_fallback / sizeof *m->json_fallback; i++)
		sqlite3_finalize(m->json_fallback[i]);
	sqlite3_close(m->json_db);
}
