/* What is mounted at a directory, and getting it out of the way. A daemon that was killed leaves a dead mount (every access says ENOTCONN), and
 * libfuse's auto_unmount does nothing for ordinary users, so the next start cleans up. Any thread, no state. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "core/alloc.h"
#include "core/time.h"
#include "fuse/state.h"

extern char **environ;

char *stale_absolute(const char *dir)
{
	char *real = realpath(dir, NULL);
	if (real)
		return real;
	if (errno != ENOTCONN && errno != EACCES && errno != EIO && errno != ECONNABORTED)
		return NULL;
	char *copy = xstrdup(dir), *copy2 = xstrdup(dir), *ret = NULL;
	char *parent = realpath(dirname(copy), NULL);
	if (parent)
		ret = xasprintf("%s/%s", strcmp(parent, "/") == 0 ? "" : parent, basename(copy2));
	free(parent);
	free(copy);
	free(copy2);
	return ret;
}

/* mountinfo writes blanks and the like as \ooo. */
static void unescape(char *s)
{
	char *to = s;
	for (; *s; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' && s[3] >= '0' && s[3] <= '7') {
			*to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

enum mount_there stale_look(const char *dir)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t cap = 0;
	enum mount_there there = THERE_NOTHING;
	if (!f)
		return THERE_NOTHING;
	while (getline(&line, &cap, f) > 0) {
		char *save = NULL, *word = strtok_r(line, " ", &save), *at = NULL, *type = NULL;
		for (int i = 1; word; i++) {
			if (i == 5)
				at = word;
			if (strcmp(word, "-") == 0 && i > 6) {
				type = strtok_r(NULL, " ", &save);
				break;
			}
			word = strtok_r(NULL, " ", &save);
		}
		if (!at || !type)
			continue;
		unescape(at);
		if (strcmp(at, dir) == 0)
			there = strcmp(type, "fuse.weir") == 0 ? THERE_LIVE_WEIR : THERE_OTHER;
	}
	free(line);
	fclose(f);
	if (there != THERE_LIVE_WEIR)
		return there;
	/* Not stat: the kernel may still know the attributes of a dead mount's root. */
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	else if (errno == ENOTCONN || errno == ECONNABORTED)
		there = THERE_STALE_WEIR;
	return there;
}

bool stale_detach(const char *dir, bool lazy, struct err *err)
{
	int status = 0;
	pid_t pid;
	if (geteuid() == 0) {
		if (umount2(dir, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) == 0)
			return true;
		int why = errno;
		err_set(err, ERR_FILE, "cannot unmount %s: %s", dir, strerror(why));
		if (why == EBUSY)
			err_hint(err, "something is reading there; weir umount --force %s detaches it all the same", dir);
		return false;
	}
	char *argv[] = {"fusermount3", "-u", lazy ? "-z" : "--", lazy ? "--" : (char *)(uintptr_t)dir, lazy ? (char *)(uintptr_t)dir : NULL, NULL};
	int rc = posix_spawnp(&pid, "fusermount3", NULL, NULL, argv, environ);
	if (rc != 0)
		return err_set(err, ERR_FILE, "cannot run fusermount3: %s", strerror(rc));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return true;
	err_set(err, ERR_FILE, "fusermount3 -u %s%s failed", lazy ? "-z " : "", dir);
	err_hint(err, "if something is reading there: weir umount --force %s", dir);
	return false;
}

void stale_end_live(const char *dir, int64_t wait_ms)
{
	char *path = xasprintf("%s/@status", dir), text[1024], exe[64], comm[32] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
	if (fd >= 0)
		close(fd);
	free(path);
	if (n <= 0)
		return;
	text[n] = '\0';
	const char *at = strstr(text, "\"pid\":");
	long pid = at ? strtol(at + strlen("\"pid\":"), NULL, 10) : 0;
	if (pid <= 1 || pid == (long)getpid())
		return;
	snprintf(exe, sizeof exe, "/proc/%ld/comm", pid);
	fd = open(exe, O_RDONLY | O_CLOEXEC);
	n = fd >= 0 ? read(fd, comm, sizeof comm - 1) : -1;
	if (fd >= 0)
		close(fd);
	if (n <= 0 || strncmp(comm, "weir", 4) != 0 || kill((pid_t)pid, SIGTERM) < 0)
		return;
	for (int64_t until = time_mono_ms() + wait_ms; time_mono_ms() < until && stale_look(dir) != THERE_NOTHING;)
		nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
}

bool mount_end(const char *dir, bool force, struct err *err)
{
	char *at = stale_absolute(dir);
	if (!at)
		return err_set(err, ERR_FILE, "%s: %s", dir, strerror(errno));
	enum mount_there there = stale_look(at);
	bool ok = there == THERE_LIVE_WEIR || there == THERE_STALE_WEIR ? stale_detach(at, force || there == THERE_STALE_WEIR, err)
		: err_set(err, ERR_FILE, "no weir is mounted at %s", at);
	free(at);
	return ok;
}
