/* Chunks of a live query: from the sources into the feeds, with the event time of every record, filtered out by WHERE or not: what moves the watermark
 * is what the partition holds. */
#include <stdlib.h>
#include "core/alloc.h"
#include "sql/live/live_impl.h"
#include "sql/live/time_join.h"

enum {
	CHUNK_BATCHES = 8,                   /* at most so many batches at once: a first result is not kept waiting */
};

bool live_open_inputs(struct live *l, struct err *err)
{
	struct provider *p = &l->s->catalog->provider;
	/* Shallow copies: what the statement says, else the option. */
	struct position from = l->emit.from.kind ? l->emit.from : p->from, until = l->emit.until.kind ? l->emit.until : p->until;
	int64_t now = time_mono_ms();
	if (l->emit.kind == EMIT_NONE) {             /* a bounded statement with GRACE */
		if (from.kind == POSITION_NONE)
			from.kind = POSITION_BEGINNING;
		if (until.kind == POSITION_NONE)
			until.kind = POSITION_END;
	}
	bool all_ended = true;
	for (size_t i = 0; i < l->stream_n; i++) {
		struct live_stream *st = &l->streams[i];
		if (!live_input_open(&st->input, p, st->stream, &from, &until, l->view ? &l->s->shared_readers : NULL, err))
			return false;
		for (size_t k = 0; k < st->input.part_n; k++)
			watermark_part(&l->watermark, (int)i, st->input.parts[k].partition, now)->done = st->input.parts[k].start >= st->input.parts[k].end;
		all_ended = all_ended && st->input.ended;
	}
	l->ended = all_ended;
	if (from.kind == POSITION_NONE && l->emit.kind != EMIT_NONE)
		catalog_notice(l->s->catalog, NOTICE_INFO, "from now on; FROM BEGINNING, FROM '-1h' or --from read what is there already");
	return true;
}

static void add_piece(struct live *l, struct batch *b, size_t from, size_t to)
{
	if (l->piece_n == l->piece_cap) {
		l->piece_cap = l->piece_cap ? 2 * l->piece_cap : CHUNK_BATCHES;
		l->pieces = xreallocarray(l->pieces, l->piece_cap, sizeof *l->pieces);
	}
	l->pieces[l->piece_n++] = (struct chunk_piece){b, from, to};
}

static struct chunk_time *add_time(struct live *l)
{
	if (l->time_n == l->time_cap) {
		l->time_cap = l->time_cap ? 2 * l->time_cap : 1024;
		l->times = xreallocarray(l->times, l->time_cap, sizeof *l->times);
	}
	return &l->times[l->time_n++];
}

/* Event times of the chunk: of the records themselves, or what an expression makes of each row. */
static bool find_times(struct live *l, struct live_stream *st, struct err *err)
{
	if (!l->groups)
		return true;
	if (!st->times) {
		uint32_t n = 0;
		for (size_t i = 0; i < l->piece_n; i++) {
			const struct chunk_piece *p = &l->pieces[i];
			for (size_t k = p->from; k < p->to; k++)
				*add_time(l) = (struct chunk_time){.offset = p->batch->records[k].offset, .ts_ms = p->batch->records[k].ts_ms, .partition = p->batch->partition, .index = -1,
					.piece = (uint32_t)i, .record = (uint32_t)k, .n = n++};
		}
		return true;
	}
	int rc;
	size_t piece = 0, record = l->piece_n ? l->pieces[0].from : 0;
	while ((rc = sqlite3_step(st->times)) == SQLITE_ROW) {
		size_t n = 0, row = 0;
		feed_table_current(st->feed, &n, &row);
		int32_t partition = sqlite3_column_int(st->times, 1);
		int64_t offset = sqlite3_column_int64(st->times, 2);
		while (piece < l->piece_n && !(l->pieces[piece].batch->partition == partition && record < l->pieces[piece].to && l->pieces[piece].batch->records[record].offset == offset)) {
			if (++record >= l->pieces[piece].to && ++piece < l->piece_n)
				record = l->pieces[piece].from;
		}
		*add_time(l) = (struct chunk_time){.ts_ms = sqlite3_column_type(st->times, 0) == SQLITE_INTEGER ? sqlite3_column_int64(st->times, 0) : TIME_NONE, .partition = partition, .offset = offset,
			.index = sqlite3_column_int(st->times, 3), .piece = (uint32_t)piece, .record = (uint32_t)record, .n = (uint32_t)n};
	}
	sqlite3_reset(st->times);
	return rc == SQLITE_DONE || session_sqlite_error(l->s, rc, -1, err);
}

static bool poll_stream(struct live *l, size_t i, int wait_ms, bool *io_loaded, struct err *err)
{
	struct live_stream *st = &l->streams[i];
	for (int n = 0; n < CHUNK_BATCHES; n++) {
		struct batch *b = NULL;
		size_t from = 0, to = 0;
		enum source_status status = live_input_next(&st->input, *io_loaded ? 0 : wait_ms, &b, &from, &to, err);
		if (status == SOURCE_ERROR)
			return false;
		if (status != SOURCE_BATCH)
			break;
		feed_table_add(st->feed, b, from, to);
		if (i == 0)
			add_piece(l, b, from, to);           /* the feed holds the reference */
		l->row_in_n += (int64_t)(to - from);
		l->s->catalog->provider.stats.message_n += (int64_t)(to - from);
		watermark_part(&l->watermark, (int)i, b->partition, time_mono_ms())->heard_mono_ms = time_mono_ms();
		batch_unref(b);
		*io_loaded = true;
	}
	return true;
}

static void note_done(struct live *l)
{
	for (size_t i = 0; i < l->stream_n; i++) {
		const struct live_input *in = &l->streams[i].input;
		for (size_t k = 0; in->bounded && k < in->part_n; k++)
			if (in->ended || in->parts[k].next >= in->parts[k].end)
				watermark_part(&l->watermark, (int)i, in->parts[k].partition, 0)->done = true;
	}
}

enum { JOIN_WAIT_MS = 5 };

bool live_load_chunk(struct live *l, int wait_ms, bool *ret_loaded, struct err *err)
{
	bool loaded = false;
	if ((l->follow_n || l->joins) && !vtab_changelog_poll(l->s->db, 0, NULL, err))
		return false;
	if (!time_joins_poll(l->joins, err))
		return false;
	/* Of several streams only one can be waited for, and not for long. */
	if (l->stream_n > 1 && wait_ms > JOIN_WAIT_MS)
		wait_ms = JOIN_WAIT_MS;
	for (size_t i = 0; i < l->stream_n; i++)
		if (!poll_stream(l, i, i + 1 == l->stream_n ? wait_ms : 0, &loaded, err))
			return false;
	bool all_ended = true;
	for (size_t i = 0; i < l->stream_n; i++)
		all_ended = all_ended && l->streams[i].input.ended;
	l->ended = all_ended;
	*ret_loaded = loaded;
	if (!loaded) {
		note_done(l);
		return true;
	}
	l->watermark.now_ms = time_now_ms();
	l->chunk_loaded = true;
	l->time_n = l->time_at = 0;
	return l->join || find_times(l, &l->streams[0], err);
}

const struct chunk_time *live_times_before(struct live *l, size_t n, size_t row)
{
	while (l->time_at < l->time_n) {
		const struct chunk_time *t = &l->times[l->time_at];
		/* Of several rows of one message with the record's own time, the first shows it. */
		if (t->n > n || (t->n == n && (t->index < 0 || t->index >= (int32_t)row)))
			return t;
		struct watermark_part *p = watermark_part(&l->watermark, 0, t->partition, 0);
		if (t->ts_ms != TIME_NONE)
			watermark_see(&l->watermark, p, t->ts_ms);
		p->row_n++;
		l->time_at++;
	}
	return NULL;
}

void live_unload_chunk(struct live *l)
{
	live_times_before(l, SIZE_MAX, 0);
	if (l->late_n && l->on_late)
		l->on_late(l->on_late_arg, l);
	l->late_n = 0;
	note_done(l);
	for (size_t i = 0; i < l->stream_n; i++)
		feed_table_clear(l->streams[i].feed);
	l->piece_n = l->time_n = l->time_at = 0;
	l->chunk_loaded = false;
}

void live_note_late(void *arg, const struct agg_at *at, struct window_bounds window, enum late_reason reason)
{
	struct live *l = arg;
	l->late_total_n++;
	if (!l->on_late || l->join)          /* a pair is in no chunk: it is only counted */
		return;
	if (l->late_n == l->late_cap) {
		l->late_cap = l->late_cap ? 2 * l->late_cap : 64;
		l->late = xreallocarray(l->late, l->late_cap, sizeof *l->late);
	}
	l->late[l->late_n++] = (struct late_row){*at, window, reason};
}

int64_t live_watermark(struct live *l)
{
	return watermark_advance(&l->watermark, time_mono_ms());
}
