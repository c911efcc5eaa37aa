/* The mount over a fake provider: a topic in memory that a test can grow, cut and take down. Skipped where /dev/fuse cannot be opened. Under
 * ThreadSanitizer and AddressSanitizer this is where races between requests, interrupts and feeds would show.
 * The mount is served by a child process: one that reads its own mount cannot be killed when something goes wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "core/alloc.h"
#include "core/time.h"
#include "fuse/mount.h"

enum { PARTITION_N = 2, MESSAGE_MAX = 400000, BATCH_N = 500 };

/* ---- the cluster in memory: topic "t"; message `offset` of partition p has a value that can be computed */

struct fake {
	pthread_mutex_t mu;                  /* shared between the processes */
	int64_t low[PARTITION_N], end[PARTITION_N];
	bool down;
};
static struct fake *fake;

static void grow(int partition, int64_t n)
{
	pthread_mutex_lock(&fake->mu);
	fake->end[partition] += n;
	pthread_mutex_unlock(&fake->mu);
}

static int value_of(char *to, size_t size, int partition, int64_t offset)
{
	return snprintf(to, size, "{\"p\":%d,\"n\":%lld,\"pad\":\"%.*s\"}", partition, (long long)offset, (int)(offset % 40), "........................................");
}

static void line_of(struct buf *to, int partition, int64_t offset)
{
	char value[128], time[TIME_TEXT_MAX];
	value_of(value, sizeof value, partition, offset);
	time_format(1700000000000 + offset * 10 + partition, time);
	buf_addf(to, "{\"topic\":\"t\",\"partition\":%d,\"offset\":%lld,\"timestamp\":\"%s\",\"key\":\"k%lld\",\"value\":%s}\n", partition, (long long)offset, time, (long long)(offset % 10), value);
}

struct fake_access {
	struct mount_access base;
	struct provider provider;
	struct cancel cancel;
};

static bool is_down(struct provider *p, struct err *err)
{
	pthread_mutex_lock(&fake->mu);
	bool down = fake->down;
	pthread_mutex_unlock(&fake->mu);
	while (down) {
		if (!cancel_check(p->cancel, err))
			return true;
		nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
		pthread_mutex_lock(&fake->mu);
		down = fake->down;
		pthread_mutex_unlock(&fake->mu);
	}
	return false;
}

static bool fake_info(struct provider *p, const char *cluster, const char *topic, unsigned ask, struct topic_info *ret, struct err *err)
{
	(void)p, (void)cluster, (void)ask;
	if (strcmp(topic, "t") != 0)
		return err_set(err, ERR_TOPIC_UNKNOWN, "no topic %s", topic);
	*ret = (struct topic_info){.partition_n = PARTITION_N, .time_seek = false};
	return true;
}

static bool fake_bounds(struct provider *p, const char *cluster, const char *topic, int32_t n, struct partition_bounds *ret, struct err *err)
{
	(void)cluster, (void)topic;
	if (is_down(p, err))
		return false;
	pthread_mutex_lock(&fake->mu);
	for (int32_t i = 0; i < n; i++)
		ret[i] = (struct partition_bounds){.partition = i, .low = fake->low[i], .end = fake->end[i]};
	pthread_mutex_unlock(&fake->mu);
	return true;
}

struct fake_source {
	struct source base;
	struct provider *provider;
	struct batch_pool *pool;
	struct scan_filter filter;
	struct scan_range ranges[PARTITION_N];
	size_t range_n;
};

static enum source_status fake_next(struct source *source, int wait_ms, struct batch **ret, struct err *err)
{
	struct fake_source *s = (struct fake_source *)source;
	bool over = true;
	if (cancel_requested(s->provider->cancel)) {
		cancel_check(s->provider->cancel, err);
		return SOURCE_ERROR;
	}
	for (size_t i = 0; i < s->range_n; i++) {
		struct scan_range *r = &s->ranges[i];
		pthread_mutex_lock(&fake->mu);
		int64_t end = fake->down ? 0 : fake->end[r->partition];
		if (!fake->down && r->start < fake->low[r->partition])
			r->start = fake->low[r->partition];
		pthread_mutex_unlock(&fake->mu);
		over &= r->start >= r->end;
		if (end > r->end)
			end = r->end;
		if (r->start >= end)
			continue;
		struct batch *b = batch_create(s->pool, r->partition, 0);
		for (int k = 0; k < BATCH_N && r->start < end; k++, r->start++) {
			char key[16], value[128];
			int key_len = snprintf(key, sizeof key, "k%lld", (long long)(r->start % 10)), value_len = value_of(value, sizeof value, r->partition, r->start);
			struct record meta = {.offset = r->start, .ts_ms = 1700000000000 + r->start * 10 + r->partition};
			if (!s->filter.keep || s->filter.keep(s->filter.arg, bytes_of(key, (size_t)key_len), bytes_of(value, (size_t)value_len)))
				assert_true(batch_add(b, &meta, bytes_of(key, (size_t)key_len), bytes_of(value, (size_t)value_len), bytes_of(NULL, 0)));
		}
		batch_seal(b);
		if (b->record_n == 0) {
			batch_unref(b);
			return SOURCE_IDLE;
		}
		*ret = b;
		return SOURCE_BATCH;
	}
	if (over)
		return SOURCE_END;
	nanosleep(&(struct timespec){.tv_nsec = wait_ms < 5 ? wait_ms * 1000000L : 5000000}, NULL);
	return SOURCE_IDLE;
}

static void fake_source_destroy(struct source *source)
{
	batch_pool_unref(((struct fake_source *)source)->pool);
	free(source);
}

static const struct source_impl fake_source_impl = {.next = fake_next, .destroy = fake_source_destroy};

static bool fake_scan(struct provider *p, const char *cluster, const struct scan_request *q, struct source **ret, struct err *err)
{
	struct fake_source *s = xcalloc(1, sizeof *s);
	(void)cluster, (void)err;
	s->base.impl = &fake_source_impl;
	s->provider = p;
	s->pool = batch_pool_create(BATCH_N, 128 * 1024, 4);
	s->filter = q->filter;
	s->range_n = q->range_n;
	memcpy(s->ranges, q->ranges, q->range_n * sizeof *q->ranges);
	*ret = &s->base;
	return true;
}

static bool fake_names(struct provider *p, const char *cluster, char ***ret, size_t *ret_n, struct err *err)
{
	static const char *const names[] = {"t", "../evil", "a/b"};       /* a broken broker */
	(void)cluster;
	if (is_down(p, err))
		return false;
	*ret = xcalloc(3, sizeof(char *));
	for (int i = 0; i < 3; i++)
		(*ret)[i] = xstrdup(names[i]);
	*ret_n = 3;
	return true;
}

static const struct provider_impl fake_provider_impl = {.topic_info = fake_info, .topic_bounds = fake_bounds, .open_scan = fake_scan, .topic_names = fake_names};

static void fake_destroy(struct mount_access *a)
{
	free(a);
}

static bool fake_queries(struct mount_access *a, char ***ret, size_t *ret_n, struct err *err)
{
	(void)a, (void)err;
	*ret = xcalloc(1, sizeof(char *));
	(*ret)[0] = xstrdup("hot lines");
	*ret_n = 1;
	return true;
}

static bool fake_query(struct mount_access *a, const char *name, bool csv, bool (*put)(void *arg, const void *data, size_t len), void *arg, struct err *err)
{
	(void)a, (void)err;
	assert_string_equal(name, "hot lines");
	return put(arg, csv ? "n\n1\n" : "{\"n\":1}\n", csv ? 4 : 8);
}

static const struct mount_access_impl fake_access_impl = {.destroy = fake_destroy, .query_names = fake_queries, .query_run = fake_query};

static bool fake_open(void *arg, bool live, struct mount_access **ret, struct err *err)
{
	struct fake_access *a = xcalloc(1, sizeof *a);
	(void)arg, (void)live, (void)err;
	a->base.impl = &fake_access_impl;
	a->base.provider = &a->provider;
	a->provider = (struct provider){.impl = &fake_provider_impl, .cancel = &a->cancel};
	*ret = &a->base;
	return true;
}

/* ---- mounting it */

static char dir[64];
static pid_t server;

static void at_exit(void)
{
	struct err ignored = ERR_INIT;
	if (server > 0)
		kill(server, SIGKILL);
	if (dir[0]) {
		mount_end(dir, true, &ignored);
		rmdir(dir);
	}
}

/* The child: mounts, says so through the pipe, serves until SIGTERM. */
static int serve(const char *options, int ready)
{
	struct mount_options o;
	struct mount_factory factory = {.open = fake_open};
	struct mount *m = NULL;
	struct err err = ERR_INIT;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	mount_options_init(&o);
	o.dir = dir;
	bool ok = mount_options_parse(&o, options, &err) && mount_create(&o, &factory, &m, &err);
	if (ok) {
		(void)!write(ready, "y", 1);
		close(ready);
		ok = mount_serve(m, false, true, &err);
	}
	if (!ok)
		fprintf(stderr, "serve: %s\n", err.msg);
	mount_destroy(m);
	return ok ? 0 : 1;
}

static int setup(void **state)
{
	int ready[2];
	char byte;
	if (access("/dev/fuse", R_OK | W_OK) != 0)
		return 0;
	if (!fake) {
		pthread_mutexattr_t shared;
		fake = mmap(NULL, sizeof *fake, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		assert_true(fake != MAP_FAILED);
		pthread_mutexattr_init(&shared);
		pthread_mutexattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
		pthread_mutex_init(&fake->mu, &shared);
		pthread_mutexattr_destroy(&shared);
		strcpy(dir, "/tmp/weir-unit-XXXXXX");
		assert_non_null(mkdtemp(dir));
		atexit(at_exit);
	}
	for (int i = 0; i < PARTITION_N; i++) {
		fake->low[i] = 0;
		fake->end[i] = 2500;
	}
	fake->down = false;
	assert_int_equal(pipe(ready), 0);
	fflush(NULL);
	server = fork();
	if (server == 0) {
		close(ready[0]);
		int code = serve(*state ? *state : "segment=1000,timeout=1", ready[1]);
		dir[0] = '\0';
		exit(code);
	}
	close(ready[1]);
	ssize_t n = read(ready[0], &byte, 1);
	close(ready[0]);
	assert_int_equal(n, 1);
	return 0;
}

/* Asks the child to end. Its exit status, 0 = all well (a sanitizer's report is not). */
static int stop(void)
{
	int status = 0;
	kill(server, SIGTERM);
	waitpid(server, &status, 0);
	server = 0;
	return status;
}

static int teardown(void **state)
{
	(void)state;
	struct err ignored = ERR_INIT;
	int status = server > 0 ? stop() : 0;
	if (status)
		fprintf(stderr, "the mount ended with status %d\n", status);
	if (dir[0])
		mount_end(dir, true, &ignored);
	return status;
}

#define NEED_MOUNT() do { if (server <= 0) skip(); } while (0)

static int open_at(const char *name, int flags)
{
	char *path = xasprintf("%s/%s", dir, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC | flags);
	int saved = errno;
	free(path);
	errno = saved;
	return fd;
}

static void read_all(int fd, struct buf *to)
{
	char block[65536];
	ssize_t n;
	while ((n = read(fd, block, sizeof block)) > 0)
		buf_add(to, block, (size_t)n);
	assert_int_equal(n, 0);
}

static void read_file(const char *name, struct buf *to)
{
	int fd = open_at(name, 0);
	if (fd < 0)
		fail_msg("%s: %s", name, strerror(errno));
	read_all(fd, to);
	close(fd);
}

static int64_t size_of(const char *name)
{
	char *path = xasprintf("%s/%s", dir, name);
	struct stat st;
	int rc = stat(path, &st);
	free(path);
	return rc < 0 ? -1 : (int64_t)st.st_size;
}

static void check_segment(const char *name, int partition, int64_t from, int64_t to)
{
	struct buf got = BUF_INIT, want = BUF_INIT;
	read_file(name, &got);
	for (int64_t i = from; i < to; i++)
		line_of(&want, partition, i);
	assert_int_equal(got.len, want.len);
	assert_memory_equal(got.data, want.data, want.len);
	assert_int_equal(size_of(name), want.len);
	buf_finish(&got);
	buf_finish(&want);
}

static int count_entries(const char *name)
{
	char *path = xasprintf("%s/%s", dir, name);
	DIR *d = opendir(path);
	int n = 0;
	free(path);
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static void test_tree(void **state)
{
	NEED_MOUNT();
	assert_int_equal(count_entries(""), 4);           /* @README @query @status t: illegal names are not there */
	assert_int_equal(count_entries("t"), 3);
	assert_int_equal(count_entries("t/log"), 2);
	assert_int_equal(count_entries("t/log/0"), 3);
	static const char *const there[] = {"@README", "@status", "t/meta.json", "t/follow", "t/follow@-5", "t/follow@beginning", "t/follow@2026-09-21T13:00:00Z", "t/tail.csv",
		"t/log/1/00000000000000002000.txt", "t/time/2023-11-14/22.ndjson", "t/key/k1.ndjson", "@query/hot%20lines.csv"};
	static const char *const absent[] = {"@other", "nope", "..evil", "t/log/2", "t/log/00", "t/log/+1", "t/log/0/7.ndjson", "t/log/0/00000000000000000007.ndjson",
		"t/log/0/00000000000000003000.ndjson", "t/log/0/00000000000000001000", "t/log/0/99999999999999999999.ndjson", "t/follow@", "t/follow@x", "t/follow@--1", "t/time/2023-13-40",
		"t/time/2023-11-14/24.ndjson", "t/time/2023-11-14/1.ndjson", "t/key/%6b1.ndjson", "t/key/k1", "@query/other.csv", "t/tail.json"};
	for (size_t i = 0; i < sizeof there / sizeof *there; i++)
		if (size_of(there[i]) < 0)
			fail_msg("%s is not there: %s", there[i], strerror(errno));
	for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
		if (size_of(absent[i]) >= 0 || errno != ENOENT)
			fail_msg("%s is there", absent[i]);
	char longest[300] = "t/key/";
	memset(longest + 6, 'k', 245);
	strcpy(longest + 251, ".csv");
	assert_true(size_of(longest) < 0 && errno == ENAMETOOLONG);
	assert_int_equal(open_at("t/meta.json", O_WRONLY), -1);
	assert_int_equal(errno, EROFS);
	struct buf text = BUF_INIT;
	read_file("@query/hot%20lines.ndjson", &text);
	assert_string_equal(text.data, "{\"n\":1}\n");
	buf_clear(&text);
	read_file("t/meta.json", &text);
	assert_non_null(strstr(text.data, "{\"partition\":1,\"leader\":0,\"low\":0,\"end\":2500}"));
	assert_int_equal(size_of("@README"), size_of("@README"));
	buf_finish(&text);
	(void)state;
}

static void test_segments(void **state)
{
	NEED_MOUNT();
	assert_true(size_of("t/log/0/00000000000000000000.ndjson") > 0);      /* not zero before the first open: tar would take it for empty */
	check_segment("t/log/0/00000000000000000000.ndjson", 0, 0, 1000);
	check_segment("t/log/1/00000000000000001000.ndjson", 1, 1000, 2000);
	check_segment("t/log/0/00000000000000002000.ndjson", 0, 2000, 2500);
	/* The last one grows, also for a handle that is open. */
	int fd = open_at("t/log/0/00000000000000002000.ndjson", 0);
	struct buf got = BUF_INIT, want = BUF_INIT;
	assert_true(fd >= 0);
	read_all(fd, &got);
	grow(0, 700);
	for (int i = 0; i < 300; i++) {
		read_all(fd, &got);
		if (got.len && strstr(got.data + (got.len > 400 ? got.len - 400 : 0), "\"n\":2999,"))
			break;
		nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
	}
	close(fd);
	for (int64_t i = 2000; i < 3000; i++)
		line_of(&want, 0, i);
	assert_int_equal(got.len, want.len);
	assert_memory_equal(got.data, want.data, want.len);
	check_segment("t/log/0/00000000000000002000.ndjson", 0, 2000, 3000);
	check_segment("t/log/0/00000000000000003000.ndjson", 0, 3000, 3200);
	buf_finish(&got);
	buf_finish(&want);
	/* An open sees what was produced before it, without waiting for the next look. */
	grow(1, 100);
	check_segment("t/log/1/00000000000000002000.ndjson", 1, 2000, 2600);
	(void)state;
}

struct opener {
	pthread_t thread;
	struct buf text;
};

static void *open_and_read(void *arg)
{
	struct opener *o = arg;
	read_file("t/key/k4.ndjson", &o->text);
	return NULL;
}

/* Many open one file while it is rendered: each gets it once, whole. */
static void test_opens_at_once(void **state)
{
	NEED_MOUNT();
	enum { N = 24 };
	struct opener o[N];
	struct buf want = BUF_INIT;
	for (int64_t i = 4; i < 2500; i += 10)
		for (int p = 0; p < PARTITION_N; p++)
			line_of(&want, p, i);
	for (int i = 0; i < N; i++) {
		buf_init(&o[i].text);
		assert_int_equal(pthread_create(&o[i].thread, NULL, open_and_read, &o[i]), 0);
		if (i % 6 == 0)
			nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	for (int i = 0; i < N; i++) {
		pthread_join(o[i].thread, NULL);
		assert_int_equal(o[i].text.len, want.len);
		assert_memory_equal(o[i].text.data, want.data, want.len);
		buf_finish(&o[i].text);
	}
	buf_clear(&o[0].text);
	read_file("t/key/k4.ndjson", &o[0].text);
	assert_int_equal(o[0].text.len, want.len);
	buf_finish(&o[0].text);
	buf_finish(&want);
	(void)state;
}

static void test_merged(void **state)
{
	NEED_MOUNT();
	struct buf got = BUF_INIT, want = BUF_INIT;
	read_file("t/key/k3.ndjson", &got);
	for (int64_t i = 3; i < 2500; i += 10)
		for (int p = 0; p < PARTITION_N; p++)
			line_of(&want, p, i);
	assert_string_equal(got.data, want.data);
	buf_clear(&got);
	buf_clear(&want);
	read_file("t/time/2023-11-14/22.ndjson", &got);
	for (int64_t i = 0; i < 2500; i++)
		for (int p = 0; p < PARTITION_N; p++)
			line_of(&want, p, i);
	assert_string_equal(got.data, want.data);
	buf_clear(&got);
	read_file("t/time/2023-11-14/21.ndjson", &got);
	assert_int_equal(got.len, 0);
	buf_finish(&got);
	buf_finish(&want);
	(void)state;
}

/* Every line of text is one that line_of makes, offsets rise by one in each partition, nothing is lost or repeated. Returns how many. */
static int64_t check_lines(const struct buf *text, int64_t next[PARTITION_N])
{
	int64_t n = 0;
	struct buf want = BUF_INIT;
	for (size_t at = 0; at < text->len; n++) {
		const char *lf = memchr(text->data + at, '\n', text->len - at);
		int p = -1;
		assert_non_null(lf);
		static const char before[] = "{\"topic\":\"t\",\"partition\":", between[] = ",\"offset\":";
		const char *digit = text->data + at + sizeof before - 1;
		assert_memory_equal(text->data + at, before, sizeof before - 1);
		p = *digit - '0';
		assert_in_range(p, 0, PARTITION_N - 1);
		if (next[p] < 0)
			next[p] = strtoll(digit + 1 + strlen(between), NULL, 10);
		buf_clear(&want);
		line_of(&want, p, next[p]++);
		size_t len = (size_t)(lf - text->data) + 1 - at;
		assert_int_equal(len, want.len);
		assert_memory_equal(text->data + at, want.data, len);
		at += len;
	}
	buf_finish(&want);
	return n;
}

/* A busy machine may hold up the reader, and then the ring must not turn over under it: the writer keeps within half a ring of what was read. */
enum { AHEAD_MAX = 4000 };
static _Atomic int64_t tailed_n;

static void *grower(void *arg)
{
	int64_t total = *(int64_t *)arg;
	for (int64_t i = 0; i < total; i += 100) {
		while (i > tailed_n + AHEAD_MAX)
			nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
		grow((int)(i / 100 % PARTITION_N), 100);
		nanosleep(&(struct timespec){.tv_nsec = 4000000}, NULL);       /* about 25,000 lines a second */
	}
	return NULL;
}

/* Reads a file as tail -f does (what fstat says there is) until it has line_n lines. */
static void tail_until(int fd, struct buf *to, int64_t *at, int64_t line_n)
{
	char block[65536];
	int64_t got_n = 0;
	tailed_n = 0;
	for (int idle = 0; idle < 5000 && got_n < line_n; idle++) {
		struct stat st;
		assert_int_equal(fstat(fd, &st), 0);
		while (*at < st.st_size) {
			ssize_t n = pread(fd, block, sizeof block, *at);
			assert_true(n > 0);
			buf_add(to, block, (size_t)n);
			*at += n;
			for (ssize_t i = 0; i < n; i++)
				got_n += block[i] == '\n';
			tailed_n = got_n;
		}
		nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
	}
	assert_int_equal(got_n, line_n);
}

static void test_tail_grows_whole_lines(void **state)
{
	NEED_MOUNT();
	pthread_t thread;
	int64_t total = 20000, next[PARTITION_N] = {-1, -1}, at = 0;
	struct buf text = BUF_INIT;
	int fd = open_at("t/tail.ndjson", 0);
	assert_true(fd >= 0);
	pthread_create(&thread, NULL, grower, &total);
	tail_until(fd, &text, &at, 1000 + total);
	pthread_join(thread, NULL);
	assert_int_equal(check_lines(&text, next), 1000 + total);
	assert_int_equal(next[0], 12500);
	assert_int_equal(next[1], 12500);
	close(fd);
	buf_finish(&text);
	(void)state;
}

/* A ring that turns over many times: a handle keeps its numbering, new lookups see a new generation, dropped bytes are ESTALE and nothing else. */
static void test_generations(void **state)
{
	NEED_MOUNT();
	pthread_t thread;
	int64_t total = 60000, next[PARTITION_N] = {-1, -1}, at = 0;
	struct buf text = BUF_INIT;
	char byte;
	int fd = open_at("t/tail.ndjson", 0);
	int64_t first_size = size_of("t/tail.ndjson");
	pthread_create(&thread, NULL, grower, &total);
	tail_until(fd, &text, &at, 1000 + total);
	pthread_join(thread, NULL);
	assert_int_equal(check_lines(&text, next), 1000 + total);
	assert_true(at > 6 << 20);
	assert_true(size_of("t/tail.ndjson") < 2 << 20);                  /* a new lookup: the last generation */
	assert_true(first_size > 0 && size_of("t/tail.ndjson") > 0);
	assert_int_equal(pread(fd, &byte, 1, 0), -1);
	assert_int_equal(errno, ESTALE);
	struct buf again = BUF_INIT;
	int64_t next2[PARTITION_N] = {-1, -1};
	read_file("t/tail.ndjson", &again);
	assert_true(check_lines(&again, next2) > 100);
	close(fd);
	buf_finish(&again);
	buf_finish(&text);
	(void)state;
}

static void on_alarm(int signal_number)
{
	(void)signal_number;
}

static void test_follow(void **state)
{
	NEED_MOUNT();
	struct buf text = BUF_INIT;
	char block[65536];
	int64_t next[PARTITION_N] = {2500, 2500};
	int fd = open_at("t/follow", 0);
	assert_true(fd >= 0);
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	assert_int_equal(poll(&poll_fd, 1, 50), 0);
	grow(0, 10);
	assert_int_equal(poll(&poll_fd, 1, 3000), 1);
	ssize_t n = read(fd, block, sizeof block);
	assert_true(n > 0);
	buf_add(&text, block, (size_t)n);
	assert_int_equal(check_lines(&text, next), 10);
	/* Nothing there: O_NONBLOCK says so, a blocking read is ended by a signal. */
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(read(fd, block, sizeof block), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
	struct sigaction action = {.sa_handler = on_alarm};
	sigaction(SIGALRM, &action, NULL);
	for (int i = 0; i < 20; i++) {
		ualarm(10000, 0);
		assert_int_equal(read(fd, block, sizeof block), -1);
		assert_int_equal(errno, EINTR);
	}
	close(fd);
	/* History: the last N over all partitions, in order of time, then live. */
	fd = open_at("t/follow@-7", 0);
	assert_true(fd >= 0);
	buf_clear(&text);
	int64_t start[PARTITION_N] = {-1, -1};
	n = read(fd, block, sizeof block);
	assert_true(n > 0);
	buf_add(&text, block, (size_t)n);
	assert_int_equal(check_lines(&text, start), 7);
	close(fd);
	fd = open_at("t/follow@beginning", 0);
	buf_clear(&text);
	for (int64_t lines = 0; lines < 5010;) {
		n = read(fd, block, sizeof block);
		assert_true(n > 0);
		buf_add(&text, block, (size_t)n);
		for (ssize_t i = 0; i < n; i++)
			lines += block[i] == '\n';
	}
	int64_t all[PARTITION_N] = {0, 0};
	assert_int_equal(check_lines(&text, all), 5010);
	close(fd);
	buf_finish(&text);
	(void)state;
}

struct follower {
	pthread_t thread;
	int64_t line_n;
	bool done;
};

static void *follow_to_end(void *arg)
{
	struct follower *f = arg;
	char block[65536];
	ssize_t n;
	int fd = open_at("t/follow", 0);
	__atomic_store_n(&f->done, true, __ATOMIC_RELEASE);
	while ((n = read(fd, block, sizeof block)) > 0 || (n < 0 && errno == EINTR))
		for (ssize_t i = 0; i < n; i++)
			if (block[i] == '\n')
				__atomic_fetch_add(&f->line_n, 1, __ATOMIC_RELAXED);
	close(fd);
	return n == 0 ? NULL : (void *)1;
}

/* Many followers of one topic while signals rain on them; then the mount ends and each reads end of file. */
static void test_many_followers_and_interrupts(void **state)
{
	NEED_MOUNT();
	enum { N = 60 };
	static struct follower f[N];
	struct sigaction action = {.sa_handler = on_alarm};
	sigaction(SIGALRM, &action, NULL);
	memset(f, 0, sizeof f);
	for (int i = 0; i < N; i++)
		assert_int_equal(pthread_create(&f[i].thread, NULL, follow_to_end, &f[i]), 0);
	for (int i = 0; i < N; i++)
		while (!__atomic_load_n(&f[i].done, __ATOMIC_ACQUIRE))
			nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	for (int round = 0; round < 60; round++) {
		for (int i = 0; i < N; i++)
			pthread_kill(f[i].thread, SIGALRM);
		grow(round % PARTITION_N, 10);
		nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
	}
	int64_t began = time_mono_ms();
	assert_int_equal(count_entries("t"), 3);
	assert_true(time_mono_ms() - began < 1000);
	for (int i = 0; i < N; i++)
		for (int k = 0; k < 5000 && __atomic_load_n(&f[i].line_n, __ATOMIC_RELAXED) < 600; k++)
			nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	int status = stop();
	for (int i = 0; i < N; i++) {
		void *bad = NULL;
		pthread_join(f[i].thread, &bad);
		assert_null(bad);
		assert_int_equal(f[i].line_n, 600);
	}
	assert_int_equal(status, 0);
	(void)state;
}

static void test_brokers_away(void **state)
{
	NEED_MOUNT();
	struct buf text = BUF_INIT;
	char block[65536];
	check_segment("t/log/0/00000000000000000000.ndjson", 0, 0, 1000);
	int tail = open_at("t/tail.ndjson", 0), follow = open_at("t/follow", 0);
	assert_true(tail >= 0 && follow >= 0);
	pthread_mutex_lock(&fake->mu);
	fake->down = true;
	pthread_mutex_unlock(&fake->mu);
	int64_t began = time_mono_ms();
	assert_int_equal(open_at("t/log/0/00000000000000001000.ndjson", 0), -1);
	assert_int_equal(errno, EIO);
	assert_in_range(time_mono_ms() - began, 800, 5000);
	check_segment("t/log/0/00000000000000000000.ndjson", 0, 0, 1000);
	assert_int_equal(count_entries("t"), 3);
	pthread_mutex_lock(&fake->mu);
	fake->down = false;
	fake->end[0] += 5;
	pthread_mutex_unlock(&fake->mu);
	int64_t next[PARTITION_N] = {2500, 2500};
	ssize_t n = read(follow, block, sizeof block);
	assert_true(n > 0);
	buf_add(&text, block, (size_t)n);
	assert_int_equal(check_lines(&text, next), 5);
	check_segment("t/log/0/00000000000000001000.ndjson", 0, 1000, 2000);
	close(tail);
	close(follow);
	buf_finish(&text);
	(void)state;
}

/* Retention takes the front: expired segments go, what is rendered stays for who holds it. */
static void test_retention(void **state)
{
	NEED_MOUNT();
	struct buf text = BUF_INIT;
	int fd = open_at("t/log/0/00000000000000000000.ndjson", 0);
	assert_true(fd >= 0);
	pthread_mutex_lock(&fake->mu);
	fake->low[0] = 1500;
	pthread_mutex_unlock(&fake->mu);
	for (int i = 0; i < 300 && count_entries("t/log/0") != 2; i++)
		nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
	assert_int_equal(count_entries("t/log/0"), 2);
	read_all(fd, &text);
	int64_t next[PARTITION_N] = {0, 0};
	assert_int_equal(check_lines(&text, next), 1000);
	close(fd);
	check_segment("t/log/0/00000000000000001000.ndjson", 0, 1500, 2000);
	buf_finish(&text);
	(void)state;
}

int main(void)
{
	static char small_ring[] = "segment=1000,timeout=1,ring=1M";
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_tree, setup, teardown),
		cmocka_unit_test_setup_teardown(test_segments, setup, teardown),
		cmocka_unit_test_setup_teardown(test_merged, setup, teardown),
		cmocka_unit_test_setup_teardown(test_opens_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tail_grows_whole_lines, setup, teardown),
		cmocka_unit_test_prestate_setup_teardown(test_generations, setup, teardown, small_ring),
		cmocka_unit_test_setup_teardown(test_follow, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_followers_and_interrupts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_brokers_away, setup, teardown),
		cmocka_unit_test_setup_teardown(test_retention, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
