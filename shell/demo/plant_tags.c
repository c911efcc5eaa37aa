/* The 60 tags: which exist, how often each is sent, how its value is read from the model; then what gateways, historians and firmware
 * do to a message on its way (plant_nuisances[]). Every message suffers from one thing at most, so that each can be counted.
 * A tag's phase spreads the messages of one second over it; the table's order is the order of sending. */
#include "shell/demo/plant_model.h"

#include "core/headers.h"

enum tag_id {
	PRESS_FORCE, PRESS_CURRENT, PRESS_OIL_TEMP, PRESS_STROKES, PRESS_CYCLE_TIME,
	OVEN_ZONE1, OVEN_ZONE2, OVEN_SETPOINT, OVEN_POWER, OVEN_FAN,
	CONVEYOR_SPEED, CONVEYOR_CURRENT, CONVEYOR_PARTS,
	ROBOT_AXIS1, ROBOT_AXIS2, ROBOT_AXIS3, ROBOT_GEARBOX,
	AIR_PRESSURE, AIR_CURRENT, AIR_OIL_TEMP, AIR_DEWPOINT, AIR_FLOW,
	HALL_TEMP, HALL_HUMIDITY, WATER_FLOW, WATER_TEMP,
	TAG_ID_N,
};

static const struct {
	enum machine_kind kind;
	const char *signal, *unit;
	int decimals, period_s;
} kinds[TAG_ID_N] = {
	[PRESS_FORCE] = {KIND_PRESS, "force", "kN", 1, 2},
	[PRESS_CURRENT] = {KIND_PRESS, "motor_current", "A", 1, 2},
	[PRESS_OIL_TEMP] = {KIND_PRESS, "oil_temp", "degC", 1, 10},
	[PRESS_STROKES] = {KIND_PRESS, "strokes", "1", 0, 10},
	[PRESS_CYCLE_TIME] = {KIND_PRESS, "cycle_time", "s", 2, 10},
	[OVEN_ZONE1] = {KIND_OVEN, "zone1_temp", "degC", 1, 5},
	[OVEN_ZONE2] = {KIND_OVEN, "zone2_temp", "degC", 1, 5},
	[OVEN_SETPOINT] = {KIND_OVEN, "setpoint", "degC", 0, 30},
	[OVEN_POWER] = {KIND_OVEN, "power", "kW", 2, 5},
	[OVEN_FAN] = {KIND_OVEN, "fan_speed", "rpm", 0, 10},
	[CONVEYOR_SPEED] = {KIND_CONVEYOR, "speed", "m/min", 1, 5},
	[CONVEYOR_CURRENT] = {KIND_CONVEYOR, "motor_current", "A", 2, 5},
	[CONVEYOR_PARTS] = {KIND_CONVEYOR, "parts", "1", 0, 10},
	[ROBOT_AXIS1] = {KIND_ROBOT, "axis1_current", "A", 2, 2},
	[ROBOT_AXIS2] = {KIND_ROBOT, "axis2_current", "A", 2, 2},
	[ROBOT_AXIS3] = {KIND_ROBOT, "axis3_current", "A", 2, 2},
	[ROBOT_GEARBOX] = {KIND_ROBOT, "gearbox_temp", "degC", 1, 10},
	[AIR_PRESSURE] = {KIND_COMPRESSOR, "pressure", "bar", 2, 1},
	[AIR_CURRENT] = {KIND_COMPRESSOR, "motor_current", "A", 1, 2},
	[AIR_OIL_TEMP] = {KIND_COMPRESSOR, "oil_temp", "degC", 1, 10},
	[AIR_DEWPOINT] = {KIND_COMPRESSOR, "dew_point", "degC", 1, 10},
	[AIR_FLOW] = {KIND_COMPRESSOR, "flow", "m3/h", 0, 5},
	[HALL_TEMP] = {KIND_UTILITY, "hall_temp", "degC", 1, 30},
	[HALL_HUMIDITY] = {KIND_UTILITY, "humidity", "%", 1, 30},
	[WATER_FLOW] = {KIND_UTILITY, "cooling_flow", "l/min", 1, 10},
	[WATER_TEMP] = {KIND_UTILITY, "cooling_temp", "degC", 1, 10},
};

/* What is wrong with a machine's tag, by the second of the scenario's hour [from_s, until_s), each every_n-th message of the tag. */
static const struct spoil {
	enum plant_nuisance nuisance;
	enum tag_id tag;
	int line;                            /* -1 = utilities */
	int from_s, until_s, every_n;
} spoils[] = {
	{NUISANCE_STUCK, OVEN_ZONE2, 2, 20 * 60, 45 * 60, 1},
	{NUISANCE_NAN, PRESS_OIL_TEMP, 0, 22 * 60, 24 * 60, 1},
	{NUISANCE_DECIMAL_COMMA, CONVEYOR_SPEED, 1, 16 * 60, 18 * 60, 4},
	{NUISANCE_TEXT_NUMBER, CONVEYOR_SPEED, 1, 10 * 60, 14 * 60, 2},
	{NUISANCE_TEXT_NUMBER, CONVEYOR_SPEED, 1, 18 * 60, 24 * 60, 2},
	{NUISANCE_BAD_INPUT, WATER_TEMP, -1, 52 * 60, 54 * 60, 3},
	{NUISANCE_MISSING_FIELD, AIR_DEWPOINT, -1, 5 * 60, 8 * 60, 2},
	{NUISANCE_UNIT_MIX, HALL_TEMP, -1, 46 * 60, 56 * 60, 1},
	{NUISANCE_SPIKE, ROBOT_AXIS2, 1, 12 * 60, 55 * 60, 258},
};

enum {
	DEAD_FROM_S = 30 * 60,               /* line2/oven2/fan_speed, counted from the start and not repeated: dead is dead */
	LINK_LOST_S = 14 * 60, LINK_BACK_S = LINK_LOST_S + 90,
	CLOCK_BACK_S = 33 * 60, CLOCK_RIGHT_S = 38 * 60, CLOCK_STEP_MS = 60000,
	/* Every so many sensor messages, at this remainder. Primes, so that all tags get their share. */
	LATE_EVERY = 997, LATE_AT = 500,
	DUPLICATE_EVERY = 613, DUPLICATE_AT = 300,
	TRUNCATED_EVERY = 10007, TRUNCATED_AT = 4000, TRUNCATED_BYTES = 60,
	NOT_JSON_EVERY = 15013, NOT_JSON_AT = 7000,
};

enum { TAG_N = LINE_N * (ROBOT_GEARBOX + 1) + TAG_ID_N - AIR_PRESSURE };

struct tag {
	enum tag_id id;
	int line, machine, index;
};

/* Tag number i: lines first, utilities last. */
static struct tag tag_at(int i)
{
	enum { PER_LINE = ROBOT_GEARBOX + 1 };
	struct tag t = {.index = i};
	if (i < LINE_N * PER_LINE) {
		t.line = i / PER_LINE;
		t.id = (enum tag_id)(i % PER_LINE);
		t.machine = t.line * KIND_PER_LINE + (int)kinds[t.id].kind;
	} else {
		t.line = -1;
		t.id = (enum tag_id)(AIR_PRESSURE + i - LINE_N * PER_LINE);
		t.machine = LINE_N * KIND_PER_LINE + (kinds[t.id].kind == KIND_UTILITY);
	}
	return t;
}

int plant_tag_n(void)
{
	return TAG_N;
}

static void add_name(struct buf *b, const struct plant *p, struct tag t)
{
	buf_addf(b, "%s/%s/%s", plant_line_name(t.line), p->machines[t.machine].name, kinds[t.id].signal);
}

void plant_tags_init(struct plant *p)
{
	_Static_assert(sizeof p->stuck_value / sizeof *p->stuck_value >= TAG_N, "one slot per tag");
	for (int i = 0; i < TAG_N; i++)
		p->stuck_value[i] = INT64_MIN;
}

static int64_t positive(int64_t v)
{
	return v < 0 ? 0 : v;
}

static int64_t axis_current(struct plant *p, const struct line *l, bool running, int64_t percent)
{
	static const int64_t moves[] = {9000, 12500, 7000, 4000, 11000, 8000};
	return running ? moves[l->axis_phase] * percent / 100 + plant_noise(p, 350) : 900 + plant_noise(p, 30);
}

static int64_t tag_read(struct plant *p, struct tag t)
{
	const struct line *l = &p->lines[t.line < 0 ? 0 : t.line];
	const struct machine *m = &p->machines[t.machine];
	bool running = m->state == STATE_RUNNING, down = m->state == STATE_DOWN;
	switch (t.id) {
	case PRESS_FORCE: return running ? l->force : positive(plant_noise(p, 300));
	case PRESS_CURRENT: return (running ? 36000 : down ? 600 : 4800) + plant_noise(p, running ? 1500 : 60);
	case PRESS_OIL_TEMP: return l->oil + plant_noise(p, 80);
	case PRESS_STROKES: return l->strokes * 1000;
	case PRESS_CYCLE_TIME: return l->cycle_time;
	case OVEN_ZONE1: return l->zone_shown[0] + plant_noise(p, 150);
	case OVEN_ZONE2: return l->zone_shown[1] + plant_noise(p, 150);
	case OVEN_SETPOINT: return l->setpoint;
	case OVEN_POWER: return m->power_w;
	case OVEN_FAN: return 1450000 + plant_noise(p, 6000);
	case CONVEYOR_SPEED: return positive(l->speed + plant_noise(p, running ? 70 : 5));
	case CONVEYOR_CURRENT: return (running ? 8200 : 400) + plant_noise(p, running ? 180 : 10);
	case CONVEYOR_PARTS: return l->parts * 1000;
	case ROBOT_AXIS1: return axis_current(p, l, running, 100);
	case ROBOT_AXIS2: return axis_current(p, l, running, 80);
	case ROBOT_AXIS3: return axis_current(p, l, running, 45);
	case ROBOT_GEARBOX: return l->gearbox + plant_noise(p, 60);
	case AIR_PRESSURE: return p->pressure + plant_noise(p, 8);
	case AIR_CURRENT: return (down ? 0 : p->loaded ? 128000 : 62000) + (down ? 0 : plant_noise(p, 900));
	case AIR_OIL_TEMP: return p->compressor_oil;
	case AIR_DEWPOINT: return p->dewpoint;
	case AIR_FLOW: return p->loaded ? 520000 + plant_noise(p, 6000) : 0;
	case HALL_TEMP: return p->hall;
	case HALL_HUMIDITY: return p->humidity;
	case WATER_FLOW: return p->water_flow;
	case WATER_TEMP: return p->water_temp;
	case TAG_ID_N: break;
	}
	return 0;
}

static const struct spoil *spoil_find(struct tag t, int64_t scenario_s)
{
	for (size_t i = 0; i < sizeof spoils / sizeof *spoils; i++) {
		const struct spoil *s = &spoils[i];
		if (s->tag == t.id && s->line == t.line && scenario_s >= s->from_s && scenario_s < s->until_s &&
		    (scenario_s - s->from_s) / kinds[t.id].period_s % s->every_n == 0)
			return s;
	}
	return NULL;
}

/* Writes the message's value into p->value, spoiled as told. */
static void tag_write(struct plant *p, struct tag t, int64_t v, const struct spoil *spoil, int64_t ts_ms)
{
	struct buf *b = &p->value;
	const char *unit = kinds[t.id].unit, *quality = "good";
	bool with_value = true, with_unit = true, quoted = false;
	char comma = '.';
	const char *word = NULL;
	if (spoil) {
		plant_count(p, spoil->nuisance);
		switch (spoil->nuisance) {
		case NUISANCE_STUCK:
			if (p->stuck_value[t.index] == INT64_MIN)
				p->stuck_value[t.index] = v;
			v = p->stuck_value[t.index];
			break;
		case NUISANCE_NAN: word = "NaN"; quality = "bad"; break;
		case NUISANCE_DECIMAL_COMMA: quoted = true; comma = ','; break;
		case NUISANCE_TEXT_NUMBER: quoted = true; break;
		case NUISANCE_BAD_INPUT: word = "\"Bad Input\""; quality = "bad"; break;
		case NUISANCE_MISSING_FIELD:
			with_value = p->stats.nuisance_n[NUISANCE_MISSING_FIELD] % 2 == 0;
			with_unit = !with_value;
			break;
		case NUISANCE_UNIT_MIX: v = v * 9 / 5 + 32000; unit = "degF"; break;
		case NUISANCE_SPIKE: v = 39000 + plant_noise(p, 800); break;
		default: break;
		}
	} else {
		p->stuck_value[t.index] = INT64_MIN;
	}
	buf_clear(b);
	buf_adds(b, "{\"tag\":\"");
	add_name(b, p, t);
	buf_addf(b, "\",\"line\":\"%s\",\"machine\":\"%s\",\"signal\":\"%s\"", plant_line_name(t.line), p->machines[t.machine].name, kinds[t.id].signal);
	if (with_value) {
		buf_adds(b, quoted ? ",\"value\":\"" : ",\"value\":");
		size_t at = b->len;
		if (word)
			buf_adds(b, word);
		else
			plant_add_fixed(b, v, kinds[t.id].decimals);
		char *dot = comma == '.' ? NULL : memchr(b->data + at, '.', b->len - at);
		if (dot)
			*dot = comma;
		if (quoted)
			buf_addc(b, '"');
	}
	if (with_unit)
		buf_addf(b, ",\"unit\":\"%s\"", unit);
	buf_addf(b, ",\"quality\":\"%s\",", quality);
	plant_add_ts(b, "ts", ts_ms);
	buf_addc(b, '}');
}

static struct bytes header_bytes(struct plant *p, struct tag t, bool duplicate)
{
	static const char *const gateways[] = {"gw-utilities", "gw-line1", "gw-line2", "gw-line3"};
	buf_clear(&p->headers);
	headers_add(&p->headers, bytes_str("gateway"), bytes_str(gateways[t.line + 1]));
	if (duplicate)
		headers_add(&p->headers, bytes_str("mqtt_dup"), bytes_str("1"));
	return bytes_of(p->headers.data, p->headers.len);
}

static void tag_send(struct plant *p, struct tag t, int64_t v, int64_t scenario_s)
{
	int64_t ts_ms = p->now_ms + t.index * 16, at_ms = p->now_ms, number = p->sensor_n++;
	const struct spoil *spoil = spoil_find(t, scenario_s);
	bool spoiled = spoil != NULL, duplicate = false;
	if (!spoiled && t.line == 1 && scenario_s >= LINK_LOST_S && scenario_s < LINK_BACK_S) {
		spoiled = true;
		plant_count(p, NUISANCE_LATE);
		at_ms = p->now_ms + (LINK_BACK_S - scenario_s) * 1000;
	} else if (!spoiled && t.line == 2 && kinds[t.id].kind == KIND_ROBOT && scenario_s >= CLOCK_BACK_S && scenario_s < CLOCK_RIGHT_S) {
		spoiled = true;
		plant_count(p, NUISANCE_CLOCK_BACK);
		ts_ms -= CLOCK_STEP_MS;
	}
	tag_write(p, t, v, spoil, ts_ms);
	size_t value_len = p->value.len;
	if (!spoiled && number % LATE_EVERY == LATE_AT) {
		plant_count(p, NUISANCE_LATE);
		at_ms = p->now_ms + 20000 + number % 7 * 5000;
	} else if (!spoiled && number % DUPLICATE_EVERY == DUPLICATE_AT) {
		plant_count(p, NUISANCE_DUPLICATE);
		duplicate = true;
	} else if (!spoiled && number % TRUNCATED_EVERY == TRUNCATED_AT) {
		plant_count(p, NUISANCE_TRUNCATED);
		value_len = TRUNCATED_BYTES;
	} else if (!spoiled && number % NOT_JSON_EVERY == NOT_JSON_AT) {
		plant_count(p, NUISANCE_NOT_JSON);
		buf_clear(&p->value);
		buf_adds(&p->value, "ERR 0x80AB0000 BadNoCommunication");
		value_len = p->value.len;
	}
	buf_clear(&p->key);
	add_name(&p->key, p, t);
	for (int copy = 0; copy <= (int)duplicate; copy++)
		plant_send(p, PLANT_SENSORS, bytes_of(p->key.data, p->key.len), bytes_of(p->value.data, value_len), header_bytes(p, t, copy == 1), ts_ms, at_ms);
}

void plant_tags_tick(struct plant *p)
{
	int64_t second = (p->now_ms - p->start_ms) / 1000, scenario_s = plant_scenario_s(p);
	for (int i = 0; i < TAG_N; i++) {
		struct tag t = tag_at(i);
		if ((second + i) % kinds[t.id].period_s != 0)
			continue;
		int64_t v = tag_read(p, t);
		if (t.id == OVEN_FAN && t.line == 1 && second >= DEAD_FROM_S)
			plant_count(p, NUISANCE_DEAD);
		else
			tag_send(p, t, v, scenario_s);
	}
}
