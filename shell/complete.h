/* Tab at the prompt. before: the open statement's earlier lines. Includes readline; only repl.c uses it. */
#ifndef WEIR_SHELL_COMPLETE_H
#define WEIR_SHELL_COMPLETE_H

struct shell;

void complete_install(struct shell *sh);

#endif
