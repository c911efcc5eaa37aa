/* Inside kafka/ only: one librdkafka handle shared by reference, its last trouble in words, and blocking librdkafka calls that a cancel
 * flag can leave. A client is destroyed by its last reference: usually the cluster's or reader's, or a call's helper thread when the
 * caller went away before librdkafka answered. Thread: references anywhere; everything else belongs to the owner thread unless said. */
#ifndef WEIR_KAFKA_CLIENT_H
#define WEIR_KAFKA_CLIENT_H

#include <librdkafka/rdkafka.h>
#include "core/cancel.h"
#include "kafka/config.h"
#include "kafka/config_apply.h"

struct client;

/* settings: extra key, value pairs that win over config, NULL-terminated; may be NULL. dr_cb for CLIENT_WRITE, called from rd_kafka_poll with
 * dr_arg as the handle's opaque (client_opaque_of). name is what messages call the cluster; copied. */
struct client *client_create(enum client_kind kind, const char *name, const struct kafka_config *config, const char *const *settings,
	void (*dr_cb)(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque), void *dr_arg, struct err *err);
struct client *client_ref(struct client *c);
void client_unref(struct client *c);
rd_kafka_t *client_rk(struct client *c);
void *client_dr_arg(void *opaque);           /* dr_arg from the opaque that dr_cb gets */

int64_t client_queue_max_bytes(struct client *c);    /* queued.max.messages.kbytes as it is in force */

/* Serves librdkafka's callbacks (errors, delivery reports). */
void client_poll(struct client *c, int wait_ms);

/* True if waiting on is pointless and err tells why: authentication or TLS failed, or every broker has been unreachable for a
 * moment. since_mono_ms = when the wait began. final: the deadline passed, so any trouble counts; then what it waited for is named. */
bool client_failed(struct client *c, int64_t since_mono_ms, bool final, const char *what, struct err *err);
/* One look of a wait for an answer: true = wait on. False: cancelled, the wait's own deadline (timeout_ms after since_mono_ms) passed, or
 * client_failed. Where the command's time limit ends the wait for a broker in trouble, the trouble is the error. */
bool client_wait_on(struct client *c, const struct cancel *cancel, int64_t since_mono_ms, int64_t timeout_ms, const char *what, struct err *err);
bool client_all_down(struct client *c);      /* every broker connection is lost at this moment */
void client_trouble_clear(struct client *c); /* an answer came: earlier trouble is over */
void client_trouble_text(struct client *c, struct buf *to);   /* the last trouble, "" if none */

/* A blocking librdkafka call on a thread of its own. The call holds a reference to the client, and the state block until both sides
 * are done with it: state_drop runs exactly once, on whichever thread lets go last. */
struct call;
struct call *call_start(struct client *c, void (*run)(rd_kafka_t *rk, void *state), void *state, void (*state_drop)(void *state));
bool call_wait(struct call *call, int wait_ms);      /* true = run has returned; its writes to state are visible */
void call_release(struct call *call);                /* accepts NULL; the call may still run */

/* Runs it to the end, the deadline, the cancel flag or a hopeless state, whichever comes first. True: state holds the answer and is the
 * caller's until call_release(*ret_call). False: err is set and nothing is left to release. */
bool client_call(struct client *c, struct cancel *cancel, int64_t timeout_ms, const char *what,
	void (*run)(rd_kafka_t *rk, void *state), void *state, void (*state_drop)(void *state), struct call **ret_call, struct err *err);

/* Err for a librdkafka code that concerns `what` ("topic \"x\"", "group g"). Always false. */
bool client_err(struct client *c, struct err *err, rd_kafka_resp_err_t code, const char *what);
enum client_kind client_kind_of(const struct client *c);
const char *client_name(const struct client *c);

#endif
