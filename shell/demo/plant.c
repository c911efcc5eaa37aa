/* shell/demo/plant.h: the clock of the model, its random numbers, and the way out. A message is either sent at once or held back until
 * its time (store-and-forward gateways, laboratory results); held ones leave at the start of the tick in which they are due, in the
 * order in which they were held. */
#include "shell/demo/plant_model.h"

#include <stdlib.h>

#include "core/alloc.h"
#include "core/hash.h"
#include "core/headers.h"
#include "core/time.h"

const struct plant_topic_info plant_topics[PLANT_TOPIC_N] = {
	[PLANT_SENSORS] = {"plant.sensors", 4, "60 tags, 15 messages a second; key = tag"},
	[PLANT_EVENTS] = {"plant.events", 3, "machine states and alarms; key = machine"},
	[PLANT_ORDERS] = {"plant.orders", 2, "the life of MES orders; key = order"},
	[PLANT_QUALITY] = {"plant.quality", 2, "one laboratory result a batch; key = batch"},
	[PLANT_MACHINES] = {"plant.machines", 1, "reference data, last value per machine counts; key = machine"},
	[PLANT_ENERGY] = {"plant.energy", 2, "one kWh counter a machine, every minute; counters reset; key = meter"},
};

const struct plant_nuisance_info plant_nuisances[PLANT_NUISANCE_N] = {
	[NUISANCE_LATE] = {"late", PLANT_SENSORS, 423, "line2's gateway loses its link for 90 s and sends what it kept; single messages come 20 to 50 s late"},
	[NUISANCE_DUPLICATE] = {"duplicate", PLANT_SENSORS, 83, "sent twice by an MQTT bridge, byte for byte; the second has the header mqtt_dup"},
	[NUISANCE_STUCK] = {"stuck sensor", PLANT_SENSORS, 300, "line3/oven3/zone2_temp shows one value from minute 20 to 45"},
	[NUISANCE_DEAD] = {"dead sensor", PLANT_SENSORS, 180, "line2/oven2/fan_speed is silent from minute 30 on, for ever"},
	[NUISANCE_NAN] = {"NaN", PLANT_SENSORS, 12, "line1/press1/oil_temp writes the value NaN, which is not JSON"},
	[NUISANCE_TRUNCATED] = {"truncated JSON", PLANT_SENSORS, 5, "cut in the middle by a gateway's buffer"},
	[NUISANCE_NOT_JSON] = {"not JSON", PLANT_SENSORS, 4, "a gateway's error text instead of a value"},
	[NUISANCE_CLOCK_BACK] = {"clock steps back", PLANT_SENSORS, 480, "robot3's clock is 60 s behind from minute 33 to 38"},
	[NUISANCE_TEXT_NUMBER] = {"number as text", PLANT_SENSORS, 60, "conveyor2's second firmware writes \"12.4\" with quotes"},
	[NUISANCE_DECIMAL_COMMA] = {"decimal comma", PLANT_SENSORS, 6, "and sometimes \"12,4\""},
	[NUISANCE_BAD_INPUT] = {"Bad Input", PLANT_SENSORS, 4, "a historian's word where a number belongs, quality bad"},
	[NUISANCE_MISSING_FIELD] = {"missing field", PLANT_SENSORS, 9, "the compressor's dew point without value or without unit"},
	[NUISANCE_UNIT_MIX] = {"unit mix", PLANT_SENSORS, 20, "the hall's temperature in degF for ten minutes"},
	[NUISANCE_SPIKE] = {"spike", PLANT_SENSORS, 5, "single wild values of robot2's second axis"},
	[NUISANCE_FLOOD] = {"alarm flood", PLANT_EVENTS, 40, "the compressor trips in minute 40 and every machine complains within 30 s"},
	[NUISANCE_COUNTER_RESET] = {"counter reset", PLANT_ENERGY, 2, "press2's meter is exchanged, oven3's 16-bit register overflows at 6553.5 kWh"},
	[NUISANCE_TOMBSTONE] = {"tombstone", PLANT_MACHINES, 1, "robot4 is scrapped: its key gets a null value"},
	[NUISANCE_BAD_UTF8] = {"bad UTF-8", PLANT_ORDERS, 1, "an operator's name in Latin-1"},
};

const char *const plant_state_names[] = {
	[STATE_OFF] = "off", [STATE_IDLE] = "idle", [STATE_SETUP] = "setup", [STATE_RUNNING] = "running", [STATE_DOWN] = "down",
};

/* xoshiro256** seeded by splitmix64 (Blackman and Vigna, public domain algorithms). */
static uint64_t splitmix(uint64_t *s)
{
	uint64_t z = *s += 0x9e3779b97f4a7c15ull;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static uint64_t rotl(uint64_t x, int k)
{
	return x << k | x >> (64 - k);
}

uint32_t plant_random(struct plant *p, uint32_t below)
{
	uint64_t *s = p->rng;
	uint64_t r = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;
	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl(s[3], 45);
	return (uint32_t)(((r >> 32) * below) >> 32);
}

int64_t plant_noise(struct plant *p, int64_t sigma)
{
	/* Four uniform values in -1000..1000: standard deviation 1000 * 2 / sqrt(3) = 1155. */
	int64_t sum = 0;
	for (int i = 0; i < 4; i++)
		sum += (int64_t)plant_random(p, 2001) - 1000;
	return sum * sigma / 1155;
}

int64_t plant_scenario_s(const struct plant *p)
{
	return p->now_ms < p->start_ms ? -1 : (p->now_ms - p->start_ms) % PLANT_HISTORY_MS / 1000;
}

void plant_count(struct plant *p, enum plant_nuisance n)
{
	p->stats.nuisance_n[n]++;
}

void plant_add_fixed(struct buf *b, int64_t milli, int decimals)
{
	static const int64_t unit[] = {1000, 100, 10, 1};
	int64_t q = unit[decimals], v = (milli < 0 ? -milli : milli) + q / 2;
	if (milli < 0 && v / q)
		buf_addc(b, '-');
	buf_addf(b, "%lld", (long long)(v / 1000));
	if (decimals)
		buf_addf(b, ".%0*lld", decimals, (long long)(v % 1000 / q));
}

void plant_add_ts(struct buf *b, const char *name, int64_t ms)
{
	char text[TIME_TEXT_MAX];
	time_format(ms, text);
	buf_addf(b, "\"%s\":\"%s\"", name, text);
}

const char *plant_line_name(int line)
{
	static const char *const names[] = {"utilities", "line1", "line2", "line3"};
	return names[line + 1];
}

const char *plant_shift(int64_t ms)
{
	int64_t hour = ms / 3600000 % 24;
	return hour < 0 || hour >= 22 || hour < 6 ? "night" : hour < 14 ? "early" : "late";
}

static void deliver(struct plant *p, const struct plant_event *e)
{
	if (p->failed)
		return;
	p->stats.message_n[e->topic][e->partition]++;
	p->stats.payload_bytes[e->topic][e->partition] += (int64_t)(e->key.len + e->value.len + e->headers.len);
	if (p->emit && !p->emit(p->emit_arg, e))
		p->failed = true;
}

static struct bytes copy_to(uint8_t **to, struct bytes b)
{
	if (!b.data)
		return b;
	struct bytes copy = bytes_of(*to, b.len);
	if (b.len)
		memcpy(*to, b.data, b.len);
	*to += b.len;
	return copy;
}

void plant_send(struct plant *p, enum plant_topic topic, struct bytes key, struct bytes value, struct bytes headers, int64_t ts_ms, int64_t at_ms)
{
	struct plant_event e = {.topic = topic, .key = key, .value = value, .headers = headers, .ts_ms = ts_ms, .send_ms = p->now_ms};
	e.partition = hash_partition(PARTITIONER_MURMUR2, key, plant_topics[topic].partition_n);
	if (at_ms <= p->now_ms) {
		deliver(p, &e);
		return;
	}
	if (p->held_n == p->held_cap) {
		p->held_cap = p->held_cap ? p->held_cap * 2 : 64;
		p->held = xreallocarray(p->held, p->held_cap, sizeof *p->held);
	}
	struct held *h = &p->held[p->held_n++];
	uint8_t *to = h->data = xmalloc(key.len + value.len + headers.len + 1);
	e.key = copy_to(&to, key);
	e.value = copy_to(&to, value);
	e.headers = copy_to(&to, headers);
	e.send_ms = at_ms;
	h->event = e;
}

static void send_held(struct plant *p)
{
	size_t kept = 0;
	for (size_t i = 0; i < p->held_n; i++) {
		struct held *h = &p->held[i];
		if (h->event.send_ms > p->now_ms) {
			p->held[kept++] = *h;
			continue;
		}
		h->event.send_ms = p->now_ms;
		deliver(p, &h->event);
		free(h->data);
	}
	p->held_n = kept;
}

struct plant *plant_create(uint64_t seed, int64_t start_ms)
{
	struct plant *p = xcalloc(1, sizeof *p);
	for (int i = 0; i < 4; i++)
		p->rng[i] = splitmix(&seed);
	p->start_ms = start_ms - ((start_ms % PLANT_TICK_MS) + PLANT_TICK_MS) % PLANT_TICK_MS;
	p->now_ms = p->start_ms - PLANT_BOOK_MS;
	buf_init(&p->key);
	buf_init(&p->value);
	buf_init(&p->headers);
	plant_physics_init(p);
	plant_lines_init(p);
	plant_tags_init(p);
	return p;
}

void plant_destroy(struct plant *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->held_n; i++)
		free(p->held[i].data);
	free(p->held);
	free(p->alarms);
	buf_finish(&p->key);
	buf_finish(&p->value);
	buf_finish(&p->headers);
	free(p);
}

bool plant_step(struct plant *p, int64_t until_ms, plant_emit_fn *emit, void *arg)
{
	p->emit = emit;
	p->emit_arg = arg;
	while (!p->failed && p->now_ms + PLANT_TICK_MS <= until_ms) {
		send_held(p);
		plant_machines_send(p, p->now_ms == p->start_ms - PLANT_BOOK_MS);
		plant_physics_tick(p);
		plant_lines_tick(p);
		plant_energy_tick(p);
		if (p->now_ms >= p->start_ms)
			plant_tags_tick(p);
		p->now_ms += PLANT_TICK_MS;
	}
	p->emit = NULL;
	p->emit_arg = NULL;
	return !p->failed;
}

const struct plant_stats *plant_stats_get(const struct plant *p)
{
	return &p->stats;
}
