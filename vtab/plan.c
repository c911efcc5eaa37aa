/* The planner: which constraints of a query decide what is read at all. See the table above plan_best_index. */
#include "vtab/plan.h"

#include <stdlib.h>
#include "core/alloc.h"
#include "vtab/prefilter.h"
#include "vtab/scan.h"

/* Costs in units of one row read from memory. They never depend on right-hand values, which are not known at this time, and only from
 * bounds that an earlier query has asked for: planning sends no request (but see order_by_time). */
enum {
	COST_OPEN = 2000,                    /* opening a scan is a network round trip: a topic belongs in the outer loop */
	ROWS_UNKNOWN = 1000000,
	FEED_ROWS = 100,
	COST_FEED = 1000000000,              /* more than any table without statistics: a feed belongs in the outer loop, once a chunk */
};

int plan_alias(int column)
{
	switch (column) {
	case HIDDEN_ROWTIME:
		return HIDDEN_TS;
	case HIDDEN_ROWPARTITION:
		return HIDDEN_PARTITION;
	case HIDDEN_ROWOFFSET:
		return HIDDEN_OFFSET;
	default:
		return column;
	}
}

static bool is_range(int op)
{
	return op == SQLITE_INDEX_CONSTRAINT_GT || op == SQLITE_INDEX_CONSTRAINT_GE || op == SQLITE_INDEX_CONSTRAINT_LT || op == SQLITE_INDEX_CONSTRAINT_LE;
}

struct choice {
	bool take;
	bool omit;                           /* our comparison is SQLite's: no second check */
	bool list;                           /* take IN's whole list in one xFilter */
};

static struct choice choose(const struct table *t, sqlite3_index_info *info, int i, int column, int op)
{
	const struct choice no = {0};
	/* A feed has no ranges to narrow: SQLite compares places as cheaply as we do. */
	if (t->feed && (column == PLAN_ROWID || column == HIDDEN_PARTITION || column == HIDDEN_OFFSET))
		return no;
	bool eq = op == SQLITE_INDEX_CONSTRAINT_EQ;
	if (column == as_of_column(t))
		return (struct choice){.take = eq, .omit = true};
	bool changelog = t->stream->kind == STREAM_CHANGELOG;
	bool binary = false;
	if (column > HIDDEN_TS || column == HIDDEN_TOPIC)
		binary = sqlite3_stricmp(sqlite3_vtab_collation(info, i), "BINARY") == 0;
	switch (column) {
	case PLAN_ROWID:
		/* Not omitted: it says nothing about rows whose partition or offset does not fit in a rowid (cursor_rowid). */
		return changelog || t->multi_row ? no : (struct choice){.take = eq || is_range(op)};
	case HIDDEN_PARTITION:
		return changelog ? no : (struct choice){.take = eq || is_range(op), .omit = true, .list = eq};
	case HIDDEN_OFFSET:
		/* An IN list is left to SQLite's loop: each value is a seek of its own. */
		return changelog ? no : (struct choice){.take = eq || is_range(op), .omit = true};
	case HIDDEN_TS:
		return (struct choice){.take = eq || is_range(op), .omit = !changelog, .list = eq};
	case HIDDEN_TIME:
		return changelog || !binary ? no : (struct choice){.take = eq || is_range(op), .list = eq};
	case HIDDEN_KEY:
		return (struct choice){.take = eq && binary, .list = eq};
	default:
		break;
	}
	if (column < HIDDEN_N)
		return no;
	if (eq && binary && column_is_whole_key(t->stream, payload_column(column)))
		return (struct choice){.take = true, .list = true};
	if (!changelog && !t->multi_row && is_range(op) && number_filter_possible(t->stream->columns[payload_column(column)].type))
		return (struct choice){.take = true};
	/* In a join, an index over what is held in memory answers an equality, whatever the format. */
	if (changelog || !(prefilter_possible(t->stream, payload_column(column)) || (eq && binary && !t->feed)))
		return no;
	return (struct choice){.take = (eq && binary) || op == SQLITE_INDEX_CONSTRAINT_LIKE || op == SQLITE_INDEX_CONSTRAINT_GLOB, .list = eq};
}

/* ORDER BY _ts is the order of offsets only where the broker sets the time. This may ask the broker for the topic's configuration, once. */
static bool order_by_time(struct table *t)
{
	struct topic_info topic = {0};
	struct err err = ERR_INIT;
	struct provider *p = t->module->provider;
	return p->impl->topic_info(p, t->stream->cluster, t->stream->topic, TOPIC_ASK_CONFIG, &topic, &err) && topic.ts_type == TS_TYPE_APPEND;
}

/* Finds an order that we can deliver and that satisfies ORDER BY. */
static bool choose_order(struct table *t, const sqlite3_index_info *info, bool one_partition, struct plan_order *ret)
{
	struct plan_order order = {0};
	if (t->feed || t->stream->kind == STREAM_CHANGELOG || info->nOrderBy == 0)
		return false;
	for (int i = 0; i < info->nOrderBy; i++) {
		int direction = info->aOrderBy[i].desc ? -1 : 1;
		int column = plan_alias(info->aOrderBy[i].iColumn);
		/* Behind a full (partition, offset) nothing is left to order, except among the rows of one message. */
		bool complete = order.offset && (order.partition || one_partition) && !t->multi_row;
		if (complete || (column == HIDDEN_PARTITION && (one_partition || order.partition)))
			continue;
		if (column == PLAN_ROWID && !t->multi_row && !order.offset && !order.ts && (i == 0 || order.partition || one_partition)) {
			if (!order.partition)
				order.partition = direction;
			order.offset = direction;
		} else if (column == HIDDEN_PARTITION && i == 0) {
			order.partition = direction;
		} else if (column == HIDDEN_OFFSET && !order.offset && !order.ts) {
			order.offset = direction;
		} else if ((column == HIDDEN_TS || column == HIDDEN_TIME) && i == 0 && info->nOrderBy == 1) {
			if (!order_by_time(t)) {
				/* The planner asks several times for one statement. */
				if (info->aOrderBy[i].desc && t->order_noticed_statement_n != t->module->provider->statement_n + 1) {
					t->order_noticed_statement_n = t->module->provider->statement_n + 1;
					notice(t->module, NOTICE_INFO, "%s: ORDER BY %s reads the whole range: its times are set by the producers and may be out of order (ORDER BY _offset DESC reads only the end)",
						t->stream->topic, hidden_names[column]);
				}
				return false;
			}
			order.ts = direction;
		} else {
			return false;
		}
	}
	*ret = order;
	return true;
}

/* What a plan is.
 *
 *   idxNum bits 0-1 order by partition   0 = no, 1 = rising, 2 = falling      orderByConsumed is set if any of the six bits is
 *          bits 2-3 order by offset      the same; without partition: merged over all partitions
 *          bits 4-5 order by time        the same (LogAppendTime only)
 *
 *   idxStr  16 hex digits: colUsed. Then for each argument, in argv's order:  ;column,operator,flags
 *           column    number of the declared column with aliases resolved, -1 rowid, -2 LIMIT, -3 OFFSET
 *           operator  SQLITE_INDEX_CONSTRAINT_*
 *           flags     1 = the whole list of an IN
 *
 *   argument of   operators            what xFilter makes of it                                       rechecked by SQLite
 *   _partition    = IN < <= > >=       fewer ranges                                                   no (IN: yes)
 *   _offset       = < <= > >=          narrower ranges; IN comes as one xFilter per value             no
 *   rowid         = < <= > >=          both of the above; not for tables of several rows a message    yes
 *   _ts           = IN < <= > >=       start by time index; end by it where times rise; row check     no (IN: yes)
 *   _time         = IN < <= > >=       the same, through the text's meaning as a time                 yes
 *   _key, and a TEXT column that is the whole key
 *                 = IN                 one partition where the partitioner is known; bytes compared   yes
 *   TEXT, JSON .. = IN LIKE GLOB       messages without these bytes are dropped before decoding       yes
 *   INTEGER, REAL = < <= > >=          compared as soon as the field is decoded                       yes
 *   any payload column =               the index over rows held in memory, for the inner table of a join       yes
 *   LIMIT, OFFSET                      how much to fetch first; never omitted: SQLite counts          yes
 *
 * A feed table takes _ts, _time, _key and payload columns as filters of its records, no more; it claims no order.
 * A table of versions must have _as_of = .., which is its time and not checked again; otherwise it is as a changelog table.
 * A changelog table takes _key and its key column (a look-up), and _ts for the check of its type; all else must see the last values only. */
int plan_best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
	struct table *t = (struct table *)base;
	struct buf text = BUF_INIT;
	buf_addf(&text, "%016llx", (unsigned long long)info->colUsed);
	double rows = t->feed ? FEED_ROWS : t->row_estimate >= 0 ? (double)t->row_estimate : ROWS_UNKNOWN;
	double cost = t->feed ? COST_FEED : COST_OPEN;
	bool as_of = false, partition_eq = false, offset_eq = false, rowid_eq = false, key_eq = false, payload_eq = false;
	int argument_n = 0;

	for (int i = 0; i < info->nConstraint; i++) {
		const struct sqlite3_index_constraint *c = &info->aConstraint[i];
		int column = plan_alias(c->iColumn);
		bool is_limit = c->op == SQLITE_INDEX_CONSTRAINT_LIMIT || c->op == SQLITE_INDEX_CONSTRAINT_OFFSET;
		struct choice choice = {0};
		if (is_limit) {
			column = c->op == SQLITE_INDEX_CONSTRAINT_LIMIT ? PLAN_LIMIT : PLAN_OFFSET;
			choice.take = !t->feed;
		} else {
			choice = choose(t, info, i, column, c->op);
		}
		if (!choice.take || !c->usable)
			continue;
		bool list = sqlite3_vtab_in(info, i, -1) != 0;
		if (list && choice.list)
			sqlite3_vtab_in(info, i, 1);
		info->aConstraintUsage[i].argvIndex = ++argument_n;
		info->aConstraintUsage[i].omit = choice.omit && !(list && choice.list);
		buf_addf(&text, ";%d,%d,%d", column, c->op, list && choice.list);
		bool one = c->op == SQLITE_INDEX_CONSTRAINT_EQ && !list;
		as_of = as_of || column == as_of_column(t);
		partition_eq = partition_eq || (column == HIDDEN_PARTITION && one);
		offset_eq = offset_eq || (column == HIDDEN_OFFSET && c->op == SQLITE_INDEX_CONSTRAINT_EQ);
		rowid_eq = rowid_eq || (column == PLAN_ROWID && c->op == SQLITE_INDEX_CONSTRAINT_EQ);
		key_eq = key_eq || ((column == HIDDEN_KEY || (column >= HIDDEN_N && column != as_of_column(t) && column_is_whole_key(t->stream, payload_column(column)))) && c->op == SQLITE_INDEX_CONSTRAINT_EQ);
		payload_eq = payload_eq || (column >= HIDDEN_N && c->op == SQLITE_INDEX_CONSTRAINT_EQ);
		if (is_range(c->op) && !is_limit && column < HIDDEN_N)
			rows *= 0.5;
	}

	/* Which time? Not before the table that it comes from is in an outer loop. */
	if (t->versions && !as_of) {
		buf_finish(&text);
		return SQLITE_CONSTRAINT;
	}
	struct plan_order order = {0};
	/* A caller may ask again with fewer usable constraints; an order is claimed in each case on its own merits. */
	if (choose_order(t, info, partition_eq, &order))
		info->orderByConsumed = 1;
	double read = rows;                  /* rows that travel */
	if (partition_eq && t->partition_estimate > 1)
		read /= t->partition_estimate;
	rows = read;
	if (rowid_eq || (partition_eq && offset_eq)) {
		read = rows = 1;
		if (!t->multi_row)
			info->idxFlags |= SQLITE_INDEX_SCAN_UNIQUE;
	} else if (offset_eq) {
		read = rows = t->partition_estimate;
	} else if (key_eq) {
		rows = t->stream->kind == STREAM_CHANGELOG ? 1 : rows / 100;
	}
	if (payload_eq && rows > 20)
		rows /= 20;
	/* Less than without, so that SQLite hands the equality over; the messages travel all the same. */
	cost += payload_eq ? 0.9 * read : read;
	if (key_eq && t->stream->kind == STREAM_CHANGELOG)
		cost = 10;                   /* once loaded, a look-up in a hash table */
	info->estimatedRows = rows < 1 ? 1 : (sqlite3_int64)rows;
	info->estimatedCost = cost;
	static const int code[] = {2, 0, 1};     /* -1, 0, 1 */
	info->idxNum = code[order.partition + 1] | code[order.offset + 1] << 2 | code[order.ts + 1] << 4;
	info->idxStr = sqlite3_mprintf("%s", text.data);
	info->needToFreeIdxStr = 1;
	buf_finish(&text);
	return info->idxStr ? SQLITE_OK : SQLITE_NOMEM;
}

void plan_parse(int number, const char *text, struct plan *ret)
{
	static const int direction[] = {0, 1, -1, 0};
	*ret = (struct plan){.order = {direction[number & 3], direction[number >> 2 & 3], direction[number >> 4 & 3]}};
	char *end = NULL;
	ret->col_used = strtoull(text, &end, 16);
	for (const char *p = end; *p == ';'; p = end) {
		ret->terms = xreallocarray(ret->terms, ret->term_n + 1, sizeof *ret->terms);
		struct plan_term *term = &ret->terms[ret->term_n++];
		*term = (struct plan_term){.column = (int)strtol(p + 1, &end, 10)};
		term->op = (int)strtol(end + 1, &end, 10);
		int flags = (int)strtol(end + 1, &end, 10);
		term->in = flags & 1;
	}
}

void plan_finish(struct plan *plan)
{
	free(plan->terms);
	plan->terms = NULL;
	plan->term_n = 0;
}
