/* Rows of a topic in falling offset order, or merged over partitions: read in pieces from the end that is wanted, so that the newest 10
 * cost the newest 10. A piece that turns out too short (compaction, transaction markers) is followed by a wider one. */
#ifndef WEIR_VTAB_ORDER_H
#define WEIR_VTAB_ORDER_H

#include "vtab/plan.h"

/* One partition's piece in memory. */
struct lane {
	int32_t partition;
	int64_t lo, hi;                      /* offsets not read yet, half-open */
	int64_t width;                       /* offsets of the next piece */
	struct batch **batches;
	size_t batch_n;
	const struct record **records;       /* of the piece, in the order they are given out */
	struct batch **record_batches;       /* borrowed from batches */
	size_t record_n, record_i;
};

struct order_merge {
	struct module *module;
	const char *cluster;
	struct scan_request request;         /* without ranges */
	struct plan_order order;
	struct lane *lanes;
	size_t lane_n;
	size_t *heap;                        /* indexes of lanes that have a record, the first one to give out on top */
	size_t heap_n;
	size_t turn;                         /* partition order: the lane at work */
	bool started;
};

/* request is copied without its ranges; its strings are borrowed until order_finish. */
void order_init(struct order_merge *m, struct module *module, const char *cluster, const struct scan_request *request, struct plan_order order, int64_t row_hint);
/* Moves to the next record: *ret_batch is borrowed until the next call. *ret_record = NULL at the end. */
bool order_next(struct order_merge *m, struct batch **ret_batch, const struct record **ret_record, struct err *err);
void order_finish(struct order_merge *m);

#endif
