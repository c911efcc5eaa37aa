/* Java-style properties files and INI profiles. One parser does both: java.util.Properties' rules (comments # and !, key ends at '=', ':' or
 * blank, continuation by a backslash at the line's end, escapes \t \n \r \f \uXXXX and \x = x), plus [section] lines for profiles.
 * A file with secrets must be a regular file, ours (or root's), and closed to group and others; it is opened with O_NOFOLLOW and checked
 * after the open, so that nobody can swap it in between. */
#include "kafka/config.h"
#include "kafka/config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "core/utf8.h"
#include "kafka/config_private.h"

enum { FILE_MAX_BYTES = 1 << 20 };

/* ---- parser */

struct cursor {
	const char *p, *end;
	int line;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\f';
}

/* At a line's end (or the text's): steps over it. */
static bool skip_eol(struct cursor *c)
{
	if (c->p == c->end || (*c->p != '\n' && *c->p != '\r'))
		return false;
	if (*c->p == '\r' && c->p + 1 < c->end && c->p[1] == '\n')
		c->p++;
	c->p++;
	c->line++;
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_u16(struct cursor *c, uint32_t *ret)
{
	uint32_t v = 0;
	if (c->end - c->p < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		int d = hex_digit(c->p[i]);
		if (d < 0)
			return false;
		v = v << 4 | (uint32_t)d;
	}
	c->p += 4;
	*ret = v;
	return true;
}

/* After a backslash. False: malformed \u. */
static bool read_escape(struct cursor *c, struct buf *to)
{
	char e = *c->p++;
	switch (e) {
	case 't':
		buf_addc(to, '\t');
		return true;
	case 'n':
		buf_addc(to, '\n');
		return true;
	case 'r':
		buf_addc(to, '\r');
		return true;
	case 'f':
		buf_addc(to, '\f');
		return true;
	case 'u': {
		uint32_t cp;
		uint32_t low;
		uint8_t out[4];
		if (!read_u16(c, &cp))
			return false;
		if (cp >= 0xD800 && cp < 0xDC00 && c->end - c->p >= 6 && c->p[0] == '\\' && c->p[1] == 'u') {
			struct cursor ahead = {.p = c->p + 2, .end = c->end};
			if (read_u16(&ahead, &low) && low >= 0xDC00 && low < 0xE000) {
				cp = 0x10000 + ((cp - 0xD800) << 10) + (low - 0xDC00);
				c->p = ahead.p;
			}
		}
		if (cp == 0 || (cp >= 0xD800 && cp < 0xE000))
			return false;
		buf_add(to, out, utf8_encode(cp, out));
		return true;
	}
	default:
		buf_addc(to, e);
		return true;
	}
}

/* Reads up to an unescaped terminator: for a key '=', ':', blank; for both a line's end. */
static bool read_token(struct cursor *c, bool is_key, struct buf *to)
{
	while (c->p < c->end && *c->p != '\n' && *c->p != '\r') {
		if (is_key && (*c->p == '=' || *c->p == ':' || is_blank(*c->p)))
			return true;
		if (*c->p != '\\') {
			buf_addc(to, *c->p++);
			continue;
		}
		c->p++;
		if (c->p == c->end)
			return true;                 /* a lone backslash at the very end: Java drops it */
		if (skip_eol(c)) {
			while (c->p < c->end && is_blank(*c->p))
				c->p++;
			continue;
		}
		if (!read_escape(c, to))
			return false;
	}
	return true;
}

static bool parse_section(struct cursor *c, struct buf *to)
{
	const char *start = ++c->p;
	while (c->p < c->end && *c->p != '\n' && *c->p != '\r')
		c->p++;
	const char *stop = c->p;
	while (stop > start && is_blank(stop[-1]))
		stop--;
	if (stop == start || stop[-1] != ']')
		return false;
	stop--;
	while (start < stop && is_blank(*start))
		start++;
	while (stop > start && is_blank(stop[-1]))
		stop--;
	buf_clear(to);
	buf_add(to, start, (size_t)(stop - start));
	return stop > start;
}

bool config_parse(const char *text, size_t len, const char *path, bool sections, config_pair_fn each, void *arg, struct err *err)
{
	struct cursor c = {.p = text, .end = text + len, .line = 1};
	struct buf section = BUF_INIT;
	struct buf key = BUF_INIT;
	struct buf value = BUF_INIT;
	bool ok = true;
	if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
		c.p += 3;
	if (memchr(text, 0, len))
		return err_set(err, ERR_CONFIG, "%s holds a NUL byte: not a text file", path);
	while (ok && c.p < c.end) {
		while (c.p < c.end && is_blank(*c.p))
			c.p++;
		if (c.p == c.end)
			break;
		if (skip_eol(&c))
			continue;
		if (*c.p == '#' || *c.p == '!' || (sections && *c.p == ';')) {
			while (c.p < c.end && *c.p != '\n' && *c.p != '\r')
				c.p++;
			continue;
		}
		int line = c.line;
		if (sections && *c.p == '[') {
			if (!parse_section(&c, &section))
				ok = err_set(err, ERR_CONFIG, "%s:%d: a section looks like [name]", path, line);
			else
				ok = each(arg, section.data, NULL, NULL, line, err);
			continue;
		}
		buf_clear(&key);
		buf_clear(&value);
		if (!read_token(&c, true, &key)) {
			ok = err_set(err, ERR_CONFIG, "%s:%d: a malformed \\u escape", path, line);
			break;
		}
		while (c.p < c.end && is_blank(*c.p))
			c.p++;
		if (c.p < c.end && (*c.p == '=' || *c.p == ':'))
			c.p++;
		while (c.p < c.end && is_blank(*c.p))
			c.p++;
		if (!read_token(&c, false, &value)) {
			ok = err_set(err, ERR_CONFIG, "%s:%d: a malformed \\u escape in the value of \"%.100s\"", path, line, key.data);
			break;
		}
		/* Java keeps blanks at the end of a value; nobody means them. */
		while (value.len > 0 && is_blank(value.data[value.len - 1]))
			value.data[--value.len] = '\0';
		ok = each(arg, section.data, key.data, value.data, line, err);
	}
	if (value.cap)
		explicit_bzero(value.data, value.cap);
	buf_finish(&section);
	buf_finish(&key);
	buf_finish(&value);
	return ok;
}

/* ---- files */

/* *ret_found false and true if there is no such file and must_exist is not set. */
static bool read_file(const char *path, bool must_exist, bool *ret_found, struct stat *ret_stat, struct buf *to, struct err *err)
{
	/* O_NONBLOCK: opening a FIFO must not hang. */
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		if (errno == ENOENT && !must_exist) {
			*ret_found = false;
			return true;
		}
		if (errno == ELOOP)
			return err_set(err, ERR_CONFIG, "%s is a symbolic link; name the file itself", path);
		return err_set(err, ERR_CONFIG, "%s cannot be opened: %s", path, strerror(errno));
	}
	bool ok = false;
	if (fstat(fd, ret_stat) != 0)
		err_set(err, ERR_CONFIG, "%s: %s", path, strerror(errno));
	else if (!S_ISREG(ret_stat->st_mode))
		err_set(err, ERR_CONFIG, "%s is not a regular file", path);
	else if (ret_stat->st_size > FILE_MAX_BYTES)
		err_set(err, ERR_CONFIG, "%s is larger than 1 MiB: not a file of settings", path);
	else
		ok = true;
	while (ok) {
		buf_reserve(to, 65536);
		ssize_t n = read(fd, to->data + to->len, 65536);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			ok = err_set(err, ERR_CONFIG, "%s cannot be read: %s", path, strerror(errno));
			break;
		}
		if (n == 0)
			break;
		to->len += (size_t)n;
		to->data[to->len] = '\0';
		if (to->len > FILE_MAX_BYTES) {
			ok = err_set(err, ERR_CONFIG, "%s is larger than 1 MiB: not a file of settings", path);
			break;
		}
	}
	close(fd);
	if (ok)
		*ret_found = true;
	return ok;
}

static void wipe_buf(struct buf *b)
{
	if (b->cap)
		explicit_bzero(b->data, b->cap);
	buf_finish(b);
}

static bool check_private(const char *path, const struct stat *st, const char *secret_key, struct err *err)
{
	if (st->st_uid != geteuid() && st->st_uid != 0) {
		err_set(err, ERR_SECRET_FILE, "%s holds \"%s\" but belongs to another user", path, secret_key);
		return false;
	}
	if (st->st_mode & 077) {
		err_set(err, ERR_SECRET_FILE, "%s holds \"%s\" and its mode is %03o: others can read it", path, secret_key, (unsigned)(st->st_mode & 0777));
		err_hint(err, "chmod 600 %s", path);
		return false;
	}
	return true;
}

struct load {
	struct kafka_config *config;
	const char *path;
	const char *profile;                 /* NULL = a file without sections */
	bool found;
	bool in_any_section;
	char secret_key[129];                /* the first secret seen anywhere in the file */
	struct buf *names;                   /* for list_profiles */
};

static bool load_pair(void *arg, const char *section, const char *key, const char *value, int line, struct err *err)
{
	struct load *l = arg;
	if (!key) {
		l->in_any_section = true;
		if (l->names)
			buf_addf(l->names, "%s\n", section);
		if (l->profile && strcmp(section, l->profile) == 0)
			l->found = true;
		return true;
	}
	if (!l->secret_key[0] && config_key_is_secret(key))
		snprintf(l->secret_key, sizeof l->secret_key, "%s", key);
	if (l->names)
		return true;
	if (l->profile && !l->in_any_section)
		return err_set(err, ERR_CONFIG, "%s:%d: a setting before the first [profile]", l->path, line);
	if (l->profile && strcmp(section, l->profile) != 0)
		return true;
	struct err cause = ERR_INIT;
	if (kafka_config_set(l->config, key, value, CONFIG_FROM_FILE, &cause))
		return true;
	err_set(err, cause.id, "%s:%d: %s", l->path, line, cause.msg);
	if (cause.hint[0])
		err_hint(err, "%s", cause.hint);
	return false;
}

static bool load_file(struct load *l, bool must_exist, bool *ret_found_file, struct err *err)
{
	struct buf text = BUF_INIT;
	struct stat st;
	bool found = false;
	bool ok = read_file(l->path, must_exist, &found, &st, &text, err);
	if (ok && found) {
		/* Whether it holds a secret shows only when it is read; whether its settings are right matters only if it may be used. */
		struct kafka_config *into = l->config;
		struct kafka_config *scratch = into ? kafka_config_copy(into) : NULL;
		struct err bad = ERR_INIT;
		l->config = scratch;
		ok = config_parse(text.data, text.len, l->path, l->profile || l->names, load_pair, l, &bad);
		if (l->secret_key[0] && !check_private(l->path, &st, l->secret_key, err))
			ok = false;
		else if (!ok)
			*err = bad;
		if (ok && into)
			kafka_config_replace(into, scratch);
		kafka_config_destroy(scratch);
		l->config = into;
	}
	wipe_buf(&text);
	*ret_found_file = found;
	return ok;
}

bool kafka_config_load_properties(struct kafka_config *c, const char *path, struct err *err)
{
	struct load l = {.config = c, .path = path};
	bool found;
	return load_file(&l, true, &found, err);
}

bool kafka_config_load_profile(struct kafka_config *c, const char *path, const char *profile, bool *ret_found, struct err *err)
{
	struct load l = {.config = c, .path = path, .profile = profile};
	bool found;
	if (!load_file(&l, false, &found, err))
		return false;
	*ret_found = l.found;
	return true;
}

bool kafka_config_list_profiles(const char *path, struct buf *to, struct err *err)
{
	struct buf names = BUF_INIT;
	struct load l = {.path = path, .names = &names};
	bool found;
	bool ok = load_file(&l, false, &found, err);
	if (ok)
		buf_add(to, names.data, names.len);
	buf_finish(&names);
	return ok;
}

bool kafka_config_default_path(struct buf *to)
{
	const char *path = getenv("WEIR_CONFIG");
	if (path && *path) {
		buf_adds(to, path);
		return true;
	}
	path = getenv("XDG_CONFIG_HOME");
	if (path && *path == '/') {
		buf_addf(to, "%s/weir/config", path);
		return true;
	}
	path = getenv("HOME");
	if (!path || !*path)
		return false;
	buf_addf(to, "%s/.config/weir/config", path);
	return true;
}
