/* The prompt's history, kept in memory and in $WEIR_HISTORY, else $XDG_STATE_HOME/weir/history, else ~/.local/state/weir/history (mode 0600).
 * One statement an entry; newlines inside are kept as \x01 in the file, as psql does. Lines that begin with a space or seem to hold a secret
 * are kept nowhere. No readline here: repl.c tells it how to show entries (history_watch). Thread: main. */
#ifndef WEIR_SHELL_HISTORY_H
#define WEIR_SHELL_HISTORY_H

#include <stdbool.h>
#include "core/err.h"

enum { HISTORY_MAX = 5000 };

void history_watch(void (*add)(const char *entry));      /* called for each entry that is loaded or added */
/* Loads the file and makes its folder. False (once, at start): entries will not outlive the session; err says why. */
bool history_open(struct err *err);
void history_add(const char *entry);
void history_each(void (*each)(void *arg, const char *line), void *arg);
void history_close(void);
bool history_keeps(const char *entry);                   /* the filter */

#endif
