/* sql/memory.h. The loadable extension lives in its host's SQLite and leaves its memory alone. */
#include "sql/memory.h"

#ifndef WEIR_EXTENSION
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>
#include "vtab/sqlite.h"

static _Atomic int64_t used;
static _Atomic int64_t limit;

static void *limited_malloc(int n)
{
	int64_t now = atomic_load_explicit(&used, memory_order_relaxed);
	if (now + n > atomic_load_explicit(&limit, memory_order_relaxed))
		return NULL;
	void *p = malloc((size_t)n);
	if (p)
		atomic_fetch_add_explicit(&used, (int64_t)malloc_usable_size(p), memory_order_relaxed);
	return p;
}

static void limited_free(void *p)
{
	if (p)
		atomic_fetch_sub_explicit(&used, (int64_t)malloc_usable_size(p), memory_order_relaxed);
	free(p);
}

static void *limited_realloc(void *p, int n)
{
	int64_t before = p ? (int64_t)malloc_usable_size(p) : 0;
	int64_t now = atomic_load_explicit(&used, memory_order_relaxed);
	if (n > before && now + n - before > atomic_load_explicit(&limit, memory_order_relaxed))
		return NULL;
	void *q = realloc(p, (size_t)n);
	if (q)
		atomic_fetch_add_explicit(&used, (int64_t)malloc_usable_size(q) - before, memory_order_relaxed);
	return q;
}

static int limited_size(void *p)
{
	return p ? (int)malloc_usable_size(p) : 0;
}

static int round_up(int n)
{
	return (n + 7) & ~7;
}

static int start(void *arg)
{
	(void)arg;
	return SQLITE_OK;
}

static void stop(void *arg)
{
	(void)arg;
}

static void install_once(void)
{
	static const sqlite3_mem_methods methods = {limited_malloc, limited_free, limited_realloc, limited_size, round_up, start, stop, NULL};
	const int64_t low = INT64_C(256) << 20, high = INT64_C(4) << 30;
	int64_t half = (int64_t)sysconf(_SC_PHYS_PAGES) * (int64_t)sysconf(_SC_PAGE_SIZE) / 2;
	atomic_store(&limit, half < low ? low : half > high ? high : half);
	/* Both fail (SQLITE_MISUSE) if someone has started SQLite before: then its defaults stay. */
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
}

void memory_install(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, install_once);
}

void memory_set_limit(int64_t bytes)
{
	atomic_store(&limit, bytes);
}

int64_t memory_limit(void)
{
	return atomic_load(&limit);
}

int64_t memory_used(void)
{
	return atomic_load(&used);
}
#else
void memory_install(void)
{
}

/* The host's SQLite has limits of its own. */
int64_t memory_limit(void)
{
	return 0;
}
#endif
