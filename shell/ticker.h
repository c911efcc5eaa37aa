/* One thread that wakes every TICK_MS while a statement runs, so that the main thread may block inside a fetch: it writes rows that lie
 * in the buffer, lays out a first page that has waited long enough, draws the progress line on stderr, sees that the reader of
 * stdout went away, and enforces --timeout and --max-bytes by cancelling the statement.
 * The lock guards the printer and the output while a statement runs: the main thread takes it around each row. */
#ifndef WEIR_SHELL_TICKER_H
#define WEIR_SHELL_TICKER_H

#include <pthread.h>
#include <stdatomic.h>
#include "shell/out.h"
#include "shell/print.h"
#include "sql/session.h"

enum { TICK_MS = 50, PROGRESS_AFTER_MS = 300, HOLD_MS = 250 };

enum ticker_stop { STOP_NONE, STOP_TIMEOUT, STOP_BYTES, STOP_CLOSED };

struct ticker {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool started, stop;

	/* Under the lock */
	bool active;
	struct session *session;
	struct print *print;                 /* NULL before the first row */
	struct out *out;
	int64_t begun_ms, first_row_ms, drawn_ms;
	size_t seen_pending;
	bool progress;                       /* may draw */
	bool drawn;                          /* the line is on the screen */

	int64_t deadline_ms;                 /* monotonic, 0 = none */
	int64_t max_bytes;                   /* 0 = none */
	atomic_int stopped;                  /* enum ticker_stop of this statement */
};

void ticker_init(struct ticker *t);
void ticker_finish(struct ticker *t);
void ticker_begin(struct ticker *t, struct session *s, struct out *out, bool progress);
void ticker_end(struct ticker *t);                       /* takes the progress line away; no lock needed */
void ticker_lock(struct ticker *t);
void ticker_unlock(struct ticker *t);
void ticker_clear_progress(struct ticker *t);            /* with the lock held */

#endif
