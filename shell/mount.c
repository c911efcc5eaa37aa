/* weir mount and weir umount: the mount of fuse/ over the sessions of sql/. Each of the mount's threads gets a session of its own, in which the scripts of
 * -f and the statements of -c have run, so that registered streams and views are the same in all. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "core/alloc.h"
#include "fuse/mount.h"
#include "shell/mount.h"
#include "shell/mount_query.h"
#include "shell/shell.h"
#include "sql/session.h"

enum { SCRIPT_MAX_BYTES = 16 * 1024 * 1024 };

/* What every session begins with: texts of the scripts, read before the mount goes to the background. */
struct setup {
	const struct options *options;
	char **sql;
	size_t n;
};

static bool run_sql(struct session *s, const char *sql, struct err *err)
{
	size_t len = strlen(sql), at = 0;
	bool ok = true;
	while (ok && at < len) {
		struct query *q = NULL;
		size_t used = 0;
		enum query_step step = QUERY_ROW;
		ok = session_prepare(s, sql + at, len - at, &used, &q, err);
		while (ok && q && step == QUERY_ROW)
			step = query_step(q, err);
		ok = ok && step != QUERY_FAILED;
		query_destroy(q);
		if (used == 0)
			break;
		at += used;
	}
	return ok;
}

static void access_destroy(struct mount_access *base)
{
	struct access *a = (struct access *)base;
	session_destroy(a->session);
	mount_view_names_forget(a);
	free(a);
}

static bool cluster_names(struct mount_access *a, char ***ret, size_t *ret_n, struct err *err)
{
	return mount_names(((struct access *)a)->session, "SELECT cluster FROM weir_clusters ORDER BY cluster", ret, ret_n, err);
}

static bool stream_of(struct mount_access *a, const char *cluster, const char *topic, struct stream **ret, struct err *err)
{
	return session_stream(((struct access *)a)->session, cluster, topic, ret, err);
}

static const struct mount_access_impl impl = {
	.destroy = access_destroy,
	.cluster_names = cluster_names,
	.stream = stream_of,
	.query_names = mount_query_names,
	.query_run = mount_query_run,
	.view_names = mount_view_names,
	.view_follow = mount_view_follow,
};

static bool open_access(void *arg, bool live, struct mount_access **ret, struct err *err)
{
	const struct setup *setup = arg;
	const struct options *o = setup->options;
	struct session_options so = {.db_path = o->db, .brokers = o->brokers, .properties_file = o->properties, .profile = o->profile,
		.settings = (const char *const *)o->settings, .safe = o->safe};
	struct session *s = NULL;
	/* A query is waited for: its fetches return soon. A follower waits at the end for ever: its fetches may, the broker answers when something comes. */
	const char **settings = xcalloc(o->setting_n + 2, sizeof(char *));
	if (live)
		settings[0] = "fetch.wait.max.ms=200";
	for (size_t i = 0; i < o->setting_n; i++)
		settings[live + i] = o->settings[i];      /* the user's come later and win */
	so.settings = settings;
	bool ok = session_create(&so, &s, err);
	free(settings);
	if (!ok)
		return false;
	struct provider *p = session_provider(s);
	p->max_message_bytes = (size_t)o->max_message_bytes;
	p->gap_policy = GAP_WARN;
	for (size_t i = 0; i < o->variable_n; i++) {
		const char *equals = strchr(o->variables[i], '=');
		char *name = xstrndup(o->variables[i], (size_t)(equals - o->variables[i]));
		session_set_variable(s, name, equals + 1);
		free(name);
	}
	for (size_t i = 0; i < setup->n; i++)
		if (!run_sql(s, setup->sql[i], err)) {
			session_destroy(s);
			return false;
		}
	struct access *a = xcalloc(1, sizeof *a);
	a->base.impl = &impl;
	a->base.provider = p;
	a->session = s;
	*ret = &a->base;
	return true;
}

static bool read_file(const char *path, char **ret, struct err *err)
{
	struct buf text = BUF_INIT;
	char block[65536];
	size_t n;
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	if (!f)
		return err_set(err, ERR_FILE, "%s: %s", path, strerror(errno));
	while ((n = fread(block, 1, sizeof block, f)) > 0 && text.len < SCRIPT_MAX_BYTES)
		buf_add(&text, block, n);
	bool ok = !ferror(f) && text.len < SCRIPT_MAX_BYTES;
	if (f != stdin)
		fclose(f);
	if (!ok) {
		buf_finish(&text);
		return err_set(err, ERR_FILE, "%s cannot be read whole", path);
	}
	*ret = buf_take(&text);
	return true;
}

static bool read_setup(struct setup *setup, struct err *err)
{
	const struct options *o = setup->options;
	setup->sql = xcalloc(o->item_n + 1, sizeof(char *));
	for (size_t i = 0; i < o->item_n; i++) {
		if (!o->items[i].is_file)
			setup->sql[setup->n] = xstrdup(o->items[i].text);
		else if (!read_file(o->items[i].text, &setup->sql[setup->n], err))
			return false;
		setup->n++;
	}
	return true;
}

static void log_line(void *arg, const char *line)
{
	(void)arg;
	fprintf(stderr, "weir: %s\n", line);
}

static int fail(const struct err *err)
{
	report_usage(err);
	return err_exit_code(err);
}

int mount_main(const struct options *o)
{
	struct err err = ERR_INIT;
	struct setup setup = {.options = o};
	struct mount_factory factory = {.open = open_access, .arg = &setup};
	struct mount_options mo;
	struct mount *m = NULL;
	mount_options_init(&mo);
	bool ok = o->rest_n == 1 || err_set(&err, ERR_USAGE, "weir mount wants one directory");
	ok = ok && (!o->mount_options || mount_options_parse(&mo, o->mount_options, &err));
	if (ok) {
		mo.dir = o->rest[0];
		mo.replace = o->replace;
		mo.log = o->quiet ? NULL : log_line;
		ok = read_setup(&setup, &err) && mount_create(&mo, &factory, &m, &err);
	}
	if (ok && !o->foreground) {
		fflush(stdout);
		fflush(stderr);
	}
	ok = ok && mount_serve(m, !o->foreground, true, &err);
	mount_destroy(m);
	for (size_t i = 0; i < setup.n; i++)
		free(setup.sql[i]);
	free(setup.sql);
	return ok ? EXIT_OK : fail(&err);
}

int umount_main(const struct options *o)
{
	struct err err = ERR_INIT;
	if (o->rest_n != 1)
		err_set(&err, ERR_USAGE, "weir umount wants one directory");
	else if (mount_end(o->rest[0], o->force, &err))
		return EXIT_OK;
	return fail(&err);
}
