/* Errors are part of the product: each says what failed, on what, and what to do next, and has a number that `weir explain` and
 * docs/errors.md resolve from one table (core/errors.def). A fallible call takes `struct err *` last and returns false after err_set.
 * Thread: a struct err belongs to one thread. Nothing in it is allocated; it can be copied by value. No secret may ever be put in it.
 * Example: return err_set(err, ERR_TOPIC_UNKNOWN, "no topic \"%s\" on cluster %s", topic, cluster); */
#ifndef WEIR_CORE_ERR_H
#define WEIR_CORE_ERR_H

#include <stdarg.h>
#include <stdbool.h>

enum err_id {
	ERR_NONE = 0,
#define ERROR(number, id, exit_code, title, advice) id = number,
#include "core/errors.def"
#undef ERROR
};

enum {
	EXIT_OK = 0,
	EXIT_USAGE = 1,        /* usage, configuration or internal */
	EXIT_CONNECTION = 2,   /* connection, TLS, authentication, authorisation, failed delivery */
	EXIT_SQL = 3,          /* SQL or script */
	EXIT_DATA = 4,         /* gap, truncation, decode errors under --strict, failed assertion */
	EXIT_STATE = 5,        /* state file, disk, fencing */
	EXIT_LIMIT = 6,        /* guard rail hit */
	EXIT_TIMEOUT = 124,
	EXIT_INTERRUPT = 130,
	EXIT_PIPE = 141,
	EXIT_TERMINATED = 143,
};

struct err {
	enum err_id id;
	char msg[1024];        /* what failed, on what; UTF-8, control characters already escaped by err_set */
	char hint[512];        /* what to do next, "" if the table's advice is enough */
	int sql_offset;        /* byte offset in the statement's text, -1 = unknown */
};

#define ERR_INIT {.id = ERR_NONE, .msg = "", .hint = "", .sql_offset = -1}

struct err_info {
	int number;            /* shown as WEIR-nnnn */
	int exit_code;
	const char *name;
	const char *title;     /* one line */
	const char *advice;    /* what it means and what to do, one paragraph */
};

bool err_set(struct err *err, enum err_id id, const char *fmt, ...) __attribute__((format(printf, 3, 4)));   /* always false */
bool err_vset(struct err *err, enum err_id id, const char *fmt, va_list ap) __attribute__((format(printf, 3, 0)));
void err_hint(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void err_clear(struct err *err);
int err_exit_code(const struct err *err);
const struct err_info *err_info_get(int number);          /* NULL if there is none */
const struct err_info *err_info_at(int index);            /* the table's rows in order; NULL after the last */

#endif
