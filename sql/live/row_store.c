/* sql/live/row_store.h. Rows lie encoded in blocks of their own; a hash table of keys holds for each key its rows in the order of time. */
#include "sql/live/row_store.h"

#include <stdlib.h>
#include <strings.h>
#include "core/alloc.h"
#include "core/hash.h"
#include "core/time.h"
#include "sql/aggregate/agg_impl.h"
#include "sql/aggregate/aggregate_sqlite.h"
#include "sql/live/group_plan.h"
#include "vtab/table.h"

struct stored {
	struct agg_at at;                    /* ts_ms is the event time */
	uint8_t *data;                       /* values of the kept columns, encoded */
	uint32_t len;
	bool expired, told;                  /* told: it was marked once */
	struct store_key *key;
};

struct store_key {
	uint64_t hash;
	uint8_t *bytes;
	size_t len;
	struct stored **rows;                /* by (event time, partition, offset, index) */
	size_t n, cap;
};

struct row_store {
	struct session *s;
	struct row_store *next;
	int number;
	char *name;
	char **columns;                      /* names of all columns, the three own ones not among them */
	char **types;
	bool *hidden, *kept;
	size_t column_n;
	int *keys;                           /* columns */
	size_t key_n;
	struct buf input;                    /* SQL: event time, place, keys, kept columns */
	sqlite3_stmt *stmt;
	bool lazy, loaded;
	struct store_key **slots;
	size_t slot_n, store_key_n;
	size_t row_n;
	int64_t bytes, memory_max_bytes;
	struct stored **expired;             /* marked now */
	size_t expired_n, expired_cap;
};

/* ---- rows ---- */

enum { SLOTS_MIN = 64 };

/* n: a power of two, more than there are keys with rows. Keys without rows go. */
static void set_slots(struct row_store *r, size_t n)
{
	struct store_key **slots = xcalloc(n, sizeof(struct store_key *));
	for (size_t i = 0; i < r->slot_n; i++) {
		struct store_key *k = r->slots[i];
		if (k && !k->n) {
			r->bytes -= (int64_t)(sizeof *k + k->len + k->cap * sizeof(struct stored *));
			r->store_key_n--;
			free(k->rows);
			free(k->bytes);
			free(k);
		} else if (k) {
			size_t at = k->hash & (n - 1);
			while (slots[at])
				at = (at + 1) & (n - 1);
			slots[at] = k;
		}
	}
	r->bytes += (int64_t)n * (int64_t)sizeof *slots - (int64_t)(r->slot_n * sizeof *slots);
	free(r->slots);
	r->slots = slots;
	r->slot_n = n;
}

static struct store_key *key_of(struct row_store *r, const struct buf *key, bool make)
{
	uint64_t hash = hash_bytes(key->data, key->len);
	if (make && r->store_key_n * 4 >= r->slot_n * 3)
		set_slots(r, r->slot_n ? 2 * r->slot_n : SLOTS_MIN);
	if (!r->slot_n)
		return NULL;
	size_t at = hash & (r->slot_n - 1);
	for (; r->slots[at]; at = (at + 1) & (r->slot_n - 1)) {
		struct store_key *k = r->slots[at];
		if (k->hash == hash && k->len == key->len && memcmp(k->bytes, key->data, k->len) == 0)
			return k;
	}
	if (!make)
		return NULL;
	struct store_key *k = xcalloc(1, sizeof *k);
	k->hash = hash;
	k->len = key->len;
	k->bytes = xmalloc(key->len + 1);
	memcpy(k->bytes, key->data, key->len);
	r->bytes += (int64_t)(sizeof *k + k->len);
	r->store_key_n++;
	return r->slots[at] = k;
}

/* First row of the key that is not before (ts, the lowest place). */
static size_t lower(const struct store_key *k, int64_t ts_ms)
{
	size_t lo = 0, hi = k->n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (k->rows[mid]->at.ts_ms < ts_ms)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void insert(struct row_store *r, struct store_key *k, struct stored *row)
{
	if (k->n == k->cap) {
		size_t cap = k->cap ? 2 * k->cap : 4;
		k->rows = xreallocarray(k->rows, cap, sizeof(struct stored *));
		r->bytes += (int64_t)((cap - k->cap) * sizeof(struct stored *));
		k->cap = cap;
	}
	size_t at = k->n;
	while (at && agg_at_compare(&k->rows[at - 1]->at, &row->at) > 0)      /* rows come nearly in order */
		at--;
	memmove(k->rows + at + 1, k->rows + at, (k->n - at) * sizeof(struct stored *));
	k->rows[at] = row;
	k->n++;
	row->key = k;
	r->row_n++;
}

static void forget(struct row_store *r, struct stored *row)
{
	r->bytes -= (int64_t)(sizeof *row + row->len);
	free(row->data);
	free(row);
	r->row_n--;
}

static bool add_row(struct row_store *r, const struct agg_at *at, const struct agg_value *values, size_t n, struct err *err)
{
	struct buf key = BUF_INIT, data = BUF_INIT;
	for (size_t i = 0; i < r->key_n; i++) {
		if (values[AT_N + i].type == AGG_NULL) {     /* NULL equals nothing: found by no key, but a row of an outer join */
			buf_adds(&key, "\xff");
			continue;
		}
		agg_value_encode(&values[AT_N + i], &key);
	}
	for (size_t i = AT_N + r->key_n; i < n; i++)
		agg_put_value(&data, &values[i]);
	struct stored *row = xcalloc(1, sizeof *row);
	row->at = *at;
	row->len = (uint32_t)data.len;
	row->data = xmalloc(data.len + 1);
	memcpy(row->data, data.data, data.len);
	r->bytes += (int64_t)(sizeof *row + row->len);
	insert(r, key_of(r, &key, true), row);
	buf_finish(&key);
	buf_finish(&data);
	if (r->memory_max_bytes <= 0 || r->bytes <= r->memory_max_bytes)
		return true;
	err_set(err, ERR_LIMIT, "the rows that a join by time keeps take more than %lld MB", (long long)(r->memory_max_bytes >> 20));
	err_hint(err, "a shorter WITHIN, fewer columns, or SET memory_limit");
	return false;
}

bool row_store_load(struct row_store *r, bool (*keep)(void *arg, const struct agg_at *at), void *arg, struct err *err)
{
	size_t n = AT_N + r->key_n + r->column_n;
	int rc = SQLITE_DONE;
	bool ok = true;
	if (!r->stmt) {
		struct statement st = {.sql = BUF_INIT, .resolve = true};
		size_t used;
		buf_add(&st.sql, r->input.data, r->input.len);
		ok = resolve_prepare(r->s, &st, &r->stmt, &used, err);
		statement_finish(&st);
	}
	struct agg_value *values = xcalloc(n + 1, sizeof *values);
	while (ok && (rc = sqlite3_step(r->stmt)) == SQLITE_ROW) {
		agg_from_row(r->stmt, values, (int)n);
		struct agg_at at = {values[AT_TIME].type == AGG_INTEGER ? values[AT_TIME].i : TIME_NONE, values[AT_OFFSET].i, (int32_t)values[AT_PARTITION].i, (int32_t)values[AT_INDEX].i};
		if (!keep || keep(arg, &at))
			ok = add_row(r, &at, values, n, err);
	}
	if (r->stmt)
		sqlite3_reset(r->stmt);
	if (ok && rc != SQLITE_DONE)
		ok = session_sqlite_error(r->s, rc, -1, err);
	free(values);
	r->loaded = true;
	return ok;
}

static int by_at(const void *a, const void *b)
{
	return agg_at_compare(&(*(const struct stored *const *)a)->at, &(*(const struct stored *const *)b)->at);
}

size_t row_store_expire(struct row_store *r, int64_t before_ms)
{
	for (size_t i = 0; i < r->slot_n; i++) {
		struct store_key *k = r->slots[i];
		for (size_t n = 0; k && n < k->n && k->rows[n]->at.ts_ms < before_ms; n++) {
			if (k->rows[n]->told)
				continue;
			k->rows[n]->expired = k->rows[n]->told = true;
			if (r->expired_n == r->expired_cap) {
				r->expired_cap = r->expired_cap ? 2 * r->expired_cap : 64;
				r->expired = xreallocarray(r->expired, r->expired_cap, sizeof(struct stored *));
			}
			r->expired[r->expired_n++] = k->rows[n];
		}
	}
	if (r->expired_n > 1)
		qsort(r->expired, r->expired_n, sizeof(struct stored *), by_at);
	return r->expired_n;
}

void row_store_forget(struct row_store *r, int64_t before_ms)
{
	size_t used_n = 0, slot_n = SLOTS_MIN;
	for (size_t i = 0; i < r->slot_n; i++) {
		struct store_key *k = r->slots[i];
		size_t gone = 0;
		while (k && gone < k->n && k->rows[gone]->at.ts_ms < before_ms)
			forget(r, k->rows[gone++]);
		if (gone) {
			memmove(k->rows, k->rows + gone, (k->n - gone) * sizeof(struct stored *));
			k->n -= gone;
		}
		used_n += k && k->n;
	}
	/* Keys that never come again, order numbers say, must not stay. */
	if (used_n * 2 >= r->store_key_n || r->store_key_n < SLOTS_MIN)
		return;
	while (slot_n < used_n * 2)
		slot_n *= 2;
	set_slots(r, slot_n);
}

void row_store_end_expired(struct row_store *r)
{
	for (size_t i = 0; i < r->expired_n; i++)
		r->expired[i]->expired = false;
	r->expired_n = 0;
}

int64_t row_store_bytes(const struct row_store *r)
{
	return r->bytes;
}

size_t row_store_row_n(const struct row_store *r)
{
	return r->row_n;
}

/* ---- the virtual table ---- */

enum own { OWN_ET, OWN_ASOF, OWN_BEFORE, OWN_EXPIRED, OWN_N };
static const char *const own_names[] = {"_et", "_asof", "_before", "_expired"};

struct store_vtab {
	sqlite3_vtab base;
	struct row_store *store;
};

struct store_cursor {
	sqlite3_vtab_cursor base;
	struct row_store *store;
	struct stored **rows;                /* what the scan gives */
	size_t n, cap, at;
	struct agg_value *values;
	const struct stored *loaded;
	int64_t asof;                        /* what _asof or _before was compared with */
};

static int store_connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **ret, char **ret_text)
{
	struct session *s = aux;
	struct row_store *r = s->row_stores;
	int number = argc > 3 ? atoi(argv[3]) : 0;
	while (r && r->number != number)
		r = r->next;
	if (!r) {
		*ret_text = sqlite3_mprintf("%s belongs to a statement that is over", argv[2]);
		return SQLITE_ERROR;
	}
	struct buf sql = BUF_INIT;
	buf_adds(&sql, "CREATE TABLE x(");
	for (size_t i = 0; i < r->column_n; i++) {
		sql_quote_name(&sql, r->columns[i]);
		buf_addf(&sql, " %s%s, ", r->types[i], r->hidden[i] ? " HIDDEN" : "");
	}
	for (int i = 0; i < OWN_N; i++)
		buf_addf(&sql, "%s%s INTEGER HIDDEN", i ? ", " : "", own_names[i]);
	buf_addc(&sql, ')');
	int rc = sqlite3_declare_vtab(db, sql.data);
	buf_finish(&sql);
	if (rc != SQLITE_OK)
		return rc;
	sqlite3_vtab_config(db, SQLITE_VTAB_DIRECTONLY);
	struct store_vtab *v = xcalloc(1, sizeof *v);
	v->store = r;
	*ret = &v->base;
	return SQLITE_OK;
}

static int store_create(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **ret, char **ret_text)
{
	return store_connect(db, aux, argc, argv, ret, ret_text);
}

static int store_disconnect(sqlite3_vtab *base)
{
	free(base);
	return SQLITE_OK;
}

/* idxNum says which arguments come, in this order: all keys (1), _asof (2) or _before (4), lower bound of _et (8), upper bound (16), _expired (32). _asof and
 * _before are ours alone; the others SQLite checks again. */
enum { BY_KEY = 1, BY_ASOF = 2, BY_BEFORE = 4, FROM_ET = 8, TO_ET = 16, BY_EXPIRED = 32 };

static int store_best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
	const struct row_store *r = ((struct store_vtab *)base)->store;
	int *of = xcalloc(r->key_n + 6, sizeof *of);         /* constraint + 1: keys, then the others */
	int *own = of + r->key_n, argument_n = 0;
	bool asof_unusable = false, keys = true;
	for (int i = 0; i < info->nConstraint; i++) {
		const struct sqlite3_index_constraint *c = &info->aConstraint[i];
		int o = c->iColumn - (int)r->column_n;
		bool eq = c->op == SQLITE_INDEX_CONSTRAINT_EQ;
		if (!c->usable) {
			asof_unusable |= eq && (o == OWN_ASOF || o == OWN_BEFORE);
			continue;
		}
		for (size_t k = 0; k < r->key_n; k++)
			if (eq && c->iColumn == r->keys[k] && sqlite3_stricmp(sqlite3_vtab_collation(info, i), "BINARY") == 0)
				of[k] = i + 1;
		if (eq && o == OWN_ASOF)
			own[0] = i + 1;
		if (eq && o == OWN_BEFORE)
			own[1] = i + 1;
		if (o == OWN_ET && (c->op == SQLITE_INDEX_CONSTRAINT_GE || c->op == SQLITE_INDEX_CONSTRAINT_GT))
			own[2] = i + 1;
		if (o == OWN_ET && (c->op == SQLITE_INDEX_CONSTRAINT_LE || c->op == SQLITE_INDEX_CONSTRAINT_LT))
			own[3] = i + 1;
		if (eq && o == OWN_EXPIRED)
			own[4] = i + 1;
	}
	for (size_t k = 0; k < r->key_n; k++)
		keys = keys && of[k];
	/* The latest row makes sense only for one key and one time. */
	if (asof_unusable || ((own[0] || own[1]) && !keys)) {
		free(of);
		return SQLITE_CONSTRAINT;
	}
	info->estimatedRows = 1000000;
	info->estimatedCost = 1e6;
	for (size_t k = 0; keys && k < r->key_n; k++)
		info->aConstraintUsage[of[k] - 1].argvIndex = ++argument_n;
	if (keys) {
		info->idxNum |= BY_KEY;
		info->estimatedRows = r->key_n ? 100 : 1000000;
		info->estimatedCost = r->key_n ? 200 : 1e6;
	}
	static const int bits[] = {BY_ASOF, BY_BEFORE, FROM_ET, TO_ET, BY_EXPIRED};
	for (int i = 0; i < 5; i++) {
		if (!own[i])
			continue;
		info->idxNum |= bits[i];
		info->aConstraintUsage[own[i] - 1].argvIndex = ++argument_n;
		info->aConstraintUsage[own[i] - 1].omit = i < 2 || i == 4;
		info->estimatedRows = i < 2 ? 1 : info->estimatedRows / 4 + 1;
		info->estimatedCost = i < 2 ? 20 : info->estimatedCost / 4 + 1;
	}
	free(of);
	return SQLITE_OK;
}

static int store_open(sqlite3_vtab *base, sqlite3_vtab_cursor **ret)
{
	struct store_cursor *c = xcalloc(1, sizeof *c);
	c->store = ((struct store_vtab *)base)->store;
	c->values = xcalloc(c->store->column_n + 1, sizeof *c->values);
	*ret = &c->base;
	return SQLITE_OK;
}

static int store_close(sqlite3_vtab_cursor *base)
{
	struct store_cursor *c = (struct store_cursor *)base;
	free(c->rows);
	free(c->values);
	free(c);
	return SQLITE_OK;
}

static void give(struct store_cursor *c, struct stored *row)
{
	if (c->n == c->cap) {
		c->cap = c->cap ? 2 * c->cap : 16;
		c->rows = xreallocarray(c->rows, c->cap, sizeof(struct stored *));
	}
	c->rows[c->n++] = row;
}

static bool bound(sqlite3_value *v, int64_t *ret)
{
	if (sqlite3_value_type(v) == SQLITE_INTEGER)
		*ret = sqlite3_value_int64(v);
	else if (sqlite3_value_type(v) == SQLITE_FLOAT)
		*ret = (int64_t)sqlite3_value_double(v);
	else
		return false;
	return true;
}

static void scan_key(struct store_cursor *c, const struct store_key *k, int number, int64_t from, int64_t to)
{
	if (number & (BY_ASOF | BY_BEFORE)) {
		size_t i = number & BY_ASOF ? (c->asof == INT64_MAX ? k->n : lower(k, c->asof + 1)) : lower(k, c->asof);
		if (i && k->rows[i - 1]->at.ts_ms != TIME_NONE)
			give(c, k->rows[i - 1]);
		return;
	}
	for (size_t i = number & FROM_ET ? lower(k, from) : 0; i < k->n && (!(number & TO_ET) || k->rows[i]->at.ts_ms <= to); i++)
		if (!(number & BY_EXPIRED) || k->rows[i]->expired)
			give(c, k->rows[i]);
}

static int store_filter(sqlite3_vtab_cursor *base, int number, const char *text, int argc, sqlite3_value **argv)
{
	struct store_cursor *c = (struct store_cursor *)base;
	struct row_store *r = c->store;
	struct err err = ERR_INIT;
	int at = 0;
	int64_t from = INT64_MIN, to = INT64_MAX, expired;
	(void)text, (void)argc;
	c->n = c->at = 0;
	c->loaded = NULL;
	if (r->lazy && !r->loaded && !row_store_load(r, NULL, NULL, &err)) {
		r->s->catalog->provider.last_error = err;
		sqlite3_free(base->pVtab->zErrMsg);
		base->pVtab->zErrMsg = sqlite3_mprintf("%s", err.msg);
		return err.id == ERR_INTERRUPTED || err.id == ERR_TIMEOUT ? SQLITE_INTERRUPT : SQLITE_ERROR;
	}
	struct buf key = BUF_INIT;
	bool nothing = false;
	for (size_t k = 0; (number & BY_KEY) && k < r->key_n; k++) {
		struct agg_value v;
		agg_from_sqlite(argv[at++], &v);
		nothing |= v.type == AGG_NULL;
		agg_value_encode(&v, &key);
	}
	if (number & (BY_ASOF | BY_BEFORE))
		nothing |= !bound(argv[at++], &c->asof);
	if (number & FROM_ET)
		nothing |= !bound(argv[at++], &from);
	if (number & TO_ET)
		nothing |= !bound(argv[at++], &to);
	if (number & BY_EXPIRED)
		nothing |= !bound(argv[at++], &expired);
	if (!nothing && (number & BY_KEY)) {
		struct store_key *k = key_of(r, &key, false);
		if (k)
			scan_key(c, k, number, from, to);
	} else if (!nothing && (number & BY_EXPIRED)) {
		for (size_t i = 0; i < r->expired_n; i++)
			give(c, r->expired[i]);
	} else if (!nothing) {
		for (size_t i = 0; i < r->slot_n; i++)
			if (r->slots[i])
				scan_key(c, r->slots[i], number & (FROM_ET | TO_ET), from, to);
	}
	buf_finish(&key);
	return SQLITE_OK;
}

static int store_next(sqlite3_vtab_cursor *base)
{
	((struct store_cursor *)base)->at++;
	return SQLITE_OK;
}

static int store_eof(sqlite3_vtab_cursor *base)
{
	const struct store_cursor *c = (const struct store_cursor *)base;
	return c->at >= c->n;
}

static int store_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int i)
{
	struct store_cursor *c = (struct store_cursor *)base;
	const struct row_store *r = c->store;
	const struct stored *row = c->rows[c->at];
	if ((size_t)i >= r->column_n) {
		int o = i - (int)r->column_n;
		if (o == OWN_ET && row->at.ts_ms != TIME_NONE)
			sqlite3_result_int64(context, row->at.ts_ms);
		else if (o == OWN_ASOF || o == OWN_BEFORE)
			sqlite3_result_int64(context, c->asof);
		else if (o == OWN_EXPIRED)
			sqlite3_result_int(context, row->expired);
		return SQLITE_OK;
	}
	if (c->loaded != row) {
		struct agg_reader reader = agg_read_begin(bytes_of(row->data, row->len));
		for (size_t k = 0; k < r->column_n; k++)
			c->values[k] = agg_read_value(&reader);
		c->loaded = row;
	}
	agg_to_sqlite(context, &c->values[i]);
	return SQLITE_OK;
}

static int store_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *ret)
{
	const struct store_cursor *c = (const struct store_cursor *)base;
	*ret = (sqlite3_int64)(intptr_t)c->rows[c->at];      /* RIGHT and FULL joins remember rows by it */
	return SQLITE_OK;
}

static const sqlite3_module methods = {
	.iVersion = 1, .xCreate = store_create, .xConnect = store_connect, .xBestIndex = store_best_index, .xDisconnect = store_disconnect, .xDestroy = store_disconnect, .xOpen = store_open,
	.xClose = store_close, .xFilter = store_filter, .xNext = store_next, .xEof = store_eof, .xColumn = store_column, .xRowid = store_rowid,
};

bool row_stores_register(struct session *s, struct err *err)
{
	return sqlite3_create_module_v2(s->db, "weir_rows", &methods, s, NULL) == SQLITE_OK || err_set(err, ERR_INTERNAL, "the module weir_rows cannot be registered: %s", sqlite3_errmsg(s->db));
}

/* ---- making one ---- */

/* Does the statement name it, or all columns? */
static bool is_named(const char *text, const char *name)
{
	struct lex l = lex_begin(text, strlen(text));
	struct token before = {.kind = TOKEN_END};
	bool found = false;
	for (struct token t = lex_next_solid(&l); t.kind != TOKEN_END && !found; before = t, t = lex_next_solid(&l)) {
		struct buf b = BUF_INIT;
		if (token_is_op(&t, "*") && (token_is_op(&before, ",") || token_is_op(&before, ".") || token_is_word(&before, "select") || token_is_word(&before, "distinct")))
			return true;
		if (t.kind != TOKEN_WORD && t.kind != TOKEN_QUOTED)
			continue;
		token_unquote(&t, &b);
		found = strcasecmp(b.data, name) == 0;
		buf_finish(&b);
	}
	return found;
}

static void add_column(struct row_store *r, const char *name, const char *type, bool hidden, bool kept)
{
	size_t n = r->column_n + 1;
	r->columns = xreallocarray(r->columns, n, sizeof(char *));
	r->types = xreallocarray(r->types, n, sizeof(char *));
	r->hidden = xreallocarray(r->hidden, n, sizeof(bool));
	r->kept = xreallocarray(r->kept, n, sizeof(bool));
	r->columns[r->column_n] = xstrdup(name);
	r->types[r->column_n] = xstrdup(type ? type : "");
	r->hidden[r->column_n] = hidden;
	r->kept[r->column_n++] = kept;
}

static bool find_columns(struct row_store *r, const struct row_store_def *def, struct err *err)
{
	if (def->stream) {
		for (int i = 0; i < HIDDEN_N; i++) {
			bool place = i == HIDDEN_TS || i == HIDDEN_PARTITION || i == HIDDEN_OFFSET || i == HIDDEN_INDEX;
			add_column(r, hidden_names[i], i == HIDDEN_TS || i == HIDDEN_ROWTIME ? "TIMESTAMP_MS" : "", true, (def->places && place) || is_named(def->text, hidden_names[i]));
		}
		for (size_t i = 0; i < def->stream->column_n; i++) {
			const char *name = def->stream->columns[i].name;
			bool place = def->stream->timestamp && strcasecmp(def->stream->timestamp, name) == 0;
			add_column(r, name, column_type_name(def->stream->columns[i].type), false, (def->places && place) || is_named(def->text, name));
		}
		return true;
	}
	struct buf sql = BUF_INIT;
	sqlite3_stmt *stmt = NULL;
	buf_addf(&sql, "SELECT * FROM %s", def->columns_of ? def->columns_of : def->source);
	int rc = sqlite3_prepare_v2(r->s->db, sql.data, -1, &stmt, NULL);
	for (int i = 0; rc == SQLITE_OK && i < sqlite3_column_count(stmt); i++)
		add_column(r, sqlite3_column_name(stmt, i), sqlite3_column_decltype(stmt, i), false, (def->places && strcasecmp(sqlite3_column_name(stmt, i), "_ts") == 0) || is_named(def->text, sqlite3_column_name(stmt, i)));
	sqlite3_finalize(stmt);
	buf_finish(&sql);
	return rc == SQLITE_OK || session_sqlite_error(r->s, rc, -1, err);
}

bool row_store_create(struct session *s, const struct row_store_def *def, struct row_store **ret, struct err *err)
{
	struct row_store *r = xcalloc(1, sizeof *r);
	r->s = s;
	r->number = ++s->feed_n;
	r->lazy = def->lazy;
	r->memory_max_bytes = def->memory_max_bytes;
	buf_init(&r->input);
	r->next = s->row_stores;
	s->row_stores = r;
	r->keys = xcalloc(def->key_n + 1, sizeof *r->keys);
	bool ok = find_columns(r, def, err);
	for (size_t i = 0; ok && i < def->key_n; i++) {
		size_t c = 0;
		while (c < r->column_n && strcasecmp(r->columns[c], def->keys[i]) != 0)
			c++;
		ok = c < r->column_n || err_set(err, ERR_SQL, "no such column: %s", def->keys[i]);
		r->keys[r->key_n++] = (int)c;
	}
	if (ok) {
		buf_addf(&r->input, "SELECT weir_event_time(%s)%s", def->event_time, def->stream || def->places ? ", _partition, _offset, _index" : ", 0, rowid, 0");
		for (size_t i = 0; i < r->key_n; i++) {
			buf_adds(&r->input, ", ");
			sql_quote_name(&r->input, r->columns[r->keys[i]]);
		}
		for (size_t i = 0; i < r->column_n; i++) {
			buf_adds(&r->input, ", ");
			if (r->kept[i])
				sql_quote_name(&r->input, r->columns[i]);
			else
				buf_adds(&r->input, "NULL");
		}
		buf_addf(&r->input, " FROM %s", def->source);
		char *name = xasprintf("temp.\"weir_rows_%d\"", r->number), *sql = xasprintf("CREATE VIRTUAL TABLE %s USING weir_rows(%d)", name, r->number);
		ok = session_exec(s, sql, err);
		free(sql);
		if (ok)
			r->name = name;
		else
			free(name);
	}
	if (!ok) {
		row_store_destroy(r);
		return false;
	}
	*ret = r;
	return true;
}

void row_store_destroy(struct row_store *r)
{
	struct err ignored = ERR_INIT;
	if (!r)
		return;
	sqlite3_finalize(r->stmt);
	if (r->name) {
		char *sql = xasprintf("DROP TABLE IF EXISTS %s", r->name);
		session_exec(r->s, sql, &ignored);
		free(sql);
	}
	struct row_store **p = &r->s->row_stores;
	while (*p != r)
		p = &(*p)->next;
	*p = r->next;
	for (size_t i = 0; i < r->slot_n; i++) {
		struct store_key *k = r->slots[i];
		for (size_t n = 0; k && n < k->n; n++)
			forget(r, k->rows[n]);
		if (k) {
			free(k->rows);
			free(k->bytes);
			free(k);
		}
	}
	for (size_t i = 0; i < r->column_n; i++) {
		free(r->columns[i]);
		free(r->types[i]);
	}
	free(r->columns);
	free(r->types);
	free(r->hidden);
	free(r->kept);
	free(r->keys);
	free(r->slots);
	free(r->expired);
	free(r->name);
	buf_finish(&r->input);
	free(r);
}

const char *row_store_name(const struct row_store *r)
{
	return r->name;
}
