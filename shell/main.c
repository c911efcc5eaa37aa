/* weir: options, then a subcommand or the shell. */
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#include "core/alloc.h"
#include "shell/demo/demo_main.h"
#include "shell/host.h"
#include "shell/mount.h"
#include "shell/options.h"
#include "shell/shell.h"
#include "shell/version.h"

static void out_of_memory(size_t bytes_n)
{
	static const char text[] = "weir: out of memory\n";
	(void)bytes_n;
	(void)!write(STDERR_FILENO, text, sizeof text - 1);
	_exit(EXIT_USAGE);
}

/* A descriptor 0, 1 or 2 that is closed would be given to the next file that is opened, and results written into a database.
 * Opened for reading only, 1 and 2 fail when they are written to, as they should. */
static void guard_standard_files(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)!open("/dev/null", O_RDONLY);
}

static int print_text(struct buf *text)
{
	bool ok = fwrite(text->data, 1, text->len, stdout) == text->len && fflush(stdout) == 0;
	buf_finish(text);
	return ok ? EXIT_OK : EXIT_USAGE;
}

static int fail(const struct err *err)
{
	report_usage(err);
	return err_exit_code(err);
}

static int command_explain(const struct options *o)
{
	return explain_error(o->rest_n ? o->rest[0] : NULL);
}

static int command_not_built(const struct options *o)
{
	struct err err = ERR_INIT;
	err_set(&err, ERR_NOT_BUILT, "weir %s is not available in this version", o->command);
	return fail(&err);
}

static const struct {
	const char *name;
	int (*run)(const struct options *o);
} commands[] = {
	{"explain", command_explain},
	{"demo", demo_main},
	{"run", command_not_built},
	{"mount", mount_main},
	{"umount", umount_main},
};

int main(int argc, char **argv)
{
	struct options o;
	struct err err = ERR_INIT;
	struct buf text = BUF_INIT;
	int code = EXIT_USAGE;

	guard_standard_files();
	/* Passwords live in this process: no core dump, no ptrace by others. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	alloc_set_handler(out_of_memory);
	/* librdkafka allocates and frees a block for each message: returning pages to the kernel in between costs up to a fifth of a scan's CPU. */
	mallopt(M_MMAP_THRESHOLD, 4 << 20);
	mallopt(M_TRIM_THRESHOLD, 16 << 20);
	mallopt(M_TOP_PAD, 1 << 20);
	char **fstab_argv = NULL;                    /* owned: what mount(8) gave, as our own arguments */
	bool fake = false;
	if (argc > 0 && mount_fstab_called(argv[0]) && !mount_fstab_arguments(argc, argv, &argc, &fstab_argv, &fake, &err)) {
		mount_fstab_finish(fstab_argv);
		return fail(&err);
	}
	if (!options_parse(&o, argc, fstab_argv ? fstab_argv : argv, &err)) {
		code = fail(&err);
	} else if (o.help) {
		options_help(&text);
		code = print_text(&text);
	} else if (o.version) {
		version_text(&text);
		code = print_text(&text);
	} else if (fake) {
		code = EXIT_OK;
	} else if (!o.command) {
		code = shell_main(&o, NULL);
	} else {
		for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
			if (strcmp(commands[i].name, o.command) == 0)
				code = commands[i].run(&o);
	}
	options_finish(&o);
	mount_fstab_finish(fstab_argv);
	return code;
}
