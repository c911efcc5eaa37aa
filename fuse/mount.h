/* The mount: topics as read-only files, for programs that know files and not Kafka. docs/mount.md describes the tree and which tool works how.
 *
 *     mount_options_init(&o); mount_options_parse(&o, "timeout=5,ring=64M", err);
 *     mount_create(&o, &factory, &m, err)      checks, asks the brokers once, mounts; nothing is left behind on failure
 *     mount_serve(m, background, err)           answers until unmounted, or SIGINT, SIGTERM, SIGHUP, or mount_stop()
 *     mount_destroy(m)                          unmounts if that is still to do
 *
 * Threads: the calls above belong to one thread; mount_stop may come from any. The mount's own threads (render workers, one per live window, the
 * refresher) each get a session of their own from the factory, so a provider never has two owners. All are started after the fork of
 * mount_serve, because client handles do not survive one. FUSE requests never call a provider: they are answered from memory or parked. */
#ifndef WEIR_FUSE_MOUNT_H
#define WEIR_FUSE_MOUNT_H

#include <sys/types.h>
#include "core/buf.h"
#include "core/provider.h"

/* One thread's own way to the data. Made, used and destroyed by that thread (except provider->cancel, which any thread may set). */
struct mount_access {
	const struct mount_access_impl *impl;
	struct provider *provider;
};

/* Takes whole lines. len 0: nothing more at the moment, what was held back may be shown. there: all that the topics held at the beginning has been handed over.
 * false = stop. */
typedef bool mount_put_fn(void *arg, const void *data, size_t len, bool there);

struct mount_access_impl {
	void (*destroy)(struct mount_access *a);
	/* Names of the attached clusters, as cluster arguments for the provider; the caller frees each and the array. With fewer than two, topics stand
	 * in the root. NULL = one unnamed cluster. */
	bool (*cluster_names)(struct mount_access *a, char ***ret, size_t *ret_n, struct err *err);
	/* Columns of a topic as registered or inferred, for the row forms. The caller destroys *ret. NULL = no row forms. */
	bool (*stream)(struct mount_access *a, const char *cluster, const char *topic, struct stream **ret, struct err *err);
	/* Saved queries and views; the caller frees. NULL = none. */
	bool (*query_names)(struct mount_access *a, char ***ret, size_t *ret_n, struct err *err);
	/* Runs one and hands rows over as text: csv (with its header line) or ndjson, lines ended by LF. put false = stop (err is put's business). */
	bool (*query_run)(struct mount_access *a, const char *name, bool csv, bool (*put)(void *arg, const void *data, size_t len), void *arg, struct err *err);
	/* Views that can be followed as a live query, sorted; the caller frees. NULL = none. */
	bool (*view_names)(struct mount_access *a, char ***ret, size_t *ret_n, struct err *err);
	/* Follows one from `since` on, until put says false, the query ends (true) or fails. Hands over whole lines (csv without a header line). */
	bool (*view_follow)(struct mount_access *a, const char *name, bool csv, const char *since, mount_put_fn *put, void *arg, struct err *err);
};

struct mount_factory {
	/* Any thread; opens no connection yet. live: for a reader that waits at the end of a topic (a fetch may wait long), else for one that is waited for. */
	bool (*open)(void *arg, bool live, struct mount_access **ret, struct err *err);
	void *arg;
};

struct mount_options {
	const char *dir;
	int64_t timeout_ms;                  /* how long an open may wait for the brokers */
	int64_t segment_n;                   /* offsets per segment file */
	int64_t window_n;                    /* messages a live window begins with */
	int64_t ring_bytes;                  /* per live topic; 0 = 64 MiB, more while a topic is so fast that this holds less than 30 s */
	int64_t cache_bytes;
	char since[64];                      /* where live views begin: '-1h', beginning, now, a time */
	char topics[256];                    /* GLOB of topic names, "" = all */
	bool internal;                       /* list internal topics too */
	bool allow_other, nonempty, replace;
	uid_t uid;
	gid_t gid;
	mode_t umask;
	/* Gets lines for people before the mount is in the background, and in the foreground also later. May be NULL. Any thread. */
	void (*log)(void *arg, const char *line);
	void *log_arg;
};

void mount_options_init(struct mount_options *o);                              /* defaults; the caller's uid and gid */
bool mount_options_parse(struct mount_options *o, const char *text, struct err *err);     /* the text after -o */
const char *mount_options_help(void);

struct mount;

bool mount_create(const struct mount_options *o, const struct mount_factory *factory, struct mount **ret, struct err *err);
bool mount_serve(struct mount *m, bool background, bool handle_signals, struct err *err);
void mount_stop(struct mount *m);
void mount_destroy(struct mount *m);

/* weir umount: as fusermount3 -u does. force detaches a mount in use. */
bool mount_end(const char *dir, bool force, struct err *err);

#endif
