/* fuse/mount.h: options, start, serve, stop. The order matters: check, ask the brokers once with a session that is destroyed again, mount, go to the
 * background, and only then start threads (client handles do not survive a fork). */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "core/alloc.h"
#include "core/position.h"
#include "core/time.h"
#include "fuse/state.h"

enum {
	MAX_THREADS = 8,
	RENDER_THREADS = 3,
	FIRST_LOOK_MS = 2000,                /* how long the first requests may wait for the offsets of all topics */
	KEEPER_BUSY_MS = 100,
	KEEPER_IDLE_MS = 1000,
	REPLACE_WAIT_MS = 3000,
	LAST_READS_MS = 300,
};

/* ---- options */

void mount_options_init(struct mount_options *o)
{
	*o = (struct mount_options){.timeout_ms = 10000, .segment_n = 10000, .window_n = 1000, .cache_bytes = 256 << 20, .uid = getuid(), .gid = getgid(),
		.umask = (mode_t)-1, .since = "-1h"};
}

enum kind { MS, COUNT, BYTES, GLOB, POSITION, FLAG, ID, OCTAL, IGNORED };

static const struct option {
	const char *name;
	enum kind kind;
	size_t at;
	int64_t min;
	const char *help;
} options[] = {
	{"timeout", MS, offsetof(struct mount_options, timeout_ms), 1, "seconds an open may wait for the brokers (10)"},
	{"segment", COUNT, offsetof(struct mount_options, segment_n), 1, "offsets per file under log/ (10000)"},
	{"window", COUNT, offsetof(struct mount_options, window_n), 0, "messages that tail.ndjson begins with (1000)"},
	{"ring", BYTES, offsetof(struct mount_options, ring_bytes), 1 << 20, "bytes kept of each live topic (64M, more for fast topics)"},
	{"cache", BYTES, offsetof(struct mount_options, cache_bytes), 1 << 20, "bytes of rendered files kept (256M); also the largest file"},
	{"since", POSITION, offsetof(struct mount_options, since), 0, "where files of live views begin: beginning, now, -1h, a time (-1h)"},
	{"topics", GLOB, offsetof(struct mount_options, topics), 0, "only topics whose name matches this pattern"},
	{"internal", FLAG, offsetof(struct mount_options, internal), 0, "list internal topics too (they are always there by name)"},
	{"allow_other", FLAG, offsetof(struct mount_options, allow_other), 0, "other users may read too; as a user this needs user_allow_other in /etc/fuse.conf"},
	{"nonempty", FLAG, offsetof(struct mount_options, nonempty), 0, "mount over a directory that holds files"},
	{"uid", ID, offsetof(struct mount_options, uid), 0, "owner of the files"},
	{"gid", ID, offsetof(struct mount_options, gid), 0, "group of the files"},
	{"umask", OCTAL, offsetof(struct mount_options, umask), 0, "permissions taken away, octal (077)"},
	/* What mount(8), fstab and systemd pass along and what is so anyway. */
	{"ro", IGNORED, 0, 0, NULL}, {"nosuid", IGNORED, 0, 0, NULL}, {"nodev", IGNORED, 0, 0, NULL}, {"noexec", IGNORED, 0, 0, NULL},
	{"noauto", IGNORED, 0, 0, NULL}, {"auto", IGNORED, 0, 0, NULL}, {"user", IGNORED, 0, 0, NULL}, {"users", IGNORED, 0, 0, NULL}, {"_netdev", IGNORED, 0, 0, NULL},
	{"nofail", IGNORED, 0, 0, NULL}, {"defaults", IGNORED, 0, 0, NULL}, {"default_permissions", IGNORED, 0, 0, NULL},
};

const char *mount_options_help(void)
{
	return "timeout=10 segment=10000 window=1000 ring=64M cache=256M since=-1h topics=GLOB internal allow_other nonempty uid= gid= umask=";
}

static bool parse_bytes(const char *text, int64_t *ret)
{
	char *end;
	errno = 0;
	long long v = strtoll(text, &end, 10);
	int shift = *end == 'k' || *end == 'K' ? 10 : *end == 'm' || *end == 'M' ? 20 : *end == 'g' || *end == 'G' ? 30 : 0;
	if (end == text || errno || v < 0 || v > INT64_MAX >> 31 || end[shift ? 1 : 0])
		return false;
	*ret = (int64_t)v << shift;
	return true;
}

static bool set_option(struct mount_options *o, const struct option *opt, const char *value, struct err *err)
{
	char *field = (char *)o + opt->at, *end;
	int64_t n = 0;
	bool ok = value != NULL;
	errno = 0;
	switch (opt->kind) {
	case MS: {
		double s = value ? strtod(value, &end) : 0;
		ok = ok && end != value && !*end && s >= 0.001 && s <= 86400;
		n = (int64_t)(s * 1000);
		break;
	}
	case COUNT:
		n = value ? strtoll(value, &end, 10) : 0;
		ok = ok && end != value && !*end && !errno && n <= 1000000000;
		break;
	case BYTES:
		ok = ok && parse_bytes(value, &n);
		break;
	case GLOB:
		if (!ok || strlen(value) >= sizeof o->topics)
			return err_set(err, ERR_USAGE, "-o topics wants a pattern such as plant.*");
		snprintf(o->topics, sizeof o->topics, "%s", value);
		return true;
	case POSITION: {
		struct position p;
		struct err why = ERR_INIT;
		if (!ok || strlen(value) >= sizeof o->since || !position_parse(value, strlen(value), &p, &why))
			return err_set(err, ERR_USAGE, "-o since wants beginning, now, -1h or a time%s%s", why.id ? ": " : "", why.id ? why.msg : "");
		position_finish(&p);
		snprintf(o->since, sizeof o->since, "%s", value);
		return true;
	}
	case FLAG:
		if (value)
			return err_set(err, ERR_USAGE, "-o %s takes no value", opt->name);
		*(bool *)field = true;
		return true;
	case ID:
	case OCTAL:
		n = value ? strtoll(value, &end, opt->kind == ID ? 10 : 8) : 0;
		if (!ok || end == value || *end || errno || n < 0 || n > (opt->kind == ID ? (int64_t)UINT32_MAX - 1 : 0777))
			return err_set(err, ERR_USAGE, "-o %s wants a number", opt->name);
		*(uint32_t *)(void *)field = (uint32_t)n;
		return true;
	case IGNORED:
		return true;
	}
	if (!ok || n < opt->min)
		return err_set(err, ERR_USAGE, "-o %s=%s: not a value it can have (%s)", opt->name, value ? value : "", opt->help);
	*(int64_t *)(void *)field = n;
	return true;
}

bool mount_options_parse(struct mount_options *o, const char *text, struct err *err)
{
	char *copy = xstrdup(text), *save = NULL;
	bool ok = true;
	for (char *word = strtok_r(copy, ",", &save); word && ok; word = strtok_r(NULL, ",", &save)) {
		char *value = strchr(word, '=');
		const struct option *found = NULL;
		if (value)
			*value++ = '\0';
		for (size_t i = 0; i < sizeof options / sizeof *options && !found; i++)
			if (strcmp(options[i].name, word) == 0)
				found = &options[i];
		if (found) {
			ok = set_option(o, found, value, err);
		} else {
			ok = err_set(err, ERR_USAGE, "unknown mount option \"%s\"", word);
			err_hint(err, "there are: %s", mount_options_help());
		}
	}
	free(copy);
	return ok;
}

/* ---- threads */

void mount_log(struct mount *m, const char *fmt, ...)
{
	struct buf line = BUF_INIT;
	va_list ap;
	if (!m->o.log)
		return;
	va_start(ap, fmt);
	buf_vaddf(&line, fmt, ap);
	va_end(ap);
	m->o.log(m->o.log_arg, line.data);
	buf_finish(&line);
}

bool mount_thread(struct mount *m, void *(*run)(void *), void *arg)
{
	pthread_t id;
	pthread_attr_t attr;
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	bool ok = pthread_create(&id, &attr, run, arg) == 0;
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	m->thread_n += ok;
	return ok;
}

void mount_thread_done(struct mount *m)
{
	if (--m->thread_n == 0)
		pthread_cond_broadcast(&m->threads_gone);
}

void mount_wait_ms(pthread_cond_t *cond, pthread_mutex_t *mu, int64_t ms)
{
	struct timespec at;
	clock_gettime(CLOCK_MONOTONIC, &at);
	if (ms < 0)
		ms = 0;
	at.tv_sec += ms / 1000;
	at.tv_nsec += ms % 1000 * 1000000;
	if (at.tv_nsec >= 1000000000) {
		at.tv_sec++;
		at.tv_nsec -= 1000000000;
	}
	pthread_cond_timedwait(cond, mu, &at);
}

/* Deadlines, windows that nobody holds, the kernel's request time limit. */
static void *keeper_thread(void *arg)
{
	struct mount *m = arg;
	int64_t swept_ms = 0, kicked_ms = time_mono_ms();
	pthread_mutex_lock(&m->mu);
	while (!m->stopping) {
		bool busy = m->parked_n > 0;
		mount_wait_ms(&m->keeper, &m->mu, busy ? KEEPER_BUSY_MS : KEEPER_IDLE_MS);
		pthread_mutex_unlock(&m->mu);
		int64_t now = time_mono_ms();
		park_expire(m, now);
		if (now - swept_ms >= KEEPER_IDLE_MS) {
			feed_expire(m, now);
			swept_ms = now;
		}
		if (m->request_limit_s && now - kicked_ms >= m->request_limit_s * 500) {
			feed_kick_followers(m);
			kicked_ms = now;
		}
		pthread_mutex_lock(&m->mu);
	}
	mount_thread_done(m);
	pthread_mutex_unlock(&m->mu);
	return NULL;
}

static void *signal_thread(void *arg)
{
	struct mount *m = arg;
	sigset_t set;
	int got = 0;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigwait(&set, &got);
	if (!atomic_load(&m->signal_quit))
		mount_stop(m);
	return NULL;
}

static void on_wake(int signal_number)
{
	(void)signal_number;
}

void mount_stop(struct mount *m)
{
	pthread_mutex_lock(&m->mu);
	m->stopping = true;
	for (size_t i = 0; i < m->cancel_n; i++)
		atomic_store(&m->cancels[i]->signal_n, SIGTERM);
	for (struct link *l = m->feeds.next; l != &m->feeds; l = l->next)
		pthread_cond_broadcast(&LINK_OWNER(l, struct feed, all)->room);
	pthread_cond_broadcast(&m->refresh);
	pthread_cond_broadcast(&m->job);
	pthread_cond_broadcast(&m->keeper);
	pthread_mutex_unlock(&m->mu);
	park_stop(m);
	if (atomic_load(&m->loop_done))
		return;
	/* A reader that was between two reads should see the end of the file too, not an error. */
	nanosleep(&(struct timespec){.tv_nsec = LAST_READS_MS * 1000000L}, NULL);
	park_stop(m);
	fuse_session_exit(m->se);
	/* The loop sleeps in sem_wait and only looks when a signal comes; one may come just before it sleeps. */
	while (!atomic_load(&m->loop_done)) {
		pthread_kill(m->main_thread, SIGUSR1);
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	}
}

/* ---- start */

static int64_t read_limit(const char *path)
{
	char text[32] = "";
	FILE *f = fopen(path, "re");
	if (!f)
		return 0;
	int64_t v = fgets(text, sizeof text, f) ? strtoll(text, NULL, 10) : 0;
	fclose(f);
	return v > 0 ? v : 0;
}

static bool is_empty(const char *dir)
{
	DIR *d = opendir(dir);
	bool empty = true;
	if (!d)
		return true;                          /* not ours to read; mounting will tell */
	for (struct dirent *e; empty && (e = readdir(d));)
		empty = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
	closedir(d);
	return empty;
}

/* The mount point is a free directory, or is made one. */
static bool check_dir(struct mount *m, struct err *err)
{
	struct stat st;
	switch (stale_look(m->dir)) {
	case THERE_NOTHING:
		break;
	case THERE_STALE_WEIR:
		if (!stale_detach(m->dir, true, err)) {
			err_set(err, ERR_FILE, "%s is the mount of a weir that was killed", m->dir);
			err_hint(err, "fusermount3 -u -z %s", m->dir);
			return false;
		}
		mount_log(m, "cleaned up %s after a weir that was killed", m->dir);
		break;
	case THERE_LIVE_WEIR:
		if (!m->o.replace) {
			err_set(err, ERR_FILE, "a weir is mounted at %s already", m->dir);
			err_hint(err, "weir umount %s, or --replace", m->dir);
			return false;
		}
		stale_end_live(m->dir, REPLACE_WAIT_MS);
		if (stale_look(m->dir) != THERE_NOTHING && !stale_detach(m->dir, true, err))
			return false;
		break;
	case THERE_OTHER:
		return err_set(err, ERR_FILE, "something else is mounted at %s", m->dir);
	}
	if (stat(m->dir, &st) < 0)
		return err_set(err, ERR_FILE, "%s: %s", m->dir, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return err_set(err, ERR_FILE, "%s is not a directory", m->dir);
	if (!m->o.nonempty && !is_empty(m->dir)) {
		err_set(err, ERR_FILE, "%s is not empty", m->dir);
		err_hint(err, "-o nonempty mounts over what is there, hiding it");
		return false;
	}
	return true;
}

static bool ask_once(struct mount *m, struct err *err)
{
	struct mount_access *a = NULL;
	if (!access_open(m, false, &a, err))
		return false;
	bool ok = registry_init(m, a, err);
	access_close(m, a);
	if (!ok && err->id == ERR_TIMEOUT) {
		err_set(err, ERR_CONNECT, "no broker answered within %g s", (double)m->o.timeout_ms / 1000);
		err_hint(err, "check the address, or give it more time with -o timeout=SECONDS");
	}
	return ok;
}

static bool start_session(struct mount *m, struct err *err)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	fuse_opt_add_arg(&args, "weir");
	fuse_opt_add_arg(&args, "-oro,nosuid,nodev,noexec,default_permissions,fsname=weir,subtype=weir");
	if (m->o.allow_other)
		fuse_opt_add_arg(&args, "-oallow_other");
	m->se = fuse_session_new(&args, &mount_ops, sizeof mount_ops, m);
	fuse_opt_free_args(&args);
	if (!m->se)
		return err_set(err, ERR_INTERNAL, "libfuse does not take its options");
	if (fuse_session_mount(m->se, m->dir) != 0) {
		err_set(err, ERR_FILE, "cannot mount at %s", m->dir);
		err_hint(err, access("/dev/fuse", R_OK | W_OK) != 0 ? "/dev/fuse cannot be opened: is fuse there, and allowed here (containers need the device and CAP_SYS_ADMIN)?" : "libfuse said why on stderr");
		return false;
	}
	m->mounted = true;
	return true;
}

bool mount_create(const struct mount_options *o, const struct mount_factory *factory, struct mount **ret, struct err *err)
{
	struct mount *m = xcalloc(1, sizeof *m);
	pthread_condattr_t mono;
	m->o = *o;
	m->factory = *factory;
	pthread_mutex_init(&m->mu, NULL);
	pthread_condattr_init(&mono);
	pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
	pthread_cond_init(&m->threads_gone, &mono);
	pthread_cond_init(&m->refresh, &mono);
	pthread_cond_init(&m->refreshed, &mono);
	pthread_cond_init(&m->job, &mono);
	pthread_cond_init(&m->keeper, &mono);
	pthread_condattr_destroy(&mono);
	link_init(&m->feeds);
	link_init(&m->handles);
	doc_init(m);
	m->started_ms = time_now_ms();
	m->dir = stale_absolute(o->dir);
	bool ok = m->dir ? check_dir(m, err) : err_set(err, ERR_FILE, "%s: %s", o->dir, strerror(errno));
	ok = ok && ask_once(m, err);
	if (ok) {
		int64_t most = read_limit("/proc/sys/fs/fuse/max_request_timeout"), usual = read_limit("/proc/sys/fs/fuse/default_request_timeout");
		m->request_limit_s = usual && (!most || usual < most) ? usual : most;
		if (m->request_limit_s)
			mount_log(m, "this kernel ends requests after %" PRId64 " s (fs.fuse.max_request_timeout): follow will answer EINTR each half of it", m->request_limit_s);
		tree_init(m);
		ok = start_session(m, err);
	}
	if (!ok) {
		mount_destroy(m);
		return false;
	}
	*ret = m;
	return true;
}

/* ---- serve */

static bool start_threads(struct mount *m)
{
	bool ok = true;
	pthread_mutex_lock(&m->mu);
	ok = mount_thread(m, registry_thread, m) && mount_thread(m, keeper_thread, m);
	for (int i = 0; i < RENDER_THREADS && ok; i++)
		ok = mount_thread(m, doc_thread, m);
	int64_t until = time_mono_ms() + FIRST_LOOK_MS;
	while (ok && !m->refreshed_once && time_mono_ms() < until)
		mount_wait_ms(&m->refreshed, &m->mu, until - time_mono_ms());
	pthread_mutex_unlock(&m->mu);
	return ok;
}

bool mount_serve(struct mount *m, bool background, bool handle_signals, struct err *err)
{
	sigset_t set, before;
	struct sigaction wake = {.sa_handler = on_wake}, wake_before;
	bool waiting_signals = false;
	if (fuse_daemonize(background ? 0 : 1) != 0)
		return err_set(err, ERR_INTERNAL, "cannot go to the background: %s", strerror(errno));
	if (background)
		m->o.log = NULL;                      /* stderr is /dev/null now */
	m->main_thread = pthread_self();
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	if (handle_signals)
		pthread_sigmask(SIG_BLOCK, &set, &before);
	sigaction(SIGUSR1, &wake, &wake_before);
	if (handle_signals)
		waiting_signals = pthread_create(&m->signal_thread, NULL, signal_thread, m) == 0;
	bool ok = start_threads(m);
	int rc = -EAGAIN;
	if (ok) {
		struct fuse_loop_config *config = fuse_loop_cfg_create();
		fuse_loop_cfg_set_max_threads(config, MAX_THREADS);
		fuse_loop_cfg_set_idle_threads(config, MAX_THREADS);
		fuse_loop_cfg_set_clone_fd(config, 0);
		rc = fuse_session_loop_mt(m->se, config);
		fuse_loop_cfg_destroy(config);
	}
	atomic_store(&m->loop_done, true);
	mount_stop(m);
	pthread_mutex_lock(&m->mu);
	while (m->thread_n > 0)
		pthread_cond_wait(&m->threads_gone, &m->mu);
	pthread_mutex_unlock(&m->mu);
	if (waiting_signals) {
		atomic_store(&m->signal_quit, true);
		pthread_kill(m->signal_thread, SIGTERM);
		pthread_join(m->signal_thread, NULL);
	}
	sigaction(SIGUSR1, &wake_before, NULL);
	if (handle_signals)
		pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc == 0 || err_set(err, ERR_INTERNAL, "the mount ended: %s", strerror(rc < 0 ? -rc : rc));
}

void mount_destroy(struct mount *m)
{
	if (!m)
		return;
	if (m->mounted)
		fuse_session_unmount(m->se);
	if (m->se)
		fuse_session_destroy(m->se);
	while (!link_empty(&m->handles))          /* of readers that the unmount cut off */
		handle_release(m, LINK_OWNER(m->handles.next, struct handle, all));
	if (m->root)
		tree_finish(m);
	doc_finish_all(m);
	registry_finish(m);
	park_finish(m);
	free(m->cancels);
	free(m->dir);
	pthread_cond_destroy(&m->threads_gone);
	pthread_cond_destroy(&m->refresh);
	pthread_cond_destroy(&m->refreshed);
	pthread_cond_destroy(&m->job);
	pthread_cond_destroy(&m->keeper);
	pthread_mutex_destroy(&m->mu);
	free(m);
}
