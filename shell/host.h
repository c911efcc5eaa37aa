/* What a program around the prompt gives it: `weir demo` starts its broker and then calls shell_main with its address and its tour. */
#ifndef WEIR_SHELL_HOST_H
#define WEIR_SHELL_HOST_H

#include <stddef.h>
#include "shell/options.h"

struct tour_step {
	const char *title, *text, *sql;
};

struct shell_host {
	const char *brokers;                 /* in place of -b; NULL = as the options say */
	const char *banner;                  /* lines shown at the prompt's start; NULL = the usual ones */
	const struct tour_step *tour;        /* \tour; NULL = none */
	size_t tour_n;
};

/* Runs the prompt or the batch that the options ask for. Returns the exit code; everything is closed. Once per process. */
int shell_main(const struct options *o, const struct shell_host *host);

#endif
