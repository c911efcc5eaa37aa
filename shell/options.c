/* shell/options.h */
#include "shell/options.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include "core/alloc.h"
#include "core/position.h"
#include "core/time.h"
#include "shell/print.h"
#include "shell/suggest.h"

enum option_kind { TEXT, FLAG, ITEM_SQL, ITEM_FILE, VARIABLE, SETTING, COUNT, BYTES, DURATION, MODE, GAP, ISOLATION, COLOR, INSTANT };

struct option {
	struct option_info info;
	enum option_kind kind;
	size_t at;                           /* offsetof(struct options, ...) */
};

#define AT(field) offsetof(struct options, field)

static const struct option table[] = {
	{{"brokers", "HOST:PORT,..", "connect to this cluster", 'b'}, TEXT, AT(brokers)},
	{{"properties", "FILE", "client.properties (librdkafka and Java names)", 'F'}, TEXT, AT(properties)},
	{{"profile", "NAME", "a profile of the configuration file", 'P'}, TEXT, AT(profile)},
	{{"setting", "KEY=VALUE", "a client setting (no secrets: use a profile or -F)", 'X'}, SETTING, AT(settings)},
	{{"command", "SQL", "run SQL or a backslash or dot command; may be repeated and mixed with -f", 'c'}, ITEM_SQL, AT(items)},
	{{"file", "FILE", "run a script; - is standard input", 'f'}, ITEM_FILE, AT(items)},
	{{"variable", "NAME=VALUE", "set a variable, used as :NAME, :'NAME', :\"NAME\"", 'v'}, VARIABLE, AT(variables)},
	{{"mode", "MODE", "box table column line expanded csv tsv json ndjson markdown html insert list quote raw plot", 'm'}, MODE, AT(mode)},
	{{"from", "WHEN", "read every topic from here: beginning, now, -1h, 2026-09-01T06:00Z, or partition:offset, .. as 0:100,1:5", 0}, INSTANT, AT(from)},
	{{"until", "WHEN", "read every topic up to here (as --from, or end); a live query ends there", 0}, INSTANT, AT(until)},
	{{"limit", "N", "at most N rows of each statement", 'n'}, COUNT, AT(limit)},
	{{"timeout", "DURATION", "stop after 30s, 5m ... (exit 124, rows so far are printed)", 0}, DURATION, AT(timeout_ms)},
	{{"max-bytes", "SIZE", "stop a statement that reads more than 10M, 1G ... (exit 6)", 0}, BYTES, AT(max_bytes)},
	{{"max-message", "SIZE", "larger messages are counted, not read (default 16M)", 0}, BYTES, AT(max_message_bytes)},
	{{"write", NULL, "allow INSERT into topics", 0}, FLAG, AT(write)},
	{{"strict", NULL, "stop at the first message that cannot be decoded (exit 4)", 0}, FLAG, AT(strict)},
	{{"on-gap", "fail|warn", "what to do when retention removes messages during a scan", 0}, GAP, AT(gap_policy)},
	{{"skip-bad-batch", NULL, "step over batches that are damaged on the broker (default: exit 4)", 0}, FLAG, AT(skip_bad_batch)},
	{{"isolation", "LEVEL", "read_committed (default) or read_uncommitted", 0}, ISOLATION, AT(isolation)},
	{{"keep-going", NULL, "go on after an error; the first one decides the exit code", 0}, FLAG, AT(keep_going)},
	{{"dry-run", NULL, "check and plan every statement, run none", 0}, FLAG, AT(dry_run)},
	{{"safe", NULL, "no extensions, no ATTACH, no shell commands, no files", 0}, FLAG, AT(safe)},
	{{"state", "FILE", "the database file (same as the operand)", 0}, TEXT, AT(db)},
	{{"no-rc", NULL, "do not run weirrc", 0}, FLAG, AT(no_rc)},
	{{"no-header", NULL, "no column names", 0}, FLAG, AT(no_header)},
	{{"null", "TEXT", "how NULL is shown", 0}, TEXT, AT(null_text)},
	{{"tz", "ZONE", "show times in this zone, e.g. Europe/Berlin (default UTC)", 0}, TEXT, AT(tz)},
	{{"csv-safe", NULL, "csv, tsv: a quote before cells that a spreadsheet would run as a formula", 0}, FLAG, AT(csv_safe)},
	{{"raw", NULL, "control characters reach the terminal as they are", 0}, FLAG, AT(raw)},
	{{"color", "WHEN", "auto, always or never", 0}, COLOR, AT(color)},
	{{"echo", NULL, "print each statement on stderr before it runs", 'e'}, FLAG, AT(echo)},
	{{"quiet", NULL, "no notices, no progress, no banner", 'q'}, FLAG, AT(quiet)},
	{{"seed", "N", "weir demo: another plant history", 0}, COUNT, AT(seed)},
	{{"start", "WHEN", "weir demo: when the plant's hour of sensor data begins (default an hour ago); implies --no-live", 0}, TEXT, AT(start)},
	{{"live", NULL, "weir demo: live data although --start is given", 0}, FLAG, AT(live)},
	{{"no-live", NULL, "weir demo: no live data after the history", 0}, FLAG, AT(no_live)},
	{{"options", "OPT,OPT=..", "weir mount: mount options, see docs/mount.md", 'o'}, TEXT, AT(mount_options)},
	{{"foreground", NULL, "weir mount: stay in the foreground", 0}, FLAG, AT(foreground)},
	{{"replace", NULL, "weir mount: end the weir that is mounted there", 0}, FLAG, AT(replace)},
	{{"force", NULL, "weir umount: detach it although it is in use", 0}, FLAG, AT(force)},
	{{"version", NULL, "versions of weir and its libraries", 'V'}, FLAG, AT(version)},
	{{"help", NULL, "this text", 'h'}, FLAG, AT(help)},
};
enum { OPTION_N = sizeof table / sizeof *table };

static const struct {
	const char *name, *arg, *help;
} commands[] = {
	{"demo", "[options]", "an embedded broker with a simulated plant, and a tour"},
	{"run", "DB", "keep the views and pipes of a database file going"},
	{"mount", "DIR", "topics as files (docs/mount.md)"},
	{"umount", "DIR", "end a mount"},
	{"explain", "WEIR-nnnn", "what an error number means"},
};
enum { COMMAND_N = sizeof commands / sizeof *commands };

const struct option_info *options_info(int index)
{
	return index >= 0 && index < OPTION_N ? &table[index].info : NULL;
}

void options_help(struct buf *to)
{
	buf_adds(to, "weir - a Kafka cluster as a place you can query: topics are SQLite tables.\n\nusage: weir [DB] [options]\n");
	for (int i = 0; i < COMMAND_N; i++)
		buf_addf(to, "       weir %-8s %-12s %s\n", commands[i].name, commands[i].arg, commands[i].help);
	buf_adds(to, "\nWithout -c or -f weir opens a prompt, or reads a script from standard input. DB is a SQLite file (default: in memory).\n\noptions:\n");
	for (int i = 0; i < OPTION_N; i++) {
		const struct option_info *o = &table[i].info;
		char letter[8] = "   ";
		struct buf left = BUF_INIT;
		if (o->letter)
			memcpy(letter, (char[]){'-', o->letter, ',', 0}, 4);
		buf_addf(&left, "  %s --%s%s%s", letter, o->name, o->arg && *o->arg ? " " : "", o->arg ? o->arg : "");
		buf_addf(to, "%-30s%s%s\n", left.data, left.len >= 30 ? "  " : "", o->help);
		buf_finish(&left);
	}
	buf_adds(to, "\nexit codes: 0 ok, 1 usage or internal, 2 connection, 3 SQL or script, 4 data, 5 state file or disk, 6 guard rail, 124 timeout, 130 interrupt, 141 broken pipe\n"
		"At the prompt: \\? lists commands, \\q leaves. Data goes to stdout, all else to stderr.\n");
}

bool options_parse_bytes(const char *text, int64_t *ret)
{
	char *end;
	errno = 0;
	double v = strtod(text, &end);
	if (end == text || errno || v < 0)
		return false;
	static const struct {
		const char *unit;
		double factor;
	} units[] = {{"", 1}, {"b", 1}, {"k", 1024.}, {"kb", 1e3}, {"kib", 1024.}, {"m", 1048576.}, {"mb", 1e6}, {"mib", 1048576.}, {"g", 1073741824.}, {"gb", 1e9},
		{"gib", 1073741824.}, {"t", 1099511627776.}, {"tb", 1e12}, {"tib", 1099511627776.}};
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (suggest_distance(end, units[i].unit) == 0 && v * units[i].factor < 9e18) {
			*ret = (int64_t)(v * units[i].factor);
			return true;
		}
	return false;
}

static bool parse_duration(const char *text, int64_t *ret)
{
	char *end;
	double s = strtod(text, &end);
	if (end != text && !*end && s >= 0 && s < 1e12) {
		*ret = (int64_t)(s * 1000 + 0.5);
		return true;
	}
	return time_parse_duration(text, strlen(text), ret);
}

static void push(const char ***list, size_t *n, const char *text)
{
	*list = xreallocarray(*list, *n + 2, sizeof **list);
	(*list)[(*n)++] = text;
	(*list)[*n] = NULL;
}

static void push_item(struct options *o, bool is_file, const char *text)
{
	o->items = xreallocarray(o->items, o->item_n + 1, sizeof *o->items);
	o->items[o->item_n++] = (struct options_item){is_file, text};
}

static bool bad_value(const struct option *opt, const char *value, const char *want, struct err *err)
{
	return err_set(err, ERR_USAGE, "--%s: \"%s\" is not %s", opt->info.name, value, want);
}

static bool set_option(struct options *o, const struct option *opt, const char *value, struct err *err)
{
	char *field = (char *)o + opt->at;
	struct position position;
	struct err ignored = ERR_INIT;
	int64_t n;
	switch (opt->kind) {
	case TEXT:
		*(const char **)(void *)field = value;
		return true;
	case FLAG:
		*(bool *)field = true;
		return true;
	case ITEM_SQL:
	case ITEM_FILE:
		push_item(o, opt->kind == ITEM_FILE, value);
		return true;
	case VARIABLE:
		if (!strchr(value, '=') || *value == '=')
			return bad_value(opt, value, "NAME=VALUE", err);
		push(&o->variables, &o->variable_n, value);
		return true;
	case SETTING:
		if (!strchr(value, '=') || *value == '=')
			return err_set(err, ERR_USAGE, "-X wants KEY=VALUE");       /* the text may hold a secret: not repeated */
		push(&o->settings, &o->setting_n, value);
		return true;
	case COUNT: {
		char *end;
		errno = 0;
		n = strtoll(value, &end, 10);
		if (end == value || *end || errno || n < 0)
			return bad_value(opt, value, "a number", err);
		*(int64_t *)(void *)field = n;
		if (opt->at == AT(seed))
			o->seed_given = true;
		return true;
	}
	case BYTES:
		if (!options_parse_bytes(value, &n))
			return bad_value(opt, value, "a size such as 500k, 10M, 1G", err);
		*(int64_t *)(void *)field = n;
		return true;
	case DURATION:
		if (!parse_duration(value, &n) || n <= 0)
			return bad_value(opt, value, "a duration such as 500ms, 30s, 5m", err);
		*(int64_t *)(void *)field = n;
		return true;
	case INSTANT:
		if (!position_parse(value, strlen(value), &position, &ignored))
			return bad_value(opt, value, "beginning, end, now, -1h, a time such as 2026-09-01T06:00Z, or offsets such as 0:100,1:5", err);
		position_finish(&position);
		*(const char **)(void *)field = value;
		return true;
	case MODE:
		if (!print_mode_find(value)) {
			struct suggest s;
			suggest_init(&s, value);
			for (int i = 0; print_modes[i]; i++)
				suggest_offer(&s, print_modes[i]->name);
			bad_value(opt, value, "a mode", err);
			if (s.best)
				err_hint(err, "did you mean %s?", s.best);
			return false;
		}
		*(const char **)(void *)field = value;
		return true;
	case GAP:
		if (strcmp(value, "fail") != 0 && strcmp(value, "warn") != 0)
			return bad_value(opt, value, "fail or warn", err);
		o->gap_policy = *value == 'w' ? GAP_WARN : GAP_FAIL;
		return true;
	case ISOLATION:
		if (strcmp(value, "read_committed") != 0 && strcmp(value, "read_uncommitted") != 0)
			return bad_value(opt, value, "read_committed or read_uncommitted", err);
		o->isolation = value;
		push(&o->settings, &o->setting_n, value[5] == 'c' ? "isolation.level=read_committed" : "isolation.level=read_uncommitted");
		return true;
	case COLOR: {
		static const char *const when[] = {"auto", "always", "never"};
		for (int i = 0; i < 3; i++)
			if (strcmp(value, when[i]) == 0) {
				o->color = (enum color_when)i;
				return true;
			}
		return bad_value(opt, value, "auto, always or never", err);
	}
	}
	return err_set(err, ERR_INTERNAL, "option --%s", opt->info.name);
}

static bool takes_value(const struct option *opt)
{
	return opt->kind != FLAG;
}

static const struct option *find_long(const char *name, size_t len)
{
	for (int i = 0; i < OPTION_N; i++)
		if (strlen(table[i].info.name) == len && memcmp(table[i].info.name, name, len) == 0)
			return &table[i];
	return NULL;
}

static const struct option *find_letter(char c)
{
	for (int i = 0; i < OPTION_N; i++)
		if (table[i].info.letter == c)
			return &table[i];
	return NULL;
}

static bool unknown(const char *arg, size_t name_len, struct err *err)
{
	char *name = xstrndup(arg, name_len);
	struct suggest s;
	suggest_init(&s, name + strspn(name, "-"));
	for (int i = 0; i < OPTION_N; i++)
		suggest_offer(&s, table[i].info.name);
	err_set(err, ERR_USAGE, "unknown option %s", name);
	if (s.best)
		err_hint(err, "did you mean --%s?", s.best);
	else
		err_hint(err, "weir --help lists them");
	free(name);
	return false;
}

static bool operand(struct options *o, const char *arg, struct err *err)
{
	if (o->command) {
		push(&o->rest, &o->rest_n, arg);
		return true;
	}
	for (int i = 0; i < COMMAND_N && !o->db; i++)
		if (strcmp(arg, commands[i].name) == 0) {
			o->command = commands[i].name;
			return true;
		}
	if (o->db) {
		err_set(err, ERR_USAGE, "unexpected operand \"%s\"", arg);
		err_hint(err, "SQL goes after -c, a script after -f");
		return false;
	}
	o->db = arg;
	return true;
}

static bool long_option(struct options *o, const char *arg, char **argv, int argc, int *i, struct err *err)
{
	const char *name = arg + 2;
	const char *equals = strchr(name, '=');
	size_t len = equals ? (size_t)(equals - name) : strlen(name);
	const struct option *opt = find_long(name, len);
	if (!opt)
		return unknown(arg, len + 2, err);
	if (!takes_value(opt)) {
		if (equals)
			return err_set(err, ERR_USAGE, "--%s takes no value", opt->info.name);
		return set_option(o, opt, NULL, err);
	}
	if (!equals && *i + 1 >= argc)
		return err_set(err, ERR_USAGE, "--%s wants %s", opt->info.name, opt->info.arg);
	return set_option(o, opt, equals ? equals + 1 : argv[++*i], err);
}

static bool short_options(struct options *o, const char *arg, char **argv, int argc, int *i, struct err *err)
{
	for (const char *p = arg + 1; *p; p++) {
		const struct option *opt = find_letter(*p);
		if (!opt)
			return unknown(arg, strlen(arg), err);
		if (!takes_value(opt)) {
			if (!set_option(o, opt, NULL, err))
				return false;
			continue;
		}
		if (!p[1] && *i + 1 >= argc)
			return err_set(err, ERR_USAGE, "-%c wants %s", *p, opt->info.arg);
		return set_option(o, opt, p[1] ? p + 1 : argv[++*i], err);
	}
	return true;
}

bool options_parse(struct options *o, int argc, char **argv, struct err *err)
{
	*o = (struct options){.limit = -1, .gap_policy = GAP_FAIL};
	bool only_operands = false;
	for (int i = 1; i < argc; i++) {
		const char *arg = argv[i];
		bool ok;
		if (only_operands || arg[0] != '-' || !arg[1])
			ok = operand(o, arg, err);
		else if (strcmp(arg, "--") == 0)
			ok = only_operands = true;
		else if (arg[1] == '-')
			ok = long_option(o, arg, argv, argc, &i, err);
		else
			ok = short_options(o, arg, argv, argc, &i, err);
		if (!ok)
			return false;
	}
	if (o->skip_bad_batch)
		push(&o->settings, &o->setting_n, "weir.skip.bad.batch=true");
	return true;
}

void options_finish(struct options *o)
{
	free(o->settings);
	free(o->items);
	free(o->variables);
	free(o->rest);
}
