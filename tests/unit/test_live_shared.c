/* One reader for several queries over a topic: everyone gets everything once, the slow hold up the fast but not for ever, readers that meet become one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include "support/fake_provider.h"
#include "sql/live/shared_source.h"

enum { PARTITION_N = 2, RECORD_N = 500, BATCH_RECORDS = 7 };

struct setting {
	struct fake *fake;
	struct shared_reader *readers;
};

/* A query: it skips what it has, as live_input.c does, and counts what it gets. */
struct query {
	struct source *source;
	int64_t next[PARTITION_N];
	int64_t got_n;
};

static void produce(struct fake *f, int n)
{
	for (int p = 0; p < PARTITION_N; p++)
		for (int i = 0; i < n; i++)
			fake_add(&f->topics[0], p, -1, i, "k", "v");
}

static int setup(void **state)
{
	struct setting *s = xcalloc(1, sizeof *s);
	s->fake = fake_create();
	s->fake->batch_records = BATCH_RECORDS;
	fake_topic_add(s->fake, "t", PARTITION_N);
	produce(s->fake, RECORD_N);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct setting *s = *state;
	assert_null(s->readers);
	fake_destroy(s->fake);
	free(s);
	return 0;
}

static void begin(struct setting *s, struct query *q, int64_t from)
{
	struct scan_range ranges[PARTITION_N];
	struct scan_request r = {.topic = "t", .ranges = ranges, .range_n = PARTITION_N, .need = SCAN_NEED_KEY | SCAN_NEED_VALUE, .live = true};
	struct err err = ERR_INIT;
	*q = (struct query){0};
	for (int p = 0; p < PARTITION_N; p++) {
		ranges[p] = (struct scan_range){p, from, SCAN_END_NEVER};
		q->next[p] = from;
	}
	assert_true(shared_source_open(&s->readers, &s->fake->provider, NULL, &r, &q->source, &err));
}

static enum source_status ask(struct query *q)
{
	struct batch *b = NULL;
	struct err err = ERR_INIT;
	enum source_status status = source_next(q->source, 0, &b, &err);
	if (status == SOURCE_BATCH) {
		for (size_t i = 0; i < b->record_n; i++) {
			int64_t *next = &q->next[b->partition];
			if (b->records[i].offset < *next)
				continue;
			assert_int_equal(b->records[i].offset, *next);       /* nothing is missing */
			++*next;
			q->got_n++;
		}
		batch_unref(b);
	} else {
		assert_int_equal(status == SOURCE_ERROR, err.id != ERR_NONE);
	}
	return status;
}

static void drain(struct query *q, size_t n)
{
	for (int quiet = 0; quiet < 3;) {
		quiet++;
		for (size_t i = 0; i < n; i++)
			while (ask(&q[i]) == SOURCE_BATCH)
				quiet = 0;
	}
}

static void test_all_get_all_once(void **state)
{
	struct setting *s = *state;
	struct query q[3];
	for (int i = 0; i < 3; i++)
		begin(s, &q[i], 0);
	assert_int_equal(shared_reader_n(s->readers), 1);
	assert_int_equal(s->fake->open_n, 1);
	drain(q, 3);
	produce(s->fake, 33);
	drain(q, 3);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(q[i].got_n, PARTITION_N * (RECORD_N + 33));
		source_destroy(q[i].source);
	}
}

static void test_the_slow_hold_up_the_fast(void **state)
{
	struct setting *s = *state;
	struct query q[2];
	struct source_position at[PARTITION_N];
	begin(s, &q[0], 0);
	begin(s, &q[1], 0);
	int n = 0;
	while (ask(&q[0]) == SOURCE_BATCH)
		n++;
	assert_int_equal(n, 16);                             /* then the other's queue is full */
	assert_int_equal(ask(&q[0]), SOURCE_IDLE);
	/* What waits in the queue is not read: the slow one's lag says so. */
	assert_int_equal(source_positions(q[1].source, at, PARTITION_N), PARTITION_N);
	assert_int_equal(at[0].position, 0);
	assert_false(at[0].at_end);
	source_positions(q[0].source, at, PARTITION_N);
	assert_true(at[0].position > 0);
	drain(q, 2);
	assert_int_equal(q[0].got_n, PARTITION_N * RECORD_N);
	assert_int_equal(q[1].got_n, PARTITION_N * RECORD_N);
	source_destroy(q[0].source);
	source_destroy(q[1].source);
}

static void test_the_absent_are_left(void **state)
{
	struct setting *s = *state;
	struct query q[2];
	begin(s, &q[0], 0);
	begin(s, &q[1], 0);
	while (ask(&q[0]) == SOURCE_BATCH)
		;
	nanosleep(&(struct timespec){.tv_sec = 1, .tv_nsec = 50000000}, NULL);
	drain(q, 1);
	assert_int_equal(q[0].got_n, PARTITION_N * RECORD_N);
	assert_int_equal(shared_reader_n(s->readers), 2);
	/* It comes back, opens a reader of its own, and the two that then stand at the same place become one. */
	drain(q, 2);
	assert_int_equal(q[1].got_n, PARTITION_N * RECORD_N);
	assert_int_equal(shared_reader_n(s->readers), 1);
	produce(s->fake, 10);
	drain(q, 2);
	assert_int_equal(q[0].got_n, PARTITION_N * (RECORD_N + 10));
	assert_int_equal(q[1].got_n, PARTITION_N * (RECORD_N + 10));
	source_destroy(q[0].source);
	source_destroy(q[1].source);
}

static void test_who_comes_later(void **state)
{
	struct setting *s = *state;
	struct query q[3];
	begin(s, &q[0], 0);
	drain(q, 1);
	begin(s, &q[1], RECORD_N);                           /* from now on */
	assert_int_equal(shared_reader_n(s->readers), 1);
	begin(s, &q[2], 0);                                  /* from the beginning: the other is past it */
	assert_int_equal(shared_reader_n(s->readers), 2);
	drain(q, 3);
	assert_int_equal(shared_reader_n(s->readers), 1);
	assert_int_equal(q[1].got_n, 0);
	produce(s->fake, 5);
	drain(q, 3);
	assert_int_equal(q[0].got_n, PARTITION_N * (RECORD_N + 5));
	assert_int_equal(q[1].got_n, PARTITION_N * 5);
	assert_int_equal(q[2].got_n, PARTITION_N * (RECORD_N + 5));
	/* The one that opened the reader goes first. */
	for (int i = 0; i < 3; i++) {
		source_destroy(q[i].source);
		if (i < 2) {
			produce(s->fake, 1);
			drain(q + i + 1, (size_t)(2 - i));
		}
	}
	assert_int_equal(q[2].got_n, PARTITION_N * (RECORD_N + 5 + 2));
}

static void test_an_error_is_everyones(void **state)
{
	struct setting *s = *state;
	struct query q[2], again;
	s->fake->fail_after = 50;
	begin(s, &q[0], 0);
	begin(s, &q[1], 0);
	enum source_status status;
	while ((status = ask(&q[0])) == SOURCE_BATCH)
		;
	assert_int_equal(status, SOURCE_ERROR);
	while ((status = ask(&q[1])) == SOURCE_BATCH)
		;
	assert_int_equal(status, SOURCE_ERROR);
	assert_int_equal(q[0].got_n, q[1].got_n);
	/* Whoever begins anew gets a new reader. */
	s->fake->fail_after = 0;
	begin(s, &again, 0);
	drain(&again, 1);
	assert_int_equal(again.got_n, PARTITION_N * RECORD_N);
	source_destroy(again.source);
	source_destroy(q[0].source);
	source_destroy(q[1].source);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_all_get_all_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_slow_hold_up_the_fast, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_absent_are_left, setup, teardown),
		cmocka_unit_test_setup_teardown(test_who_comes_later, setup, teardown),
		cmocka_unit_test_setup_teardown(test_an_error_is_everyones, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
