/* A statement's life: prepare, step, print, errors, and the lines on stderr that follow it. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "core/alloc.h"
#include "core/time.h"
#include "core/utf8.h"
#include "shell/live_screen.h"
#include "shell/script.h"
#include "shell/shell.h"
#include "shell/sqlscan.h"
#include "sql/live/live.h"

/* 1234567 -> 1,234,567 */
static void add_grouped(struct buf *b, int64_t v)
{
	char digits[NUMBER_TEXT_MAX];
	size_t n = int_text(v, digits);
	for (size_t i = 0; i < n; i++) {
		buf_addc(b, digits[i]);
		if (i + 1 < n && (n - i - 1) % 3 == 0 && digits[i] != '-')
			buf_addc(b, ',');
	}
}

static void summary_bad_messages(struct shell *sh)
{
	const struct scan_stats *st = &session_provider(sh->session)->stats;
	struct buf b = BUF_INIT;
	if (st->too_large_n && !sh->quiet) {
		add_grouped(&b, st->too_large_n);
		buf_adds(&b, st->too_large_n == 1 ? " message is larger than --max-message: its value is NULL" : " messages are larger than --max-message: their values are NULL");
		buf_adds(&b, " (SELECT * FROM weir_errors)");
		report_notice(sh, NOTICE_WARNING, b.data);
		buf_finish(&b);
	}
	if (!st->decode_error_n || sh->quiet)
		return;
	add_grouped(&b, st->decode_error_n);
	buf_adds(&b, " of ");
	add_grouped(&b, st->message_n > st->decode_error_n ? st->message_n : st->decode_error_n);
	buf_adds(&b, " messages could not be decoded (SELECT * FROM weir_errors)");
	report_notice(sh, NOTICE_WARNING, b.data);
	buf_finish(&b);
}

static void summary_stats(struct shell *sh)
{
	const struct scan_stats *st = &session_provider(sh->session)->stats;
	const struct {
		const char *name;
		int64_t n;
	} lines[] = {
		{"scans", st->scan_n}, {"offsets planned", st->planned_n}, {"messages read", st->message_n}, {"payload bytes", st->message_bytes}, {"bytes fetched", st->fetched_bytes},
		{"skipped before decoding", st->filtered_n}, {"outside the range", st->outside_n}, {"rows to SQLite", st->row_n}, {"decode errors", st->decode_error_n},
		{"duplicates dropped", st->duplicate_n}, {"offsets lost", st->gap_n}, {"too large", st->too_large_n}, {"requests", st->request_n}, {"leader changes", st->leader_change_n},
	};
	struct buf b = BUF_INIT;
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		if (!lines[i].n && i > 2)
			continue;
		buf_addf(&b, "%s%s ", b.len ? ", " : "Stats: ", lines[i].name);
		add_grouped(&b, lines[i].n);
	}
	report_line(sh, "%s", b.data);
	buf_finish(&b);
}

static void summary_timing(struct shell *sh, int64_t took_us)
{
	char text[TIME_TEXT_MAX];
	if (took_us < 1000000) {
		report_line(sh, "Time: %lld.%03lld ms", (long long)(took_us / 1000), (long long)(took_us % 1000));
	} else {
		time_format_duration(took_us / 1000, text);
		report_line(sh, "Time: %lld.%03lld ms (%s)", (long long)(took_us / 1000), (long long)(took_us % 1000), text);
	}
}

static int64_t mono_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* The first word of a statement is one of these? */
static bool begins_with(const char *sql, size_t len, const char *const *words)
{
	size_t at = sqlscan_blank(sql, len);
	for (; *words; words++) {
		size_t n = strlen(*words);
		if (len - at >= n && strncasecmp(sql + at, *words, n) == 0 && (len - at == n || strchr(" \t\r\n;(", sql[at + n])))
			return true;
	}
	return false;
}

static void gset_row(struct shell *sh, struct query *q)
{
	sqlite3_stmt *stmt = query_stmt(q);
	for (int i = 0; i < print_stmt_column_n(stmt); i++) {
		struct cell c;
		char number[NUMBER_TEXT_MAX];
		print_stmt_cell(stmt, i, &c);
		char *name = xasprintf("%s%s", sh->gset_prefix, print_stmt_column_name(stmt, i));
		char *text = c.type >= CELL_TEXT ? xstrndup(c.data, c.len) : NULL;
		if (c.type == CELL_INTEGER)
			int_text(c.integer, number);
		else if (c.type == CELL_REAL)
			print_real(c.real, number);
		session_set_variable(sh->session, name, c.type == CELL_NULL ? NULL : text ? text : number);
		free(name);
		free(text);
	}
}

struct run {
	struct query *query;
	struct print print;
	struct out *out;
	struct live_screen screen;
	bool live;
	bool begun, is_result;               /* print_begin was called; the statement has columns */
	int64_t row_n;
	int64_t begun_us, took_us;           /* took: without the time in the pager */
	bool ok;
	struct err err;
};

static void begin_print(struct shell *sh, struct run *r)
{
	if (sh->interactive && sh->pager && r->out->tty && !sh->redirected && !r->live)
		out_hold(r->out, shell_screen_rows() - 1, sh->pager_command ? sh->pager_command : getenv("WEIR_PAGER") ? getenv("WEIR_PAGER") : getenv("PAGER") ? getenv("PAGER") : "less");
	print_begin(&r->print, &sh->print, r->out, query_stmt(r->query), sh->insert_table ? sh->insert_table : query_table(r->query));
	sh->ticker.print = &r->print;
	r->begun = true;
}

/* Why a cancelled statement ended, in the words of the one who ended it. */
static void explain_stop(struct shell *sh, struct run *r)
{
	switch (atomic_load(&sh->ticker.stopped)) {
	case STOP_TIMEOUT:
		err_set(&r->err, ERR_TIMEOUT, "--timeout: stopped after %lld ms", (long long)sh->options->timeout_ms);
		r->ok = false;
		break;
	case STOP_BYTES:
		err_set(&r->err, ERR_LIMIT, "--max-bytes: the statement read more than %lld bytes", (long long)sh->options->max_bytes);
		r->ok = false;
		break;
	default:
		break;
	}
}

/* One row is printed; false = the statement need not go on. */
static bool take_row(struct shell *sh, struct run *r)
{
	bool go_on;
	if (sh->gset_prefix) {
		if (++r->row_n == 1)
			gset_row(sh, r->query);
		return r->row_n < 2;
	}
	ticker_lock(&sh->ticker);
	if (r->screen.open) {
		live_screen_row(&r->screen, r->query);
		r->row_n = r->screen.row_n;
		ticker_unlock(&sh->ticker);
		return true;
	}
	if (!r->begun)
		begin_print(sh, r);
	print_row(&r->print, query_stmt(r->query));
	if (++r->row_n == 1) {
		if (r->out->tty && !r->out->hold_lines && r->out->pending.len)
			ticker_clear_progress(&sh->ticker);
		out_flush(r->out);               /* the first row is not kept waiting */
	} else if (r->out->tty && sh->ticker.drawn && r->out->pending.len) {
		ticker_clear_progress(&sh->ticker);
	}
	go_on = out_ok(r->out);
	ticker_unlock(&sh->ticker);
	if (sh->options->limit >= 0 && r->row_n >= sh->options->limit)
		go_on = false;
	return go_on && !atomic_load_explicit(&sh->ticker.stopped, memory_order_relaxed);
}

static void finish_print(struct shell *sh, struct run *r)
{
	ticker_lock(&sh->ticker);
	ticker_clear_progress(&sh->ticker);
	if (r->live)
		live_screen_idle(&r->screen, sh, r->query);
	if (!r->begun && r->ok && !r->screen.lines && !sh->gset_prefix && print_stmt_column_n(query_stmt(r->query)) > 0)
		begin_print(sh, r);
	if (r->begun)
		print_end(&r->print);
	sh->ticker.print = NULL;
	out_flush(r->out);
	ticker_unlock(&sh->ticker);
	ticker_end(&sh->ticker);
	r->took_us = mono_us() - r->begun_us;
	signals_hold(true);
	out_release(r->out);
	signals_hold(false);
}

/* A live query has nothing now: what is held goes out at once. */
static bool live_pause(struct shell *sh, struct run *r, bool frame)
{
	bool go_on;
	ticker_lock(&sh->ticker);
	if (frame) {
		ticker_clear_progress(&sh->ticker);
		live_screen_frame(&r->screen, sh, r->query);
		ticker_unlock(&sh->ticker);
		return true;
	}
	live_screen_idle(&r->screen, sh, r->query);
	if (r->begun)
		print_tick(&r->print, INT64_MAX);
	if (r->out->pending.len) {
		if (r->out->tty)
			ticker_clear_progress(&sh->ticker);
		out_flush(r->out);
	}
	go_on = out_ok(r->out);
	ticker_unlock(&sh->ticker);
	return go_on && !atomic_load_explicit(&sh->ticker.stopped, memory_order_relaxed);
}

static void step_all(struct shell *sh, struct run *r)
{
	bool none = sh->options->limit == 0;
	struct live_status status;
	r->live = query_live_status(r->query, &status);
	if (r->live) {
		live_screen_init(&r->screen, sh, r->out, r->query);
		ticker_lock(&sh->ticker);
		sh->ticker.progress = sh->ticker.progress && !r->screen.on;
		ticker_unlock(&sh->ticker);
	}
	for (;;) {
		enum query_step step = none ? QUERY_DONE : query_step(r->query, &r->err);
		r->ok = step != QUERY_FAILED;
		if (step == QUERY_IDLE || step == QUERY_FRAME) {
			if (!live_pause(sh, r, step == QUERY_FRAME))
				break;
			continue;
		}
		if (step != QUERY_ROW || !take_row(sh, r))
			break;
	}
	if (!r->ok || atomic_load(&sh->ticker.stopped) != STOP_NONE)
		explain_stop(sh, r);
}

static void print_changes(void *arg, int n, const char *const *text)
{
	(void)n;
	report_line(arg, "changes: %s   total_changes: %s", text[0], text[1]);
}

static void footers(struct shell *sh, struct run *r)
{
	struct err ignored = ERR_INIT;
	if (r->is_result && (r->ok || r->row_n) && sh->print.footer && sh->print.mode->people && !sh->gset_prefix && !sh->quiet) {
		struct buf b = BUF_INIT;
		add_grouped(&b, r->row_n);
		report_line(sh, "(%s row%s)", b.data, r->row_n == 1 ? "" : "s");
		buf_finish(&b);
	}
	summary_bad_messages(sh);
	if (sh->changes && r->ok && !r->is_result)
		shell_query_each(sh, "SELECT changes(), total_changes()", print_changes, sh, &ignored);
	if (sh->timing)
		summary_timing(sh, r->took_us);
	if (sh->stats && session_provider(sh->session)->stats.scan_n)
		summary_stats(sh);
}

static bool execute(struct shell *sh, struct query *q, struct err *err)
{
	struct run r = {.query = q, .out = shell_out(sh), .ok = true, .err = ERR_INIT, .begun_us = mono_us()};
	bool progress = sh->stderr_tty && !sh->quiet && !sh->options->dry_run;
	ticker_begin(&sh->ticker, sh->session, r.out, progress);
	signals_watch(sh->session);
	if (signals_last())
		session_cancel(sh->session, signals_last());     /* it came between two statements */
	step_all(sh, &r);
	r.is_result = r.begun || print_stmt_column_n(query_stmt(q)) > 0;
	finish_print(sh, &r);
	query_destroy(q);
	signals_watch(NULL);
	footers(sh, &r);
	if (sh->gset_prefix && r.ok && r.row_n != 1)
		r.ok = err_set(&r.err, ERR_SCRIPT, r.row_n ? "\\gset: more than one row" : "\\gset: no row");
	*err = r.err;
	return r.ok;
}

static void echo_statement(struct shell *sh, const char *sql, size_t len)
{
	size_t blank = strspn(sql, " \t\r\n");
	if (blank < len)
		report_line(sh, "%.*s", (int)(len - blank < 100000 ? len - blank : 100000), sql + blank);
}

/* --dry-run: everything is prepared; only what later statements need to be prepared runs, in a transaction that is undone. */
static bool dry_run(struct shell *sh, struct query *q, const char *sql, size_t len, struct err *err)
{
	static const char *const needed[] = {"CREATE", "ALTER", "DROP", "SET", NULL};
	bool ok = true;
	if (begins_with(sql, len, needed)) {
		enum query_step step;
		while ((step = query_step(q, err)) != QUERY_DONE && step != QUERY_FAILED)
			;
		ok = step == QUERY_DONE;
	}
	if (ok && !sh->quiet) {
		size_t blank = sqlscan_blank(sql, len);
		const char *nl = memchr(sql + blank, '\n', len - blank);
		report_line(sh, "ok: %.*s", (int)(nl ? nl - sql - (long)blank : (long)(len - blank)), sql + blank);
	}
	query_destroy(q);
	return ok;
}

static void reset_counters(struct shell *sh)
{
	struct provider *p = session_provider(sh->session);
	atomic_store_explicit(&p->progress.planned_n, 0, memory_order_relaxed);
	atomic_store_explicit(&p->progress.passed_n, 0, memory_order_relaxed);
	atomic_store_explicit(&p->progress.message_n, 0, memory_order_relaxed);
	atomic_store_explicit(&p->progress.message_bytes, 0, memory_order_relaxed);
	if (signals_last() == 0)
		session_cancel_reset(sh->session);
	int64_t deadline = sh->ticker.deadline_ms;
	if (sh->interactive && sh->options->timeout_ms)
		deadline = time_mono_ms() + sh->options->timeout_ms;     /* at the prompt: each statement has its own */
	ticker_lock(&sh->ticker);
	sh->ticker.deadline_ms = deadline;
	ticker_unlock(&sh->ticker);
	if (p->cancel)
		atomic_store_explicit(&p->cancel->deadline_ms, deadline, memory_order_relaxed);
}

/* After a statement that did not work: false = leave the script. */
static bool after_error(struct shell *sh, const struct err *err, const struct origin *at, const char *sql, size_t len)
{
	int signal_number = signals_last();
	struct out *out = shell_out(sh);
	if (sh->out.closed) {
		sh->fatal = true;
		return false;
	}
	if (err->id == ERR_INTERRUPTED && (signal_number == SIGTERM || signal_number == SIGHUP)) {
		sh->fatal = true;
		return false;
	}
	report_error(sh, err, at, sql, len);
	if (out->closed && out != &sh->out)
		out->closed = false;
	if (sh->interactive && !(sh->script && sh->script->name))
		return false;
	bool ended = err->id == ERR_INTERRUPTED || (err->id == ERR_TIMEOUT && !sh->interactive);
	if (ended || !sh->keep_going)
		sh->fatal = true;
	return !sh->fatal;
}

static bool check_output(struct shell *sh, const struct origin *at)
{
	struct out *out = shell_out(sh);
	if (out_ok(out))
		return true;
	if (out->closed && out == &sh->out) {
		sh->fatal = true;
		return false;
	}
	struct err err = ERR_INIT;
	err_set(&err, ERR_WRITE_OUTPUT, "write error: %s", out->closed ? "the reader closed the pipe" : strerror(out->error_n));
	report_error(sh, &err, at, NULL, 0);
	if (out == &sh->out)
		sh->fatal = true;
	else
		shell_close_redirect(sh);
	return false;
}

void shell_end_once(struct shell *sh)
{
	sh->once_expanded = false;
	sh->once_mode = NULL;
	free(sh->gset_prefix);
	sh->gset_prefix = NULL;
	if (sh->redirected && sh->redirect_once)
		shell_close_redirect(sh);
}

static struct origin advance(const struct origin *at, const char *sql, size_t n)
{
	struct origin to = *at;
	for (size_t i = 0; i < n; i++) {
		if (sql[i] == '\n') {
			to.line++;
			to.column = 1;
		} else if (((unsigned char)sql[i] & 0xC0) != 0x80) {
			to.column++;
		}
	}
	return to;
}

static bool query_plan(struct shell *sh, const char *sql, size_t len, const struct origin *at);

/* Runs the first statement of the text. ret_used: bytes it took. */
static bool run_first(struct shell *sh, const char *sql, size_t len, const struct origin *at, size_t *ret_used)
{
	struct err err = ERR_INIT;
	struct query *q = NULL;
	size_t used = 0;
	reset_counters(sh);
	signals_watch(sh->session);
	bool ok = session_prepare(sh->session, sql, len, &used, &q, &err);
	signals_watch(NULL);
	if (!ok) {
		*ret_used = sqlscan_statement(sql, len);
		if (time_mono_ms() >= sh->ticker.deadline_ms && sh->ticker.deadline_ms && err.id == ERR_INTERRUPTED)
			err_set(&err, ERR_TIMEOUT, "--timeout: stopped after %lld ms", (long long)sh->options->timeout_ms);
		return after_error(sh, &err, at, sql, *ret_used) && false;
	}
	*ret_used = used ? used : len;
	if (!q)
		return true;
	if (sh->echo)
		echo_statement(sh, sql, used);
	if (sh->rewrite && query_rewritten(q))
		report_line(sh, "-- %s", query_rewritten(q));
	if (sh->eqp)
		query_plan(sh, sql, used, at);
	ok = sh->options->dry_run ? dry_run(sh, q, sql, used, &err) : execute(sh, q, &err);
	if (sh->out.closed) {
		sh->fatal = true;
		return false;
	}
	if (!ok) {
		after_error(sh, &err, at, sql, used);
		return false;
	}
	return check_output(sh, at);
}

/* .eqp on */
static bool query_plan(struct shell *sh, const char *sql, size_t len, const struct origin *at)
{
	static const char *const planned[] = {"SELECT", "WITH", "VALUES", "INSERT", "UPDATE", "DELETE", "REPLACE", NULL};
	if (!begins_with(sql, len, planned))
		return true;
	char *text = xasprintf("EXPLAIN QUERY PLAN %.*s", (int)len, sql);
	sh->eqp = false;
	size_t used;
	bool ok = run_first(sh, text, strlen(text), at, &used);
	sh->eqp = true;
	free(text);
	return ok;
}

bool shell_run_sql(struct shell *sh, const char *sql, size_t len, const struct origin *at)
{
	size_t done = 0;
	bool ok = true;
	enum print_expanded expanded = sh->print.expanded;
	const struct print_impl *mode = sh->print.mode;
	if (sh->once_expanded)
		sh->print.expanded = EXPANDED_ON;
	if (sh->once_mode)
		sh->print.mode = sh->once_mode;
	if (sh->interactive)
		signals_forget();
	while (done < len && !sh->quit && !sh->fatal) {
		struct origin here = advance(at, sql, done);
		size_t used = 0;
		if (!run_first(sh, sql + done, len - done, &here, &used)) {
			ok = false;
			if (!sh->keep_going || sh->interactive)
				break;
		}
		if (!used)
			break;
		done += used;
		if (signals_last() && !sh->interactive)
			break;
	}
	sh->print.expanded = expanded;
	sh->print.mode = mode;
	shell_end_once(sh);
	return ok;
}

bool shell_run_internal(struct shell *sh, const char *sql)
{
	struct origin at = {sh->script ? sh->script->name : NULL, sh->script ? sh->script->line : 1, 1};
	return shell_run_sql(sh, sql, strlen(sql), &at);
}

bool shell_query_each(struct shell *sh, const char *sql, void (*each)(void *arg, int n, const char *const *text), void *arg, struct err *err)
{
	struct query *q = NULL;
	size_t used;
	if (!session_prepare(sh->session, sql, strlen(sql), &used, &q, err))
		return false;
	if (!q)
		return true;
	enum query_step step;
	signals_watch(sh->session);
	while ((step = query_step(q, err)) != QUERY_DONE && step != QUERY_FAILED) {
		if (!each || step != QUERY_ROW)
			continue;
		sqlite3_stmt *stmt = query_stmt(q);
		int n = print_stmt_column_n(stmt);
		char **text = xcalloc((size_t)n + 1, sizeof *text);
		for (int i = 0; i < n; i++) {
			struct cell c;
			char number[NUMBER_TEXT_MAX];
			print_stmt_cell(stmt, i, &c);
			if (c.type == CELL_INTEGER)
				int_text(c.integer, number);
			else if (c.type == CELL_REAL)
				print_real(c.real, number);
			text[i] = c.type == CELL_NULL ? NULL : c.type >= CELL_TEXT ? xstrndup(c.data, c.len) : xstrdup(number);
		}
		each(arg, n, (const char *const *)text);
		for (int i = 0; i < n; i++)
			free(text[i]);
		free(text);
	}
	signals_watch(NULL);
	query_destroy(q);
	return step == QUERY_DONE;
}

struct truth {
	bool any, value;
};

static void take_truth(void *arg, int n, const char *const *text)
{
	struct truth *t = arg;
	if (!t->any && n)
		t->value = text[0] && (strtod(text[0], NULL) != 0 || strcasecmp(text[0], "true") == 0 || strcasecmp(text[0], "t") == 0);
	t->any = true;
}

bool shell_query_true(struct shell *sh, const char *sql, bool *ret, struct err *err)
{
	struct truth t = {.any = false};
	if (!shell_query_each(sh, sql, take_truth, &t, err))
		return false;
	*ret = t.value;
	return true;
}
