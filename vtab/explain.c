/* EXPLAIN SCAN: what a scan would read and why, as data. */
#include "vtab/scan.h"

#include <stdlib.h>
#include "core/alloc.h"

static void explain_order(struct scan *s)
{
	static const char *const directions[] = {"falling", "", "rising"};
	if (s->order.ts || s->order.offset || s->order.partition)
		buf_addf(&s->pushed, "%sORDER BY %s%s: rows come in this order, read from the end that is wanted", s->pushed.len ? "\n" : "",
			s->order.ts ? "_ts " : s->order.partition ? s->order.offset ? "_partition, _offset " : "_partition " : "_offset ",
			directions[(s->order.ts ? s->order.ts : s->order.offset ? s->order.offset : s->order.partition) + 1]);
	if (s->row_hint)
		buf_addf(&s->pushed, "%sLIMIT: the first fetch is sized for %lld rows", s->pushed.len ? "\n" : "", (long long)s->row_hint);
}

bool scan_explain(struct scan *s, struct table *t, struct scan_plan_list *list, struct err *err)
{
	const struct frozen *f = NULL;
	struct provider *p = t->module->provider;
	if (!frozen_get(t->module, t->stream->cluster, t->stream->topic, &f, err))
		return false;
	explain_order(s);
	if (t->stream->kind == STREAM_CHANGELOG)
		buf_addf(&s->pushed, "%schangelog: read once a statement, last value per key", s->pushed.len ? "\n" : "");
	if (s->nothing)
		buf_addf(&s->pushed, "%snothing is read: a condition can never be true", s->pushed.len ? "\n" : "");
	list->plans = xreallocarray(list->plans, list->n + 1, sizeof *list->plans);
	struct scan_plan *plan = &list->plans[list->n++];
	size_t n = s->nothing ? 0 : s->range_n;
	int64_t message_n = 0;
	*plan = (struct scan_plan){
		.table = xstrdup(t->stream->name ? t->stream->name : t->stream->topic), .topic = xstrdup(t->stream->topic), .range_n = n, .bytes_estimate = -1,
		.ranges = xreallocarray(NULL, n ? n : 1, sizeof *plan->ranges), .bounds = xreallocarray(NULL, n ? n : 1, sizeof *plan->bounds),
	};
	const char *cluster = p->impl->cluster_name ? p->impl->cluster_name(p, t->stream->cluster) : t->stream->cluster;
	plan->cluster = xstrdup(cluster ? cluster : "");
	for (size_t i = 0; i < n; i++) {
		const struct partition_bounds *b = &f->bounds[s->ranges[i].partition];
		plan->ranges[i] = s->ranges[i];
		plan->bounds[i] = (struct scan_range){b->partition, b->low, b->end};
		message_n += s->ranges[i].end - s->ranges[i].start;
	}
	double average = list->no_bytes ? -1 : message_n > 0 ? sample_message_bytes(t->module, f) : 0;
	if (average >= 0)
		plan->bytes_estimate = (int64_t)(average * (double)message_n);
	plan->pushed = buf_take(&s->pushed);
	plan->not_pushed = buf_take(&s->not_pushed);
	return true;
}

void scan_plan_list_finish(struct scan_plan_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		struct scan_plan *p = &list->plans[i];
		free(p->table);
		free(p->topic);
		free(p->cluster);
		free(p->ranges);
		free(p->bounds);
		free(p->pushed);
		free(p->not_pushed);
	}
	free(list->plans);
	*list = (struct scan_plan_list){0};
}
