/* A cursor: xFilter turns the plan into ranges and opens what the rows come from; xNext walks records, and the rows inside a record. Every
 * wait is at most 100 ms and polls the cancel flag, because SQLite does not call its progress handler inside xFilter and xNext. */
#include "vtab/cursor.h"

#include <stdlib.h>
#include "core/alloc.h"
#include "core/time.h"

enum {
	POLL_MS = 100,
	CANCEL_EVERY_ROWS = 4096,            /* rows between two looks at the cancel flag while batches are at hand */
	SLOW_SCAN_MS = 1000,                 /* from here on a notice says how to make it faster */
};

/* ---- opening and closing ---- */

int cursor_open(sqlite3_vtab *base, sqlite3_vtab_cursor **ret)
{
	struct table *t = (struct table *)base;
	struct cursor *c = xcalloc(1, sizeof *c);
	module_enter_statement(t->module);
	t->module->open_cursor_n++;
	c->table = t;
	c->id = ++t->module->cursor_id;
	c->eof = true;
	c->held = HELD_NONE;
	c->next = t->module->cursors;
	c->prev = &t->module->cursors;
	if (c->next)
		c->next->prev = &c->next;
	t->module->cursors = c;
	*ret = &c->base;
	return SQLITE_OK;
}

static void close_source(struct cursor *c)
{
	if (c->source) {
		stats_add(c->table->module->provider, c->source, &c->seen);
		source_destroy(c->source);
	}
	c->source = NULL;
	c->seen = (struct scan_stats){0};
}

/* Ends the running scan; what is kept for the next xFilter (decoder, held batches) stays. */
static void scan_close(struct cursor *c)
{
	if (c->record && c->decoded) {
		struct err ignored = ERR_INIT;
		cursor_count_errors(c, &ignored);
	}
	close_source(c);
	if (c->producer == PRODUCE_ORDERED)
		order_finish(&c->merge);
	if (c->producer == PRODUCE_CHANGELOG) {
		changelog_unref(c->changelog);
		c->changelog = NULL;
	}
	if (c->producer == PRODUCE_SOURCE)
		batch_unref(c->batch);
	c->batch = NULL;
	c->record = NULL;
	c->row = c->row_n = 0;
	c->decoded = false;
	c->producer = PRODUCE_NOTHING;
	if (c->scanning) {
		scan_finish(&c->scan);
		plan_finish(&c->plan);
	}
	c->scanning = false;
	c->eof = true;
}

/* The next cursor goes on with this one's decoder: of tables that a live query's statement reads again and again. */
static void leave_decoder(struct cursor *c)
{
	struct table *t = c->table;
	if ((!t->feed && t->stream->kind != STREAM_CHANGELOG) || !c->decoder)
		return;
	struct spare_decoder *to = &t->spares[SPARE_DECODER_N - 1];
	for (size_t i = 0; i < SPARE_DECODER_N; i++) {
		if (!t->spares[i].decoder) {
			to = &t->spares[i];
			break;
		}
	}
	decoder_destroy(to->decoder);
	free(to->wanted);
	*to = (struct spare_decoder){c->decoder, c->wanted, c->decoder_id, c->path_n};
	c->decoder = NULL;
	c->wanted = NULL;
}

/* One for the same columns. True: c->decoder is it. */
static bool take_spare_decoder(struct cursor *c)
{
	struct table *t = c->table;
	for (size_t i = 0; i < SPARE_DECODER_N; i++) {
		struct spare_decoder *s = &t->spares[i];
		if (!s->decoder || memcmp(s->wanted, c->wanted, t->stream->column_n * sizeof *c->wanted) != 0)
			continue;
		decoder_destroy(c->decoder);
		free(c->wanted);
		c->decoder = s->decoder;
		c->wanted = s->wanted;
		c->decoder_id = s->id;
		c->path_n = s->path_n;
		c->path_kept = s->path_n;
		*s = (struct spare_decoder){0};
		return true;
	}
	return false;
}

int cursor_close(sqlite3_vtab_cursor *base)
{
	struct cursor *c = (struct cursor *)base;
	scan_close(c);
	leave_decoder(c);
	if (c->held.ranges) {
		held_clear(&c->table->held);
		c->table->held = c->held;
	}
	decoder_destroy(c->decoder);
	free(c->wanted);
	*c->prev = c->next;
	if (c->next)
		c->next->prev = c->prev;
	c->table->module->open_cursor_n--;
	free(c);
	return SQLITE_OK;
}

/* ---- what the query touches ---- */

static bool column_used(uint64_t col_used, int column)
{
	return col_used >> (column < 63 ? column : 63) & 1;
}

/* Compiles the decoder for the columns that the query touches; keeps the old one if they are the same. */
static bool prepare_columns(struct cursor *c, struct err *err)
{
	struct table *t = c->table;
	const struct stream *s = t->stream;
	uint64_t used = c->plan.col_used;
	bool same = c->wanted != NULL;
	bool payload = t->multi_row || column_used(used, HIDDEN_ERROR);
	bool key = column_used(used, HIDDEN_KEY), value = column_used(used, HIDDEN_VALUE) || column_used(used, HIDDEN_SCHEMA_ID);
	bool headers = column_used(used, HIDDEN_HEADERS);
	if (!c->wanted)
		c->wanted = xcalloc(s->column_n, sizeof *c->wanted);
	for (size_t i = 0; i < s->column_n; i++) {
		/* The error text of a row is about all of its columns. */
		bool wanted = column_used(used, (int)i + HIDDEN_N) || column_used(used, HIDDEN_ERROR);
		same = same && c->wanted[i] == wanted;
		c->wanted[i] = wanted;
		payload = payload || wanted;
		if (wanted) {
			key = key || s->columns[i].origin == COLUMN_FROM_KEY;
			value = value || s->columns[i].origin == COLUMN_FROM_VALUE;
			headers = headers || s->columns[i].origin == COLUMN_FROM_HEADER;
		}
	}
	/* Paths of expressions on _value join the decoder later, as they are met. */
	payload = payload || column_used(used, HIDDEN_VALUE);
	value = value || t->multi_row || column_used(used, HIDDEN_ERROR);
	key = key || c->scan.keyed || s->kind == STREAM_CHANGELOG;
	if (s->kind == STREAM_CHANGELOG)
		value = headers = true;
	c->need = (key ? SCAN_NEED_KEY : 0u) | (value ? SCAN_NEED_VALUE : 0u) | (headers ? SCAN_NEED_HEADERS : 0u);
	c->payload = payload;
	if (!payload || (same && c->decoder) || take_spare_decoder(c))
		return true;
	decoder_destroy(c->decoder);
	c->decoder = decoder_create(s, c->wanted, err);
	c->decoder_id = ++t->module->cursor_id;
	c->path_n = 0;
	c->path_kept = 0;
	return c->decoder != NULL;
}

/* ---- producers ---- */

static void set_record(struct cursor *c, const struct record *r, int32_t partition)
{
	c->record = r;
	c->partition = partition;
	c->row = 0;
	c->row_n = 1;
	if (c->payload) {
		c->load_n++;
		c->row_n = decoder_load(c->decoder, r);
	}
}

bool cursor_widen(struct cursor *c, struct err *err)
{
	if (!(c->need & SCAN_NEED_VALUE))
		return err_set(err, ERR_INTERNAL, "a column of %s is read that the query did not name", c->table->stream->topic);
	for (size_t i = 0; i < c->table->stream->column_n; i++)
		c->wanted[i] = true;
	struct decoder *wide = decoder_create(c->table->stream, c->wanted, err);
	if (!wide)
		return false;
	decoder_destroy(c->decoder);
	c->decoder = wide;
	c->decoder_id = ++c->table->module->cursor_id;
	c->path_n = 0;
	c->path_kept = 0;
	c->payload = true;
	size_t row = c->row;
	set_record(c, c->record, c->partition);
	c->row = row;
	return true;
}

static bool next_batch(struct cursor *c, struct err *err)
{
	struct provider *p = c->table->module->provider;
	c->record_i = 0;
	if (c->producer == PRODUCE_HELD) {
		c->batch = c->held_i < c->held.batch_n ? c->held.batches[c->held_i++] : NULL;
		return cancel_check(p->cancel, err);
	}
	batch_unref(c->batch);
	c->batch = NULL;
	for (;;) {
		struct batch *b = NULL;
		enum source_status status = source_next(c->source, POLL_MS, &b, err);
		stats_add(p, c->source, &c->seen);
		switch (status) {
		case SOURCE_BATCH:
			c->batch = b;
			return true;
		case SOURCE_IDLE:
			if (!cancel_check(p->cancel, err))
				return false;
			break;
		case SOURCE_END:
			return true;
		case SOURCE_ERROR:
			return false;
		}
	}
}

/* Moves to the next record of the producer; c->record = NULL at the end. */
static bool next_record(struct cursor *c, struct err *err)
{
	switch (c->producer) {
	case PRODUCE_SOURCE:
	case PRODUCE_HELD:
		if (c->indexed) {
			c->held_row = held_find(&c->held, c->scan.equal_hash, c->held_row);
			c->record = NULL;
			if (c->held_row) {
				struct batch *b = c->held.batches[c->held_row->batch];
				c->record = &b->records[c->held_row->record];
				c->partition = b->partition;
			} else {
				c->held_i = c->held.batch_n;
			}
			return true;
		}
		if (!c->batch || c->record_i == c->batch->record_n) {
			if (!next_batch(c, err))
				return false;
			if (!c->batch) {
				c->record = NULL;
				return true;
			}
		}
		c->record = &c->batch->records[c->record_i++];
		c->partition = c->batch->partition;
		return true;
	case PRODUCE_ORDERED: {
		const struct record *r = NULL;
		if (!order_next(&c->merge, &c->batch, &r, err))
			return false;
		c->record = r;
		if (r)
			c->partition = c->batch->partition;
		return true;
	}
	case PRODUCE_CHANGELOG: {
		bool any = false;
		while (!any && c->changelog_i < c->changelog_end) {
			c->changelog_row = c->changelog_i++;
			any = !c->table->versions || changelog_valid(c->changelog, c->changelog_row, c->scan.as_of_ms, &c->changelog_row);
		}
		const struct changelog_row *row = any ? changelog_at(c->changelog, c->changelog_row) : NULL;
		c->record = row ? &row->record : NULL;
		if (row)
			c->partition = row->partition;
		return true;
	}
	case PRODUCE_FEED:
		feed_table_next(c->table->feed, &c->feed_at, &c->batch, &c->record);
		if (c->record)
			c->partition = c->batch->partition;
		return true;
	case PRODUCE_NOTHING:
		break;
	}
	c->record = NULL;
	return true;
}

bool cursor_first_time(struct cursor *c)
{
	if (c->producer == PRODUCE_FEED)
		return feed_table_first_time(c->table->feed, c->feed_at.n, c->row);
	if (c->producer == PRODUCE_CHANGELOG)
		return changelog_first_time(c->changelog, c->changelog_row);
	return !c->again;
}

/* Row checks that we claimed, and those that save the decoding. */
static bool row_passes(struct cursor *c)
{
	const struct record *r = c->record;
	const struct scan *s = &c->scan;
	static const struct interval plain_years = {-62167219200000, 253402300799999};
	if (s->ts_given && (r->ts_ms == TIME_NONE || !interval_has(s->ts, r->ts_ms)))
		return false;
	if (s->time_given && (r->ts_ms == TIME_NONE || (interval_has(plain_years, r->ts_ms) && !interval_has(s->time_ts, r->ts_ms))))
		return false;
	if (s->keyed && !scan_key_matches(s, record_key(r)))
		return false;
	if (c->filter_rows && !prefilter_keep((void *)&s->prefilter, record_key(r), record_value(r)))
		return false;
	return true;
}

/* Comparisons of numeric columns of the loaded record. */
static bool numbers_pass(struct cursor *c)
{
	if (!c->payload || c->row_n != 1)
		return true;
	for (size_t i = 0; i < c->scan.numbers.term_n; i++) {
		const struct number_term *term = &c->scan.numbers.terms[i];
		struct field f;
		decoder_field(c->decoder, 0, term->column, &f);
		c->decoded = true;
		if (!number_term_keeps(term, &f))
			return false;
	}
	return true;
}

static void report_too_large(struct cursor *c)
{
	struct provider *p = c->table->module->provider;
	const struct record *r = c->record;
	c->row = 0;
	if (!cursor_first_time(c))
		return;
	p->stats.too_large_n++;              /* rows, not what was only sampled */
	if (!p->impl->bad_message)
		return;
	char text[96];
	sqlite3_snprintf(sizeof text, text, "a message of %u bytes is larger than allowed", r->size);
	struct bad_message bad = {
		.cluster = c->table->stream->cluster, .topic = c->table->stream->topic, .partition = c->partition, .offset = r->offset, .ts_ms = r->ts_ms, .stage = "size", .text = text, .sample = record_value(r),
	};
	p->impl->bad_message(p, &bad);
}

/* Where the upper bound of _ts did not stop a scan and that took long, say what would. */
static void notice_slow(struct cursor *c)
{
	if (!c->scan.read_past_upper || time_mono_ms() - c->started_mono_ms < SLOW_SCAN_MS)
		return;
	notice(c->table->module, NOTICE_INFO, "%s: the upper bound of _ts was checked on every row up to the end of the topic, because producers set the times; SET time_slack = '10m' stops 10 minutes after it",
		c->table->stream->topic);
}

static void stand(const struct cursor *c)
{
	if (c->producer == PRODUCE_FEED)
		feed_table_stand(c->table->feed, c->feed_at.n - 1, c->row);
}

static bool advance(struct cursor *c, struct err *err)
{
	struct provider *p = c->table->module->provider;
	if (c->decoded && !cursor_count_errors(c, err))
		return false;
	if (c->record && c->row + 1 < c->row_n) {
		c->row++;
		stand(c);
		p->stats.row_n++;
		return true;
	}
	for (;;) {
		if (++c->row_tick % CANCEL_EVERY_ROWS == 0 && !cancel_check(p->cancel, err))
			return false;
		if (!next_record(c, err))
			return false;
		if (!c->record) {
			c->eof = true;
			notice_slow(c);
			return true;
		}
		if (c->check_rows && !row_passes(c)) {
			p->stats.outside_n++;
			continue;
		}
		if (c->record->too_large) {
			report_too_large(c);
			if (p->strict)
				return err_set(err, ERR_TOO_LARGE, "%s partition %d offset %lld: a message of %u bytes", c->table->stream->topic, c->partition, (long long)c->record->offset, c->record->size);
		}
		set_record(c, c->record, c->partition);
		if (c->scan.numbers.term_n == 0 || numbers_pass(c))
			break;
		if (!cursor_count_errors(c, err))
			return false;
	}
	stand(c);
	p->stats.row_n++;
	return true;
}

/* ---- xFilter ---- */

static bool is_ordered(const struct plan_order *o)
{
	return o->ts || o->offset < 0 || o->partition < 0 || (o->offset && !o->partition);
}

/* The same scan a second time: this cursor is the inner table of a join. Reads all of it into memory, without the byte filter, since the next
 * value is another one. If it is too big, held.complete stays false. */
static bool hold_all(struct cursor *c, const struct scan_request *request, struct err *err)
{
	struct provider *p = c->table->module->provider;
	struct scan_request all = *request;
	struct source *source = NULL;
	struct scan_stats seen = {0};
	all.filter = (struct scan_filter){0};
	all.row_hint = 0;
	if (prefilter_reads_key(&c->scan.prefilter))
		all.need |= SCAN_NEED_KEY;
	if (prefilter_reads_value(&c->scan.prefilter))
		all.need |= SCAN_NEED_VALUE;
	if (!scan_open(c->table->module, c->table->stream->cluster, &all, &source, err))
		return false;
	c->held.need = all.need;
	enum source_status status = SOURCE_IDLE;
	while (status == SOURCE_IDLE || status == SOURCE_BATCH) {
		struct batch *b = NULL;
		status = source_next(source, POLL_MS, &b, err);
		stats_add(p, source, &seen);
		bool fits = status != SOURCE_BATCH || held_add(&c->held, b);
		batch_unref(b);
		if (!fits)
			break;
		if (status != SOURCE_ERROR && !cancel_check(p->cancel, err))
			status = SOURCE_ERROR;
	}
	c->held.complete = status == SOURCE_END;
	source_destroy(source);
	if (status == SOURCE_ERROR)
		held_clear(&c->held);
	return status != SOURCE_ERROR;
}

static void produce_held(struct cursor *c)
{
	const struct scan *s = &c->scan;
	c->producer = PRODUCE_HELD;
	c->held_i = 0;
	c->again = true;
	c->filter_rows = s->prefilter.term_n > 0;
	c->check_rows = c->check_rows || c->filter_rows;
	c->held_row = NULL;
	c->indexed = s->equal && !c->table->multi_row && (s->equal_column == HIDDEN_KEY || c->payload);
	if (c->indexed && c->held.index_column != s->equal_column)
		held_index(&c->held, s->equal_column, c->decoder, s->equal_column == HIDDEN_KEY ? -1 : (int)payload_column(s->equal_column));
}

static bool open_producer(struct cursor *c, struct err *err)
{
	struct table *t = c->table;
	struct provider *p = t->module->provider;
	struct scan *s = &c->scan;
	if (s->range_n == 0)
		return true;
	struct scan_request request = {
		.topic = t->stream->topic, .ranges = s->ranges, .range_n = s->range_n, .need = c->need,
		.order = s->order.partition > 0 ? SCAN_ORDER_PARTITION_OFFSET : SCAN_ORDER_ANY,
		.row_hint = s->row_hint, .max_message_bytes = p->max_message_bytes, .gap_policy = p->gap_policy, .cancel = p->cancel,
	};
	if (s->prefilter.term_n)
		request.filter = (struct scan_filter){.keep = prefilter_keep, .arg = &s->prefilter};
	bool ordered = is_ordered(&s->order);
	/* One partition, rising: the source's own order will do. */
	if (ordered && s->range_n == 1 && !s->order.ts && s->order.offset > 0)
		ordered = false;
	if (ordered && s->range_n == 1 && s->order.ts > 0)
		ordered = false;
	if (ordered) {
		order_init(&c->merge, t->module, t->stream->cluster, &request, s->order, s->row_hint);
		c->producer = PRODUCE_ORDERED;
		return true;
	}
	/* Not at xOpen: SQLite opens the next cursor before it closes the last one. */
	if (!c->held.ranges) {
		c->held = t->held;
		t->held = HELD_NONE;
	}
	if (held_matches(&c->held, s->ranges, s->range_n) && (c->held.need & c->need) == c->need) {
		if (!c->held.complete && !c->held.too_big && !hold_all(c, &request, err))
			return false;
		if (c->held.complete) {
			produce_held(c);
			return true;
		}
	} else {
		held_start(&c->held, s->ranges, s->range_n, c->need);
	}
	if (!scan_open(t->module, t->stream->cluster, &request, &c->source, err))
		return false;
	c->producer = PRODUCE_SOURCE;
	return true;
}

static bool start_scan(struct cursor *c, int argc, sqlite3_value **argv, struct err *err)
{
	struct table *t = c->table;
	struct module *m = t->module;
	if (!scan_init(&c->scan, t, &c->plan, argc, argv, m->plans != NULL, err)) {
		plan_finish(&c->plan);
		return false;
	}
	c->scanning = true;
	if (!prepare_columns(c, err))
		return false;
	c->filter_rows = false;
	c->indexed = false;
	c->again = false;
	c->check_rows = c->scan.ts_given || c->scan.time_given || c->scan.keyed;
	if (t->versions && m->plans)
		return true;
	if (t->feed) {
		if (m->plans || c->scan.nothing)
			return true;
		c->producer = PRODUCE_FEED;
		c->feed_at = (struct feed_place){0};
		c->filter_rows = c->scan.prefilter.term_n > 0;
		c->check_rows = c->check_rows || c->filter_rows;
		return true;
	}
	if (m->plans)
		return scan_ranges(&c->scan, t, err) && scan_explain(&c->scan, t, m->plans, err);
	if (c->scan.nothing)
		return true;
	if (t->stream->kind == STREAM_CHANGELOG) {
		c->producer = PRODUCE_CHANGELOG;
		return changelog_open(t, &c->scan, &c->changelog, &c->changelog_i, &c->changelog_end, err);
	}
	return scan_ranges(&c->scan, t, err) && open_producer(c, err);
}

static bool drain_into(struct cursor *c, struct row_sink *sink, struct err *err)
{
	while (!c->eof)
		if (!sink_row(sink, c, err) || !advance(c, err))
			return false;
	return true;
}

int cursor_filter(sqlite3_vtab_cursor *base, int number, const char *text, int argc, sqlite3_value **argv)
{
	struct cursor *c = (struct cursor *)base;
	struct err err = ERR_INIT;
	struct row_sink *sink = c->table->module->sink;
	c->table->module->sink = NULL;
	module_enter_statement(c->table->module);
	scan_close(c);
	plan_parse(number, text, &c->plan);
	c->eof = false;
	c->started_mono_ms = time_mono_ms();
	if (start_scan(c, argc, argv, &err)) {
		if (c->producer == PRODUCE_NOTHING) {
			c->eof = true;
			return SQLITE_OK;
		}
		if (advance(c, &err) && (!sink || !sink_fits(sink, c->table) || drain_into(c, sink, &err)))
			return SQLITE_OK;
	}
	c->eof = true;
	return table_fail(c->table, &err);
}

int cursor_next(sqlite3_vtab_cursor *base)
{
	struct cursor *c = (struct cursor *)base;
	struct err err = ERR_INIT;
	if (advance(c, &err))
		return SQLITE_OK;
	c->eof = true;
	return table_fail(c->table, &err);
}

int cursor_eof(sqlite3_vtab_cursor *base)
{
	return ((struct cursor *)base)->eof;
}
