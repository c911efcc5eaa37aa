/* Texts about the mount itself: @README, @status (ndjson, one object a line), meta.json. Made at lookup, from memory, under mu. */
#include <inttypes.h>
#include <unistd.h>
#include "core/time.h"
#include "fuse/state.h"

void meta_readme(struct mount *m, struct buf *to)
{
	buf_addf(to,
		"weir " WEIR_VERSION ": Kafka topics as read-only files. One message is one line.\n"
		"\n"
		"TOPIC/tail.ndjson               the last %" PRId64 " messages and all that come: tail -f, tail -F, less +F, grep, wc\n"
		"TOPIC/log/PARTITION/*.ndjson    the whole topic, %" PRId64 " offsets a file: grep -r TOPIC/log, cp, rsync, sqlite3 readfile()\n"
		"TOPIC/meta.json                 partitions and offsets\n"
		"@status                         what the mount is doing\n"
		"%s%s"
		"\n"
		"Not listed, so that grep -r, find and cp -r end, but there:\n"
		"TOPIC/follow                    a stream that waits for messages: cat, grep --line-buffered, head -n3; ends by a signal or unmount\n"
		"TOPIC/follow@beginning          from the first message on; follow@-100: the last 100 and on; follow@2026-09-21T13:00:00Z: from a time on\n"
		"TOPIC/time/2026-09-21/13.ndjson one hour (UTC) of all partitions, by time\n"
		"TOPIC/key/KEY.ndjson            all messages of one key; bytes other than A-Z a-z 0-9 . _ - are written %%2F\n"
		"\n"
		"Each .ndjson name also exists as .csv and .txt (the value alone; line breaks inside are written \\n: lossy), segments and tail also as\n"
		".rows.csv and .rows.ndjson (the columns of the registered stream). None of these is listed.\n"
		"\n"
		"tail -f looks once a second (tail -s 0.1 -f: ten times); cat TOPIC/follow shows a message at once. inotify does not see growth here.\n"
		"Sizes of files that were never opened are estimates (too high rather than too low).\n",
		m->o.window_n, m->o.segment_n, m->query_n ? "@query/NAME.csv, .ndjson          saved queries and views, run when opened (again after 30 s)\n" : "",
		registry_view_n(m) ? "@view/NAME.ndjson                live views: rows are added as they come; @view/NAME.follow (not listed) waits for them\n" : "");
}

static void add_string(struct buf *to, const char *name, const char *value)
{
	buf_addf(to, ",\"%s\":", name);
	render_json_string(to, value, strlen(value));
}

void meta_status(struct mount *m, struct buf *to)
{
	char started[TIME_TEXT_MAX];
	time_format(m->started_ms, started);
	int64_t ring = 0;
	for (struct link *l = m->feeds.next; l != &m->feeds; l = l->next)
		ring += text_len(&LINK_OWNER(l, struct feed, all)->text);
	buf_addf(to, "{\"mount\":");
	render_json_string(to, m->dir, strlen(m->dir));
	buf_addf(to, ",\"version\":\"" WEIR_VERSION "\",\"pid\":%d,\"started\":\"%s\",\"cache_bytes\":%" PRId64 ",\"cache_max_bytes\":%" PRId64 ",\"ring_bytes\":%" PRId64
		",\"documents\":%zu,\"nodes\":%zu,\"waiting\":%d,\"broker_requests\":%" PRId64 ",\"rendered\":%" PRId64, (int)getpid(), started, m->cache_used, m->o.cache_bytes, ring,
		m->doc_n, m->node_n, m->parked_n, (int64_t)m->broker_call_n, (int64_t)m->render_n);
	if (m->request_limit_s)
		buf_addf(to, ",\"warning\":\"fs.fuse.max_request_timeout is %" PRId64 " s: follow answers EINTR each half of it\"", m->request_limit_s);
	add_string(to, "last_error", m->last_error);
	buf_adds(to, "}\n");
	for (size_t i = 0; i < m->cluster_n; i++) {
		const struct cluster_dir *c = m->clusters[i];
		buf_adds(to, "{\"cluster\":");
		render_json_string(to, c->name ? c->name : "", c->name ? strlen(c->name) : 0);
		size_t n = 0;
		for (size_t k = 0; k < c->topic_n; k++)
			n += !c->topics[k]->gone;
		buf_addf(to, ",\"state\":\"%s\",\"topics\":%zu", c->down ? "down" : "up", n);
		if (c->down)
			add_string(to, "error", c->error);
		buf_adds(to, "}\n");
	}
	static const char *const states[] = {"idle", "starting", "ready", "ended"};
	for (struct link *l = m->feeds.next; l != &m->feeds; l = l->next) {
		const struct feed *f = LINK_OWNER(l, struct feed, all);
		if (f->state == FEED_IDLE)
			continue;
		buf_adds(to, "{\"live\":");
		const char *name = f->view ? f->view->name : f->topic->name;
		render_json_string(to, name, strlen(name));
		buf_addf(to, ",\"view\":%s", f->view ? "true" : "false");
		buf_addf(to, ",\"form\":\"%s\",\"private\":%s,\"state\":\"%s\",\"handles\":%d,\"messages\":%" PRId64 ",\"from_byte\":%" PRId64 ",\"to_byte\":%" PRId64
			",\"generation\":%" PRId64 ",\"bytes_per_s\":%.0f", form_suffix(f->form), f->private_ ? "true" : "false", states[f->state], f->handle_n, f->message_n,
			f->text.base, f->text.end, f->generation_n, f->rate);
		add_string(to, "error", f->error);
		buf_adds(to, "}\n");
	}
}

void meta_topic(struct mount *m, struct topic *t, struct buf *to)
{
	buf_adds(to, "{\"topic\":");
	render_json_string(to, t->name, strlen(t->name));
	buf_addf(to, ",\"internal\":%s,\"segment\":%" PRId64 ",\"line_bytes\":%.0f,\"age_ms\":", t->internal ? "true" : "false", m->o.segment_n, t->line_bytes);
	if (t->bounds_known)
		buf_addf(to, "%" PRId64, time_mono_ms() - t->bounds_ms);
	else
		buf_adds(to, "null");
	buf_adds(to, ",\"partitions\":[");
	for (int32_t i = 0; i < t->partition_n; i++) {
		buf_addf(to, "%s{\"partition\":%" PRId32, i ? "," : "", i);
		if (t->bounds_known)
			buf_addf(to, ",\"leader\":%" PRId32 ",\"low\":%" PRId64 ",\"end\":%" PRId64, t->bounds[i].leader, t->bounds[i].low, t->bounds[i].end);
		if (t->bounds_known && i < t->high_n)
			buf_addf(to, ",\"high\":%" PRId64, t->high[i] > t->bounds[i].end ? t->high[i] : t->bounds[i].end);
		buf_addc(to, '}');
	}
	buf_adds(to, "]}\n");
}
