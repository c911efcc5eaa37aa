/* `weir demo`: starts the demo, then hands the ordinary shell its address, a banner and the tour. Without a terminal on standard input and
 * without -c or -f it runs the tour's queries, a title before each result, and ends. Thread: main. */
#include "shell/demo/demo_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/alloc.h"
#include "shell/demo/demo.h"
#include "shell/demo/tour.h"
#include "shell/shell.h"

static bool check(const struct options *o, struct demo_options *demo, struct err *err)
{
	if (o->brokers || o->properties || o->profile) {
		err_set(err, ERR_USAGE, "weir demo brings its own broker");
		err_hint(err, "leave out -b, -F and -P, or leave out demo");
		return false;
	}
	if (o->rest_n > 0)
		return err_set(err, ERR_USAGE, "unexpected operand \"%s\" after demo", o->rest[0]);
	if (o->live && o->no_live)
		return err_set(err, ERR_USAGE, "--live and --no-live exclude each other");
	if (o->seed_given)
		demo->seed = (uint64_t)o->seed;
	if (o->live || o->no_live)
		demo->live = o->live ? DEMO_LIVE_ON : DEMO_LIVE_OFF;
	return !o->start || demo_parse_start(o->start, &demo->start_ms, err);
}

/* One \echo a line: to standard output, in order with the results. */
static void add_echo(struct buf *to, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, "\n");
		buf_adds(to, "\\echo '");
		for (size_t i = 0; i < n; i++) {
			buf_addc(to, text[i]);
			if (text[i] == '\'')
				buf_addc(to, '\'');
		}
		buf_adds(to, "'\n");
		text += n + (text[n] == '\n');
	}
}

/* The tour as a script: title, query, result, title, query ... */
static void tour_script(struct buf *to)
{
	for (int i = 0; i < DEMO_TOUR_N; i++) {
		struct buf head = BUF_INIT;
		buf_addf(&head, "%s%d. %s\n", i ? "\n" : "", i + 1, demo_tour[i].title);
		add_echo(to, head.data);
		add_echo(to, demo_tour[i].sql);
		buf_addf(to, "%s\n", demo_tour[i].sql);
		buf_finish(&head);
	}
}

int demo_main(const struct options *options)
{
	struct err err = ERR_INIT;
	struct demo_options demo_options = DEMO_OPTIONS_INIT;
	struct options o = *options;
	struct buf script = BUF_INIT;
	struct options_item item = {.is_file = false};
	if (!check(options, &demo_options, &err)) {
		report_usage(&err);
		return err_exit_code(&err);
	}
	bool tour = !isatty(STDIN_FILENO) && o.item_n == 0;
	if (tour) {
		tour_script(&script);
		item.text = script.data;
		o.items = &item;
		o.item_n = 1;
		o.mode = o.mode ? o.mode : "box";
		if (demo_options.live == DEMO_LIVE_AUTO)
			demo_options.live = DEMO_LIVE_OFF;
	}
	struct demo *demo = NULL;
	if (!demo_start(&demo_options, &demo, &err)) {
		report_usage(&err);
		buf_finish(&script);
		return err_exit_code(&err);
	}
	char about[256];
	demo_describe(demo, about, sizeof about);
	char *banner = xasprintf("weir %s demo: %s.\n\\tour asks ten questions of it, \\dt lists the topics, \\? the commands, \\q leaves.\n", WEIR_VERSION, about);
	struct shell_host host = {.brokers = demo_bootstrap(demo), .banner = banner, .tour = demo_tour, .tour_n = DEMO_TOUR_N};
	int code = shell_main(&o, &host);
	if (!demo_stop(demo, &err)) {
		report_usage(&err);
		code = code ? code : err_exit_code(&err);
	}
	free(banner);
	buf_finish(&script);
	return code;
}
