/* The demo as the shell's main sees it: `weir demo [options]` calls demo_main with the parsed options and returns its exit code. */
#ifndef WEIR_SHELL_DEMO_DEMO_MAIN_H
#define WEIR_SHELL_DEMO_DEMO_MAIN_H

#include "shell/options.h"

int demo_main(const struct options *o);

#endif
