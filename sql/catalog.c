/* sql/catalog.h: the list of clusters and where their settings come from. provider.c holds what vtab/ sees of it. */
#include "sql/catalog.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include "core/alloc.h"
#include "core/time.h"

/* Settings that prove who the user is: they go to the addresses of the user's own configuration only. */
static const char *const credentials[] = {
	"sasl.username", "sasl.password", "sasl.oauthbearer.config", "sasl.oauthbearer.client.id", "sasl.oauthbearer.client.secret",
	"sasl.kerberos.keytab", "ssl.key.location", "ssl.key.pem", "ssl.keystore.location", "ssl.certificate.location", "ssl.certificate.pem",
};

static bool has_credentials(const struct kafka_config *config)
{
	for (size_t i = 0; i < sizeof credentials / sizeof *credentials; i++)
		if (kafka_config_get(config, credentials[i]))
			return true;
	return false;
}

static bool is_address_list(const char *text)
{
	static const char legal[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[],/ %";
	return text[0] && strspn(text, legal) == strlen(text) && strlen(text) < 4096;
}

/* Every address of `some` is one of `all` (comma-separated lists). */
static bool addresses_within(const char *some, const char *all)
{
	for (const char *p = some; *p;) {
		p += strspn(p, ", ");
		size_t n = strcspn(p, ", ");
		bool found = n == 0;
		for (const char *q = all; *q && !found;) {
			q += strspn(q, ", ");
			size_t m = strcspn(q, ", ");
			found = m == n && n && strncasecmp(p, q, n) == 0;
			q += m;
		}
		if (!found)
			return false;
		p += n;
	}
	return true;
}

void catalog_notice(struct catalog *c, enum notice_level level, const char *fmt, ...)
{
	if (!c->notice)
		return;
	struct buf b = BUF_INIT;
	va_list ap;
	va_start(ap, fmt);
	buf_vaddf(&b, fmt, ap);
	va_end(ap);
	c->notice(c->arg, level, b.data);
	buf_finish(&b);
}

static void attached_destroy(struct attached *a)
{
	if (!a)
		return;
	cluster_destroy(a->cluster);
	kafka_config_destroy(a->config);
	free(a->name);
	free(a->shown);
	free(a->profile);
	free(a->brokers);
	free(a);
}

static int find_index(const struct catalog *c, const char *name)
{
	for (size_t i = 0; i < c->cluster_n; i++)
		if (strcasecmp(c->clusters[i]->name, name) == 0)
			return (int)i;
	return -1;
}

static bool profile_exists(struct catalog *c, const char *name)
{
	struct buf names = BUF_INIT;
	catalog_profiles(c, &names);
	bool found = false;
	for (const char *p = names.data; *p && !found;) {
		size_t n = strcspn(p, "\n");
		found = strlen(name) == n && strncmp(p, name, n) == 0;
		p += n + (p[n] == '\n');
	}
	buf_finish(&names);
	return found;
}

void catalog_profiles(struct catalog *c, struct buf *to)
{
	struct err ignored = ERR_INIT;
	if (c->config_path)
		kafka_config_list_profiles(c->config_path, to, &ignored);
}

bool catalog_knows(struct catalog *c, const char *name)
{
	return find_index(c, name) >= 0 || profile_exists(c, name);
}

static struct attached *add(struct catalog *c, const char *name, const char *shown, const char *profile, const char *brokers, struct kafka_config *config)
{
	struct attached *a = xcalloc(1, sizeof *a);
	a->name = xstrdup(name);
	a->shown = xstrdup(shown);
	a->profile = profile ? xstrdup(profile) : NULL;
	a->brokers = brokers ? xstrdup(brokers) : NULL;
	a->config = config;
	c->clusters = xreallocarray(c->clusters, c->cluster_n + 1, sizeof(struct attached *));
	c->clusters[c->cluster_n++] = a;
	return a;
}

static bool no_cluster(struct err *err)
{
	err_set(err, ERR_NO_CLUSTER, "no Kafka cluster is named");
	err_hint(err, "start with -b host:9092 or -P profile, set WEIR_BROKERS, or: ATTACH CLUSTER 'host:9092' AS name");
	return false;
}

bool catalog_attach(struct catalog *c, const struct attach_request *r, struct err *err)
{
	int old = find_index(c, r->name);
	if (old >= 0 && !r->replace)
		return err_set(err, ERR_NAME_TAKEN, "cluster %s is already attached", r->name);
	if (!r->name[0] || strlen(r->name) > 200)
		return err_set(err, ERR_SQL, "a cluster's name has 1 to 200 bytes");
	struct kafka_config *config = kafka_config_create();
	if (r->profile) {
		bool found = false;
		if (c->config_path && !kafka_config_load_profile(config, c->config_path, r->profile, &found, err))
			goto fail;
		if (!found) {
			err_set(err, ERR_CONFIG, "there is no profile \"%s\" in %s", r->profile, c->config_path ? c->config_path : "the configuration file");
			goto fail;
		}
	}
	if (r->brokers) {
		const char *own = kafka_config_get(config, "bootstrap.servers");
		if (has_credentials(config) && !(own && addresses_within(r->brokers, own))) {
			err_set(err, ERR_FORBIDDEN_SETTING, "profile \"%s\" holds credentials, and %s is not among its own bootstrap.servers", r->profile, r->brokers);
			err_hint(err, "credentials go only where your configuration file sends them; add the address to the profile");
			goto fail;
		}
		/* Nothing but addresses can come in here, so it is set as if the file had it. */
		if (!is_address_list(r->brokers)) {
			err_set(err, ERR_SQL, "'%s' is not a list of addresses: host:port,host:port", r->brokers);
			goto fail;
		}
		if (!kafka_config_set(config, "bootstrap.servers", r->brokers, CONFIG_FROM_FILE, err))
			goto fail;
	}
	if (!kafka_config_get(config, "bootstrap.servers")) {
		err_set(err, ERR_CONFIG, "cluster %s has no addresses: neither brokers nor bootstrap.servers in its profile", r->name);
		goto fail;
	}
	if (old >= 0 && !catalog_detach(c, r->name, err))
		goto fail;
	struct attached *a = add(c, r->name, r->name, r->profile, r->brokers, config);
	a->from_file = r->from_file;
	return true;
fail:
	kafka_config_destroy(config);
	return false;
}

bool catalog_detach(struct catalog *c, const char *name, struct err *err)
{
	int i = find_index(c, name);
	if (i < 0)
		return err_set(err, ERR_CLUSTER_UNKNOWN, "no cluster %s is attached", name);
	if (c->current == c->clusters[i])
		c->current = NULL;
	attached_destroy(c->clusters[i]);
	memmove(&c->clusters[i], &c->clusters[i + 1], (c->cluster_n - (size_t)i - 1) * sizeof *c->clusters);
	c->cluster_n--;
	return true;
}

bool catalog_find(struct catalog *c, const char *name, struct attached **ret, struct err *err)
{
	if (!name) {
		if (!c->current)
			return no_cluster(err);
		*ret = c->current;
		return true;
	}
	int i = find_index(c, name);
	if (i < 0 && profile_exists(c, name)) {
		struct attach_request r = {.name = name, .profile = name};
		if (!catalog_attach(c, &r, err))
			return false;
		i = find_index(c, name);
	}
	if (i < 0) {
		err_set(err, ERR_CLUSTER_UNKNOWN, "no cluster or profile \"%s\"", name);
		struct buf known = BUF_INIT;
		for (size_t k = 0; k < c->cluster_n && k < 8; k++)
			buf_addf(&known, "%s%s", k ? ", " : "", c->clusters[k]->name);
		if (known.len)
			err_hint(err, "attached: %s; ATTACH CLUSTER 'host:9092' AS %s adds it", known.data, name);
		else
			err_hint(err, "ATTACH CLUSTER 'host:9092' AS %s, or a [%s] section in %s", name, name, c->config_path ? c->config_path : "the configuration file");
		buf_finish(&known);
		return false;
	}
	*ret = c->clusters[i];
	return true;
}

static void on_cluster_notice(void *arg, enum notice_level level, const char *text)
{
	catalog_notice(arg, level, "%s", text);
}

bool catalog_cluster(struct catalog *c, const char *name, struct cluster **ret, struct err *err)
{
	struct attached *a = NULL;
	if (!catalog_find(c, name, &a, err))
		return false;
	if (!a->cluster) {
		if (a->from_file && a->brokers) {
			if (c->safe)
				return err_set(err, ERR_FORBIDDEN_SETTING, "cluster %s: its addresses come from the database file, which --safe does not allow", a->name);
			if (!a->announced)
				catalog_notice(c, NOTICE_WARNING, "cluster %s (%s) is named by the database file; it is contacted without any credentials of yours", a->name, a->brokers);
			a->announced = true;
		}
		a->cluster = cluster_create(a->shown, a->config, &c->cancel);
		cluster_set_notice(a->cluster, on_cluster_notice, c);
	}
	*ret = a->cluster;
	return true;
}

bool catalog_use(struct catalog *c, const char *name, struct err *err)
{
	struct attached *a = NULL;
	if (!catalog_find(c, name, &a, err))
		return false;
	c->current = a;
	return true;
}

/* -b, -F, -P, -X, the default profile and WEIR_BROKERS make the first current cluster. */
static bool startup_cluster(struct catalog *c, const struct catalog_options *o, struct err *err)
{
	struct kafka_config *config = kafka_config_create();
	const char *profile = o->profile;
	bool found = false;
	if (c->config_path && (profile || !o->properties_file)) {
		if (!kafka_config_load_profile(config, c->config_path, profile ? profile : "default", &found, err))
			goto fail;
		/* The default profile's credentials must not go to another broker just because -b names one. */
		if (found && !profile && o->brokers) {
			const char *own = kafka_config_get(config, "bootstrap.servers");
			if (has_credentials(config) && !(own && addresses_within(o->brokers, own))) {
				kafka_config_destroy(config);
				config = kafka_config_create();
				found = false;
			}
		}
	}
	if (profile && !found) {
		err_set(err, ERR_CONFIG, "there is no profile \"%s\" in %s", profile, c->config_path ? c->config_path : "the configuration file");
		goto fail;
	}
	if (o->properties_file && !kafka_config_load_properties(config, o->properties_file, err))
		goto fail;
	const char *brokers = o->brokers;
	if (!brokers && !kafka_config_get(config, "bootstrap.servers"))
		brokers = getenv("WEIR_BROKERS");
	if (brokers && brokers[0] && !kafka_config_set(config, "bootstrap.servers", brokers, CONFIG_FROM_FILE, err))
		goto fail;
	for (const char *const *s = o->settings; s && *s; s++) {
		const char *eq = strchr(*s, '=');
		if (!eq) {
			err_set(err, ERR_USAGE, "-X %s: key=value expected", *s);
			goto fail;
		}
		char *key = xstrndup(*s, (size_t)(eq - *s));
		bool ok = kafka_config_set(config, key, eq + 1, CONFIG_FROM_ARGV, err);
		free(key);
		if (!ok)
			goto fail;
	}
	const char *addresses = kafka_config_get(config, "bootstrap.servers");
	if (!addresses) {
		if (profile || o->properties_file) {
			err_set(err, ERR_CONFIG, "no bootstrap.servers in %s", profile ? profile : o->properties_file);
			goto fail;
		}
		kafka_config_destroy(config);
		return true;                     /* local SQL works without any cluster */
	}
	const char *shown = profile ? profile : addresses;
	c->current = add(c, profile ? profile : "default", shown, found ? profile ? profile : "default" : NULL, brokers, config);
	c->current->startup = true;
	return true;
fail:
	kafka_config_destroy(config);
	return false;
}

bool catalog_create(const struct catalog_options *o, struct catalog **ret, struct err *err)
{
	struct catalog *c = xcalloc(1, sizeof *c);
	catalog_impl_init(&c->provider);
	c->provider.cancel = &c->cancel;
	c->notice = o->notice;
	c->confirm_write = o->confirm_write;
	c->arg = o->arg;
	struct buf path = BUF_INIT;
	if (kafka_config_default_path(&path))
		c->config_path = buf_take(&path);
	buf_finish(&path);
	if (!startup_cluster(c, o, err)) {
		catalog_destroy(c);
		return false;
	}
	*ret = c;
	return true;
}

static void bad_row_finish(struct bad_row *b)
{
	free(b->cluster);
	free(b->topic);
	free(b->stage);
	free(b->text);
}

void catalog_clear_bad(struct catalog *c)
{
	for (size_t i = 0; i < c->bad_n; i++)
		bad_row_finish(&c->bad[i]);
	c->bad_n = c->bad_next = 0;
}

static void forget_bounds(struct catalog *c)
{
	for (size_t i = 0; i < c->known_bounds_n; i++) {
		free(c->known_bounds[i].cluster);
		free(c->known_bounds[i].topic);
		free(c->known_bounds[i].bounds);
	}
	free(c->known_bounds);
	c->known_bounds = NULL;
	c->known_bounds_n = 0;
}

/* A new count begins. What was read while preparing (samples) is no statement's. */
static void keep_stats(struct catalog *c)
{
	if (c->provider.stats.scan_n && !c->preparing)
		c->last_stats = c->provider.stats;
	memset(&c->provider.stats, 0, sizeof c->provider.stats);
}

void catalog_prepare_begin(struct catalog *c)
{
	forget_bounds(c);
	keep_stats(c);
	c->preparing = true;
}

void catalog_statement_begin(struct catalog *c)
{
	keep_stats(c);
	c->preparing = false;
	c->statement_n++;
	c->provider.statement_n++;
	c->now_ms = time_now_ms();
	err_clear(&c->provider.last_error);
}

void catalog_destroy(struct catalog *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->cluster_n; i++)
		attached_destroy(c->clusters[i]);
	free(c->clusters);
	for (size_t i = 0; i < c->confirmed_n; i++)
		free(c->confirmed[i]);
	free(c->confirmed);
	catalog_clear_bad(c);
	free(c->bad);
	position_finish(&c->provider.from);
	position_finish(&c->provider.until);
	for (size_t i = 0; i < c->topic_config_n; i++) {
		free(c->topic_configs[i].cluster);
		free(c->topic_configs[i].topic);
	}
	free(c->topic_configs);
	forget_bounds(c);
	free(c->config_path);
	free(c);
}
