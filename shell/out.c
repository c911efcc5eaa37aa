/* shell/out.h */
#include "shell/out.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

void out_init(struct out *o, int fd)
{
	*o = (struct out){.fd = fd, .pending = BUF_INIT, .tty = isatty(fd) == 1};
}

bool out_open_file(struct out *o, const char *path, bool append, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (append ? O_APPEND : O_TRUNC), 0666);
	if (fd < 0)
		return err_set(err, ERR_FILE, "%s: %s", path, strerror(errno));
	out_init(o, fd);
	o->owns_fd = true;
	return true;
}

/* Starts /bin/sh -c command with a pipe as its stdin and default signal dispositions. Returns the write end or -1 (errno set). */
static int spawn_sh(const char *command, pid_t *ret_pid)
{
	int pipe_fd[2];
	if (pipe2(pipe_fd, O_CLOEXEC) < 0)
		return -1;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, pipe_fd[0], STDIN_FILENO);
	posix_spawnattr_init(&attr);
	sigset_t set;
	sigemptyset(&set);
	posix_spawnattr_setsigmask(&attr, &set);
	sigaddset(&set, SIGPIPE);
	sigaddset(&set, SIGINT);
	posix_spawnattr_setsigdefault(&attr, &set);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	char *argv[] = {(char *)"sh", (char *)"-c", (char *)command, NULL};
	int rc = posix_spawn(ret_pid, "/bin/sh", &actions, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	close(pipe_fd[0]);
	if (rc) {
		close(pipe_fd[1]);
		errno = rc;
		return -1;
	}
	return pipe_fd[1];
}

bool out_open_command(struct out *o, const char *command, struct err *err)
{
	pid_t child;
	int fd = spawn_sh(command, &child);
	if (fd < 0)
		return err_set(err, ERR_FILE, "cannot start \"%s\": %s", command, strerror(errno));
	out_init(o, fd);
	o->owns_fd = true;
	o->child = child;
	return true;
}

static void wait_child(struct out *o)
{
	int status;
	while (o->child && waitpid(o->child, &status, 0) < 0 && errno == EINTR)
		;
	o->child = 0;
}

static void write_all(struct out *o, const char *data, size_t len)
{
	while (len && out_ok(o)) {
		ssize_t n = write(o->fd, data, len);
		if (n >= 0) {
			data += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			struct pollfd p = {.fd = o->fd, .events = POLLOUT};
			poll(&p, 1, 100);
		} else if (errno == EPIPE) {
			o->closed = true;
		} else if (errno != EINTR) {
			o->failed = true;
			o->error_n = errno;
		}
	}
}

static void drain(struct out *o)
{
	write_all(o, o->pending.data, o->pending.len);
	buf_clear(&o->pending);
	o->counted = 0;
}

/* More than a screen: the pager takes over. If it cannot be started the terminal gets everything. */
static void start_pager(struct out *o)
{
	pid_t child;
	int fd = spawn_sh(o->pager, &child);
	o->hold_lines = 0;
	if (fd >= 0) {
		o->paging = true;
		o->child = child;
		o->fd = fd;
	}
}

void out_flush(struct out *o)
{
	if (o->hold_lines) {
		for (const char *p = o->pending.data + o->counted; (p = memchr(p, '\n', o->pending.len - (size_t)(p - o->pending.data))); p++)
			o->held_lines++;
		o->counted = o->pending.len;
		if (o->held_lines <= o->hold_lines && o->pending.len < OUT_BUFFER_BYTES)
			return;
		start_pager(o);
	}
	drain(o);
}

void out_hold(struct out *o, int lines, const char *pager)
{
	out_flush(o);
	o->hold_lines = lines > 1 ? lines : 1;
	o->held_lines = 0;
	o->counted = o->pending.len;
	o->pager = pager;
}

void out_unhold(struct out *o)
{
	if (!o->hold_lines)
		return;
	o->hold_lines = 0;
	drain(o);
}

void out_release(struct out *o)
{
	out_flush(o);
	out_unhold(o);
	if (!o->paging)
		return;
	close(o->fd);
	wait_child(o);
	o->paging = false;
	o->fd = STDOUT_FILENO;
	o->closed = false;      /* leaving the pager early is no error */
}

void out_finish(struct out *o)
{
	out_release(o);
	drain(o);
	if (o->owns_fd && o->fd >= 0) {
		if (close(o->fd) < 0 && errno != EINTR && out_ok(o)) {
			o->failed = true;
			o->error_n = errno;
		}
	}
	wait_child(o);
	o->owns_fd = false;
	buf_finish(&o->pending);
}

void out_add(struct out *o, const void *data, size_t len)
{
	if (!out_ok(o))
		return;
	if (o->pending.len + len > OUT_BUFFER_BYTES && o->pending.len)
		out_flush(o);
	buf_add(&o->pending, data, len);
}

void out_adds(struct out *o, const char *s)
{
	out_add(o, s, strlen(s));
}

void out_addc(struct out *o, char c)
{
	out_add(o, &c, 1);
}

void out_addf(struct out *o, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	buf_vaddf(&o->pending, fmt, ap);
	va_end(ap);
}

void out_pad(struct out *o, char c, size_t n)
{
	buf_reserve(&o->pending, n);
	memset(o->pending.data + o->pending.len, c, n);
	o->pending.len += n;
	o->pending.data[o->pending.len] = '\0';
}
