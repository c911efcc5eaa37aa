/* shell/ticker.h */
#include "shell/ticker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "core/time.h"
#include "core/utf8.h"
#include "shell/shell.h"

static void write_stderr(const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(STDERR_FILENO, text, len);
		if (n < 0 && errno != EINTR)
			return;
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
}

void ticker_clear_progress(struct ticker *t)
{
	if (!t->drawn)
		return;
	static const char clear[] = "\r\x1b[K";
	write_stderr(clear, sizeof clear - 1);
	t->drawn = false;
}

/* 999, 12.3k, 4.5M */
static void add_count(struct buf *b, double v, double step, const char *unit)
{
	static const char prefixes[] = " kMGT";
	int i = 0;
	for (; v >= step * 0.9995 && i < 4; i++)
		v /= step;
	if (i)
		buf_addf(b, v < 9.995 ? "%.2f%c%s" : v < 99.95 ? "%.1f%c%s" : "%.0f%c%s", v, prefixes[i], unit);
	else
		buf_addf(b, "%.0f%s%s", v, *unit ? " " : "", unit);
}

static void draw_progress(struct ticker *t, int64_t now)
{
	struct scan_progress *g = &session_provider(t->session)->progress;
	int64_t planned = atomic_load_explicit(&g->planned_n, memory_order_relaxed);
	int64_t passed = atomic_load_explicit(&g->passed_n, memory_order_relaxed);
	int64_t messages = atomic_load_explicit(&g->message_n, memory_order_relaxed);
	int64_t bytes = atomic_load_explicit(&g->message_bytes, memory_order_relaxed);
	int64_t took = now - t->begun_ms;
	double seconds = (double)(took > 0 ? took : 1) / 1000;
	char text[TIME_TEXT_MAX];
	struct buf b = BUF_INIT;
	if (planned > 0 && passed >= 0) {
		double share = passed >= planned ? 1 : (double)passed / (double)planned;
		enum { BAR = 20 };
		int full = (int)(share * BAR);
		buf_addc(&b, '[');
		for (int i = 0; i < BAR; i++)
			buf_addc(&b, i < full ? '=' : i == full ? '>' : ' ');
		buf_addf(&b, "] %3d%%  ", (int)(share * 100));
		add_count(&b, (double)messages, 1000, "");
		buf_adds(&b, " messages  ");
		add_count(&b, (double)messages / seconds, 1000, "");
		buf_adds(&b, "/s  ");
		add_count(&b, (double)bytes / seconds, 1000, "B");
		buf_adds(&b, "/s  ");
		buf_addf(&b, "%lld rows", t->print ? (long long)t->print->row_n : 0LL);
		if (share > 0.01 && share < 1) {
			time_format_duration((int64_t)((double)took * (1 - share) / share), text);
			buf_addf(&b, "  ETA %s", text);
		}
	} else {
		time_format_duration(took, text);
		buf_addf(&b, "running %s", text);
		if (t->print && t->print->row_n)
			buf_addf(&b, "  %lld rows", (long long)t->print->row_n);
	}
	int columns = shell_screen_columns();
	size_t len = b.len;
	if (columns > 1)
		len = utf8_prefix(b.data, b.len, (size_t)columns - 1, NULL);
	struct buf line = BUF_INIT;
	buf_adds(&line, "\r\x1b[K");
	buf_add(&line, b.data, len);
	write_stderr(line.data, line.len);
	buf_finish(&line);
	buf_finish(&b);
	t->drawn = true;
	t->drawn_ms = now;
}

/* True once the process that reads our pipe is gone, before anything is written to it. */
static bool reader_gone(int fd)
{
	struct pollfd p = {.fd = fd, .events = 0};
	return poll(&p, 1, 0) > 0 && (p.revents & (POLLERR | POLLNVAL));
}

static void stop_statement(struct ticker *t, enum ticker_stop why, int signal_number)
{
	int none = STOP_NONE;
	if (atomic_compare_exchange_strong(&t->stopped, &none, why))
		session_cancel(t->session, signal_number);
}

static void tick(struct ticker *t, int64_t now)
{
	if (t->print)
		print_tick(t->print, now);
	if (t->out->hold_lines && t->print && t->print->row_n) {
		if (!t->first_row_ms)
			t->first_row_ms = now;
		if (now - t->first_row_ms >= HOLD_MS) {
			ticker_clear_progress(t);
			out_unhold(t->out);
		}
	}
	if (t->out->pending.len && t->out->pending.len == t->seen_pending && !t->out->hold_lines) {
		if (t->out->tty)
			ticker_clear_progress(t);
		out_flush(t->out);
	}
	t->seen_pending = t->out->pending.len;
	if (t->out->closed || (!t->out->tty && reader_gone(t->out->fd))) {
		t->out->closed = true;
		stop_statement(t, STOP_CLOSED, SIGPIPE);
	}
	if (t->deadline_ms && now >= t->deadline_ms)
		stop_statement(t, STOP_TIMEOUT, SIGALRM);
	if (t->max_bytes && atomic_load_explicit(&session_provider(t->session)->progress.message_bytes, memory_order_relaxed) > t->max_bytes)
		stop_statement(t, STOP_BYTES, SIGXFSZ);
	bool rows_on_screen = t->out->tty && t->print && t->print->row_n && !t->out->hold_lines;
	if (t->progress && !t->out->paging && !rows_on_screen && now - t->begun_ms >= PROGRESS_AFTER_MS && now - t->drawn_ms >= 100)
		draw_progress(t, now);
}

static void *ticker_thread(void *arg)
{
	struct ticker *t = arg;
	pthread_mutex_lock(&t->lock);
	while (!t->stop) {
		if (!t->active) {
			pthread_cond_wait(&t->wake, &t->lock);
			continue;
		}
		struct timespec until;
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += TICK_MS * 1000000L;
		if (until.tv_nsec >= 1000000000L) {
			until.tv_nsec -= 1000000000L;
			until.tv_sec++;
		}
		pthread_cond_timedwait(&t->wake, &t->lock, &until);
		if (t->active && !t->stop)
			tick(t, time_mono_ms());
	}
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

void ticker_init(struct ticker *t)
{
	*t = (struct ticker){.active = false};
	pthread_condattr_t attr;
	pthread_mutex_init(&t->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&t->wake, &attr);
	pthread_condattr_destroy(&attr);
}

static void start_thread(struct ticker *t)
{
	sigset_t all, old;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	t->started = pthread_create(&t->thread, NULL, ticker_thread, t) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void ticker_finish(struct ticker *t)
{
	if (t->started) {
		ticker_lock(t);
		t->stop = true;
		pthread_cond_signal(&t->wake);
		ticker_unlock(t);
		pthread_join(t->thread, NULL);
		t->started = false;
	}
	pthread_cond_destroy(&t->wake);
	pthread_mutex_destroy(&t->lock);
}

void ticker_begin(struct ticker *t, struct session *s, struct out *out, bool progress)
{
	if (!t->started)
		start_thread(t);
	ticker_lock(t);
	t->active = true;
	t->session = s;
	t->print = NULL;
	t->out = out;
	t->begun_ms = time_mono_ms();
	t->first_row_ms = t->drawn_ms = 0;
	t->seen_pending = 0;
	t->progress = progress;
	atomic_store(&t->stopped, STOP_NONE);
	pthread_cond_signal(&t->wake);
	ticker_unlock(t);
}

void ticker_end(struct ticker *t)
{
	ticker_lock(t);
	t->active = false;
	t->print = NULL;
	ticker_clear_progress(t);
	ticker_unlock(t);
}

void ticker_lock(struct ticker *t)
{
	pthread_mutex_lock(&t->lock);
}

void ticker_unlock(struct ticker *t)
{
	pthread_mutex_unlock(&t->lock);
}
