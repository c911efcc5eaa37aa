/* The requests. lookup, getattr, readdir answer from memory, under mu, in microseconds. Only open, opendir and reads of a stream may be parked
 * (fuse/park.c says how and why only these). Operations that are not here are answered by libfuse or the kernel; the mount is read-only, so
 * writes do not even arrive. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include "core/alloc.h"
#include "core/time.h"
#include "fuse/state.h"

enum {
	LIST_FRESH_MS = 2000,                /* a listing of segments is at most this old */
	CAUGHT_UP_MS = 20,                   /* many opens in a row need not each ask the brokers */
	LIST_WAIT_MS = 1000,                 /* and waits this long for a fresh one */
};

static struct mount *mount_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

static struct node *node_of(struct mount *m, fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID ? m->root : (struct node *)(uintptr_t)ino;
}

static struct handle *handle_of(const struct fuse_file_info *fi)
{
	return (struct handle *)(uintptr_t)fi->fh;
}

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
	(void)userdata;
	/* Never ask for FUSE_CAP_EXPLICIT_INVAL_DATA: ordinary growth would become NUL bytes in readers. Splicing memory is slower than copying it. */
	conn->want &= ~(unsigned)(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE | FUSE_CAP_WRITEBACK_CACHE);
}

/* Counts one lookup. Under mu. */
static void fill_entry(struct mount *m, struct node *n, struct fuse_entry_param *e)
{
	*e = (struct fuse_entry_param){.ino = n == m->root ? FUSE_ROOT_ID : (fuse_ino_t)(uintptr_t)n, .entry_timeout = tree_entry_timeout(m, n)};
	tree_attr(m, n, &e->attr, &e->attr_timeout);
	n->nlookup++;
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct mount *m = mount_of(req);
	struct node *n = NULL;
	struct fuse_entry_param e;
	pthread_mutex_lock(&m->mu);
	int error = tree_lookup(m, node_of(m, parent), name, &n);
	if (!error)
		fill_entry(m, n, &e);
	pthread_mutex_unlock(&m->mu);
	if (error == ENOENT) {
		e = (struct fuse_entry_param){.entry_timeout = parent == FUSE_ROOT_ID ? 1 : 0};
		if (e.entry_timeout > 0)
			fuse_reply_entry(req, &e);            /* a negative entry */
		else
			fuse_reply_err(req, ENOENT);
	} else if (error) {
		fuse_reply_err(req, error);
	} else if (fuse_reply_entry(req, &e) == -ENOENT) {
		pthread_mutex_lock(&m->mu);
		tree_forget(m, n, 1);
		pthread_mutex_unlock(&m->mu);
	}
}

static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup)
{
	struct mount *m = mount_of(req);
	pthread_mutex_lock(&m->mu);
	tree_forget(m, node_of(m, ino), nlookup);
	pthread_mutex_unlock(&m->mu);
	fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	struct mount *m = mount_of(req);
	pthread_mutex_lock(&m->mu);
	for (size_t i = 0; i < count; i++)
		tree_forget(m, node_of(m, forgets[i].ino), forgets[i].nlookup);
	pthread_mutex_unlock(&m->mu);
	fuse_reply_none(req);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct mount *m = mount_of(req);
	struct stat st;
	double timeout;
	(void)fi;
	pthread_mutex_lock(&m->mu);
	tree_attr(m, node_of(m, ino), &st, &timeout);
	pthread_mutex_unlock(&m->mu);
	fuse_reply_attr(req, &st, timeout);
}

/* ---- open */

void handle_release(struct mount *m, struct handle *h)
{
	struct feed *f = h->feed;
	if (h->doc) {
		h->doc->handle_n--;
		if (h->counted_live)
			h->doc->topic->live_handle_n--;
		if (h->doc->dead && h->doc->handle_n == 0 && h->doc->state == DOC_IDLE)
			doc_kill(m, h->doc);
		doc_unref(m, h->doc);
	}
	if (f) {
		link_remove(&h->poll_link);
		if (h->poll)
			fuse_pollhandle_destroy(h->poll);
		f->handle_n--;
		f->idle_since_ms = time_mono_ms();
		if (f->private_)
			feed_retire(m, f);
		feed_unref(f);
	}
	dirlist_destroy(h->dir);
	link_remove(&h->all);
	tree_unref_handle(m, h->node);
	free(h);
}

/* A handle on a file. *ret_list: where an open that is not ready waits. */
static int handle_create(struct mount *m, struct node *n, struct handle **ret, struct link **ret_list)
{
	struct doc *doc = NULL;
	struct feed *feed = NULL;
	switch (n->kind) {
	case NODE_SEGMENT:
	case NODE_HOUR:
	case NODE_KEY:
	case NODE_QUERY:
		if (!n->doc)
			n->doc = doc_get(m, n, true);
		if (n->doc->dead)
			return ESTALE;
		doc = n->doc;
		*ret_list = &doc->waiters;
		break;
	case NODE_TAIL:
		if (n->feed->state == FEED_RETIRED)
			return ESTALE;                        /* the kernel looks the name up again */
		feed = n->feed;
		break;
	case NODE_FOLLOW:
		if (n->from == FROM_LAST && n->number < 0) {
			feed = feed_shared(m, n->topic, n->view, FORM_NDJSON);
		} else {
			feed = feed_create(m, n->topic, FORM_NDJSON);
			feed->private_ = true;
			feed->from = n->from;
			feed->from_n = n->number;
		}
		break;
	default:
		break;
	}
	if (feed) {
		if (!feed_start(m, feed)) {
			if (feed->private_)
				feed_unref(feed);
			return EMFILE;
		}
		if (!feed->private_)
			feed_ref(feed);                       /* a private one's first reference is the handle's */
		feed->handle_n++;
		*ret_list = &feed->waiters;
	}
	struct handle *h = xcalloc(1, sizeof *h);
	link_init(&h->poll_link);
	link_append(&m->handles, &h->all);
	h->node = n;
	n->handle_n++;
	h->feed = feed;
	if (doc) {
		doc->ref_n++;
		doc->handle_n++;
		h->doc = doc;
		if (doc->kind == DOC_SEGMENT && !doc->closed && !segment_closed(m, doc->topic, doc->partition, doc->number)) {
			h->counted_live = true;
			doc->topic->live_handle_n++;
		}
	}
	*ret = h;
	return 0;
}

bool handle_open_answer(struct mount *m, struct handle *h, struct fuse_file_info *fi, int *ret_error)
{
	(void)m;
	fi->fh = (uint64_t)(uintptr_t)h;
	*ret_error = 0;
	if (h->dir) {
		dirlist_destroy(h->dir);
		h->dir = xcalloc(1, sizeof *h->dir);
		buf_init(&h->dir->names);
		tree_list(m, h->node, h->dir);
		return true;
	}
	if (h->doc) {
		const struct doc *d = h->doc;
		*ret_error = d->dead ? ESTALE : d->has_text ? 0 : d->error ? d->error : EAGAIN;
		/* What grows must bypass the page cache: with it, readers see NUL bytes and torn lines. What is closed is best in it. */
		fi->direct_io = !d->closed;
		fi->keep_cache = d->closed;
	} else if (h->feed) {
		fi->direct_io = 1;
		fi->nonseekable = h->node->kind == NODE_FOLLOW;
		if (h->node->kind == NODE_FOLLOW)
			h->position = h->feed->private_ ? h->feed->text.base : h->feed->text.end;
		if (h->node->kind == NODE_TAIL && h->feed->state == FEED_RETIRED)
			*ret_error = ESTALE;
	} else {
		fi->direct_io = 1;
	}
	return *ret_error != EAGAIN;
}

static bool ready_now(struct mount *m, const struct handle *h)
{
	if (h->doc)
		return doc_ready(m, h->doc);
	return !h->feed || (!h->feed->private_ && h->feed->state == FEED_READY && time_mono_ms() - h->feed->caught_up_ms < CAUGHT_UP_MS);
}

static void reply_open(struct mount *m, fuse_req_t req, struct handle *h, struct fuse_file_info *fi)
{
	if (fuse_reply_open(req, fi) != -ENOENT)
		return;
	pthread_mutex_lock(&m->mu);
	handle_release(m, h);
	pthread_mutex_unlock(&m->mu);
}

/* Parks an open (or opendir) on list until wake or wait_ms. */
static void park_open(struct mount *m, fuse_req_t req, struct handle *h, struct fuse_file_info *fi, enum park_kind kind, struct link *list, int64_t wait_ms, int late_error)
{
	struct parked *p = park_begin(m, req);
	pthread_mutex_lock(&m->mu);
	bool give_up = p->intr || m->stopping, now = false;
	int error = EINTR;
	if (!give_up && kind == PARK_OPEN && ready_now(m, h)) {     /* became ready meanwhile */
		park_put(p);
		handle_open_answer(m, h, fi, &error);
		now = error == 0;
		give_up = !now;
		if (give_up)
			handle_release(m, h);
	} else if (give_up) {
		park_put(p);
		handle_release(m, h);
	} else {
		p->kind = kind;
		p->handle = h;
		p->fi = *fi;
		p->deadline_ms = time_mono_ms() + wait_ms;
		p->late_error = late_error;
		park_link(p, list);
		if (h->doc)
			doc_want(m, h->doc);
		pthread_cond_signal(&m->keeper);
	}
	pthread_mutex_unlock(&m->mu);
	if (give_up)
		fuse_reply_err(req, error);
	else if (now)
		reply_open(m, req, h, fi);
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct mount *m = mount_of(req);
	struct handle *h = NULL;
	struct link *list = NULL;
	pthread_mutex_lock(&m->mu);
	struct node *n = node_of(m, ino);
	int error = (fi->flags & O_ACCMODE) != O_RDONLY ? EROFS : handle_create(m, n, &h, &list);
	bool now = !error && ready_now(m, h);
	if (!error && h->doc && !now)
		doc_want(m, h->doc);                  /* before what is read ahead */
	if (!error && h->doc)
		doc_read_ahead(m, h->doc);
	if (now) {
		handle_open_answer(m, h, fi, &error);
		if (error)
			handle_release(m, h);
	}
	pthread_mutex_unlock(&m->mu);
	if (error)
		fuse_reply_err(req, error);
	else if (now)
		reply_open(m, req, h, fi);
	else
		park_open(m, req, h, fi, PARK_OPEN, list, m->o.timeout_ms, EIO);
}

static void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct mount *m = mount_of(req);
	(void)ino;
	pthread_mutex_lock(&m->mu);
	handle_release(m, handle_of(fi));
	pthread_mutex_unlock(&m->mu);
	fuse_reply_err(req, 0);
}

/* ---- read */

static void reply_slice(fuse_req_t req, struct text_slice *s)
{
	if (s->n)
		fuse_reply_iov(req, s->iov, s->n);
	else
		fuse_reply_buf(req, NULL, 0);
	text_slice_finish(s);
}

static void read_follow(struct mount *m, fuse_req_t req, struct handle *h, size_t size, bool nonblock)
{
	struct feed *f = h->feed;
	struct text_slice s = {.n = 0};
	struct parked *p = NULL;
	int error = 0;
	pthread_mutex_lock(&m->mu);
	for (;;) {
		if (h->position < f->text.base) {
			error = ESTALE;                       /* the reader was slower than the ring */
		} else if (h->position < f->text.end) {
			text_slice(&f->text, h->position, size, &s);
			h->position += (int64_t)s.len;
			if (f->private_) {
				text_drop(&f->text, h->position);
				pthread_cond_signal(&f->room);
			}
		} else if (f->state == FEED_RETIRED || m->stopping) {
			error = 0;                            /* end of file */
		} else if (nonblock) {
			error = EAGAIN;
		} else if (!p) {
			pthread_mutex_unlock(&m->mu);
			p = park_begin(m, req);
			pthread_mutex_lock(&m->mu);
			if (!p->intr)
				continue;                         /* look again: something may have come */
			error = EINTR;
		} else {
			p->kind = PARK_READ;
			p->handle = h;
			p->size = size;
			park_link(p, &f->readers);
			pthread_mutex_unlock(&m->mu);
			return;
		}
		break;
	}
	if (p)
		park_put(p);
	pthread_mutex_unlock(&m->mu);
	if (error)
		fuse_reply_err(req, error);
	else
		reply_slice(req, &s);
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct mount *m = mount_of(req);
	struct handle *h = handle_of(fi);
	struct node *n = h->node;
	struct text_slice s = {.n = 0};
	int error = 0;
	(void)ino;
	if (n->kind == NODE_FOLLOW) {
		read_follow(m, req, h, size, fi->flags & O_NONBLOCK);
		return;
	}
	if (n->kind == NODE_README || n->kind == NODE_STATUS || n->kind == NODE_META) {     /* never changes: no lock */
		size_t at = off < (off_t)n->data_len ? (size_t)off : n->data_len;
		fuse_reply_buf(req, n->data + at, n->data_len - at < size ? n->data_len - at : size);
		return;
	}
	pthread_mutex_lock(&m->mu);
	if (h->doc) {
		if (!h->doc->has_text)
			error = ESTALE;
		else if (off < text_len(&h->doc->text))
			text_slice(&h->doc->text, off, size, &s);
	} else if (h->feed) {
		if (off > INT64_MAX - n->generation)
			off = INT64_MAX - n->generation;
		if (off + n->generation < h->feed->text.base)
			error = ESTALE;                       /* never other bytes in their place */
		else if (off + n->generation < h->feed->text.end)
			text_slice(&h->feed->text, off + n->generation, size, &s);
	} else {
		error = EBADF;
	}
	pthread_mutex_unlock(&m->mu);
	if (error)
		fuse_reply_err(req, error);
	else
		reply_slice(req, &s);
}

static void op_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct fuse_pollhandle *ph)
{
	struct mount *m = mount_of(req);
	struct handle *h = handle_of(fi);
	unsigned events = POLLIN | POLLRDNORM;
	struct fuse_pollhandle *old = ph;
	(void)ino;
	pthread_mutex_lock(&m->mu);
	if (h->node->kind == NODE_FOLLOW) {
		struct feed *f = h->feed;
		if (h->position >= f->text.end && f->state != FEED_RETIRED && !m->stopping) {
			events = 0;
			if (ph) {
				old = h->poll;
				h->poll = ph;
				link_remove(&h->poll_link);
				link_append(&f->pollers, &h->poll_link);
			}
		}
	}
	pthread_mutex_unlock(&m->mu);
	if (old)
		fuse_pollhandle_destroy(old);
	fuse_reply_poll(req, events);
}

/* ---- directories */

static void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct mount *m = mount_of(req);
	int error = 0;
	pthread_mutex_lock(&m->mu);
	struct node *n = node_of(m, ino);
	if (!node_is_dir(n)) {
		pthread_mutex_unlock(&m->mu);
		fuse_reply_err(req, ENOTDIR);
		return;
	}
	struct handle *h = xcalloc(1, sizeof *h);
	link_init(&h->poll_link);
	link_append(&m->handles, &h->all);
	h->node = n;
	n->handle_n++;
	h->dir = xcalloc(1, sizeof *h->dir);
	buf_init(&h->dir->names);
	struct topic *t = n->kind == NODE_PARTITION ? n->topic : NULL;
	bool wait = false;
	if (t) {
		registry_touch(m, t, LIST_FRESH_MS);
		wait = !registry_fresh(t, LIST_FRESH_MS) && !(t->bounds_known && t->cluster->down);
	}
	if (!wait)
		handle_open_answer(m, h, fi, &error);
	pthread_mutex_unlock(&m->mu);
	if (wait)
		park_open(m, req, h, fi, PARK_OPENDIR, &t->waiters, t->bounds_known ? LIST_WAIT_MS : m->o.timeout_ms, 0);
	else
		reply_open(m, req, h, fi);
}

static void list_dir(fuse_req_t req, size_t size, off_t off, struct fuse_file_info *fi, bool plus)
{
	struct mount *m = mount_of(req);
	struct handle *h = handle_of(fi);
	const struct dirlist *d = h->dir;
	char *buf = malloc(size);
	size_t used = 0;
	if (!buf) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	struct node **given = plus ? xcalloc(size / 24 + 1, sizeof(struct node *)) : NULL;
	size_t given_n = 0;
	pthread_mutex_lock(&m->mu);
	for (size_t i = off < 0 ? 0 : (size_t)off; i < d->n; i++) {
		const struct dirlist_entry *at = &d->entries[i];
		const char *name = d->names.data + at->at;
		struct fuse_entry_param e = {.ino = 0};
		struct node *n = NULL;
		size_t need;
		if (!plus) {
			e.attr = (struct stat){.st_ino = at->ino, .st_mode = at->mode};
			need = fuse_add_direntry(req, buf + used, size - used, name, &e.attr, (off_t)i + 1);
		} else {
			if (used + fuse_add_direntry_plus(req, NULL, 0, name, NULL, 0) > size)
				break;
			if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && tree_lookup(m, h->node, name, &n) == 0) {
				fill_entry(m, n, &e);
				given[given_n++] = n;
			} else {
				e.attr = (struct stat){.st_ino = at->ino, .st_mode = at->mode};
			}
			need = fuse_add_direntry_plus(req, buf + used, size - used, name, &e, (off_t)i + 1);
		}
		if (need > size - used)
			break;
		used += need;
	}
	pthread_mutex_unlock(&m->mu);
	int rc = used ? fuse_reply_buf(req, buf, used) : fuse_reply_buf(req, NULL, 0);
	if (rc == -ENOENT) {
		pthread_mutex_lock(&m->mu);
		for (size_t i = 0; i < given_n; i++)
			tree_forget(m, given[i], 1);
		pthread_mutex_unlock(&m->mu);
	}
	free(given);
	free(buf);
}

static void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	(void)ino;
	list_dir(req, size, off, fi, false);
}

static void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	(void)ino;
	list_dir(req, size, off, fi, true);
}

const struct fuse_lowlevel_ops mount_ops = {
	.init = op_init,
	.lookup = op_lookup,
	.forget = op_forget,
	.forget_multi = op_forget_multi,
	.getattr = op_getattr,
	.open = op_open,
	.read = op_read,
	.release = op_release,
	.poll = op_poll,
	.opendir = op_opendir,
	.readdir = op_readdir,
	.readdirplus = op_readdirplus,
	.releasedir = op_release,
};
