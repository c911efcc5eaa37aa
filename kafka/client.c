/* kafka/client.h. librdkafka retries for ever and says what is wrong only through error_cb, so each such event is sorted into a kind by
 * the table below and the most telling one is kept; waits look at it and stop early. Its log lines are swallowed: they would land in the
 * middle of a result, and what matters in them comes as an event too. */
#include "kafka/client.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "core/alloc.h"
#include "core/time.h"
#include "kafka/config_apply.h"

enum {
	FAIL_FAST_MS = 1200,                 /* all brokers down for so long and nothing answered: say so instead of waiting on */
	POLL_SLICE_MS = 20,
	DESTROY_MAX_MS = 1500,
	SCRAM_FIXED_VERSION = 0x020601ff,
};

/* Rising order of how much the kind tells about the cause. */
enum trouble_kind { TROUBLE_NONE, TROUBLE_OTHER, TROUBLE_DISCONNECT, TROUBLE_TIMEOUT, TROUBLE_REFUSED, TROUBLE_RESOLVE, TROUBLE_PROTOCOL, TROUBLE_TLS, TROUBLE_LOGIN };

struct trouble {
	enum trouble_kind kind;
	char broker[160];                    /* host:port/id or host:port/bootstrap, "" if not known */
	char text[512];
};

struct client {
	atomic_int refs;
	rd_kafka_t *rk;
	enum client_kind kind;
	char *name;
	void (*dr_cb)(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque);
	void *dr_arg;
	pthread_mutex_t lock;                /* guards the fields below: error_cb may run on a call's thread */
	struct trouble trouble;
	int64_t all_down_mono_ms;            /* since when every broker is down, 0 = not */
};

static const struct {
	rd_kafka_resp_err_t code;            /* NO_ERROR = any */
	const char *part;                    /* of the text; NULL = any */
	enum trouble_kind kind;
} trouble_kinds[] = {
	{0, "Request not valid in current SASL state", TROUBLE_PROTOCOL},    /* SASL asked of a listener without it */
	{RD_KAFKA_RESP_ERR__AUTHENTICATION, NULL, TROUBLE_LOGIN},
	{RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, NULL, TROUBLE_LOGIN},
	{RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM, NULL, TROUBLE_LOGIN},
	{RD_KAFKA_RESP_ERR__SSL, NULL, TROUBLE_TLS},
	{RD_KAFKA_RESP_ERR__RESOLVE, NULL, TROUBLE_RESOLVE},
	{0, "SSL handshake failed", TROUBLE_TLS},
	{0, "security.protocol", TROUBLE_PROTOCOL},
	{0, "might require SASL", TROUBLE_PROTOCOL},
	{0, "might be caused by incorrect", TROUBLE_PROTOCOL},
	{0, "Receive failed: invalid message size", TROUBLE_PROTOCOL},
	{0, "Invalid response size", TROUBLE_PROTOCOL},
	{0, "refused", TROUBLE_REFUSED},
	{0, "o route to host", TROUBLE_TIMEOUT},
	{0, "etwork is unreachable", TROUBLE_TIMEOUT},
	{0, "timed out", TROUBLE_TIMEOUT},
	{0, "isconnected", TROUBLE_DISCONNECT},
	{0, NULL, TROUBLE_OTHER},
};

static enum trouble_kind trouble_kind_of(rd_kafka_resp_err_t code, const char *text)
{
	for (size_t i = 0;; i++) {
		if (trouble_kinds[i].code && trouble_kinds[i].code != code)
			continue;
		if (trouble_kinds[i].part && !strstr(text, trouble_kinds[i].part))
			continue;
		return trouble_kinds[i].kind;
	}
}

/* "sasl_ssl://host:9096/bootstrap: what happened (after 3ms in state CONNECT)" -> broker and what happened. */
static void trouble_set(struct trouble *t, enum trouble_kind kind, const char *reason)
{
	t->kind = kind;
	t->broker[0] = '\0';
	const char *sep = strstr(reason, ": ");
	const char *slash = sep ? memchr(reason, '/', (size_t)(sep - reason)) : NULL;
	if (slash) {
		const char *start = reason;
		const char *scheme = strstr(reason, "://");
		if (scheme && scheme < sep)
			start = scheme + 3;
		snprintf(t->broker, sizeof t->broker, "%.*s", (int)(sep - start), start);
		reason = sep + 2;
	}
	/* "Connect to ipv4#127.0.0.1:9 failed: Connection refused": the address is in the message already. */
	const char *failed = strncmp(reason, "Connect to ", 11) == 0 ? strstr(reason, " failed: ") : NULL;
	if (failed)
		reason = failed + 9;
	snprintf(t->text, sizeof t->text, "%s", reason);
	char *after = strstr(t->text, " (after ");
	if (after)
		*after = '\0';
}

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
	struct client *c = opaque;
	pthread_mutex_lock(&c->lock);
	if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
		if (!c->all_down_mono_ms)
			c->all_down_mono_ms = time_mono_ms();
	} else {
		enum trouble_kind kind = trouble_kind_of(code, reason);
		if (kind >= c->trouble.kind)
			trouble_set(&c->trouble, kind, reason);
	}
	pthread_mutex_unlock(&c->lock);
}

static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
	struct client *c = opaque;
	c->dr_cb(rk, message, opaque);
}

void *client_dr_arg(void *opaque)
{
	return ((struct client *)opaque)->dr_arg;
}

/* librdkafka names the setting that failed, not the file it names. */
static void setup_err(const char *name, const rd_kafka_conf_t *conf, const char *text, struct err *err)
{
	static const char *const files[] = {"ssl.ca.location", "ssl.certificate.location", "ssl.key.location", "ssl.keystore.location", "ssl.crl.location", "sasl.kerberos.keytab"};
	char path[512] = "";
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		size_t size = sizeof path;
		if (strstr(text, files[i]) && rd_kafka_conf_get(conf, files[i], path, &size) == RD_KAFKA_CONF_OK)
			break;
		path[0] = '\0';
	}
	bool tls = strstr(text, "ssl") || strstr(text, "SSL");
	err_set(err, tls ? ERR_TLS : ERR_CONFIG, "cluster %s: the client settings do not work: %s%s%s", name, text, path[0] ? ": " : "", path);
}

struct client *client_create(enum client_kind kind, const char *name, const struct kafka_config *config, const char *const *settings,
	void (*dr_cb)(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque), void *dr_arg, struct err *err)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	if (!kafka_config_apply(config, kind, settings, conf, err)) {
		rd_kafka_conf_destroy(conf);
		return NULL;
	}
	struct client *c = xcalloc(1, sizeof *c);
	atomic_init(&c->refs, 1);
	c->kind = kind;
	c->name = xstrdup(name);
	c->dr_cb = dr_cb;
	c->dr_arg = dr_arg;
	pthread_mutex_init(&c->lock, NULL);
	rd_kafka_conf_set_opaque(conf, c);
	rd_kafka_conf_set_error_cb(conf, on_error);
	rd_kafka_conf_set_log_cb(conf, on_log);
	if (dr_cb)
		rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	char text[512];
	c->rk = rd_kafka_new(kind == CLIENT_WRITE ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER, conf, text, sizeof text);
	if (!c->rk) {
		setup_err(name, conf, text, err);
		rd_kafka_conf_destroy(conf);
		client_unref(c);
		return NULL;
	}
	return c;
}

struct client *client_ref(struct client *c)
{
	atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

static void destroy_run(rd_kafka_t *rk, void *state)
{
	rd_kafka_destroy_flags(state, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

/* librdkafka up to now can lock itself out for good when a partition's offset is reset while its handle is destroyed (its issue 4514), so that happens
 * on a thread of its own, which is left behind if it takes too long. It owns the client meanwhile. */
static void destroy_handle(struct client *c)
{
	rd_kafka_t *rk = c->rk;
	if (c->kind == CLIENT_WRITE)
		rd_kafka_purge(rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
	c->rk = NULL;
	struct call *call = call_start(c, destroy_run, rk, NULL);
	call_wait(call, DESTROY_MAX_MS);
	call_release(call);
}

void client_unref(struct client *c)
{
	if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
		return;
	if (c->rk) {
		destroy_handle(c);
		return;
	}
	pthread_mutex_destroy(&c->lock);
	free(c->name);
	free(c);
}

rd_kafka_t *client_rk(struct client *c)
{
	return c->rk;
}

int64_t client_queue_max_bytes(struct client *c)
{
	char text[32];
	size_t size = sizeof text;
	if (rd_kafka_conf_get(rd_kafka_conf(c->rk), "queued.max.messages.kbytes", text, &size) != RD_KAFKA_CONF_OK)
		return 1 << 20;
	return strtoll(text, NULL, 10) * 1024;
}

enum client_kind client_kind_of(const struct client *c)
{
	return c->kind;
}

const char *client_name(const struct client *c)
{
	return c->name;
}

void client_poll(struct client *c, int wait_ms)
{
	rd_kafka_poll(c->rk, wait_ms);
}

bool client_all_down(struct client *c)
{
	pthread_mutex_lock(&c->lock);
	bool down = c->all_down_mono_ms != 0;
	pthread_mutex_unlock(&c->lock);
	return down;
}

void client_trouble_clear(struct client *c)
{
	pthread_mutex_lock(&c->lock);
	c->trouble.kind = TROUBLE_NONE;
	c->all_down_mono_ms = 0;
	pthread_mutex_unlock(&c->lock);
}

void client_trouble_text(struct client *c, struct buf *to)
{
	pthread_mutex_lock(&c->lock);
	if (c->trouble.kind)
		buf_addf(to, "%s%s%s", c->trouble.broker, c->trouble.broker[0] ? ": " : "", c->trouble.text);
	pthread_mutex_unlock(&c->lock);
}

/* Broker names end in /bootstrap (what the user wrote) or /ID (what the cluster advertises). */
static bool split_advertised(const char *broker, int *ret_host_len, const char **ret_id)
{
	const char *slash = strrchr(broker, '/');
	*ret_host_len = slash ? (int)(slash - broker) : (int)strlen(broker);
	*ret_id = slash ? slash + 1 : "";
	return slash && slash[1] >= '0' && slash[1] <= '9';
}

static void trouble_err(const struct client *c, const struct trouble *t, struct err *err)
{
	int host_len;
	const char *id;
	bool advertised = split_advertised(t->broker, &host_len, &id);
	switch (t->kind) {
	case TROUBLE_LOGIN:
		err_set(err, ERR_AUTHENTICATION, "cluster %s: broker %.*s refused the login: %s", c->name, host_len, t->broker, t->text);
		/* Such a client repeats its nonce in the last message; Kafka 4 compares it exactly, Kafka 3.9 did not. */
		if (strstr(t->text, "SCRAM") && rd_kafka_version() < SCRAM_FIXED_VERSION)
			err_hint(err, "If user and password are right: librdkafka %s cannot do SCRAM with Kafka 4, 2.6.1 and later can. PLAIN over TLS or a client certificate work.", rd_kafka_version_str());
		return;
	case TROUBLE_TLS:
		err_set(err, ERR_TLS, "cluster %s: TLS with broker %.*s failed: %s", c->name, host_len, t->broker, t->text);
		return;
	case TROUBLE_PROTOCOL:
		err_set(err, ERR_CONNECT, "cluster %s: broker %.*s does not speak the configured protocol: %s", c->name, host_len, t->broker, t->text);
		err_hint(err, "security.protocol does not match this port: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL?");
		return;
	default:
		break;
	}
	if (advertised) {
		err_set(err, ERR_CONNECT, "cluster %s: the bootstrap address answered, but broker %s advertises %.*s, which cannot be reached from here: %s",
			c->name, id, host_len, t->broker, t->text);
		err_hint(err, "The broker's advertised.listeners must name an address that this machine can reach.");
		return;
	}
	switch (t->kind) {
	case TROUBLE_RESOLVE:
		err_set(err, ERR_CONNECT, "cluster %s: the name in %.*s cannot be resolved: %s", c->name, host_len, t->broker, t->text);
		err_hint(err, "Check the spelling of the host name and this machine's DNS.");
		break;
	case TROUBLE_REFUSED:
		err_set(err, ERR_CONNECT, "cluster %s: no connection to %.*s: %s", c->name, host_len, t->broker, t->text);
		err_hint(err, "Nothing listens there: is the broker running, and is it this port?");
		break;
	case TROUBLE_TIMEOUT:
		err_set(err, ERR_CONNECT, "cluster %s: no answer from %.*s: %s", c->name, host_len, t->broker, t->text);
		err_hint(err, "A firewall or a wrong address drops the packets, or the broker hangs.");
		break;
	default:
		err_set(err, ERR_CONNECT, "cluster %s: connection to %.*s lost: %s", c->name, host_len, t->broker, t->text);
		break;
	}
}

bool client_failed(struct client *c, int64_t since_mono_ms, bool final, const char *what, struct err *err)
{
	pthread_mutex_lock(&c->lock);
	struct trouble t = c->trouble;
	int64_t down_ms = c->all_down_mono_ms;
	pthread_mutex_unlock(&c->lock);
	int64_t now = time_mono_ms();
	bool hopeless = t.kind == TROUBLE_LOGIN || t.kind == TROUBLE_TLS;
	bool unreachable = down_ms && now - since_mono_ms >= FAIL_FAST_MS && now - down_ms >= FAIL_FAST_MS / 2;
	if (!final && !hopeless && !unreachable)
		return false;
	if (t.kind)
		trouble_err(c, &t, err);
	else
		err_set(err, ERR_CONNECT, "cluster %s: no answer within %lld ms (%s)", c->name, (long long)(now - since_mono_ms), what);
	return true;
}

bool client_wait_on(struct client *c, const struct cancel *cancel, int64_t since_mono_ms, int64_t timeout_ms, const char *what, struct err *err)
{
	client_poll(c, 0);
	struct err stop = ERR_INIT;
	bool cancelled = !cancel_check(cancel, &stop);
	if (cancelled && stop.id == ERR_TIMEOUT) {
		pthread_mutex_lock(&c->lock);
		struct trouble t = c->trouble;
		pthread_mutex_unlock(&c->lock);
		if (t.kind)
			trouble_err(c, &t, &stop);
	}
	if (cancelled && err)
		*err = stop;
	return !cancelled && !client_failed(c, since_mono_ms, time_mono_ms() - since_mono_ms >= timeout_ms, what, err);
}

/* ---- calls */

struct call {
	atomic_int refs;                     /* the caller's and the thread's */
	struct client *client;
	void (*run)(rd_kafka_t *rk, void *state);
	void *state;
	void (*state_drop)(void *state);
	pthread_mutex_t lock;                /* guards done */
	pthread_cond_t cond;
	bool done;
};

void call_release(struct call *call)
{
	if (!call || atomic_fetch_sub_explicit(&call->refs, 1, memory_order_acq_rel) != 1)
		return;
	if (call->state_drop)
		call->state_drop(call->state);
	client_unref(call->client);
	pthread_cond_destroy(&call->cond);
	pthread_mutex_destroy(&call->lock);
	free(call);
}

static void *call_main(void *arg)
{
	struct call *call = arg;
	call->run(call->client->rk, call->state);
	pthread_mutex_lock(&call->lock);
	call->done = true;
	pthread_cond_signal(&call->cond);
	pthread_mutex_unlock(&call->lock);
	call_release(call);
	return NULL;
}

struct call *call_start(struct client *c, void (*run)(rd_kafka_t *rk, void *state), void *state, void (*state_drop)(void *state))
{
	struct call *call = xcalloc(1, sizeof *call);
	atomic_init(&call->refs, 2);
	call->client = client_ref(c);
	call->run = run;
	call->state = state;
	call->state_drop = state_drop;
	pthread_mutex_init(&call->lock, NULL);
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&call->cond, &attr);
	pthread_condattr_destroy(&attr);

	/* Signals belong to the owner's thread: its handler sets the cancel flag and must interrupt its waits. */
	sigset_t all;
	sigset_t old;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_attr_t thread_attr;
	pthread_attr_init(&thread_attr);
	pthread_attr_setdetachstate(&thread_attr, PTHREAD_CREATE_DETACHED);
	pthread_t thread;
	int failed = pthread_create(&thread, &thread_attr, call_main, call);
	pthread_attr_destroy(&thread_attr);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (failed)
		call_main(call);     /* no thread to be had: slower to cancel, still right */
	return call;
}

bool call_wait(struct call *call, int wait_ms)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += wait_ms / 1000;
	until.tv_nsec += (long)(wait_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&call->lock);
	while (!call->done && wait_ms > 0) {
		if (pthread_cond_timedwait(&call->cond, &call->lock, &until) != 0)
			break;
	}
	bool done = call->done;
	pthread_mutex_unlock(&call->lock);
	return done;
}

bool client_call(struct client *c, struct cancel *cancel, int64_t timeout_ms, const char *what,
	void (*run)(rd_kafka_t *rk, void *state), void *state, void (*state_drop)(void *state), struct call **ret_call, struct err *err)
{
	if (!cancel_check(cancel, err)) {
		if (state_drop)
			state_drop(state);
		return false;
	}
	int64_t start = time_mono_ms();
	struct call *call = call_start(c, run, state, state_drop);
	while (!call_wait(call, POLL_SLICE_MS)) {
		if (!client_wait_on(c, cancel, start, timeout_ms, what, err)) {
			call_release(call);
			return false;
		}
	}
	client_poll(c, 0);
	*ret_call = call;
	return true;
}

bool client_err(struct client *c, struct err *err, rd_kafka_resp_err_t code, const char *what)
{
	switch ((int)code) {
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
		return err_set(err, ERR_AUTHORIZATION, "cluster %s: not authorized: %s (%s)", c->name, what, rd_kafka_err2str(code));
	case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
		return err_set(err, ERR_LEADER, "cluster %s: %s has no leader at the moment (%s)", c->name, what, rd_kafka_err2str(code));
	case RD_KAFKA_RESP_ERR__TRANSPORT:
	case RD_KAFKA_RESP_ERR__TIMED_OUT:
	case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
	case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT: {
		pthread_mutex_lock(&c->lock);
		struct trouble t = c->trouble;
		pthread_mutex_unlock(&c->lock);
		if (t.kind) {
			trouble_err(c, &t, err);
			return false;
		}
		return err_set(err, ERR_CONNECT, "cluster %s: no answer: %s (%s)", c->name, what, rd_kafka_err2str(code));
	}
	default:
		return err_set(err, ERR_BROKER, "cluster %s: %s: %s", c->name, what, rd_kafka_err2str(code));
	}
}
