/* shell/history.h */
#include "shell/history.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include "core/alloc.h"
#include "core/buf.h"

static struct {
	char **entries;
	size_t n;
	char *path;                          /* NULL = not written */
	void (*add)(const char *entry);
} history;

void history_watch(void (*add)(const char *entry))
{
	history.add = add;
}

/* A word that is followed, after quotes and blanks, by = or : - password=.., 'sasl.password' = '..', "token": ".." - or by BY. */
static bool assigns(const char *after)
{
	after += strspn(after, "'\" \t");
	return *after == '=' || *after == ':' || strncasecmp(after, "by ", 3) == 0;
}

bool history_keeps(const char *entry)
{
	static const char *const secret[] = {"password", "passwd", "secret", "sasl.jaas.config", "token", "api_key", "apikey", "api.key", "private_key", "ssl.key.pem",
		"ssl.keystore.key", "basic.auth.user.info", "authorization", "passphrase", "credential"};
	if (isspace((unsigned char)*entry) || !*entry)
		return false;
	for (size_t i = 0; i < sizeof secret / sizeof *secret; i++) {
		size_t n = strlen(secret[i]);
		for (const char *p = entry; (p = strcasestr(p, secret[i])); p += n)
			if (assigns(p + n) || strncmp(entry, "\\set ", 5) == 0 || strncmp(entry, "\\prompt ", 8) == 0)
				return false;
	}
	return true;
}

static void remember(const char *entry)
{
	if (history.n && strcmp(history.entries[history.n - 1], entry) == 0)
		return;
	if (history.n == HISTORY_MAX) {
		free(history.entries[0]);
		memmove(history.entries, history.entries + 1, (history.n - 1) * sizeof *history.entries);
		history.n--;
	}
	history.entries = xreallocarray(history.entries, history.n + 1, sizeof *history.entries);
	history.entries[history.n++] = xstrdup(entry);
	if (history.add)
		history.add(entry);
}

static char *default_path(void)
{
	const char *given = getenv("WEIR_HISTORY");
	const char *state = getenv("XDG_STATE_HOME");
	const char *home = getenv("HOME");
	if (given)
		return *given ? xstrdup(given) : NULL;
	if (state && *state == '/')
		return xasprintf("%s/weir/history", state);
	return home && *home ? xasprintf("%s/.local/state/weir/history", home) : NULL;
}

static bool make_folders(const char *path)
{
	char *copy = xstrdup(path);
	bool ok = true;
	for (char *p = copy + 1; (p = strchr(p, '/')) && ok; p++) {
		*p = '\0';
		ok = mkdir(copy, 0700) == 0 || errno == EEXIST;
		*p = '/';
	}
	free(copy);
	return ok;
}

static void load(int fd)
{
	FILE *f = fdopen(fd, "r");
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	if (!f) {
		close(fd);
		return;
	}
	while ((n = getline(&line, &cap, f)) > 0) {
		if (line[n - 1] == '\n')
			line[--n] = '\0';
		for (char *p = line; (p = strchr(p, '\x01')); p++)
			*p = '\n';
		if (*line)
			remember(line);
	}
	free(line);
	fclose(f);
}

static bool append(const char *entry)
{
	int fd = open(history.path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return false;
	struct buf b = BUF_INIT;
	buf_addf(&b, "%s\n", entry);
	for (char *p = b.data; p < b.data + b.len - 1; p++)
		if (*p == '\n')
			*p = '\x01';
	bool ok = write(fd, b.data, b.len) == (ssize_t)b.len;
	close(fd);
	buf_finish(&b);
	return ok;
}

bool history_open(struct err *err)
{
	history.path = default_path();
	if (!history.path)
		return getenv("WEIR_HISTORY") ? true : err_set(err, ERR_FILE, "history is not kept: HOME is not set");
	make_folders(history.path);
	int fd = open(history.path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		err_set(err, ERR_FILE, "history is not kept: %s: %s", history.path, fd < 0 ? strerror(errno) : "not a file");
		if (fd >= 0)
			close(fd);
		free(history.path);
		history.path = NULL;
		return false;
	}
	if (st.st_mode & 077)
		(void)!fchmod(fd, 0600);
	load(fd);
	return true;
}

void history_add(const char *entry)
{
	size_t n = strlen(entry);
	while (n && isspace((unsigned char)entry[n - 1]))
		n--;
	char *trimmed = xstrndup(entry, n);
	bool repeated = history.n && strcmp(history.entries[history.n - 1], trimmed) == 0;
	if (history_keeps(trimmed) && !repeated) {
		remember(trimmed);
		if (history.path)
			append(trimmed);
	}
	free(trimmed);
}

void history_each(void (*each)(void *arg, const char *line), void *arg)
{
	for (size_t i = 0; i < history.n; i++)
		each(arg, history.entries[i]);
}

/* A file that has grown far past what is loaded is written anew with what is known. */
void history_close(void)
{
	struct stat st;
	enum { HISTORY_FILE_BYTES = 4 * 1024 * 1024 };
	if (history.path && stat(history.path, &st) == 0 && st.st_size > HISTORY_FILE_BYTES && truncate(history.path, 0) == 0)
		for (size_t i = history.n > HISTORY_MAX / 2 ? history.n - HISTORY_MAX / 2 : 0; i < history.n; i++)
			append(history.entries[i]);
	for (size_t i = 0; i < history.n; i++)
		free(history.entries[i]);
	free(history.entries);
	free(history.path);
	history.entries = NULL;
	history.path = NULL;
	history.n = 0;
}
