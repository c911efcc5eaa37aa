/* shell/demo/demo.h. One sink per topic. History: plant_step over eight hours of plant time as fast as the sinks take it, then a flush of
 * each. Live: the thread owns plant and sinks from then on, wakes every DEMO_WAKE_MS, lets the plant run up to the clock and flushes, so
 * that a query sees data at most a second old. Messages keep the partition the plant chose (murmur2 of the key).
 *
 * The broker keeps 5 MiB a partition and drops the oldest beyond it without a word, so what the history needs is checked against that
 * limit here; live data moves the window on after about half an hour. */
#include "shell/demo/demo.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/alloc.h"
#include "kafka/embedded.h"

enum {
	DEMO_WAKE_MS = 250,
	DEMO_CATCH_UP_MS = 10 * 60 * 1000,       /* the most plant time of one wake-up: after a suspend the stop flag is still seen */
	BROKER_KEEPS_BYTES = 5 * 1024 * 1024,
	RECORD_FRAME_BYTES = 16,                 /* lengths, deltas and the share of the batch header: at most this for our records */
};

struct demo {
	struct embedded *broker;
	struct sink *sinks[PLANT_TOPIC_N];
	struct plant *plant;
	struct plant_stats history;
	int64_t start_ms;
	int64_t clock_offset_ms;                 /* plant time - wall clock */
	bool live;
	struct err err;                          /* of the emitting thread; read by others after join only */
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	bool stop;                               /* under mutex */
};

bool demo_parse_start(const char *text, int64_t *ret_ms, struct err *err)
{
	static const int64_t year_10000_ms = 253402300800000;
	int64_t ms;
	if (!time_parse_instant(text, strlen(text), time_now_ms(), &ms))
		return err_set(err, ERR_USAGE, "--start: \"%s\" is not a time such as 2026-09-01T06:00:00Z or -1h", text);
	if (ms < PLANT_BOOK_MS || ms > year_10000_ms - 365 * (int64_t)86400000)
		return err_set(err, ERR_USAGE, "--start: \"%s\" is out of range", text);
	*ret_ms = ms;
	return true;
}

static bool emit(void *arg, const struct plant_event *e)
{
	struct demo *d = arg;
	struct sink *sink = d->sinks[e->topic];
	struct sink_record record = {.key = e->key, .value = e->value, .headers = e->headers, .ts_ms = e->ts_ms, .partition = e->partition};
	return sink->impl->put(sink, &record, &d->err);
}

static bool flush(struct demo *d)
{
	for (int i = 0; i < PLANT_TOPIC_N; i++)
		if (!d->sinks[i]->impl->flush(d->sinks[i], &d->err))
			return false;
	return true;
}

static bool load_history(struct demo *d)
{
	if (!plant_step(d->plant, d->start_ms + PLANT_HISTORY_MS, emit, d) || !flush(d))
		return false;
	d->history = *plant_stats_get(d->plant);
	for (int t = 0; t < PLANT_TOPIC_N; t++) {
		int64_t sent_n = 0;
		for (int k = 0; k < plant_topics[t].partition_n; k++) {
			sent_n += d->history.message_n[t][k];
			if (d->history.payload_bytes[t][k] + RECORD_FRAME_BYTES * d->history.message_n[t][k] > BROKER_KEEPS_BYTES)
				return err_set(&d->err, ERR_INTERNAL, "the demo's history of %s-%d is larger than the embedded broker keeps", plant_topics[t].name, k);
		}
		if (d->sinks[t]->delivered_n != sent_n)
			return err_set(&d->err, ERR_DELIVERY, "the embedded broker took %lld of %lld messages of %s", (long long)d->sinks[t]->delivered_n, (long long)sent_n, plant_topics[t].name);
	}
	return true;
}

static bool wait_stopped(struct demo *d)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += DEMO_WAKE_MS * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}
	pthread_mutex_lock(&d->mutex);
	while (!d->stop && pthread_cond_timedwait(&d->wake, &d->mutex, &until) == 0)
		continue;
	bool stopped = d->stop;
	pthread_mutex_unlock(&d->mutex);
	return stopped;
}

static void *live_main(void *arg)
{
	struct demo *d = arg;
	int64_t reached_ms = d->start_ms + PLANT_HISTORY_MS;
	while (!wait_stopped(d)) {
		int64_t until_ms = time_now_ms() + d->clock_offset_ms;
		if (until_ms > reached_ms + DEMO_CATCH_UP_MS)
			until_ms = reached_ms + DEMO_CATCH_UP_MS;
		if (until_ms < reached_ms + PLANT_TICK_MS)
			continue;
		if (!plant_step(d->plant, until_ms, emit, d) || !flush(d))
			break;
		/* The plant moves by whole ticks from its start. */
		reached_ms += (until_ms - reached_ms) / PLANT_TICK_MS * PLANT_TICK_MS;
	}
	return NULL;
}

static bool start_thread(struct demo *d, struct err *err)
{
	/* Signals belong to the main thread. */
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int code = pthread_create(&d->thread, NULL, live_main, d);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (code != 0)
		return err_set(err, ERR_INTERNAL, "the demo's live thread did not start: %s", strerror(code));
	d->live = true;
	return true;
}

static void destroy(struct demo *d)
{
	for (int i = 0; i < PLANT_TOPIC_N; i++)
		if (d->sinks[i])
			d->sinks[i]->impl->destroy(d->sinks[i]);
	plant_destroy(d->plant);
	embedded_destroy(d->broker);
	pthread_cond_destroy(&d->wake);
	pthread_mutex_destroy(&d->mutex);
	free(d);
}

bool demo_start(const struct demo_options *options, struct demo **ret, struct err *err)
{
	struct demo *d = xcalloc(1, sizeof *d);
	err_clear(&d->err);
	pthread_mutex_init(&d->mutex, NULL);
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&d->wake, &attr);
	pthread_condattr_destroy(&attr);

	int64_t now_ms = time_now_ms();
	int64_t start_ms = options->start_ms == TIME_NONE ? now_ms - PLANT_HISTORY_MS : options->start_ms;
	d->start_ms = start_ms - start_ms % PLANT_TICK_MS;
	d->clock_offset_ms = options->start_ms == TIME_NONE ? 0 : d->start_ms + PLANT_HISTORY_MS - now_ms;
	d->plant = plant_create(options->seed, d->start_ms);
	d->broker = embedded_create(1, err);
	if (!d->broker)
		goto fail;
	for (int i = 0; i < PLANT_TOPIC_N; i++) {
		if (!embedded_create_topic(d->broker, plant_topics[i].name, plant_topics[i].partition_n, err) ||
		    !embedded_open_sink(d->broker, plant_topics[i].name, PARTITIONER_MURMUR2, &d->sinks[i], err))
			goto fail;
	}
	if (!load_history(d)) {
		*err = d->err;
		goto fail;
	}
	bool live = options->live == DEMO_LIVE_ON || (options->live == DEMO_LIVE_AUTO && options->start_ms == TIME_NONE);
	if (live && !start_thread(d, err))
		goto fail;
	*ret = d;
	return true;
fail:
	destroy(d);
	return false;
}

const char *demo_bootstrap(const struct demo *d)
{
	return embedded_bootstrap(d->broker);
}

const struct plant_stats *demo_history(const struct demo *d)
{
	return &d->history;
}

int64_t demo_start_ms(const struct demo *d)
{
	return d->start_ms;
}

bool demo_is_live(const struct demo *d)
{
	return d->live;
}

void demo_describe(const struct demo *d, char *to, size_t to_size)
{
	int64_t sensor_n = 0, all_n = 0;
	for (int t = 0; t < PLANT_TOPIC_N; t++) {
		for (int k = 0; k < plant_topics[t].partition_n; k++) {
			all_n += d->history.message_n[t][k];
			sensor_n += t == PLANT_SENSORS ? d->history.message_n[t][k] : 0;
		}
	}
	char start[TIME_TEXT_MAX];
	time_format(d->start_ms, start);
	snprintf(to, to_size, "a plant of 3 lines in %d topics: %lld messages, %lld of them from %d sensors since %.19sZ%s", PLANT_TOPIC_N, (long long)all_n, (long long)sensor_n,
		plant_tag_n(), start, d->live ? ", and live data" : "");
}

bool demo_stop(struct demo *d, struct err *err)
{
	if (!d)
		return true;
	if (d->live) {
		pthread_mutex_lock(&d->mutex);
		d->stop = true;
		pthread_cond_signal(&d->wake);
		pthread_mutex_unlock(&d->mutex);
		pthread_join(d->thread, NULL);
	}
	bool ok = d->err.id == ERR_NONE;
	if (!ok)
		*err = d->err;
	destroy(d);
	return ok;
}
