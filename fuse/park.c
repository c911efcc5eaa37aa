/* Requests that wait: an open until something is rendered, a read of a stream until something comes.
 *
 * The kernel may interrupt each at any moment (a signal to the reader); a reader whose interrupt is not answered cannot even be killed. So every
 * parked request has an interrupt callback, and exactly one party answers it: whoever takes it off its list, under mu. The order matters:
 *
 *     p = park_begin(m, req)       state NEW; fuse_req_interrupt_func may call on_interrupt at once, so no lock of ours is held
 *     lock mu
 *     if (p->intr)      park_put, unlock, answer EINTR
 *     else if (ready)   park_put, unlock, answer
 *     else              park_link(p, list), unlock
 *
 * Publishing the request first and registering the callback afterwards crashes: another thread may have answered (and freed) it by then.
 * Memory of struct parked is pooled and never given back while the mount lives, because on_interrupt may look at it late; p->req tells
 * whether it still stands for the same request. */
#include <errno.h>
#include <stdlib.h>
#include "core/alloc.h"
#include "core/time.h"
#include "fuse/state.h"

static void on_interrupt(fuse_req_t req, void *data)
{
	struct parked *p = data;
	struct mount *m = p->m;
	struct handle *h = NULL;
	bool mine = false;
	pthread_mutex_lock(&m->mu);
	if (p->req == req && p->state == PARK_NEW) {
		p->intr = true;
	} else if (p->req == req && p->state == PARK_LINKED) {
		link_remove(&p->link);
		if (p->kind != PARK_READ)
			h = p->handle;
		park_put(p);
		mine = true;
	}
	if (h)
		handle_release(m, h);
	pthread_mutex_unlock(&m->mu);
	if (mine)
		fuse_reply_err(req, EINTR);
}

struct parked *park_begin(struct mount *m, fuse_req_t req)
{
	pthread_mutex_lock(&m->mu);
	struct parked *p = m->park_free;
	if (p) {
		m->park_free = p->next_free;
	} else {
		p = xcalloc(1, sizeof *p);
		p->m = m;
		p->next_all = m->park_all;
		m->park_all = p;
	}
	link_init(&p->link);
	p->req = req;
	p->state = PARK_NEW;
	p->intr = false;
	p->handle = NULL;
	p->deadline_ms = 0;
	p->late_error = 0;
	m->parked_n++;
	pthread_mutex_unlock(&m->mu);
	fuse_req_interrupt_func(req, on_interrupt, p);
	return p;
}

void park_link(struct parked *p, struct link *list)
{
	p->state = PARK_LINKED;
	link_append(list, &p->link);
}

void park_put(struct parked *p)
{
	struct mount *m = p->m;
	p->state = PARK_FREE;
	p->req = NULL;
	p->handle = NULL;
	p->next_free = m->park_free;
	m->park_free = p;
	m->parked_n--;
}

/* What is said to one request, made under mu and said without it. */
struct answer {
	fuse_req_t req;
	enum park_kind kind;
	struct handle *handle;
	struct fuse_file_info fi;
	int error;
	struct text_slice slice;
};

static void say(struct mount *m, struct answer *a)
{
	if (a->kind == PARK_READ) {
		if (a->error)
			fuse_reply_err(a->req, a->error);
		else
			fuse_reply_iov(a->req, a->slice.iov, a->slice.n);
		text_slice_finish(&a->slice);
		return;
	}
	if (a->error) {
		pthread_mutex_lock(&m->mu);
		handle_release(m, a->handle);
		pthread_mutex_unlock(&m->mu);
		fuse_reply_err(a->req, a->error);
	} else if (fuse_reply_open(a->req, &a->fi) == -ENOENT) {       /* interrupted meanwhile: there will be no release */
		pthread_mutex_lock(&m->mu);
		handle_release(m, a->handle);
		pthread_mutex_unlock(&m->mu);
	}
}

/* Takes p off its list into a. Under mu. */
static void take(struct parked *p, int error, struct answer *a)
{
	*a = (struct answer){.req = p->req, .kind = p->kind, .handle = p->handle, .fi = p->fi, .error = error};
	struct handle *h = p->handle;
	if (p->kind == PARK_READ && !error && h->feed) {
		struct feed *f = h->feed;
		if (h->position < f->text.base) {
			a->error = ESTALE;
		} else {
			text_slice(&f->text, h->position, p->size, &a->slice);
			h->position += (int64_t)a->slice.len;
			if (f->private_) {
				text_drop(&f->text, h->position);
				pthread_cond_signal(&f->room);
			}
		}
	} else if (p->kind != PARK_READ && !error) {
		int late = 0;
		handle_open_answer(p->m, h, &a->fi, &late);
		a->error = late == EAGAIN ? EIO : late;
	}
	link_remove(&p->link);
	park_put(p);
}

void park_wake(struct mount *m, struct link *list, int error)
{
	for (;;) {
		struct answer a;
		pthread_mutex_lock(&m->mu);
		if (link_empty(list)) {
			pthread_mutex_unlock(&m->mu);
			return;
		}
		take(LINK_OWNER(list->next, struct parked, link), error, &a);
		pthread_mutex_unlock(&m->mu);
		say(m, &a);
	}
}

/* Readers that have something to read, and handles that poll. */
void park_wake_readers(struct mount *m, struct feed *f)
{
	for (;;) {
		struct answer a;
		struct parked *found = NULL;
		pthread_mutex_lock(&m->mu);
		for (struct link *l = f->readers.next; l != &f->readers && !found; l = l->next) {
			struct parked *p = LINK_OWNER(l, struct parked, link);
			if (p->handle->position < f->text.end || m->stopping)
				found = p;
		}
		if (found)
			take(found, 0, &a);
		pthread_mutex_unlock(&m->mu);
		if (!found)
			break;
		say(m, &a);
	}
	for (;;) {
		struct fuse_pollhandle *ph = NULL;
		pthread_mutex_lock(&m->mu);
		if (!link_empty(&f->pollers)) {
			struct handle *h = LINK_OWNER(f->pollers.next, struct handle, poll_link);
			link_remove(&h->poll_link);
			ph = h->poll;
			h->poll = NULL;
		}
		pthread_mutex_unlock(&m->mu);
		if (!ph)
			break;
		fuse_lowlevel_notify_poll(ph);
		fuse_pollhandle_destroy(ph);
	}
}

int64_t park_expire(struct mount *m, int64_t now_ms)
{
	int64_t next = 0;
	for (;;) {
		struct answer a;
		struct parked *found = NULL;
		next = 0;
		pthread_mutex_lock(&m->mu);
		for (struct parked *p = m->park_all; p && !found; p = p->next_all) {
			if (p->state != PARK_LINKED || p->deadline_ms == 0)
				continue;
			if (p->deadline_ms <= now_ms || m->stopping)
				found = p;
			else if (!next || p->deadline_ms < next)
				next = p->deadline_ms;
		}
		if (found)
			take(found, m->stopping ? EINTR : found->late_error, &a);
		pthread_mutex_unlock(&m->mu);
		if (!found)
			return next;
		say(m, &a);
	}
}

/* The mount ends: streams see the end of the file, opens are interrupted. */
void park_stop(struct mount *m)
{
	for (;;) {
		struct answer a;
		struct parked *found = NULL;
		pthread_mutex_lock(&m->mu);
		for (struct parked *p = m->park_all; p && !found; p = p->next_all)
			if (p->state == PARK_LINKED)
				found = p;
		if (found)
			take(found, found->kind == PARK_READ ? 0 : EINTR, &a);
		pthread_mutex_unlock(&m->mu);
		if (!found)
			return;
		say(m, &a);
	}
}

void park_finish(struct mount *m)
{
	while (m->park_all) {
		struct parked *p = m->park_all;
		m->park_all = p->next_all;
		free(p);
	}
	m->park_free = NULL;
}
