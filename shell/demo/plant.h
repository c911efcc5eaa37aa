/* A plant to ask questions about: three lines (press, oven, conveyor, robot), a compressor and utilities, 60 tags, MES orders, batches and
 * their quality results, energy meters, and what hurts in real plants. It is a pure model: it reads no clock, opens nothing, and the
 * same seed and start give the same bytes on every machine (integers only, own random numbers).
 *
 * Time: one tick is a second. Orders, states, quality and energy begin PLANT_BOOK_MS before start_ms (so that shifts and orders have a
 * past); sensors begin at start_ms. The scenario (link loss, over-temperature, alarm flood, ...) is fixed relative to start_ms and
 * repeats every hour; chance (faults, noise, order sizes) comes from the seed. The README of the scenario is plant_nuisances[].
 *
 * Example:
 *     struct plant *p = plant_create(1, start_ms);
 *     plant_step(p, start_ms + PLANT_HISTORY_MS, print_event, NULL);
 *     plant_destroy(p);
 * Thread: one owner at a time; nothing shared between two plants. */
#ifndef WEIR_SHELL_DEMO_PLANT_H
#define WEIR_SHELL_DEMO_PLANT_H

#include "core/bytes.h"

enum plant_topic {
	PLANT_SENSORS,
	PLANT_EVENTS,
	PLANT_ORDERS,
	PLANT_QUALITY,
	PLANT_MACHINES,
	PLANT_ENERGY,
};
enum { PLANT_TOPIC_N = 6, PLANT_PARTITION_MAX = 4 };

enum {
	PLANT_TICK_MS = 1000,
	PLANT_HISTORY_MS = 3600 * 1000,          /* sensors before "now" */
	PLANT_BOOK_MS = 7 * 3600 * 1000,         /* everything else starts this much before the sensors */
};

struct plant_topic_info {
	const char *name;
	int partition_n;
	const char *about;
};
extern const struct plant_topic_info plant_topics[PLANT_TOPIC_N];

/* One message, in the order in which the plant's gateways send them. Everything is borrowed until the callback returns. */
struct plant_event {
	enum plant_topic topic;
	struct bytes key;
	struct bytes value;                      /* data NULL = tombstone */
	struct bytes headers;                    /* core/headers.h encoding; data NULL = none */
	int64_t ts_ms;                           /* the source's clock: may be behind messages sent earlier, and wrong */
	int64_t send_ms;                         /* the true time of sending, never falls */
	int32_t partition;                       /* murmur2 of the key, as Java's producer does */
};

enum plant_nuisance {
	NUISANCE_LATE,
	NUISANCE_DUPLICATE,
	NUISANCE_STUCK,
	NUISANCE_DEAD,
	NUISANCE_NAN,
	NUISANCE_TRUNCATED,
	NUISANCE_NOT_JSON,
	NUISANCE_CLOCK_BACK,
	NUISANCE_TEXT_NUMBER,
	NUISANCE_DECIMAL_COMMA,
	NUISANCE_BAD_INPUT,
	NUISANCE_MISSING_FIELD,
	NUISANCE_UNIT_MIX,
	NUISANCE_SPIKE,
	NUISANCE_FLOOD,
	NUISANCE_COUNTER_RESET,
	NUISANCE_TOMBSTONE,
	NUISANCE_BAD_UTF8,
};
enum { PLANT_NUISANCE_N = 18 };

struct plant_nuisance_info {
	const char *name;
	enum plant_topic topic;
	int64_t history_n;                       /* how many the history holds, whatever the seed */
	const char *about;
};
extern const struct plant_nuisance_info plant_nuisances[PLANT_NUISANCE_N];

struct plant_stats {
	int64_t message_n[PLANT_TOPIC_N][PLANT_PARTITION_MAX];
	int64_t payload_bytes[PLANT_TOPIC_N][PLANT_PARTITION_MAX];     /* key + value + headers */
	int64_t nuisance_n[PLANT_NUISANCE_N];                         /* NUISANCE_DEAD counts the messages that did not come */
};

struct plant;

struct plant *plant_create(uint64_t seed, int64_t start_ms);     /* start_ms is rounded down to a whole second */
void plant_destroy(struct plant *p);

/* Sends all that happens before until_ms (whole ticks only; a smaller until_ms than before does nothing). emit returns false to stop:
 * then plant_step returns false at once and the plant may only be destroyed. emit NULL: the time passes, nothing is sent. */
typedef bool plant_emit_fn(void *arg, const struct plant_event *e);
bool plant_step(struct plant *p, int64_t until_ms, plant_emit_fn *emit, void *arg);

const struct plant_stats *plant_stats_get(const struct plant *p);      /* of what was sent so far; borrowed */
int plant_tag_n(void);

#endif
