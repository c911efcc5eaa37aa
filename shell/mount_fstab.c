/* mount.weir: what mount(8) calls for a line of /etc/fstab,
 *
 *     b1:9092,b2:9092   /srv/topics   weir   nofail,_netdev,allow_other,topics=plant.*      0 0
 *     line1             /srv/line1    weir   properties=/etc/weir/line1.properties,setup=/etc/weir/setup.sql
 *
 * as `mount.weir SPEC DIR [-sfnv] [-o OPTIONS]`. It is weir under another name; here its arguments become those of `weir mount`. */
#include <stdlib.h>
#include <string.h>
#include "core/alloc.h"
#include "core/buf.h"
#include "shell/mount.h"

/* Words that are mount(8)'s and the boot's, or what every weir mount is anyway. */
static bool is_generic(const char *word)
{
	static const char *const words[] = {"defaults", "ro", "rw", "auto", "noauto", "user", "nouser", "users", "owner", "group", "_netdev", "nofail", "suid", "nosuid", "dev", "nodev",
		"exec", "noexec", "atime", "noatime", "relatime", "norelatime", "strictatime", "lazytime", "async", "sync", "dirsync"};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcmp(word, words[i]) == 0)
			return true;
	return strncmp(word, "x-", 2) == 0 || strncmp(word, "comment=", 8) == 0;
}

struct words {
	char **list;
	size_t n;
};

static void add(struct words *w, const char *word)
{
	w->list = xreallocarray(w->list, w->n + 2, sizeof *w->list);
	w->list[w->n++] = xstrdup(word);
	w->list[w->n] = NULL;
}

static void add_pair(struct words *w, const char *option, const char *value)
{
	add(w, option);
	add(w, value);
}

static void take_options(struct words *w, const char *text, struct buf *rest)
{
	char *copy = xstrdup(text), *save = NULL;
	for (char *word = strtok_r(copy, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		if (strncmp(word, "properties=", 11) == 0)
			add_pair(w, "-F", word + 11);
		else if (strncmp(word, "profile=", 8) == 0)
			add_pair(w, "-P", word + 8);
		else if (strncmp(word, "setup=", 6) == 0)
			add_pair(w, "-f", word + 6);
		else if (!is_generic(word))
			buf_addf(rest, "%s%s", rest->len ? "," : "", word);
	}
	free(copy);
}

bool mount_fstab_called(const char *program)
{
	const char *slash = strrchr(program, '/');
	return strcmp(slash ? slash + 1 : program, "mount.weir") == 0;
}

bool mount_fstab_arguments(int argc, char **argv, int *ret_argc, char ***ret_argv, bool *ret_fake, struct err *err)
{
	struct words w = {NULL, 0};
	struct buf rest = BUF_INIT;
	const char *spec = NULL, *dir = NULL;
	bool ok = true;
	*ret_fake = false;
	add(&w, "weir");
	add(&w, "mount");
	for (int i = 1; i < argc && ok; i++) {
		if (strcmp(argv[i], "-o") == 0 && i + 1 < argc)
			take_options(&w, argv[++i], &rest);
		else if (argv[i][0] == '-' && argv[i][1] && strspn(argv[i] + 1, "sfnv") == strlen(argv[i] + 1))
			*ret_fake = *ret_fake || strchr(argv[i], 'f');
		else if (argv[i][0] == '-')
			ok = err_set(err, ERR_USAGE, "mount.weir: unknown option %s", argv[i]);
		else if (!spec)
			spec = argv[i];
		else if (!dir)
			dir = argv[i];
		else
			ok = err_set(err, ERR_USAGE, "mount.weir SPEC DIR [-o OPTIONS]: \"%s\" is too much", argv[i]);
	}
	if (ok && !dir)
		ok = err_set(err, ERR_USAGE, "mount.weir SPEC DIR [-o OPTIONS]: SPEC is host:9092,.. or the name of a profile, or none");
	if (ok) {
		if (strcmp(spec, "none") != 0)
			add_pair(&w, strchr(spec, ':') ? "-b" : "-P", spec);
		if (rest.len)
			add_pair(&w, "-o", rest.data);
		add(&w, dir);
	}
	buf_finish(&rest);
	*ret_argc = (int)w.n;
	*ret_argv = w.list;
	return ok;
}

void mount_fstab_finish(char **argv)
{
	for (char **a = argv; a && *a; a++)
		free(*a);
	free(argv);
}
