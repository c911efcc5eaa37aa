/* The command line. One table (option_table) makes the parser, --help, completion and "did you mean". Strings point into argv. */
#ifndef WEIR_SHELL_OPTIONS_H
#define WEIR_SHELL_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include "core/buf.h"
#include "core/err.h"
#include "core/scan.h"

enum color_when { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

struct options_item {
	bool is_file;                        /* -f, else -c */
	const char *text;
};

struct options {
	const char *command;                 /* "demo", "run" ... or NULL */
	const char *db;
	const char *brokers, *properties, *profile;
	const char **settings;               /* -X, NULL-terminated */
	size_t setting_n;
	struct options_item *items;          /* -c and -f in the order given */
	size_t item_n;
	const char **variables;              /* -v name=value */
	size_t variable_n;
	const char **rest;                   /* operands after a subcommand */
	size_t rest_n;
	const char *mode;                    /* NULL = by isatty */
	const char *from, *until;             /* core/position.h */
	int64_t limit;                       /* rows per statement, -1 = none */
	int64_t timeout_ms;                  /* 0 = none */
	int64_t max_bytes;                   /* 0 = none */
	int64_t max_message_bytes;           /* 0 = default */
	enum gap_policy gap_policy;
	const char *isolation;
	const char *tz;
	const char *null_text;
	const char *state;
	int64_t seed;                        /* demo */
	bool seed_given;
	const char *start;                   /* demo: first sensor message; NULL = an hour ago */
	bool live, no_live;                  /* demo */
	const char *mount_options;           /* -o */
	bool foreground, replace, force;     /* weir mount, weir umount */
	enum color_when color;
	bool skip_bad_batch;
	bool write, strict, keep_going, dry_run, safe, no_rc, csv_safe, raw, quiet, help, version, no_header, echo;
};

bool options_parse(struct options *o, int argc, char **argv, struct err *err);
void options_finish(struct options *o);
void options_help(struct buf *to);

struct option_info {
	const char *name, *arg, *help;       /* long name without --, NULL arg = flag */
	char letter;                         /* 0 = none */
};
const struct option_info *options_info(int index);       /* NULL after the last */

bool options_parse_bytes(const char *text, int64_t *ret);                 /* 10000, 64k, 10M, 1GiB */

#endif
