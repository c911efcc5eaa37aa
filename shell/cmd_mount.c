/* \mount \umount: the session's clusters, streams and views as files. The mount is a process of its own (`weir mount`), which reads what the session knows as
 * a script on its standard input; it ends with the session. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "core/alloc.h"
#include "fuse/mount.h"
#include "shell/command.h"
#include "sql/lex.h"
#include "sql/session.h"

enum { LOOK_MS = 20, ERROR_TEXT_MAX = 4096 };

/* Each row of the query is a statement. */
static bool add_statements(struct shell *sh, const char *sql, struct buf *to, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc;
	if (sqlite3_prepare_v2(session_db(sh->session), sql, -1, &stmt, NULL) != SQLITE_OK)
		return err_set(err, ERR_SQL, "%s", sqlite3_errmsg(session_db(sh->session)));
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		const char *text = (const char *)sqlite3_column_text(stmt, 0);
		if (text)
			buf_addf(to, "%s;\n", text);
	}
	sqlite3_finalize(stmt);
	return rc == SQLITE_DONE || err_set(err, ERR_SQL, "%s", sqlite3_errmsg(session_db(sh->session)));
}

struct cluster_choice {
	char *brokers, *profile;             /* of the current one; NULL = not given */
};

/* Attaches the other clusters. */
static bool add_clusters(struct shell *sh, struct buf *to, struct cluster_choice *current, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	if (sqlite3_prepare_v2(session_db(sh->session), "SELECT cluster, current, brokers, profile FROM weir_clusters", -1, &stmt, NULL) != SQLITE_OK)
		return err_set(err, ERR_SQL, "%s", sqlite3_errmsg(session_db(sh->session)));
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(stmt, 0), *brokers = (const char *)sqlite3_column_text(stmt, 2), *profile = (const char *)sqlite3_column_text(stmt, 3);
		if (sqlite3_column_int(stmt, 1)) {
			current->brokers = brokers ? xstrdup(brokers) : NULL;
			current->profile = profile ? xstrdup(profile) : NULL;
			continue;
		}
		buf_adds(to, "ATTACH CLUSTER ");
		if (brokers && !profile)
			sql_quote_text(to, brokers);
		buf_adds(to, " AS ");
		sql_quote_name(to, name);
		if (profile) {
			buf_adds(to, " WITH (profile = ");
			sql_quote_text(to, profile);
			buf_addc(to, ')');
		}
		buf_adds(to, ";\n");
	}
	sqlite3_finalize(stmt);
	return true;
}

/* Views in the order in which they were made: one may use those before it. */
static bool add_views(struct shell *sh, struct buf *to, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	if (sqlite3_prepare_v2(session_db(sh->session), "SELECT name, substr(sql, 12) FROM (SELECT sql, name, 1 AS temp, rowid AS n FROM sqlite_temp_schema WHERE type = 'view'"
		" UNION ALL SELECT sql, name, 0, rowid FROM sqlite_schema WHERE type = 'view') WHERE name NOT IN (SELECT name FROM weir_queries WHERE name IS NOT NULL) ORDER BY temp, n", -1, &stmt, NULL) != SQLITE_OK)
		return err_set(err, ERR_SQL, "%s", sqlite3_errmsg(session_db(sh->session)));
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		char *written = session_view_definition(sh->session, (const char *)sqlite3_column_text(stmt, 0));
		buf_addf(to, "CREATE TEMP VIEW %s;\n", written ? written : (const char *)sqlite3_column_text(stmt, 1));
		free(written);
	}
	sqlite3_finalize(stmt);
	return true;
}

/* What the session knows, as a script. A materialized view is kept up to date there when its file is opened. SQLite's own tables stay behind. */
static bool catalogue(struct shell *sh, struct buf *to, struct cluster_choice *current, struct err *err)
{
	return add_clusters(sh, to, current, err) &&
	       add_statements(sh, "SELECT ddl FROM weir_streams WHERE ddl LIKE 'CREATE VIRTUAL TABLE%'", to, err) &&
	       add_views(sh, to, err) &&
	       add_statements(sh, "SELECT printf('CREATE MATERIALIZED VIEW \"%w\" AS %s', name, query) FROM weir_queries WHERE name IS NOT NULL", to, err);
}

static int text_file(const char *name, const struct buf *text, struct err *err)
{
	int fd = memfd_create(name, MFD_CLOEXEC);
	for (size_t at = 0; fd >= 0 && text && at < text->len;) {
		ssize_t n = write(fd, text->data + at, text->len - at);
		if (n < 0 && errno != EINTR) {
			close(fd);
			fd = -1;
		}
		at += n > 0 ? (size_t)n : 0;
	}
	if (fd < 0)
		err_set(err, ERR_FILE, "memory for the mount's script: %s", strerror(errno));
	else
		lseek(fd, 0, SEEK_SET);
	return fd;
}

/* The command's words; borrowed, the array is the caller's. */
static const char **words(const struct shell *sh, const struct cluster_choice *current, const char *dir, const char *mount_options)
{
	const struct options *o = sh->options;
	const char **w = xcalloc(24 + 2 * o->setting_n, sizeof *w);
	size_t n = 0;
	w[n++] = "weir";
	w[n++] = "mount";
	w[n++] = dir;
	w[n++] = "--replace";
	w[n++] = "-f";
	w[n++] = "-";
	if (mount_options) {
		w[n++] = "-o";
		w[n++] = mount_options;
	}
	if (o->properties) {
		w[n++] = "-F";
		w[n++] = o->properties;
	}
	if (current->profile || o->profile) {
		w[n++] = "-P";
		w[n++] = current->profile ? current->profile : o->profile;
	}
	if (current->brokers) {
		w[n++] = "-b";
		w[n++] = current->brokers;
	}
	for (size_t i = 0; i < o->setting_n; i++) {
		w[n++] = "-X";
		w[n++] = o->settings[i];
	}
	if (o->safe)
		w[n++] = "--safe";
	return w;
}

static void run_child(const char **argv, int in, int errors)
{
	signal(SIGPIPE, SIG_DFL);
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();                                    /* Ctrl-C at the prompt is not for it */
	if (dup2(in, 0) >= 0 && dup2(errors, 2) >= 0 && dup2(errors, 1) >= 0)
		execv("/proc/self/exe", (char **)(uintptr_t)argv);
	_exit(127);
}

/* Waits for the part that stays until the mount stands; Ctrl-C ends it. */
static bool wait_child(pid_t pid, int errors, struct err *err)
{
	int status = 0;
	bool killed = false;
	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (signals_last() && !killed) {
			kill(pid, SIGTERM);
			killed = true;
		}
		poll(NULL, 0, LOOK_MS);
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return true;
	if (killed)
		return err_set(err, ERR_INTERRUPTED, "interrupted");
	char text[ERROR_TEXT_MAX];
	ssize_t n = pread(errors, text, sizeof text - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	char *end = strchr(text, '\n'), *begin = strncmp(text, "weir: ", 6) == 0 ? text + 6 : text;
	if (end)
		*end = '\0';
	return err_set(err, ERR_FILE, "%s", *begin ? begin : "weir mount failed");
}

static void remember(struct shell *sh, const char *dir)
{
	for (size_t i = 0; i < sh->mount_n; i++)
		if (strcmp(sh->mounts[i], dir) == 0)
			return;
	sh->mounts = xreallocarray(sh->mounts, sh->mount_n + 1, sizeof *sh->mounts);
	sh->mounts[sh->mount_n++] = xstrdup(dir);
}

bool cmd_mount(struct command_call *c, struct err *err)
{
	struct shell *sh = c->sh;
	const char *mount_options = c->arg_n == 3 && strcmp(c->args[1], "-o") == 0 ? c->args[2] : NULL;
	if (c->arg_n != 1 && !mount_options)
		return err_set(err, ERR_SCRIPT, "\\mount DIR [-o OPTIONS]");
	char *dir = realpath(c->args[0], NULL);
	if (!dir && errno != ENOTCONN)               /* a dead mount is cleaned up by the new one */
		return err_set(err, ERR_FILE, "%s: %s", c->args[0], strerror(errno));
	if (!dir)
		dir = xstrdup(c->args[0]);
	struct buf script = BUF_INIT;
	struct cluster_choice current = {NULL, NULL};
	bool ok = catalogue(sh, &script, &current, err);
	int in = ok ? text_file("weir-mount-script", &script, err) : -1, errors = in >= 0 ? text_file("weir-mount-errors", NULL, err) : -1;
	ok = ok && errors >= 0;
	if (ok) {
		const char **argv = words(sh, &current, dir, mount_options);
		out_flush(shell_out(sh));
		pid_t pid = fork();
		if (pid == 0)
			run_child(argv, in, errors);
		ok = pid > 0 ? wait_child(pid, errors, err) : err_set(err, ERR_FILE, "fork: %s", strerror(errno));
		free(argv);
	}
	if (ok) {
		remember(sh, dir);
		report_line(sh, "%s holds the topics as files, read-only, until \\umount or the end of this session; %s/@README tells how", dir, dir);
	}
	if (in >= 0)
		close(in);
	if (errors >= 0)
		close(errors);
	free(current.brokers);
	free(current.profile);
	buf_finish(&script);
	free(dir);
	return ok;
}

bool cmd_umount(struct command_call *c, struct err *err)
{
	struct shell *sh = c->sh;
	char *real = c->arg_n ? realpath(c->args[0], NULL) : NULL;
	const char *dir = real ? real : c->arg_n ? c->args[0] : sh->mount_n == 1 ? sh->mounts[0] : NULL;
	bool ok = dir ? mount_end(dir, false, err) : err_set(err, ERR_SCRIPT, sh->mount_n ? "\\umount DIR: there are %zu" : "\\umount: nothing was mounted here", sh->mount_n);
	for (size_t i = 0; ok && i < sh->mount_n; i++) {
		if (strcmp(sh->mounts[i], dir) != 0)
			continue;
		free(sh->mounts[i]);
		sh->mounts[i] = sh->mounts[--sh->mount_n];
		break;
	}
	free(real);
	return ok;
}

void shell_end_mounts(struct shell *sh)
{
	for (size_t i = 0; i < sh->mount_n; i++) {
		struct err ignored = ERR_INIT;               /* somebody else may have unmounted it */
		mount_end(sh->mounts[i], true, &ignored);
		free(sh->mounts[i]);
	}
	free(sh->mounts);
	sh->mounts = NULL;
	sh->mount_n = 0;
}
