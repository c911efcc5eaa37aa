/* sql/live/time_join.h */
#include "sql/live/time_join.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include "core/alloc.h"
#include "core/time.h"
#include "sql/live/body.h"
#include "sql/live/derived.h"
#include "sql/live/live_input.h"
#include "sql/memory.h"
#include "vtab/feed.h"
#include "vtab/follow.h"

enum { JOINS_MAX = 16 };

struct followed {                            /* a store that grows with its topic */
	struct row_store *store;
	struct stream *stream;
	struct feed_table *feed;
	struct live_input input;
};

struct time_joins {
	struct session *s;
	struct row_store *stores[JOINS_MAX];
	size_t store_n;
	struct follow *follows[JOINS_MAX];
	size_t follow_n;
	struct followed followed[JOINS_MAX];
	size_t followed_n;
};

void time_joins_free(struct time_joins *j)
{
	if (!j)
		return;
	for (size_t i = 0; i < j->store_n; i++)
		row_store_destroy(j->stores[i]);
	for (size_t i = 0; i < j->follow_n; i++)
		vtab_changelog_unfollow(j->follows[i]);
	for (size_t i = 0; i < j->followed_n; i++) {
		live_input_close(&j->followed[i].input);
		feed_table_destroy(j->followed[i].feed);
		stream_destroy(j->followed[i].stream);
	}
	free(j);
}

/* ---- reading ON ---- */

const char *from_item_alias(const struct from_item *f)
{
	return f->alias ? f->alias : f->name;
}

struct operand {
	char *table, *column;                /* table NULL = not qualified; column NULL = an expression */
	struct span span;
};

static void operand_read(const char *text, struct span s, struct operand *ret)
{
	struct lex l = {.sql = text, .len = s.to, .at = s.from};
	struct token a = lex_next_solid(&l), dot = lex_next_solid(&l), b = lex_next_solid(&l), end = lex_next_solid(&l);
	struct buf buf = BUF_INIT;
	*ret = (struct operand){.span = s};
	bool name = (a.kind == TOKEN_WORD || a.kind == TOKEN_QUOTED) && !word_is_reserved(&a);
	if (name && dot.kind == TOKEN_END) {
		token_unquote(&a, &buf);
		ret->column = buf_take(&buf);
	} else if (name && token_is_op(&dot, ".") && (b.kind == TOKEN_WORD || b.kind == TOKEN_QUOTED) && end.kind == TOKEN_END) {
		token_unquote(&a, &buf);
		ret->table = buf_take(&buf);
		token_unquote(&b, &buf);
		ret->column = buf_take(&buf);
	}
}

static void operand_free(struct operand *o)
{
	free(o->table);
	free(o->column);
}

static bool is_column_of(const struct operand *o, const char *alias, const struct stream *stream)
{
	if (!o->column)
		return false;
	if (o->table)
		return strcasecmp(o->table, alias) == 0;
	return stream && (stream_find_column(stream, o->column) >= 0);
}

/* One conjunct: left op right, with one of = == < <= > >= outside parentheses. */
static bool comparison(const char *text, struct span s, struct span *ret_left, struct span *ret_right, char ret_op[3])
{
	static const char *const ops[] = {"=", "==", "<=", ">=", "<", ">"};
	struct lex l = {.sql = text, .len = s.to, .at = s.from};
	int depth = 0;
	for (struct token t = lex_next_solid(&l); t.kind != TOKEN_END; t = lex_next_solid(&l)) {
		if (token_is_op(&t, "("))
			depth++;
		else if (token_is_op(&t, ")"))
			depth--;
		for (size_t i = 0; depth == 0 && i < sizeof ops / sizeof *ops; i++)
			if (token_is_op(&t, ops[i])) {
				*ret_left = (struct span){s.from, (size_t)(t.text - text)};
				*ret_right = (struct span){l.at, s.to};
				while (ret_left->to > ret_left->from && strchr(" \t\n", text[ret_left->to - 1]))
					ret_left->to--;
				snprintf(ret_op, 3, "%.*s", (int)t.len, t.text);
				return true;
			}
	}
	return false;
}

static void add_key(struct join_on *on, const char *column)
{
	for (size_t i = 0; i < on->key_n; i++)
		if (strcasecmp(on->keys[i], column) == 0)
			return;
	on->keys = xreallocarray(on->keys, on->key_n + 1, sizeof(char *));
	on->keys[on->key_n++] = xstrdup(column);
}

void join_on_text(const char *text, const struct select *sel, size_t item, struct buf *to)
{
	const struct from_item *f = &sel->from[item];
	struct span *names = NULL;
	size_t n = 0;
	if (!span_empty(f->on)) {
		span_add(to, text, f->on);
		return;
	}
	span_split(text, f->using_list, &names, &n);
	for (size_t i = 0; i < n; i++) {
		buf_adds(to, i ? " AND " : "");
		sql_quote_name(to, from_item_alias(&sel->from[item - 1]));
		buf_addc(to, '.');
		span_add(to, text, names[i]);
		buf_adds(to, " = ");
		sql_quote_name(to, from_item_alias(f));
		buf_addc(to, '.');
		span_add(to, text, names[i]);
	}
	free(names);
}

bool join_on_read(const char *text, const struct select *sel, size_t item, const struct stream *stream, bool want_time, struct join_on *ret, struct err *err)
{
	const struct from_item *f = &sel->from[item];
	const char *alias = from_item_alias(f);
	struct buf all = BUF_INIT, rest = BUF_INIT;
	struct span *parts = NULL;
	struct join_on on = {.keys = NULL};
	size_t n = 0;
	join_on_text(text, sel, item, &all);
	span_split_and(all.data, (struct span){0, all.len}, &parts, &n);
	for (size_t i = 0; i < n; i++) {
		struct span left, right;
		struct operand a = {0}, b = {0};
		char op[3] = "";
		bool is_time = false;
		if (comparison(all.data, parts[i], &left, &right, op)) {
			operand_read(all.data, left, &a);
			operand_read(all.data, right, &b);
			bool a_own = is_column_of(&a, alias, stream) && !(is_column_of(&b, alias, stream) && b.table), b_own = !a_own && is_column_of(&b, alias, stream);
			const struct operand *own = a_own ? &a : b_own ? &b : NULL, *other = a_own ? &b : &a;
			if (own && op[0] == '=') {
				add_key(&on, own->column);
			} else if (own && want_time && !on.time_column && ((a_own && op[0] == '<') || (b_own && op[0] == '>'))) {
				is_time = true;
				on.time_column = xstrdup(own->column);
				on.time_other = span_text(all.data, other->span);
				on.strict = op[1] == 0;
			}
		}
		if (!is_time) {
			buf_adds(&rest, rest.len ? " AND " : "");
			span_add(&rest, all.data, parts[i]);
		}
		operand_free(&a);
		operand_free(&b);
	}
	free(parts);
	on.rest = buf_take(&rest);
	buf_finish(&all);
	if (want_time && !on.time_column) {
		err_set(err, ERR_SQL, "ASOF JOIN needs a comparison of times: ON a.k = b.k AND b.ts <= a.ts, where b is \"%s\"", alias);
		err->sql_offset = (int)f->whole.from;
		join_on_finish(&on);
		return false;
	}
	*ret = on;
	return true;
}

void join_on_finish(struct join_on *on)
{
	for (size_t i = 0; i < on->key_n; i++)
		free(on->keys[i]);
	free(on->keys);
	free(on->rest);
	free(on->time_column);
	free(on->time_other);
}

/* ---- durations ---- */

static bool duration_in(const char *text, struct span s, int64_t *ret, struct err *err)
{
	struct lex l = {.sql = text, .len = s.to, .at = s.from};
	struct buf b = BUF_INIT;
	for (struct token t = lex_next_solid(&l); t.kind != TOKEN_END; t = lex_next_solid(&l)) {
		if (token_is_word(&t, "interval"))
			continue;
		if (b.len)
			buf_addc(&b, ' ');
		if (t.kind == TOKEN_STRING)
			token_unquote(&t, &b);
		else
			buf_add(&b, t.text, t.len);
	}
	bool ok = time_parse_duration(b.data, b.len, ret);
	if (!ok) {
		err_set(err, ERR_SQL, "\"%s\" is no duration", b.data);
		err_hint(err, "'250ms', '5s', '1m', '8h', '1d', or 5 SECONDS");
		err->sql_offset = (int)s.from;
	}
	buf_finish(&b);
	return ok;
}

bool within_read(const char *text, const struct from_item *f, struct within *ret, struct err *err)
{
	struct span s = f->within, *parts = NULL;
	size_t n = 0;
	struct lex l = {.sql = text, .len = s.to, .at = s.from};
	*ret = (struct within){.grace_ms = -1};
	/* WITHIN .. GRACE PERIOD .. */
	for (struct token t = lex_next_solid(&l); t.kind != TOKEN_END; t = lex_next_solid(&l))
		if (token_is_word(&t, "grace")) {
			struct lex k = l;
			lex_next_solid(&k);
			if (!duration_in(text, (struct span){k.at, f->within.to}, &ret->grace_ms, err))
				return false;
			s.to = (size_t)(t.text - text);
			while (s.to > s.from && strchr(" \t\n", text[s.to - 1]))
				s.to--;
			break;
		}
	if (text[s.from] == '(') {
		s.from++;
		s.to--;
	}
	span_split(text, s, &parts, &n);
	bool ok = n >= 1 && n <= 2 && duration_in(text, parts[0], &ret->before_ms, err) && duration_in(text, parts[n - 1], &ret->after_ms, err);
	if (!ok && err->id == ERR_NONE)
		err_set(err, ERR_SQL, "WITHIN '1h', or WITHIN ('1h', '5m') for before and after");
	free(parts);
	return ok;
}

void event_time_sql(const struct stream *s, const char *alias, struct buf *to)
{
	struct buf name = BUF_INIT;
	sql_quote_name(&name, alias);
	if (s->timestamp) {
		buf_addf(to, "weir_event_time(%s.", name.data);
		sql_quote_name(to, s->timestamp);
		buf_addc(to, ')');
	} else {
		buf_addf(to, "%s._ts", name.data);
	}
	buf_finish(&name);
}

/* ---- making stores ---- */

static bool make_store(struct session *s, struct time_joins *j, const struct buf *text, const struct from_stream *f, const char *table, const char *event_time, const struct join_on *on, bool live,
	struct row_store **ret, struct err *err)
{
	struct row_store_def def = {.source = table, .stream = f->stream, .event_time = event_time, .keys = (const char *const *)on->keys, .key_n = on->key_n, .text = text->data, .lazy = true,
		.memory_max_bytes = memory_limit()};
	if (j->store_n == JOINS_MAX)
		return err_set(err, ERR_SQL, "more than %d joins by time", JOINS_MAX);
	if (!live || !f->stream || f->stream->kind == STREAM_CHANGELOG) {
		if (!row_store_create(s, &def, ret, err))
			return false;
		j->stores[j->store_n++] = *ret;
		return true;
	}
	struct followed *w = &j->followed[j->followed_n];
	static const struct position beginning = {.kind = POSITION_BEGINNING}, never = {.kind = POSITION_NONE}, end = {.kind = POSITION_END};
	char *plain = xasprintf("weir_feed_%d", ++s->feed_n), *feed = xasprintf("temp.\"%s\"", plain);
	*w = (struct followed){.stream = stream_copy(f->stream)};
	j->followed_n++;
	bool recorded = s->catalog->provider.until.kind != POSITION_NONE;
	bool ok = feed_table_create(s->db, plain, w->stream, &w->feed, err) && live_input_open(&w->input, &s->catalog->provider, w->stream, &beginning, recorded ? &end : &never, NULL, err);
	def.source = feed;
	def.stream = w->stream;
	def.lazy = false;
	ok = ok && row_store_create(s, &def, ret, err);
	if (ok) {
		w->store = *ret;
		j->stores[j->store_n++] = *ret;
	}
	free(plain);
	free(feed);
	return ok;
}

bool time_joins_poll(struct time_joins *j, struct err *err)
{
	for (size_t i = 0; j && i < j->followed_n; i++) {
		struct followed *w = &j->followed[i];
		for (;;) {
			struct batch *b = NULL;
			size_t from = 0, to = 0;
			enum source_status status = live_input_next(&w->input, 0, &b, &from, &to, err);
			if (status == SOURCE_ERROR)
				return false;
			if (status != SOURCE_BATCH)
				break;
			feed_table_clear(w->feed);
			feed_table_add(w->feed, b, from, to);
			batch_unref(b);
			bool ok = row_store_load(w->store, NULL, NULL, err);
			feed_table_clear(w->feed);
			if (!ok || !cancel_check(&j->s->catalog->cancel, err))
				return false;
		}
	}
	return true;
}

/* ---- rewriting ---- */

struct found {
	struct select select;
	size_t item;
};

static bool find(const char *text, size_t len, bool live, struct found *ret)
{
	struct lex l = lex_begin(text, len);
	for (struct token t = lex_next_solid(&l); t.kind != TOKEN_END; t = lex_next_solid(&l)) {
		struct select sel;
		if (!token_is_word(&t, "select") || !select_parse(text, (size_t)(t.text - text), len, &sel))
			continue;
		for (size_t i = 1; i < sel.from_n; i++)
			if (sel.from[i].asof || !span_empty(sel.from[i].as_of_whole) || (!live && !span_empty(sel.from[i].within_whole))) {
				*ret = (struct found){sel, i};
				return true;
			}
		select_finish(&sel);
	}
	return false;
}

bool time_joins_in(const char *text, size_t len)
{
	struct found found;
	bool is = find(text, len, false, &found);
	if (is)
		select_finish(&found.select);
	return is;
}

static const char *join_words(const struct from_item *f)
{
	return f->join == JOIN_LEFT ? " LEFT JOIN " : f->join == JOIN_RIGHT ? " RIGHT JOIN " : f->join == JOIN_FULL ? " FULL JOIN " : " JOIN ";
}

static bool rewrite_versions(struct session *s, struct time_joins *j, struct buf *text, const struct found *found, const struct from_stream *f, struct err *err)
{
	const struct from_item *item = &found->select.from[found->item];
	struct buf sql = BUF_INIT;
	if (j->follow_n == JOINS_MAX)
		return err_set(err, ERR_SQL, "more than %d joins by time", JOINS_MAX);
	char *name = xasprintf("weir_versions_%d", ++s->feed_n);
	bool ok = vtab_changelog_versions(s->db, f->name, name, &j->follows[j->follow_n], err);
	if (ok) {
		j->follow_n++;
		buf_addf(&sql, "%stemp.\"%s\" AS ", join_words(item), name);
		sql_quote_name(&sql, from_item_alias(item));
		buf_adds(&sql, " ON ");
		sql_quote_name(&sql, from_item_alias(item));
		buf_adds(&sql, "._as_of = weir_event_time(");
		span_add(&sql, text->data, item->as_of);
		buf_adds(&sql, ") AND ");
		size_t before = sql.len;
		join_on_text(text->data, &found->select, found->item, &sql);
		if (sql.len == before)
			buf_adds(&sql, "1");
		span_replace(text, item->whole, sql.data);
	}
	free(name);
	buf_finish(&sql);
	return ok;
}

static bool rewrite_asof(struct session *s, struct time_joins *j, struct buf *text, const struct found *found, const struct from_stream *f, bool live, struct err *err)
{
	const struct from_item *item = &found->select.from[found->item];
	const char *alias = from_item_alias(item);
	struct join_on on;
	struct row_store *store = NULL;
	struct buf sql = BUF_INIT, ts = BUF_INIT, table = BUF_INIT, quoted = BUF_INIT;
	int64_t tolerance = -1;
	if (!join_on_read(text->data, &found->select, found->item, f->stream, item->asof, &on, err))
		return false;
	bool ok = span_empty(item->tolerance) || duration_in(text->data, item->tolerance, &tolerance, err);
	if (ok && item->join != JOIN_INNER && item->join != JOIN_LEFT)
		ok = err_set(err, ERR_SQL, "ASOF goes with JOIN and LEFT JOIN");
	if (on.time_column)
		sql_quote_name(&ts, on.time_column);
	else if (f->stream && f->stream->timestamp)
		sql_quote_name(&ts, f->stream->timestamp);
	else
		buf_adds(&ts, "_ts");
	sql_quote_name(&table, f->name ? f->name : item->name);
	sql_quote_name(&quoted, alias);
	char *other = on.time_other ? xstrdup(on.time_other) : span_text(text->data, item->as_of);
	ok = ok && make_store(s, j, text, f, table.data, ts.data, &on, live, &store, err);
	if (ok) {
		buf_addf(&sql, "%s%s AS %s ON %s.%s = weir_event_time(%s)", join_words(item), row_store_name(store), quoted.data, quoted.data, on.strict ? "_before" : "_asof", other);
		if (on.rest[0])
			buf_addf(&sql, " AND %s", on.rest);
		if (tolerance >= 0)
			buf_addf(&sql, " AND weir_event_time(%s) - %s._et <= %lld", other, quoted.data, (long long)tolerance);
		span_replace(text, item->whole, sql.data);
	}
	free(other);
	join_on_finish(&on);
	buf_finish(&sql);
	buf_finish(&ts);
	buf_finish(&table);
	buf_finish(&quoted);
	return ok;
}

/* Event time of an item that has one: a topic, a window over one, a store of this statement's, a subquery, WITH table or view with a column _ts. *ret false: an ordinary table. */
static bool item_time(struct session *s, const struct buf *whole, const struct select *sel, size_t item, bool *ret, struct buf *to, struct err *err)
{
	const char *text = whole->data;
	const struct from_item *f = &sel->from[item];
	struct from_stream st;
	struct buf alias = BUF_INIT;
	*ret = true;
	if (f->name && strncmp(f->name, "weir_rows_", 10) == 0) {
		sql_quote_name(to, from_item_alias(f));
		buf_adds(to, "._et");
		return true;
	}
	if (f->name && !f->schema && !f->is_call && body_named_by_with(text, whole->len, f->name)) {
		sql_quote_name(&alias, from_item_alias(f));
		buf_addf(to, "weir_event_time(%s._ts)", alias.data);
		buf_finish(&alias);
		return true;
	}
	if (!from_stream(s, text, sel, item, &st, err))
		return false;
	sql_quote_name(&alias, f->alias ? f->alias : st.is_window && st.name ? st.name : f->name ? f->name : "");
	if (st.stream && (st.is_window || st.stream->kind != STREAM_CHANGELOG)) {
		event_time_sql(st.stream, f->alias ? f->alias : st.name, to);
	} else {
		struct derived *d = NULL;
		struct err why = ERR_INIT;
		bool rows = f->is_query || st.is_window || (!st.stream && (!derived_find(s, text, sel, f->table, &d, &why) || d));
		derived_free(d);
		*ret = rows;
		buf_addf(to, "weir_event_time(%s._ts)", alias.data);
	}
	from_stream_finish(&st);
	buf_finish(&alias);
	return true;
}

/* b is kept in a store, found by key and time; what is no topic by itself is joined as it stands. */
static bool rewrite_within(struct session *s, struct time_joins *j, struct buf *text, const struct found *found, const struct from_stream *f, struct err *err)
{
	const struct from_item *item = &found->select.from[found->item];
	struct within w;
	struct join_on on;
	struct row_store *store = NULL;
	struct buf sql = BUF_INIT, ts = BUF_INIT, left_ts = BUF_INIT, own_ts = BUF_INIT, table = BUF_INIT;
	bool own = false, left = false, ok = item_time(s, text, &found->select, found->item, &own, &own_ts, err);
	for (size_t i = found->item; ok && own && !left && i > 0; i--) {
		buf_clear(&left_ts);
		ok = item_time(s, text, &found->select, i - 1, &left, &left_ts, err);
	}
	if (ok && (!own || !left))
		ok = err_set(err, ERR_SQL, "WITHIN joins two topics; with an ordinary table compare the times in ON");
	bool keep = f->stream && !f->is_window;
	ok = ok && within_read(text->data, item, &w, err) && join_on_read(text->data, &found->select, found->item, f->stream, false, &on, err);
	if (ok) {
		if (keep) {
			if (f->stream->timestamp)
				sql_quote_name(&ts, f->stream->timestamp);
			else
				buf_adds(&ts, "_ts");
			sql_quote_name(&table, f->name);
			ok = make_store(s, j, text, f, table.data, ts.data, &on, false, &store, err);
			buf_clear(&own_ts);
			sql_quote_name(&own_ts, from_item_alias(item));
			buf_adds(&own_ts, "._et");
		}
		if (ok) {
			buf_adds(&sql, join_words(item));
			if (keep) {
				buf_addf(&sql, "%s AS ", row_store_name(store));
				sql_quote_name(&sql, from_item_alias(item));
			} else {
				span_add(&sql, text->data, (struct span){item->table.from, item->alias ? item->alias_span.to : item->table.to});
			}
			buf_addf(&sql, " ON %s BETWEEN %s - %lld AND %s + %lld", own_ts.data, left_ts.data, (long long)w.before_ms, left_ts.data, (long long)w.after_ms);
			if (on.rest[0])
				buf_addf(&sql, " AND %s", on.rest);
			buf_addc(&sql, ' ');
			span_replace(text, item->whole, sql.data);
		}
		join_on_finish(&on);
	}
	buf_finish(&sql);
	buf_finish(&ts);
	buf_finish(&left_ts);
	buf_finish(&own_ts);
	buf_finish(&table);
	return ok;
}

static bool rewrite_one(struct session *s, struct time_joins *j, struct buf *text, const struct found *found, bool live, struct err *err)
{
	const struct from_item *item = &found->select.from[found->item];
	struct from_stream f;
	if (span_empty(item->within_whole) && (item->is_query || item->is_call || !item->name)) {
		err_set(err, ERR_NOT_BUILT, "ASOF and FOR SYSTEM_TIME AS OF with a subquery or a table function is not built yet");
		err->sql_offset = (int)item->table.from;
		return false;
	}
	bool of_with = item->name && !item->schema && body_named_by_with(text->data, text->len, item->name);
	if (of_with)
		f = (struct from_stream){.table = item->table};
	else if (!from_stream(s, text->data, &found->select, found->item, &f, err))
		return false;
	bool ok;
	if (!span_empty(item->as_of_whole) && f.stream && f.stream->kind == STREAM_CHANGELOG)
		ok = rewrite_versions(s, j, text, found, &f, err);
	else if (item->asof || !span_empty(item->as_of_whole))
		ok = rewrite_asof(s, j, text, found, &f, live, err);
	else
		ok = rewrite_within(s, j, text, found, &f, err);
	from_stream_finish(&f);
	return ok;
}

bool time_joins_rewrite(struct session *s, struct buf *io_text, bool live, bool *ret_changed, struct time_joins **ret, struct err *err)
{
	struct time_joins *j = xcalloc(1, sizeof *j);
	struct found found;
	bool ok = true;
	j->s = s;
	*ret_changed = false;
	*ret = NULL;
	while (ok && find(io_text->data, io_text->len, live, &found)) {
		ok = rewrite_one(s, j, io_text, &found, live, err);
		select_finish(&found.select);
		if (ok)
			*ret_changed = true;
		else if (*ret_changed)
			err->sql_offset = -1;
	}
	if (!ok || !*ret_changed) {
		time_joins_free(j);
		return ok;
	}
	*ret = j;
	return true;
}
