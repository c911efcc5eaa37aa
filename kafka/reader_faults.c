/* What a scan meets besides messages: offsets that vanished, a log that became shorter, a topic that is gone, partitions without leader, brokers
 * that stay silent, open transactions. The table in reader.c says what is done about each. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "core/alloc.h"
#include "core/time.h"
#include "kafka/reader_private.h"

static bool ask_offset(struct reader *r, struct part *p, int64_t which, int64_t *ret)
{
	return cluster_offsets_of(r->cluster, r->client, r->cancel, r->topic, &p->partition, 1, which, ret, &r->failed);
}

bool reader_part_gap(struct reader *r, struct part *p)
{
	int64_t low;
	int64_t high;
	p->ask_gap = false;
	if (!ask_offset(r, p, CLUSTER_EARLIEST, &low) || !ask_offset(r, p, CLUSTER_LATEST, &high))
		return false;
	int64_t from = p->next;
	int64_t lost;
	int64_t to;
	if (low > from) {
		to = low < p->end ? low : p->end;
		lost = to - from;
		p->next = to;
	} else if (high < from && p->end == SCAN_END_NEVER && r->gap_policy == GAP_WARN) {
		cluster_notify(r->cluster, NOTICE_WARNING, "partition %d of topic \"%s\" ends at offset %" PRId64 " now, before the position %" PRId64
			": it was truncated, or the topic was deleted and created again; going on at its end", p->partition, r->topic, high, from);
		p->next = high;
		p->restart = true;
		return true;
	} else if (high < from || (high < p->end && p->end != SCAN_END_NEVER)) {
		to = p->end == SCAN_END_NEVER ? from : p->end;
		lost = to - from;
		p->next = p->end == SCAN_END_NEVER ? high : p->end;
	} else {
		p->restart = true;                   /* it is there after all: a replica that lagged */
		return true;
	}
	if (r->gap_policy == GAP_FAIL) {
		err_set(&r->failed, ERR_GAP, "offsets %" PRId64 "..%" PRId64 " of partition %d of topic \"%s\" were deleted during the scan (%" PRId64 " lost)", from,
			to - (to > from), p->partition, r->topic, lost);
		if (low <= from)
			err_hint(&r->failed, "The partition now ends at offset %" PRId64 ": it was truncated, or the topic was deleted and created again.", high);
		return false;
	}
	r->base.stats.gap_n += lost;
	cluster_notify(r->cluster, NOTICE_WARNING, "offsets %" PRId64 "..%" PRId64 " of partition %d of topic \"%s\" were deleted during the scan (%" PRId64 " lost); going on after them",
		from, to - (to > from), p->partition, r->topic, lost);
	if (p->next >= p->end)
		p->reached = true;
	else
		p->restart = true;
	return true;
}

/* EOF before the frozen end: the log was truncated, or this replica lags behind. */
bool reader_part_short_end(struct reader *r, struct part *p)
{
	int64_t high;
	p->ask_end = false;
	if (!ask_offset(r, p, CLUSTER_LATEST, &high))
		return false;
	if (high >= p->end) {
		p->restart = true;
		return true;
	}
	if (p->next < high)
		return true;                         /* more to come; the next EOF decides */
	p->ask_gap = true;
	return reader_part_gap(r, p);
}

/* Behind a damaged batch, whose end nobody tells: errors name at most where it begins, and a fetch at any offset inside brings all of it. So look at
 * +1, +2, +4 .. until something can be read (or a batch that begins elsewhere fails), then halve the distance: not one good record is stepped over. */
static void skip_done(struct reader *r, struct part *p)
{
	p->skipping = false;
	p->bad_next = -1;
	r->base.stats.gap_n += p->next - p->skip_from;
	r->base.stats.passed_n += p->next - p->skip_from;
	cluster_notify(r->cluster, NOTICE_WARNING, "offsets %" PRId64 "..%" PRId64 " of partition %d of topic \"%s\" were stepped over: their batch is damaged",
		p->skip_from, p->next - 1, p->partition, r->topic);
}

static void skip_on(struct reader *r, struct part *p)
{
	if (p->skip_good <= p->skip_bad)
		p->skip_good = -1;               /* what looked like the end was another damaged batch */
	if (p->skip_good < 0) {
		int64_t step = p->skip_bad == p->skip_from ? 1 : 2 * (p->skip_bad - p->skip_from);
		if (step < p->end - p->skip_from)
			p->next = p->skip_from + step;
		else
			p->skip_good = p->end;       /* nothing is wanted there: as good as readable */
	}
	if (p->skip_good >= 0)
		p->next = p->skip_good - p->skip_bad > 1 ? p->skip_bad + (p->skip_good - p->skip_bad) / 2 : p->skip_good;
	p->restart = true;
	if (p->next >= p->end) {
		p->next = p->end;
		p->reached = true;
		skip_done(r, p);
	}
}

bool reader_part_readable(struct reader *r, struct part *p)
{
	if (!p->skipping)
		return true;
	if (p->next == p->skip_bad + 1) {
		skip_done(r, p);
		return true;
	}
	p->skip_good = p->next;
	skip_on(r, p);
	return false;
}

/* A verdict about what lies at the position: it cannot be read. */
static void part_bad(struct reader *r, struct part *p, int64_t at, const char *text)
{
	p->bad_next = -1;
	if (!r->cluster->skip_bad_batch) {
		err_set(&r->failed, ERR_BAD_BATCH, "the batch at offset %" PRId64 " of partition %d of topic \"%s\" cannot be read: %s", at, p->partition, r->topic, text);
		return;
	}
	if (!p->skipping) {
		p->skipping = true;
		p->skip_from = at > p->next ? at : p->next;
		p->skip_good = -1;
		r->base.stats.passed_n += p->skip_from - p->next;
		p->next = p->skip_from;
	}
	p->skip_bad = p->next;
	skip_on(r, p);
}

/* librdkafka fetches a damaged batch again and again. What it parses behind one is garbage, offsets included, so it starts anew at our position. */
void reader_part_strike(struct reader *r, struct part *p, int64_t offset, const char *text)
{
	if (p->bad_next != p->next) {
		p->bad_next = p->next;
		p->bad_offset = offset >= 0 && offset < p->end ? offset : p->next;
		p->bad_n = 0;
	}
	p->restart = true;
	p->ask_gap = p->ask_end = false;
	if (++p->bad_n < BAD_STRIKES)
		return;
	/* Another batch than the one whose end is looked for: that one ends before. */
	if (p->skipping && p->bad_offset > p->skip_bad && p->bad_offset < p->next && !reader_part_readable(r, p))
		return;
	part_bad(r, p, p->bad_offset, text);
}

static void finish_topic_check(struct reader *r)
{
	struct metadata_call *m = r->topic_check_state;
	int64_t now = time_mono_ms();
	r->topic_check_mono_ms = now;
	if (m->code) {
		if (r->live && !r->away_since_mono_ms)
			r->away_since_mono_ms = now;
		return;
	}
	if (r->live)
		reader_live_back(r);
	const struct rd_kafka_metadata_topic *t = NULL;
	for (int i = 0; i < m->md->topic_cnt; i++) {
		if (strcmp(m->md->topics[i].topic, r->topic) == 0)
			t = &m->md->topics[i];
	}
	bool gone = !t || t->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
	r->gone_n = gone ? r->gone_n + 1 : 0;
	if (gone && r->live && r->gone_n < GONE_ANSWERS)
		return;
	if (gone) {
		err_set(&r->failed, ERR_TOPIC_GONE, "topic \"%s\" of cluster %s vanished during the scan", r->topic, r->cluster->name);
		return;
	}
	if (t->err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
		err_set(&r->failed, ERR_AUTHORIZATION, "cluster %s: no longer authorized to DESCRIBE topic \"%s\"", r->cluster->name, r->topic);
		return;
	}
	if (r->new_partitions && !t->err && t->partition_cnt > r->part_of_n)
		reader_add_partitions(r, t);
	int32_t leaderless = -1;
	for (int i = 0; i < t->partition_cnt; i++) {
		struct part *p = reader_part_find(r, t->partitions[i].id);
		if (!p)
			continue;
		int32_t *known = &r->known_leaders[p - r->parts];
		if (*known != t->partitions[i].leader) {
			r->base.stats.leader_change_n++;
			*known = t->partitions[i].leader;
		}
		if (p->state == PART_RUNNING && t->partitions[i].leader < 0)
			leaderless = p->partition;
	}
	if (leaderless < 0) {
		r->leaderless_since_mono_ms = 0;
		return;
	}
	if (!r->leaderless_since_mono_ms)
		r->leaderless_since_mono_ms = r->progress_mono_ms;
	if (r->live) {
		if (now - r->notice_mono_ms >= NOTICE_EVERY_MS)
			cluster_notify(r->cluster, NOTICE_WARNING, "partition %d of topic \"%s\" has no leader: waiting for one", leaderless, r->topic);
		r->notice_mono_ms = now - r->notice_mono_ms >= NOTICE_EVERY_MS ? now : r->notice_mono_ms;
		return;
	}
	if (now - r->leaderless_since_mono_ms >= r->cluster->request_timeout_ms)
		err_set(&r->failed, ERR_LEADER, "cluster %s: partition %d of topic \"%s\" has had no leader for %" PRId64 " s", r->cluster->name, leaderless, r->topic,
			(now - r->leaderless_since_mono_ms) / 1000);
}

/* Metadata in the background: while a scan runs every TOPIC_CHECK_MS, while it stalls every second. */
void reader_serve_topic_check(struct reader *r, bool stalled)
{
	if (r->topic_check) {
		if (!call_wait(r->topic_check, 0))
			return;
		finish_topic_check(r);
		call_release(r->topic_check);
		r->topic_check = NULL;
		return;
	}
	int64_t now = time_mono_ms();
	if (now - r->topic_check_mono_ms < (stalled ? STALL_LOOK_MS : TOPIC_CHECK_MS))
		return;
	struct metadata_call *m = xcalloc(1, sizeof *m);
	m->topic = xstrdup(r->topic);
	m->timeout_ms = (int)r->cluster->request_timeout_ms;
	r->topic_check_state = m;
	r->topic_check = call_start(r->client, metadata_call_run, m, metadata_call_drop);
	r->cluster->request_n++;
}

/* A record that does not parse is fetched for ever without an event. A leader answers the requests of a connection in order: when it answers
 * again and again while nothing comes of the fetches between, they did bring something, and it cannot be read. */
static void look_into_silence(struct reader *r, int64_t now)
{
	struct part *p = NULL;
	for (size_t i = 0; i < r->part_n && !p; i++) {
		struct part *q = &r->parts[i];
		if (q->state != PART_RUNNING || !q->started || q->reached)
			continue;
		/* A live one has company that never falls silent, so each partition counts by itself. */
		if (!r->live || (now - q->moved_mono_ms >= SILENCE_EVERY_MS && (q->end != SCAN_END_NEVER || reader_part_behind(r, q))))
			p = q;
	}
	int64_t since = p && r->live ? p->moved_mono_ms : r->progress_mono_ms;
	int64_t silent_ms = now - since;
	bool again = p && p->skipping;
	if (!p || silent_ms < (again ? SILENCE_EVERY_MS : SILENCE_LOOK_MS) || r->leaderless_since_mono_ms) {
		r->silence_answers_n = 0;
		return;
	}
	if (!r->silence_call) {
		if (now - r->silence_mono_ms < SILENCE_EVERY_MS)
			return;
		r->silence_part = p->partition;
		r->silence_mono_ms = now;
		r->silence_call = offsets_call_start(r->cluster, r->client, r->topic, p->partition, CLUSTER_EARLIEST, &r->silence_state);
		return;
	}
	if (!call_wait(r->silence_call, 0))
		return;
	int64_t low;
	bool answered = offsets_call_answer(r->silence_state, &low);
	call_release(r->silence_call);
	r->silence_call = NULL;
	if (!answered || r->silence_part != p->partition || r->silence_mono_ms < since || low > p->next) {
		r->silence_answers_n = 0;
		p->ask_gap |= answered && r->silence_part == p->partition && low > p->next;
		return;
	}
	r->silence_answers_n++;
	if (silent_ms < (again ? SILENCE_AGAIN_MS : SILENCE_BAD_MS) || (!again && r->silence_answers_n < SILENCE_ANSWERS))
		return;
	r->silence_answers_n = 0;
	r->progress_mono_ms = p->moved_mono_ms = now;
	part_bad(r, p, p->next, "the broker sends it, but no record can be taken from it");
}

/* Nothing came for a while: normal at the end of a live scan, otherwise somebody is away. */
void reader_serve_stall(struct reader *r)
{
	int64_t now = time_mono_ms();
	int64_t silent_ms = now - r->progress_mono_ms;
	bool down = client_all_down(r->client);
	if (!down && (r->live || !r->endless))
		look_into_silence(r, now);
	if (r->failed.id)
		return;
	if (r->live) {
		reader_live_stall(r, down);
		return;
	}
	if (silent_ms < STALL_LOOK_MS || (!down && (r->endless || silent_ms < NOTICE_EVERY_MS)))
		return;
	/* A scan that has had rows waits for its brokers; one that never got any fails as fast as any other request. */
	bool started = r->base.stats.message_n > 0;
	if (!(r->endless && started) && silent_ms >= (started ? r->cluster->stall_timeout_ms : r->cluster->request_timeout_ms)) {
		client_failed(r->client, r->progress_mono_ms, true, "fetch", &r->failed);
		return;
	}
	if (now - r->notice_mono_ms >= NOTICE_EVERY_MS) {
		r->notice_mono_ms = now;
		cluster_notify(r->cluster, NOTICE_WARNING, "waiting for the brokers of cluster %s: %" PRId64 " s", r->cluster->name, silent_ms / 1000);
	}
}

/* Records beyond the frozen end, and the last stable offset still where it was: they wait for an open transaction. */
void reader_tell_open_transactions(struct reader *r)
{
	if (r->told_open)
		return;
	r->told_open = true;
	int32_t *partitions = xmalloc(r->part_n * sizeof *partitions + 1);
	int64_t *stable = xmalloc(r->part_n * sizeof *stable + 1);
	size_t n = 0;
	for (size_t i = 0; i < r->part_n; i++) {
		if (r->parts[i].high > r->parts[i].end)
			partitions[n++] = r->parts[i].partition;
	}
	struct err ignored = ERR_INIT;
	if (n > 0 && cluster_offsets_of(r->cluster, r->client, r->cancel, r->topic, partitions, n, CLUSTER_LATEST, stable, &ignored)) {
		for (size_t i = 0; i < n; i++) {
			struct part *p = reader_part_find(r, partitions[i]);
			if (stable[i] == p->end)
				cluster_notify(r->cluster, NOTICE_WARNING, "%" PRId64 " offsets behind an open transaction on p%d of topic \"%s\" are not shown", p->high - p->end, p->partition,
					r->topic);
		}
	}
	free(partitions);
	free(stable);
}
