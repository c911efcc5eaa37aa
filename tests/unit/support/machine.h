/* What a test of promptness must know of its machine: a virtual one may stand still for half a second, which is not what such a test is about. */
#ifndef WEIR_TESTS_MACHINE_H
#define WEIR_TESTS_MACHINE_H

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>
#include "core/time.h"

static atomic_llong machine_lost_ms;         /* since the last check */

static void *machine_watch(void *arg)
{
	for (;;) {
		int64_t before = time_mono_ms();
		usleep(5000);
		int64_t late = time_mono_ms() - before - 5;
		if (late > 1)
			atomic_fetch_add(&machine_lost_ms, late);
	}
	return NULL;
}

/* Once, from main. */
static void machine_start(void)
{
	pthread_t thread;
	pthread_attr_t detached;
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	pthread_create(&thread, &detached, machine_watch, NULL);
	pthread_attr_destroy(&detached);
}

/* What was lost counts twice: the program and the test that waits for it stood still one after the other. */
static void check_within(int64_t elapsed_ms, int64_t min_ms, int64_t max_ms)
{
	assert_in_range(elapsed_ms, min_ms, max_ms + 2 * atomic_exchange(&machine_lost_ms, 0));
}

#endif
