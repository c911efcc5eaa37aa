/* Clusters and topics as last heard of. One thread (registry_thread) asks the brokers with a session of its own; everybody else reads memory.
 *
 * Names are asked for every 5 s, and within a second after a lookup missed. Bounds are asked for once for every topic, and then again for
 * topics in use: every second while something looked at them in the last minute, four times a second while a growing segment is open.
 * Topics are never freed before the mount ends (nodes point at them); one that vanished is marked gone. */
#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "core/alloc.h"
#include "core/time.h"
#include "fuse/state.h"

enum {
	NAMES_EVERY_MS = 5000,
	NAMES_SOON_MS = 1000,                /* a missed name makes no more than one request a second */
	BOUNDS_EVERY_MS = 1000,
	BOUNDS_LIVE_MS = 250,
	IN_USE_MS = 60000,
	SHRUNK_FOR_MS = 5000,
	LINE_BYTES_GUESS = 1024,             /* rendered line, before one was seen: too high is harmless, too low is not */
};

/* ---- sessions of the mount's threads */

bool access_open(struct mount *m, bool live, struct mount_access **ret, struct err *err)
{
	struct mount_access *a = NULL;
	if (!m->factory.open(m->factory.arg, live, &a, err))
		return false;
	pthread_mutex_lock(&m->mu);
	if (m->cancel_n == m->cancel_cap) {
		m->cancel_cap = m->cancel_cap ? m->cancel_cap * 2 : 8;
		m->cancels = xreallocarray(m->cancels, m->cancel_cap, sizeof(struct cancel *));
	}
	m->cancels[m->cancel_n++] = a->provider->cancel;
	if (m->stopping)
		atomic_store(&a->provider->cancel->signal_n, SIGTERM);
	pthread_mutex_unlock(&m->mu);
	*ret = a;
	return true;
}

void access_close(struct mount *m, struct mount_access *a)
{
	if (!a)
		return;
	pthread_mutex_lock(&m->mu);
	for (size_t i = 0; i < m->cancel_n; i++)
		if (m->cancels[i] == a->provider->cancel) {
			m->cancels[i] = m->cancels[--m->cancel_n];
			break;
		}
	pthread_mutex_unlock(&m->mu);
	a->impl->destroy(a);
}

void access_deadline(struct mount_access *a, int64_t wait_ms)
{
	atomic_store(&a->provider->cancel->deadline_ms, wait_ms ? time_mono_ms() + wait_ms : 0);
}

bool access_bounds(struct mount *m, struct mount_access *a, struct topic *t, struct partition_bounds **ret, int32_t *ret_n, struct err *err)
{
	struct topic_info info;
	struct provider *p = a->provider;
	access_deadline(a, m->o.timeout_ms);
	atomic_fetch_add(&m->broker_call_n, 1);
	bool ok = p->impl->topic_info(p, t->cluster->name, t->name, 0, &info, err);
	if (ok && info.partition_n > 0) {
		struct partition_bounds *b = xcalloc((size_t)info.partition_n, sizeof *b);
		atomic_fetch_add(&m->broker_call_n, 1);
		ok = p->impl->topic_bounds(p, t->cluster->name, t->name, info.partition_n, b, err);
		if (ok) {
			*ret = b;
			*ret_n = info.partition_n;
		} else {
			free(b);
		}
	} else if (ok) {
		ok = err_set(err, ERR_LEADER, "topic %s has no partitions", t->name);
	}
	access_deadline(a, 0);
	return ok;
}

int err_errno(const struct err *err)
{
	switch (err->id) {
	case ERR_TOPIC_UNKNOWN:
	case ERR_TOPIC_GONE:
	case ERR_CLUSTER_UNKNOWN:
		return ENOENT;
	case ERR_AUTHORIZATION:
	case ERR_AUTHENTICATION:
		return EACCES;
	case ERR_LIMIT:
	case ERR_TOO_LARGE:
		return EFBIG;
	case ERR_GAP:
		return ESTALE;
	case ERR_MEMORY:
		return ENOMEM;
	case ERR_INTERRUPTED:
		return EINTR;
	default:
		return EIO;
	}
}

/* ---- the tables */

struct topic *registry_find(struct cluster_dir *c, const char *name)
{
	size_t lo = 0, hi = c->topic_n;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		int cmp = strcmp(c->topics[mid]->name, name);
		if (cmp == 0)
			return c->topics[mid]->gone ? NULL : c->topics[mid];
		if (cmp < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

bool registry_visible(const struct mount *m, const struct topic *t)
{
	return !t->gone && (!t->internal || m->o.internal) && (!m->o.topics[0] || fnmatch(m->o.topics, t->name, 0) == 0);
}

/* Kafka's own rule; a broken broker may send anything. */
static bool name_is_legal(const char *name)
{
	size_t len = strlen(name);
	return len > 0 && len <= 249 && strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == len && strcmp(name, ".") != 0 &&
		strcmp(name, "..") != 0;
}

static struct topic *add_topic(struct cluster_dir *c, const char *name)
{
	size_t at = 0;
	while (at < c->topic_n && strcmp(c->topics[at]->name, name) < 0)
		at++;
	if (at < c->topic_n && strcmp(c->topics[at]->name, name) == 0)
		return c->topics[at];
	if (c->topic_n == c->topic_cap) {
		c->topic_cap = c->topic_cap ? c->topic_cap * 2 : 16;
		c->topics = xreallocarray(c->topics, c->topic_cap, sizeof(struct topic *));
	}
	memmove(c->topics + at + 1, c->topics + at, (c->topic_n - at) * sizeof(struct topic *));
	struct topic *t = xcalloc(1, sizeof *t);
	t->cluster = c;
	t->name = xstrdup(name);
	t->line_bytes = LINE_BYTES_GUESS;
	link_init(&t->waiters);
	c->topics[at] = t;
	c->topic_n++;
	return t;
}

/* Another number of partitions, or offsets that went back: the topic was deleted and made anew. What was rendered of the old one is not its content. */
static void topic_recreated(struct mount *m, struct topic *t)
{
	for (size_t i = 0; i < m->doc_bucket_n; i++)
		for (struct doc *d = m->docs[i], *next; d; d = next) {
			next = d->hash_next;
			if (d->topic == t)
				doc_kill(m, d);
		}
	for (int i = 0; i < FORM_N; i++)
		if (t->feeds[i])
			feed_retire(m, t->feeds[i]);
	t->high_n = 0;                               /* those of the log that is gone */
	t->high_asked = false;
}

void registry_set_bounds(struct mount *m, struct topic *t, const struct partition_bounds *b, int32_t n, int64_t asked_ms)
{
	if (t->bounds_known && asked_ms < t->bounds_ms)
		return;                               /* an older answer that came late */
	bool anew = t->bounds_known && n < t->partition_n, shrunk = false;
	for (int32_t i = 0; t->bounds_known && i < n && i < t->partition_n; i++) {
		anew |= b[i].end < t->bounds[i].low || b[i].low < t->bounds[i].low;
		shrunk |= b[i].end < t->bounds[i].end;
	}
	/* After a leader change an end may go back for a moment; if it stays there, the log was cut or the topic made anew. */
	if (!anew && shrunk) {
		if (!t->shrunk_ms)
			t->shrunk_ms = asked_ms;
		if (asked_ms - t->shrunk_ms < SHRUNK_FOR_MS)
			return;
		anew = true;
	}
	t->shrunk_ms = 0;
	if (anew)
		topic_recreated(m, t);
	if (n != t->partition_n || !t->bounds) {
		t->bounds = xreallocarray(t->bounds, (size_t)n, sizeof *t->bounds);
		t->partition_n = n;
	}
	memcpy(t->bounds, b, (size_t)n * sizeof *b);
	t->bounds_known = true;
	t->bounds_failed = false;
	t->bounds_ms = asked_ms;
}

bool registry_fresh(const struct topic *t, int64_t max_age_ms)
{
	return t->bounds_known && time_mono_ms() - t->bounds_ms <= max_age_ms;
}

void registry_touch(struct mount *m, struct topic *t, int64_t max_age_ms)
{
	t->touched_ms = time_mono_ms();
	if (!registry_fresh(t, max_age_ms) && !t->bounds_wanted) {
		t->bounds_wanted = true;
		pthread_cond_signal(&m->refresh);
	}
}

void mount_note_error(struct mount *m, const struct err *err)
{
	snprintf(m->last_error, sizeof m->last_error, "%.255s", err->msg);
}

/* ---- asking */

static void free_names(char **names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
}

/* The topics of a cluster, and of each how many partitions it has (from the same metadata, which the provider keeps for some seconds). */
static bool ask_names(struct mount *m, struct mount_access *a, struct cluster_dir *c, struct err *err)
{
	char **names = NULL;
	size_t n = 0;
	struct provider *p = a->provider;
	access_deadline(a, m->o.timeout_ms);
	atomic_fetch_add(&m->broker_call_n, 1);
	bool ok = p->impl->topic_names(p, c->name, &names, &n, err);
	struct topic_info *info = NULL;
	bool *known = NULL;
	if (ok) {
		info = xcalloc(n ? n : 1, sizeof *info);
		known = xcalloc(n ? n : 1, sizeof *known);
		for (size_t i = 0; i < n; i++) {
			struct err ignored = ERR_INIT;
			known[i] = name_is_legal(names[i]) && p->impl->topic_info(p, c->name, names[i], 0, &info[i], &ignored) && info[i].partition_n > 0;
		}
	}
	access_deadline(a, 0);
	pthread_mutex_lock(&m->mu);
	c->asked_ms = time_mono_ms();
	c->down = !ok;
	snprintf(c->error, sizeof c->error, "%.255s", ok ? "" : err->msg);
	if (ok) {
		c->listed = true;
		for (size_t i = 0; i < c->topic_n; i++)
			c->topics[i]->seen = false;
		for (size_t i = 0; i < n; i++) {
			if (!name_is_legal(names[i]))
				continue;
			struct topic *t = add_topic(c, names[i]);
			t->seen = true;
			if (t->gone) {                        /* deleted and made again between two answers */
				t->gone = false;
				topic_recreated(m, t);
				t->bounds_known = false;
			}
			if (!known[i])
				continue;
			t->internal = info[i].internal || strncmp(names[i], "__", 2) == 0;
			t->compacted = info[i].compacted;
			if (!t->bounds_known)
				t->partition_n = info[i].partition_n;
			else if (t->partition_n != info[i].partition_n)
				t->bounds_wanted = true;
		}
		for (size_t i = 0; i < c->topic_n; i++)
			if (!c->topics[i]->seen && !c->topics[i]->gone) {
				c->topics[i]->gone = true;
				topic_recreated(m, c->topics[i]);
			}
	} else {
		mount_note_error(m, err);
	}
	pthread_mutex_unlock(&m->mu);
	if (ok)
		free_names(names, n);
	free(info);
	free(known);
	return ok;
}

/* After the bounds: nothing but meta.json shows them. */
static void ask_high(struct mount *m, struct mount_access *a, struct topic *t, int32_t n)
{
	struct err ignored = ERR_INIT;
	int64_t *high = xcalloc((size_t)n, sizeof *high);
	access_deadline(a, m->o.timeout_ms);
	atomic_fetch_add(&m->broker_call_n, 1);
	bool ok = a->provider->impl->topic_high_watermarks(a->provider, t->cluster->name, t->name, n, high, &ignored);
	access_deadline(a, 0);
	pthread_mutex_lock(&m->mu);
	t->high_asked = true;
	if (ok) {
		free(t->high);
		t->high = high;
		t->high_n = n;
		high = NULL;
	}
	pthread_mutex_unlock(&m->mu);
	free(high);
}

static void ask_bounds(struct mount *m, struct mount_access *a, struct topic *t)
{
	struct partition_bounds *b = NULL;
	int32_t n = 0;
	struct err err = ERR_INIT;
	int64_t asked_ms = time_mono_ms();
	bool ok = access_bounds(m, a, t, &b, &n, &err);
	pthread_mutex_lock(&m->mu);
	bool high = ok && ((t->bounds_known && !t->high_asked) || (t->meta_ms && asked_ms - t->meta_ms < IN_USE_MS));
	pthread_mutex_unlock(&m->mu);
	if (high && a->provider->impl->topic_high_watermarks)
		ask_high(m, a, t, n);
	pthread_mutex_lock(&m->mu);
	t->bounds_wanted = false;
	if (ok) {
		registry_set_bounds(m, t, b, n, asked_ms);
		t->cluster->down = false;
		doc_extend_live(m);
	} else {
		t->bounds_failed = true;
		if (err.id == ERR_CONNECT || err.id == ERR_TIMEOUT)
			t->cluster->down = true;
		if (err.id != ERR_INTERRUPTED) {
			mount_note_error(m, &err);
			snprintf(t->cluster->error, sizeof t->cluster->error, "%.255s", err.msg);
		}
	}
	pthread_mutex_unlock(&m->mu);
	free(b);
	park_wake(m, &t->waiters, 0);
}

static void ask_queries(struct mount *m, struct mount_access *a)
{
	char **names = NULL;
	size_t n = 0;
	struct err err = ERR_INIT;
	if (!a->impl->query_names || !a->impl->query_names(a, &names, &n, &err))
		return;
	pthread_mutex_lock(&m->mu);
	free_names(m->queries, m->query_n);
	m->queries = names;
	m->query_n = n;
	pthread_mutex_unlock(&m->mu);
}

static void ask_views(struct mount *m, struct mount_access *a)
{
	char **names = NULL;
	size_t n = 0;
	struct err err = ERR_INIT;
	if (!a->impl->view_names)
		return;
	access_deadline(a, m->o.timeout_ms);
	bool ok = a->impl->view_names(a, &names, &n, &err);
	access_deadline(a, 0);
	if (!ok)
		return;
	pthread_mutex_lock(&m->mu);
	for (size_t i = 0; i < m->view_n; i++)
		m->views[i]->gone = true;
	for (size_t i = 0; i < n; i++) {
		size_t at = 0;
		while (at < m->view_n && strcmp(m->views[at]->name, names[i]) != 0)
			at++;
		if (at == m->view_n) {
			m->views = xreallocarray(m->views, ++m->view_n, sizeof *m->views);
			m->views[at] = xcalloc(1, sizeof **m->views);
			m->views[at]->name = names[i];
			names[i] = NULL;
		}
		m->views[at]->gone = false;
	}
	pthread_mutex_unlock(&m->mu);
	free_names(names, n);
}

struct live_view *registry_view(struct mount *m, const char *name, size_t len)
{
	for (size_t i = 0; i < m->view_n; i++)
		if (!m->views[i]->gone && strlen(m->views[i]->name) == len && memcmp(m->views[i]->name, name, len) == 0)
			return m->views[i];
	return NULL;
}

size_t registry_view_n(const struct mount *m)
{
	size_t n = 0;
	for (size_t i = 0; i < m->view_n; i++)
		n += !m->views[i]->gone;
	return n;
}

/* The topic that most needs its bounds asked for; NULL = none now. *ret_wait_ms: until one will. Under mu. */
static struct topic *next_topic(struct mount *m, bool high_to_be_had, int64_t now, int64_t *ret_wait_ms)
{
	struct topic *unknown = NULL, *due = NULL, *high = NULL;
	int64_t wait = NAMES_SOON_MS;
	for (size_t i = 0; i < m->cluster_n; i++) {
		struct cluster_dir *c = m->clusters[i];
		for (size_t k = 0; k < c->topic_n; k++) {
			struct topic *t = c->topics[k];
			if (t->gone)
				continue;
			if (t->bounds_wanted && (!t->bounds_failed || now - t->tried_ms > NAMES_SOON_MS))
				return t;
			bool in_use = t->live_handle_n > 0 || (t->touched_ms && now - t->touched_ms < IN_USE_MS);
			if (!t->bounds_known && !t->bounds_failed) {
				if (!unknown)
					unknown = t;
			} else if (t->bounds_known && !t->high_asked && high_to_be_had && !c->down) {
				high = high ? high : t;
			} else if (in_use) {
				int64_t left = t->tried_ms + (t->live_handle_n > 0 ? BOUNDS_LIVE_MS : BOUNDS_EVERY_MS) - now;
				if (left <= 0 && !c->down && (!due || t->tried_ms < due->tried_ms))
					due = t;
				else if (left > 0 && left < wait)
					wait = left;
			}
		}
	}
	*ret_wait_ms = wait;
	return due ? due : unknown ? unknown : high;
}

void *registry_thread(void *arg)
{
	struct mount *m = arg;
	struct mount_access *a = NULL;
	struct err err = ERR_INIT;
	int64_t names_ms = 0;
	if (!access_open(m, false, &a, &err)) {
		pthread_mutex_lock(&m->mu);
		mount_note_error(m, &err);
		m->refreshed_once = true;
		pthread_cond_broadcast(&m->refreshed);
		mount_thread_done(m);
		pthread_mutex_unlock(&m->mu);
		return NULL;
	}
	pthread_mutex_lock(&m->mu);
	while (!m->stopping) {
		int64_t now = time_mono_ms(), wait = NAMES_EVERY_MS;
		bool names = !names_ms || now - names_ms >= (m->refresh_names ? NAMES_SOON_MS : NAMES_EVERY_MS);
		size_t cluster_n = m->cluster_n;
		if (names) {
			m->refresh_names = false;
			pthread_mutex_unlock(&m->mu);
			for (size_t i = 0; i < cluster_n; i++) {
				err_clear(&err);
				ask_names(m, a, m->clusters[i], &err);
			}
			ask_queries(m, a);
			ask_views(m, a);
			names_ms = time_mono_ms();
			pthread_mutex_lock(&m->mu);
			continue;
		}
		struct topic *t = next_topic(m, a->provider->impl->topic_high_watermarks != NULL, now, &wait);
		if (!t || t->bounds_known) {
			m->refreshed_once = true;
			pthread_cond_broadcast(&m->refreshed);
		}
		if (t) {
			t->tried_ms = now;
			pthread_mutex_unlock(&m->mu);
			ask_bounds(m, a, t);
			pthread_mutex_lock(&m->mu);
			continue;
		}
		int64_t until_names = names_ms + (m->refresh_names ? NAMES_SOON_MS : NAMES_EVERY_MS) - now;
		mount_wait_ms(&m->refresh, &m->mu, until_names < wait ? (until_names > 1 ? until_names : 1) : wait);
	}
	pthread_mutex_unlock(&m->mu);
	access_close(m, a);
	pthread_mutex_lock(&m->mu);
	m->refreshed_once = true;
	pthread_cond_broadcast(&m->refreshed);
	mount_thread_done(m);
	pthread_mutex_unlock(&m->mu);
	return NULL;
}

/* With the preflight's session: which clusters there are, and their topics. */
bool registry_init(struct mount *m, struct mount_access *a, struct err *err)
{
	char **names = NULL;
	size_t n = 0;
	if (a->impl->cluster_names && !a->impl->cluster_names(a, &names, &n, err))
		return false;
	m->cluster_n = n > 1 ? n : 1;
	m->clusters = xcalloc(m->cluster_n, sizeof(struct cluster_dir *));
	for (size_t i = 0; i < m->cluster_n; i++) {
		m->clusters[i] = xcalloc(1, sizeof **m->clusters);
		m->clusters[i]->name = n > 1 ? xstrdup(names[i]) : NULL;
	}
	free_names(names, n);
	bool any = false;
	for (size_t i = 0; i < m->cluster_n; i++)
		any |= ask_names(m, a, m->clusters[i], err);
	if (any)
		err_clear(err);
	return any;                               /* one cluster of several may be down */
}

void registry_finish(struct mount *m)
{
	for (size_t i = 0; i < m->cluster_n; i++) {
		struct cluster_dir *c = m->clusters[i];
		for (size_t k = 0; k < c->topic_n; k++) {
			for (int form = 0; form < FORM_N; form++)
				feed_unref(c->topics[k]->feeds[form]);
			free(c->topics[k]->name);
			free(c->topics[k]->bounds);
			free(c->topics[k]->high);
			free(c->topics[k]);
		}
		free(c->topics);
		free(c->name);
		free(c);
	}
	free(m->clusters);
	m->clusters = NULL;
	m->cluster_n = 0;
	free_names(m->queries, m->query_n);
	m->queries = NULL;
	m->query_n = 0;
	for (size_t i = 0; i < m->view_n; i++) {
		for (size_t form = 0; form < FORM_N; form++)
			feed_unref(m->views[i]->feeds[form]);
		free(m->views[i]->name);
		free(m->views[i]);
	}
	free(m->views);
	m->views = NULL;
	m->view_n = 0;
}
