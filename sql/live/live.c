/* sql/live/live.h: the steps. */
#include <stdlib.h>
#include "core/alloc.h"
#include "sql/aggregate/aggregate_sqlite.h"
#include "sql/live/live_impl.h"
#include "sql/live/live_join.h"
#include "vtab/sink.h"

enum { FRAME_MS = 100 };

static bool create(struct session *s, const char *text, size_t len, size_t emit_at, bool view, struct live **ret, struct err *err)
{
	struct live *l = xcalloc(1, sizeof *l);
	l->s = s;
	l->text = xstrndup(text, len);
	buf_init(&l->sql);
	l->watermark.value_ms = TIME_NONE;
	l->emit.limit = -1;
	l->view = view;
	l->frame_interval_ms = FRAME_MS;
	l->started_mono_ms = time_mono_ms();
	if (!live_plan(l, emit_at, err)) {
		live_destroy(l);
		return false;
	}
	if (l->input)
		l->values = xcalloc((size_t)group_table_plan(l->groups)->input_column_n + 3, sizeof *l->values);
	*ret = l;
	return true;
}

static void tell_late(struct live *l);

bool live_create(struct session *s, const char *text, size_t len, size_t emit_at, struct live **ret, struct err *err)
{
	return create(s, text, len, emit_at, false, ret, err);
}

bool live_create_view(struct session *s, const char *text, size_t len, size_t emit_at, struct live **ret, struct err *err)
{
	return create(s, text, len, emit_at, true, ret, err);
}

void live_destroy(struct live *l)
{
	if (!l)
		return;
	if (l->opened)
		tell_late(l);
	if (!l->join || l->groups)
		sqlite3_finalize(l->output);         /* a join owns the statements of its phases */
	pane_destroy(l->pane);
	live_join_destroy(l->join);
	joined_free(l->joined);
	group_table_destroy(l->groups);
	for (size_t i = 0; i < l->stream_n; i++) {
		struct live_stream *st = &l->streams[i];
		sqlite3_finalize(st->times);
		live_input_close(&st->input);
		feed_table_destroy(st->feed);
		stream_destroy(st->stream);
		free(st->alias);
		free(st->feed_name);
		free(st->table_sql);
		free(st->places_sql);
		derived_free(st->derived);
		free(st->event_time);
	}
	for (size_t i = 0; i < l->follow_n; i++)
		vtab_changelog_unfollow(l->follows[i]);
	time_joins_free(l->joins);
	outer_finish(&l->outer);
	watermark_finish(&l->watermark);
	emit_finish(&l->emit);
	free(l->streams);
	free(l->follows);
	free(l->values);
	free(l->pieces);
	free(l->times);
	free(l->late);
	free(l->text);
	buf_finish(&l->sql);
	free(l);
}

sqlite3_stmt *live_stmt(struct live *l)
{
	return l->output;
}

const char *live_sql(const struct live *l)
{
	return l->sql.data;
}

bool live_set_frames(struct live *l, bool on, int interval_ms)
{
	if (l->strategy != LIVE_INCREMENTAL || l->emit.kind != EMIT_CHANGES)
		return false;
	l->frames = on;
	if (interval_ms > 0)
		l->frame_interval_ms = interval_ms;
	return true;
}

/* ---- the steps ---- */

static bool sqlite_failed(struct live *l, int rc, struct err *err)
{
	return session_sqlite_error(l->s, rc, -1, err);
}

/* Something may be ready: starts giving it out. */
static bool start_output(struct live *l, struct err *err)
{
	if (l->pane)
		return pane_next(l, &l->output_running, err);
	l->output_running = group_op_ready_n(group_table_op(l->groups)) > 0;
	return true;
}

/* How far the operator's rows have come. */
static int64_t groups_watermark(struct live *l)
{
	return l->join ? live_join_watermark(l->join) : live_watermark(l);
}

/* After a row or a chunk of the input. */
static bool give_changes(struct live *l, struct err *err)
{
	struct group_op *op = group_table_op(l->groups);
	if (l->view || l->emit.kind != EMIT_CHANGES || !group_op_has_changed(op))
		return true;
	if (l->frames) {
		l->frame_due = true;
		return true;
	}
	group_op_take_changed(op);
	return start_output(l, err);
}

/* l->values are the row's. */
static bool take_values(struct live *l, struct err *err)
{
	struct group_op *op = group_table_op(l->groups);
	struct agg_at at = {.ts_ms = TIME_NONE};
	const struct watermark_part *part = NULL;
	if (l->join)
		return group_op_row(op, l->values, NULL, NULL, err) && give_changes(l, err);
	size_t n = 0, row = 0;
	feed_table_current(l->streams[0].feed, &n, &row);
	const struct chunk_time *place = live_times_before(l, n, row);
	if (!place)
		return err_set(err, ERR_INTERNAL, "a row of the chunk was not found in it");
	at = (struct agg_at){place->ts_ms, place->offset, place->partition, (int32_t)row};
	if (l->windowed)
		part = watermark_part(&l->watermark, 0, at.partition, 0);
	if (l->pane && !pane_row(l, place, err))
		return false;
	return group_op_row(op, l->values, &at, part, err) && (l->pane || give_changes(l, err));
}

static void run_phase(struct live *l, sqlite3_stmt *stmt)
{
	l->phase = stmt;
	if (l->strategy == LIVE_STATELESS) {
		l->output = stmt;
		l->output_running = true;
	} else {
		l->input = stmt;
		l->input_running = true;
	}
}

/* The chunk's input is used up. */
static bool end_chunk(struct live *l, struct err *err)
{
	if (l->join) {
		sqlite3_stmt *next = NULL;
		if (!live_join_next(l, &next, err))
			return false;
		if (next) {
			run_phase(l, next);
			return true;
		}
		l->phase = NULL;
		if (!l->chunk_loaded && !l->windowed)
			return true;             /* the last rows without a partner, or those that silence brought */
	}
	live_unload_chunk(l);
	if (l->strategy == LIVE_STATELESS)
		return true;
	int64_t watermark_ms = groups_watermark(l);
	if (watermark_ms == WATERMARK_END)
		return true;                 /* the end is told once, when all is read */
	return group_op_advance(group_table_op(l->groups), watermark_ms, l->watermark.by_idle, err) && give_changes(l, err) && (l->output_running || start_output(l, err));
}

static bool take_input_row(struct live *l, struct err *err)
{
	agg_from_row(l->input, l->values, sqlite3_column_count(l->input));
	return take_values(l, err);
}

static bool take_fields(void *arg, const struct field *fields, struct err *err)
{
	struct live *l = arg;
	agg_from_fields(fields, l->values, group_table_sink(l->groups)->n);
	return take_values(l, err);
}

/* The rows of a chunk in one go, where none of them can ask for output before the next. */
static bool sink_input(struct live *l)
{
	struct row_sink *sink = l->groups && !l->join && !l->pane && (l->view || l->frames || l->emit.kind != EMIT_CHANGES) ? group_table_sink(l->groups) : NULL;
	if (!sink)
		return false;
	sink->row = take_fields;
	sink->arg = l;
	row_sink_next(l->s->db, sink);
	return true;
}

static bool every_due(struct live *l)
{
	return l->emit.kind == EMIT_EVERY && group_op_has_changed(group_table_op(l->groups)) && time_mono_ms() >= l->next_every_ms;
}

/* Never lost unseen: once, at the end or when the query is stopped. */
static void tell_late(struct live *l)
{
	int64_t skewed = 0;
	for (size_t i = 0; i < l->watermark.part_n; i++)
		skewed += l->watermark.parts[i].skewed_n;
	if (l->late_total_n && !l->late_told && !l->view) {
		char grace[TIME_TEXT_MAX];
		time_format_duration(l->emit.grace_ms, grace);
		catalog_notice(l->s->catalog, NOTICE_WARNING, "%lld row%s came after %s window had closed (GRACE %s) and %s not in the result; a longer GRACE takes them in", (long long)l->late_total_n,
			l->late_total_n == 1 ? "" : "s", l->late_total_n == 1 ? "its" : "their", grace, l->late_total_n == 1 ? "is" : "are");
	}
	if (skewed && !l->late_told && !l->view)
		catalog_notice(l->s->catalog, NOTICE_WARNING, "%lld row%s dated more than an hour ahead of the clock did not move the watermark", (long long)skewed, skewed == 1 ? "" : "s");
	l->late_told = true;
}

enum { HELD_MS = 20 };                       /* at most this long under steady input */

/* Nothing is loaded and nothing is being given out. True: go on; *ret says what to tell if not. */
static bool between_chunks(struct live *l, int wait_ms, bool *ret_tell, enum live_step *ret, struct err *err)
{
	bool loaded = false;
	struct group_op *op = l->groups ? group_table_op(l->groups) : NULL;
	*ret_tell = false;
	if (op && every_due(l)) {
		l->next_every_ms = time_mono_ms() + l->emit.every_ms;
		group_op_take_changed(op);
		return start_output(l, err);
	}
	if (l->frame_due && time_mono_ms() >= l->next_frame_ms) {
		l->next_frame_ms = time_mono_ms() + l->frame_interval_ms;
		l->frame_due = false;
		l->frame_open = true;
		group_op_take_changed(op);
		group_op_clear(op);
		group_op_take_all(op);
		l->output_running = true;
		*ret_tell = true;
		*ret = LIVE_FRAME;
		return true;
	}
	if (l->ended && (!l->join || l->join_ended)) {
		if (l->flushed) {
			tell_late(l);
			*ret_tell = true;
			*ret = LIVE_END;
			return true;
		}
		l->flushed = true;
		if (!op)
			return true;
		if (l->emit.kind == EMIT_EVERY)
			group_op_take_changed(op);
		if (l->frames) {
			l->frame_due = true;
			l->next_frame_ms = 0;
			return true;
		}
		if (l->emit.kind == EMIT_CHANGES && !l->windowed)
			return true;                 /* each change was given out when it came */
		return (l->emit.kind == EMIT_EVERY && !l->windowed ? true : group_op_advance(op, WATERMARK_END, false, err)) && give_changes(l, err) && (l->output_running || start_output(l, err));
	}
	/* Rows that the caller may hold back are told before any waiting, and under steady input from time to time. */
	bool held = l->row_out_n != l->row_idle_n;
	if (held && time_mono_ms() >= l->idle_mono_ms + HELD_MS) {
		*ret_tell = true;
		*ret = LIVE_IDLE;
		return cancel_check(&l->s->catalog->cancel, err);
	}
	if (!live_load_chunk(l, held ? 0 : wait_ms, &loaded, err))
		return false;
	if (loaded && l->join)
		return end_chunk(l, err);            /* begins the phases */
	if (loaded) {
		l->input_running = l->strategy != LIVE_STATELESS;
		l->output_running = l->strategy == LIVE_STATELESS;
		return true;
	}
	if (l->ended && l->join && !l->join_ended) {
		l->join_ended = true;
		return end_chunk(l, err);
	}
	if (l->ended)
		return true;
	if (l->join && live_watermark(l) != l->join_watermark_ms) {
		l->join_watermark_ms = l->watermark.value_ms;
		if (!end_chunk(l, err) || l->phase)
			return l->phase != NULL;
	}
	if (op && l->windowed) {
		if (!group_op_advance(op, groups_watermark(l), l->watermark.by_idle, err) || !give_changes(l, err) || (!l->output_running && !start_output(l, err)))
			return false;
		if (l->output_running || l->frame_due)
			return true;
	}
	*ret_tell = true;
	*ret = LIVE_IDLE;
	return cancel_check(&l->s->catalog->cancel, err);
}

static bool finish_output(struct live *l, struct err *err)
{
	sqlite3_reset(l->output);
	l->output_running = false;
	if (l->strategy == LIVE_STATELESS)
		return end_chunk(l, err);
	if (l->pane)
		return start_output(l, err);
	group_op_clear(group_table_op(l->groups));
	return true;
}

bool live_open(struct live *l, struct err *err)
{
	if (l->opened)
		return true;
	l->opened = true;
	l->next_every_ms = time_mono_ms() + l->emit.every_ms;
	return live_open_inputs(l, err);
}

static enum live_step idle(struct live *l)
{
	l->row_idle_n = l->row_out_n;
	l->idle_mono_ms = time_mono_ms();
	return LIVE_IDLE;
}

enum live_step live_step(struct live *l, int wait_ms, struct err *err)
{
	enum live_step tell = LIVE_IDLE;
	bool told = false;
	int rc;
	if (!live_open(l, err))
		return LIVE_FAILED;
	if (l->emit.limit >= 0 && l->row_out_n >= l->emit.limit)
		return LIVE_END;
	for (;;) {
		if (l->output_running) {
			rc = sqlite3_step(l->output);
			if (rc == SQLITE_ROW) {
				l->row_out_n++;
				return LIVE_ROW;
			}
			if (rc != SQLITE_DONE)
				return sqlite_failed(l, rc, err), LIVE_FAILED;
			if (!finish_output(l, err))
				return LIVE_FAILED;
			if (l->frame_open) {
				l->frame_open = false;
				return idle(l);
			}
		} else if (l->input_running) {
			bool sinks = sink_input(l);
			rc = sqlite3_step(l->input);
			if (sinks)                    /* it costs a statement: not for each row */
				row_sink_next(l->s->db, NULL);
			if (rc == SQLITE_ROW) {
				if (!take_input_row(l, err))
					return LIVE_FAILED;
				continue;
			}
			sqlite3_reset(l->input);
			l->input_running = false;
			if (rc != SQLITE_DONE)
				return sqlite_failed(l, rc, err), LIVE_FAILED;
			if (!end_chunk(l, err))
				return LIVE_FAILED;
		} else if (!between_chunks(l, wait_ms, &told, &tell, err)) {
			return LIVE_FAILED;
		} else if (told) {
			return tell == LIVE_IDLE ? idle(l) : tell;
		}
	}
}

/* ---- how far it is ---- */

struct live_target {
	struct target_part {
		size_t stream;
		int32_t partition;
		int64_t end;
	} *parts;
	size_t part_n;
};

struct live_target *live_target_now(struct live *l, struct err *err)
{
	struct live_target *t = xcalloc(1, sizeof *t);
	struct provider *p = &l->s->catalog->provider;
	for (size_t i = 0; i < l->stream_n; i++) {
		const struct stream *st = l->streams[i].stream;
		struct topic_info info = {0};
		if (!p->impl->topic_info(p, st->cluster, st->topic, 0, &info, err))
			goto fail;
		struct partition_bounds *b = xcalloc((size_t)info.partition_n + 1, sizeof *b);
		bool ok = p->impl->topic_bounds(p, st->cluster, st->topic, info.partition_n, b, err);
		t->parts = xreallocarray(t->parts, t->part_n + (size_t)info.partition_n + 1, sizeof *t->parts);
		for (int32_t k = 0; ok && k < info.partition_n; k++)
			t->parts[t->part_n++] = (struct target_part){i, b[k].partition, b[k].end};
		free(b);
		if (!ok)
			goto fail;
	}
	return t;
fail:
	live_target_destroy(t);
	return NULL;
}

bool live_reached(struct live *l, const struct live_target *t, bool settled)
{
	for (size_t i = 0; i < t->part_n; i++) {
		struct live_input *in = &l->streams[t->parts[i].stream].input;
		const struct input_part *p = live_input_part(in, t->parts[i].partition);
		if (p && p->next < t->parts[i].end && p->next < p->end && !(settled && live_input_settled(in, p->partition, t->parts[i].end)))
			return false;
	}
	return !l->chunk_loaded && !l->input_running && !l->output_running;
}

void live_target_destroy(struct live_target *t)
{
	if (!t)
		return;
	free(t->parts);
	free(t);
}

/* ---- what it says of itself ---- */

void live_status(struct live *l, struct live_status *ret)
{
	static const char *const states[] = {"nothing but offsets", "one accumulator per window and key", "the rows of open windows"};
	struct live_status s = {.strategy = l->strategy, .why = l->why, .state = states[l->strategy], .emit = l->emit, .row_in_n = l->row_in_n, .row_out_n = l->row_out_n, .late_n = l->late_total_n,
		.watermark_ms = l->windowed ? l->watermark.value_ms : TIME_NONE, .by_idle = l->watermark.by_idle, .lag_n = -1, .ended = l->ended && l->flushed, .windowed = l->windowed,
		.event_time = l->stream_n && l->streams[0].event_time ? l->streams[0].event_time : "_ts", .idle_ms = l->watermark.idle_ms};
	if (l->join) {
		s.state = l->groups ? "the rows that a partner may still come for, and one accumulator per window and key" : "the rows that a partner may still come for";
		s.state_bytes = live_join_bytes(l->join);
		s.waiting_n = (int64_t)live_join_row_n(l->join);
	}
	if (l->groups && group_table_plan(l->groups)->window.ts)
		s.event_time = group_table_plan(l->groups)->window.ts;
	for (size_t i = 0; i < l->stream_n && l->opened; i++) {
		int64_t lag = live_input_lag(&l->streams[i].input);
		s.lag_n = lag < 0 ? -1 : s.lag_n < 0 && i ? -1 : (i ? s.lag_n : 0) + lag;
	}
	for (size_t i = 0; i < l->watermark.part_n; i++)
		s.skewed_n += l->watermark.parts[i].skewed_n;
	if (l->groups) {
		struct group_op_stats g = group_op_stats(group_table_op(l->groups));
		s.state_bytes += g.bytes;
		s.group_n = g.group_n;
		s.window_n = g.window_n;
		s.waiting_n += g.waiting_row_n;
	}
	const struct watermark_part *holder = l->windowed ? watermark_holder(&l->watermark, time_mono_ms()) : NULL;
	if (holder && (size_t)holder->source < l->stream_n)
		sqlite3_snprintf(sizeof s.holder, s.holder, "%s partition %d", l->streams[holder->source].stream->topic, holder->partition);
	*ret = s;
}
