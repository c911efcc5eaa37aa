/* weir --version: weir and the libraries it runs with. */
#ifndef WEIR_SHELL_VERSION_H
#define WEIR_SHELL_VERSION_H

#include "core/buf.h"

void version_text(struct buf *to);
const char *repl_readline_version(void);                 /* repl.c */

#endif
