/* What the files of fuse/ share. Nobody outside fuse/ includes this.
 *
 * One mutex, mount.mu, guards every field below unless it says otherwise. It is held for microseconds: never while waiting for brokers, while
 * rendering, or while calling fuse_req_interrupt_func. Lock order: libfuse's request lock -> mu -> libfuse's session lock.
 *
 *   registry.c  clusters and topics as last heard of; the refresher thread keeps them fresh
 *   tree.c      nodes: what a name means; tree_list.c their attributes, what a directory lists
 *   doc.c       documents: segments, hours, keys and queries, rendered whole by the workers (doc_render.c, doc_read.c); cache
 *   feed.c      live text: the window behind tail.ndjson and follow, the private streams of follow@.., and the rows of live views
 *   park.c      requests that wait
 *   meta.c      texts about the mount itself
 *   ops.c       the requests
 *   mount.c     start, serve, stop */
#ifndef WEIR_FUSE_STATE_H
#define WEIR_FUSE_STATE_H

#define FUSE_USE_VERSION 312

#include <fuse3/fuse_lowlevel.h>
#include <pthread.h>
#include "fuse/mount.h"
#include "fuse/render.h"
#include "fuse/text.h"

/* ---- intrusive list */

struct link {
	struct link *prev, *next;
};
#define LINK_OWNER(l, type, member) ((type *)(void *)((char *)(l) - offsetof(type, member)))

static inline void link_init(struct link *l)
{
	l->prev = l->next = l;
}
static inline bool link_empty(const struct link *list)
{
	return list->next == list;
}
static inline void link_remove(struct link *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	link_init(l);
}
static inline void link_append(struct link *list, struct link *l)
{
	l->prev = list->prev;
	l->next = list;
	list->prev->next = l;
	list->prev = l;
}
static inline void link_move_all(struct link *from, struct link *to)
{
	while (!link_empty(from)) {
		struct link *l = from->next;
		link_remove(l);
		link_append(to, l);
	}
}

/* ---- registry */

struct cluster_dir {
	char *name;                          /* directory and provider argument; NULL = the only one */
	struct topic **topics;               /* sorted by name; a topic that vanished stays, marked gone */
	size_t topic_n, topic_cap;
	bool down;                           /* the last request failed */
	bool listed;                         /* topic names were heard of at least once */
	char error[256];                     /* why */
	int64_t asked_ms;
};

struct topic {
	struct cluster_dir *cluster;
	char *name;
	int32_t partition_n;
	bool internal, compacted, gone, seen;
	struct partition_bounds *bounds;     /* partition_n of them */
	int64_t *high;                       /* high watermarks, high_n of them; asked for after the bounds, and with them while meta.json is looked at */
	int32_t high_n;
	bool high_asked;
	int64_t meta_ms;                     /* meta.json was last looked at; 0 = never */
	bool bounds_known;
	bool bounds_wanted;                  /* somebody waits for fresh ones */
	bool bounds_failed;                  /* the last attempt */
	int64_t bounds_ms;                   /* monotonic time of asking */
	int64_t tried_ms;                    /* of the last attempt */
	int64_t shrunk_ms;                   /* since when the broker says that an end went back; 0 = it does not */
	int64_t touched_ms;                  /* last looked at; 0 = never */
	double line_bytes;                   /* moving average of rendered lines */
	struct feed *feeds[FORM_N];          /* shared windows; a reference each */
	struct link waiters;                 /* parked requests that wait for bounds */
	int live_handle_n;                   /* open handles of growing segments */
};

/* A view that a live query follows. One that is gone stays, marked so. */
struct live_view {
	char *name;
	bool gone;
	struct feed *feeds[FORM_N];          /* a reference each */
};

/* ---- documents */

enum doc_kind { DOC_SEGMENT, DOC_HOUR, DOC_KEY, DOC_QUERY };
enum doc_state { DOC_IDLE, DOC_QUEUED, DOC_RUNNING };

struct doc {
	struct doc *hash_next;
	uint64_t hash;
	struct link lru;                     /* in mount.docs_lru while it holds text */
	struct link queue;                   /* in mount.jobs while QUEUED */
	int ref_n;                           /* nodes, handles, the worker */
	int handle_n;
	enum doc_kind kind;
	enum form form;
	enum doc_state state;
	struct topic *topic;                 /* NULL for DOC_QUERY */
	int32_t partition;
	int64_t number;                      /* first offset, or the hour's start in ms */
	uint8_t *name;                       /* the key, or the query's name */
	size_t name_len;
	bool hashed;                         /* lookups still find it */
	bool dead;                           /* its bytes are gone or would differ: ESTALE */
	bool has_text, closed;               /* closed: complete and immutable */
	bool again;                          /* an open came while RUNNING */
	bool ahead;                          /* queued because its neighbour is being read, nobody waits for it */
	struct text text;
	int64_t next_offset;                 /* DOC_SEGMENT: where to go on */
	int64_t size;                        /* exact once closed was reached, kept after eviction; -1 = unknown */
	uint64_t content_hash;
	int64_t message_n, first_offset, last_offset;
	int64_t newest_ms;                   /* TIME_NONE = unknown */
	int64_t rendered_ms;
	int error;                           /* errno of the last job */
	struct link waiters, served;         /* parked opens: for the next job, for the running one */
};

/* ---- live text */

enum feed_state { FEED_IDLE, FEED_STARTING, FEED_READY, FEED_RETIRED };
enum feed_from { FROM_LAST, FROM_BEGINNING, FROM_TIME };

struct feed {
	struct mount *m;
	int ref_n;                           /* topic, nodes, handles, thread */
	struct topic *topic;                 /* NULL: a view's */
	struct live_view *view;
	struct feed **slot;                  /* where lookups find a shared one */
	enum form form;
	enum feed_state state;
	bool private_;                       /* one reader; consumption waits for it */
	bool stop;
	enum feed_from from;
	int64_t from_n;                      /* messages, or ms */
	struct text text;
	int64_t generation;                  /* position that byte 0 of a newly looked up file has */
	int64_t generation_n;
	int handle_n;
	int64_t idle_since_ms;
	int64_t newest_ms;
	double rate;                         /* bytes/s, moving average */
	int64_t rate_ms, rate_end;
	int64_t caught_up_ms;                /* when it last had all that the brokers had */
	int64_t message_n;
	char error[256];                     /* "" = fine */
	struct link waiters, served;         /* parked opens */
	struct link readers;                 /* parked reads */
	struct link pollers;                 /* handles with a poll handle */
	pthread_cond_t room;
	struct link all;                     /* mount.feeds */
};

/* ---- nodes */

enum node_kind {
	NODE_ROOT, NODE_README, NODE_STATUS, NODE_CLUSTER, NODE_QUERIES, NODE_QUERY, NODE_VIEWS, NODE_TOPIC, NODE_LOG, NODE_PARTITION, NODE_SEGMENT, NODE_META, NODE_TAIL,
	NODE_FOLLOW, NODE_TIME, NODE_DAY, NODE_HOUR, NODE_KEYS, NODE_KEY,
};

struct node {
	enum node_kind kind;
	enum form form;
	uint64_t nlookup;
	int handle_n, child_n;
	struct node *parent;                 /* holds child_n of it */
	struct node *hash_next;
	struct link all;                     /* mount.nodes_all */
	bool hashed;
	uint64_t st_ino;
	struct cluster_dir *cluster;
	struct topic *topic;
	struct live_view *view;              /* NODE_TAIL, NODE_FOLLOW of a view: topic is NULL */
	int32_t partition;
	int64_t number;                      /* segment's first offset, day or hour in ms, follow@'s number */
	enum feed_from from;                 /* follow@.. */
	struct doc *doc;                     /* a reference, or NULL */
	struct feed *feed;                   /* NODE_TAIL: a reference */
	int64_t generation;                  /* NODE_TAIL: position of byte 0 */
	char *data;                          /* texts about the mount: the snapshot */
	size_t data_len;
	int64_t made_ms;                     /* wall clock */
	char name[];
};

struct dirlist {
	struct buf names;                    /* NUL-terminated, one after the other */
	struct dirlist_entry {
		size_t at;
		uint64_t ino;
		mode_t mode;
	} *entries;
	size_t n, cap;
};

struct handle {
	struct node *node;
	struct doc *doc;
	struct feed *feed;
	int64_t position;                    /* follow */
	bool counted_live;                   /* in topic->live_handle_n */
	struct fuse_pollhandle *poll;
	struct link poll_link;
	struct link all;                     /* mount.handles */
	struct dirlist *dir;
};

/* ---- parked requests */

enum park_kind { PARK_OPEN, PARK_OPENDIR, PARK_READ };
enum park_state { PARK_FREE, PARK_NEW, PARK_LINKED };

struct parked {
	struct mount *m;
	struct link link;                    /* in the list it waits on */
	fuse_req_t req;
	enum park_state state;
	bool intr;
	enum park_kind kind;
	struct handle *handle;
	struct fuse_file_info fi;
	size_t size;
	int64_t deadline_ms;                 /* monotonic; 0 = none */
	int late_error;                      /* what the deadline answers; 0 = as if ready */
	struct parked *next_free, *next_all;
};

struct mount {
	struct mount_options o;
	struct mount_factory factory;
	char *dir;                           /* absolute */
	struct fuse_session *se;
	bool mounted;
	pthread_t main_thread, signal_thread;
	atomic_bool loop_done;
	atomic_bool signal_quit;
	int64_t started_ms;                  /* wall clock */
	int64_t request_limit_s;             /* fs.fuse.max_request_timeout, 0 = none */

	pthread_mutex_t mu;
	bool stopping;
	int thread_n;                        /* own threads, all detached */
	pthread_cond_t threads_gone;
	struct cancel **cancels;             /* of every access alive */
	size_t cancel_n, cancel_cap;

	struct cluster_dir **clusters;
	size_t cluster_n;
	char **queries;
	size_t query_n;
	struct live_view **views;
	size_t view_n;
	pthread_cond_t refresh;
	bool refresh_names;                  /* a name was missed: ask soon */
	bool refreshed_once;
	pthread_cond_t refreshed;

	struct node *root;
	struct node **nodes;                 /* hash by parent and name */
	size_t node_bucket_n, node_n;
	struct link nodes_all;
	struct link handles;

	struct doc **docs;
	size_t doc_bucket_n, doc_n;
	struct link docs_lru;                /* oldest first */
	int64_t cache_used;
	struct link jobs;
	struct link readers;                 /* doc_reader, one per worker */
	pthread_cond_t job;

	struct link feeds;
	int feed_thread_n;
	int private_n;
	pthread_cond_t keeper;

	struct parked *park_free, *park_all;
	int parked_n;

	_Atomic int64_t broker_call_n, render_n;
	char last_error[256];
};

/* park.c. A request may be parked only in open, opendir and read of a stream (never lookup, getattr, readdir: see docs/mount.md). */
struct parked *park_begin(struct mount *m, fuse_req_t req);                      /* no lock held; from here on an interrupt may come */
void park_link(struct parked *p, struct link *list);                              /* under mu; state NEW, not interrupted */
void park_put(struct parked *p);                                                  /* under mu */
/* Answers everything on list, in order: opens by handle_open_answer, reads with what is there. error 0 = by state. Called without mu. */
void park_wake(struct mount *m, struct link *list, int error);
void park_wake_readers(struct mount *m, struct feed *f);
int64_t park_expire(struct mount *m, int64_t now_ms);                             /* answers what is past its deadline. Without mu */
void park_stop(struct mount *m);                                                  /* answers everything. Without mu */
void park_finish(struct mount *m);

/* registry.c */
bool registry_init(struct mount *m, struct mount_access *a, struct err *err);
void registry_finish(struct mount *m);
void *registry_thread(void *arg);
struct live_view *registry_view(struct mount *m, const char *name, size_t len);    /* NULL = unknown or gone. Under mu */
size_t registry_view_n(const struct mount *m);                                    /* those not gone. Under mu */
struct topic *registry_find(struct cluster_dir *c, const char *name);             /* NULL = unknown or gone. Under mu */
bool registry_visible(const struct mount *m, const struct topic *t);              /* listed */
void registry_touch(struct mount *m, struct topic *t, int64_t max_age_ms);        /* in use; wakes the refresher if bounds are older. Under mu */
bool registry_fresh(const struct topic *t, int64_t max_age_ms);
/* A worker or feed learned bounds by itself. Under mu. */
void registry_set_bounds(struct mount *m, struct topic *t, const struct partition_bounds *b, int32_t n, int64_t asked_ms);
/* provider calls with the deadline of o.timeout_ms; any of the mount's threads, without mu */
bool access_open(struct mount *m, bool live, struct mount_access **ret, struct err *err);
void access_close(struct mount *m, struct mount_access *a);
void access_deadline(struct mount_access *a, int64_t wait_ms);                    /* 0 = none */
bool access_bounds(struct mount *m, struct mount_access *a, struct topic *t, struct partition_bounds **ret, int32_t *ret_n, struct err *err);   /* caller frees */
int err_errno(const struct err *err);
bool mount_thread(struct mount *m, void *(*run)(void *), void *arg);              /* detached, counted; under mu */
void mount_wait_ms(pthread_cond_t *cond, pthread_mutex_t *mu, int64_t ms);        /* on the monotonic clock; under mu; ms <= 0 = a look */
void mount_thread_done(struct mount *m);                                          /* last act of such a thread */
void mount_note_error(struct mount *m, const struct err *err);                    /* under mu */
void mount_log(struct mount *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* tree.c (names) and tree_list.c (attributes, listings); all under mu */
void tree_init(struct mount *m);
void tree_finish(struct mount *m);
int tree_lookup(struct mount *m, struct node *parent, const char *name, struct node **ret);      /* errno or 0; counts no lookup */
void tree_attr(struct mount *m, struct node *n, struct stat *st, double *ret_timeout_s);
double tree_entry_timeout(const struct mount *m, const struct node *n);
void tree_forget(struct mount *m, struct node *n, uint64_t count);
void tree_unref_handle(struct mount *m, struct node *n);
void tree_list(struct mount *m, struct node *dir, struct dirlist *to);
bool node_is_dir(const struct node *n);
bool tree_bounds(const struct node *n, struct partition_bounds *ret);               /* of its partition; false: not known */
uint64_t tree_name_ino(uint64_t parent, const char *name);
void dirlist_destroy(struct dirlist *d);
/* Key or query name <-> one file name component. */
void name_encode(struct buf *to, const void *data, size_t len);
bool name_decode(const char *text, size_t len, struct buf *to);                   /* false: not the canonical spelling */
enum { NAME_ENCODED_MAX = 240 };

/* doc.c */
void doc_init(struct mount *m);
void doc_finish_all(struct mount *m);
struct doc *doc_get(struct mount *m, const struct node *n, bool create);          /* adds a reference. Under mu */
void doc_unref(struct mount *m, struct doc *d);                                   /* under mu */
void doc_kill(struct mount *m, struct doc *d);                                    /* lookups make another one. Under mu */
bool doc_expired(const struct mount *m, const struct doc *d);                     /* past its ttl. Under mu */
void doc_want(struct mount *m, struct doc *d);                                    /* queue a job. Under mu */
void doc_read_ahead(struct mount *m, struct doc *d);                              /* d was opened: render what a reader in order wants next. Under mu */
bool doc_ready(struct mount *m, struct doc *d);                                   /* an open can be answered now. Under mu */
bool segment_closed(const struct mount *m, const struct topic *t, int32_t partition, int64_t start);
void *doc_thread(void *arg);
void doc_extend_live(struct mount *m);                                            /* queue jobs for open growing segments. Under mu */

bool doc_in_order(struct mount *m, const struct doc *d);                          /* a segment whose predecessor is or is being rendered. Under mu */

/* doc_read.c. A scan for the document d: topic, need, gap_policy and cancel of the request are filled in. It waits for brokers timeout_ms from the last progress (the
 * caller ends that with access_deadline(a, 0)); doc_scan_next fails after until_ms. */
enum { DOC_JOB_MAX_MS = 120000 };
bool doc_scan_open(struct mount *m, struct mount_access *a, const struct doc *d, struct scan_request *request, struct source **ret, struct err *err);
enum source_status doc_scan_next(struct mount *m, struct mount_access *a, const struct doc *d, struct source *source, int64_t until_ms, struct batch **ret, struct err *err);

/* A worker's way to the records of segments. */
struct doc_reader {
	struct link all;                     /* in mount.readers */
	struct topic *topic;                 /* NULL = nothing is open */
	int32_t partition;
	int64_t next, end;                   /* offsets that are still to be handed out */
	struct source *source;
	struct batch *left;                  /* handed out up to left_at */
	size_t left_at;
};
typedef bool doc_record_fn(void *arg, int32_t partition, const struct record *r, struct err *err);
void doc_reader_init(struct mount *m, struct doc_reader *r);                      /* under mu */
void doc_reader_finish(struct mount *m, struct doc_reader *r);
void doc_reader_close(struct mount *m, struct doc_reader *r);                     /* gives the connection back */
struct doc *doc_reader_pick(struct mount *m, const struct doc_reader *r);         /* the job that suits this worker, NULL = none. Under mu */
/* Records [start, end) of the segment d in order, from the scan that is open if it goes on there. */
bool doc_reader_read(struct mount *m, struct doc_reader *r, struct mount_access *a, const struct doc *d, int64_t start, int64_t end, int64_t until_ms, doc_record_fn *use, void *arg,
                     struct err *err);

/* feed.c */
struct feed *feed_create(struct mount *m, struct topic *t, enum form form);
/* The shared feed of a topic or a view (one of them is NULL), made if there is none; borrowed. */
struct feed *feed_shared(struct mount *m, struct topic *t, struct live_view *v, enum form form);
void feed_ref(struct feed *f);
void feed_unref(struct feed *f);                                                  /* under mu */
bool feed_start(struct mount *m, struct feed *f);                                 /* under mu; false: too many */
void feed_retire(struct mount *m, struct feed *f);                                /* under mu */
void feed_expire(struct mount *m, int64_t now_ms);                                /* stops windows that nobody holds. Without mu */
void feed_kick_followers(struct mount *m);                                        /* answers parked follows EINTR (request time limit). Without mu */

/* meta.c; under mu */
void meta_readme(struct mount *m, struct buf *to);
void meta_status(struct mount *m, struct buf *to);
void meta_topic(struct mount *m, struct topic *t, struct buf *to);

/* ops.c */
extern const struct fuse_lowlevel_ops mount_ops;
bool handle_open_answer(struct mount *m, struct handle *h, struct fuse_file_info *fi, int *ret_error);     /* true: answer now. Under mu */
void handle_release(struct mount *m, struct handle *h);                           /* under mu */

/* stale.c */
enum mount_there { THERE_NOTHING, THERE_LIVE_WEIR, THERE_STALE_WEIR, THERE_OTHER };
enum mount_there stale_look(const char *dir);                                     /* what is mounted exactly at dir (absolute) */
bool stale_detach(const char *dir, bool lazy, struct err *err);                   /* umount2 as root, else fusermount3 */
char *stale_absolute(const char *dir);                                            /* absolute path without touching a dead mount; caller frees; NULL = no such parent */
void stale_end_live(const char *dir, int64_t wait_ms);                            /* asks the weir behind a live mount to end */

#endif
