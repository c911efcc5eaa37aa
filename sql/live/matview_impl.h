/* Inside of a materialized view: matview.c (statements, keeping it up to date), matview_make.c (what is made of its definition). */
#ifndef WEIR_SQL_LIVE_MATVIEW_IMPL_H
#define WEIR_SQL_LIVE_MATVIEW_IMPL_H

#include "sql/live/matview.h"
#include "vtab/feed.h"

struct live;

struct matview {
	struct matview *next;
	int id;
	char *name, *text;                   /* the SELECT, with its EMIT */
	struct live *live;                   /* NULL: not made yet */
	bool paused;
	struct err failed;                   /* id ERR_NONE = runs */
	char *object;                        /* SQL that drops what was made: view or table */
	char *table;                         /* rows are collected here; NULL = a view over groups */
	sqlite3_stmt *insert;
	char *late_table;
	struct feed_table *late_feed;
	sqlite3_stmt *late_insert;
};

/* The live query, and the view or table that shows what it holds. On failure nothing is left. */
bool matview_make(struct session *s, struct matview *v, struct err *err);
void matview_unmake(struct session *s, struct matview *v);
/* What stands for late(v) or absent(v) in FROM. */
bool matview_add_function(struct matview *v, bool late, struct buf *to, struct err *err);

#endif
