/* Lines become statements and commands. A line that begins with \ or . while no statement is open is a command; a backslash in the
 * middle of a line (outside quotes) ends the SQL before it and is a command about it: `select 1 \gx`. A statement runs when it is complete.
 * \if .. \endif are decided here. One struct script a file, -c text or prompt. */
#ifndef WEIR_SHELL_SCRIPT_H
#define WEIR_SHELL_SCRIPT_H

#include "core/buf.h"
#include "shell/shell.h"
#include "shell/sqlscan.h"

enum { SCRIPT_IF_MAX = 32, SCRIPT_DEPTH_MAX = 16 };

struct script_if {
	bool active;                         /* this branch runs */
	bool done;                           /* a branch has run already */
	bool parent;                         /* the surrounding one runs */
	bool seen_else;
	int line;
};

struct script {
	const char *name;                    /* NULL = the prompt */
	int line;                            /* of the line being read, from 1 */
	struct buf sql;                      /* the open statement */
	int sql_line, sql_column;            /* where it begins */
	struct sqlscan scan;
	struct script_if ifs[SCRIPT_IF_MAX];
	int if_n;
	struct script *outer;
	bool stopped;                        /* \q in a file ends that file */
};

void script_init(struct script *s, const char *name);
void script_finish(struct script *s);
bool script_active(const struct script *s);              /* not in a dead branch */
/* One line without its newline. Errors are reported; sh->fatal says whether to stop. */
void script_line(struct shell *sh, struct script *s, const char *line, size_t len);
/* Runs what is still open at the end, complains about open quotes and \if. */
void script_end(struct shell *sh, struct script *s);
void script_reset(struct script *s);                     /* \r: forget the open statement */

/* Whole inputs. name: for messages. False = stop. */
bool script_run_text(struct shell *sh, const char *name, const char *text);
bool script_run_file(struct shell *sh, const char *path, struct err *err);     /* "-" = standard input; err only if it cannot be opened */

#endif
