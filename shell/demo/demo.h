/* `weir demo`: an embedded broker and a simulated plant in this process. demo_start() returns with an hour of history loaded and a thread
 * that goes on producing in real time; demo_bootstrap() is what -b gets; demo_stop() ends the thread, then the broker.
 * The shell's part: parse --seed, --start, --live, --no-live; connect to demo_bootstrap(); offer the tour (shell/demo/tour.h).
 * Thread: start and stop on one thread (the main one), before and after everything that talks to the broker. Needs no fork after it.
 * Example:
 *     struct demo_options o = DEMO_OPTIONS_INIT;
 *     if (!demo_start(&o, &demo, err)) ...;
 *     options.brokers = demo_bootstrap(demo);
 *     code = shell_run(&options);
 *     if (!demo_stop(demo, err)) warn(err->msg); */
#ifndef WEIR_SHELL_DEMO_DEMO_H
#define WEIR_SHELL_DEMO_DEMO_H

#include "core/err.h"
#include "core/time.h"
#include "shell/demo/plant.h"

enum demo_live {
	DEMO_LIVE_AUTO,                      /* live, unless start_ms is given: then answers can be repeated exactly */
	DEMO_LIVE_ON,
	DEMO_LIVE_OFF,
};

struct demo_options {
	uint64_t seed;
	int64_t start_ms;                    /* first sensor message; TIME_NONE = an hour ago, on a whole second */
	enum demo_live live;
};
#define DEMO_OPTIONS_INIT {.seed = 1, .start_ms = TIME_NONE, .live = DEMO_LIVE_AUTO}

/* --start's argument: RFC 3339, or anything ts() takes. ERR_USAGE otherwise, also for a start outside years 1970..9999. */
bool demo_parse_start(const char *text, int64_t *ret_ms, struct err *err);

struct demo;

bool demo_start(const struct demo_options *options, struct demo **ret, struct err *err);
const char *demo_bootstrap(const struct demo *d);                /* borrowed */
/* What was loaded before the live thread started; borrowed, constant. */
const struct plant_stats *demo_history(const struct demo *d);
int64_t demo_start_ms(const struct demo *d);
bool demo_is_live(const struct demo *d);
/* One line for the banner: "52,343 sensor messages ... since 06:00; live data follows". No newline. */
void demo_describe(const struct demo *d, char *to, size_t to_size);
/* False with the reason if the live data had ended before; the demo is gone either way. Accepts NULL. */
bool demo_stop(struct demo *d, struct err *err);

#endif
