/* Where the data goes: standard output, a file, a command's stdin, the pager, or a string. One buffer, one write per flush.
 * A writer never raises SIGPIPE (the shell ignores it): a closed reader sets `closed`, any other failure sets `failed`; both stay set and
 * further output is dropped, so that printers need no checks of their own. The statement loop asks out_ok() after each row.
 * Thread: all functions take the lock of the caller (struct ticker's lock while a statement runs); nothing here locks. */
#ifndef WEIR_SHELL_OUT_H
#define WEIR_SHELL_OUT_H

#include <sys/types.h>
#include "core/buf.h"
#include "core/err.h"

enum { OUT_BUFFER_BYTES = 128 * 1024 };

struct out {
	int fd;
	pid_t child;                         /* of out_open_command, 0 = none */
	bool owns_fd;
	bool tty;                            /* decides escaping, boxes, colours */
	bool closed;                         /* the reader went away (EPIPE) */
	bool failed;                         /* write error; error_n = errno */
	int error_n;
	struct buf pending;
	/* The pager is started when more than hold_lines lines have been held back; see out_hold. */
	int hold_lines;                      /* 0 = not holding */
	int held_lines;
	size_t counted;                      /* bytes of pending already searched for newlines */
	const char *pager;                   /* command line; borrowed */
	bool paging;                         /* the pager runs: child is it */
};

void out_init(struct out *o, int fd);
bool out_open_file(struct out *o, const char *path, bool append, struct err *err);
bool out_open_command(struct out *o, const char *command, struct err *err);    /* /bin/sh -c command, its stdin is ours */
void out_finish(struct out *o);                      /* flushes, closes, waits for the child */

void out_add(struct out *o, const void *data, size_t len);
void out_adds(struct out *o, const char *s);
void out_addc(struct out *o, char c);
void out_addf(struct out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void out_pad(struct out *o, char c, size_t n);
void out_flush(struct out *o);

/* Terminal only: keep what is printed until it is more than `lines` lines, then start `pager` and give it all. out_release ends it:
 * what is held goes to the terminal (too little to page, or too slow to hold back), or the pager is waited for. */
void out_hold(struct out *o, int lines, const char *pager);
void out_unhold(struct out *o);                      /* too slow: print what is held, no pager for this statement */
void out_release(struct out *o);

static inline bool out_ok(const struct out *o)
{
	return !o->closed && !o->failed;
}

#endif
