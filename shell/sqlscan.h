/* Just enough lexing of SQL to read scripts by lines: where a statement may end, where a backslash command begins, and what is still open.
 * State is kept between calls, so a long statement is looked at once. Pure. */
#ifndef WEIR_SHELL_SQLSCAN_H
#define WEIR_SHELL_SQLSCAN_H

#include <stdbool.h>
#include <stddef.h>

struct sqlscan {
	char open;                           /* ' " ` [ * (block comment) - (line comment), 0 = none */
	bool semicolon;                      /* an unquoted ; was seen since the last reset */
	bool text;                           /* something other than blanks and comments was seen */
	size_t scanned;                      /* bytes so far */
	size_t open_at;                      /* where the open thing began, counted from the reset */
};

void sqlscan_reset(struct sqlscan *s);
/* Reads on. Stops at an unquoted backslash and returns its index in text; len if there is none. */
size_t sqlscan_feed(struct sqlscan *s, const char *text, size_t len);
/* Bytes of the first statement including its ';' (len if none): to go on after an error. */
size_t sqlscan_statement(const char *text, size_t len);
/* Length of blanks and comments at the start. */
size_t sqlscan_blank(const char *text, size_t len);

#endif
