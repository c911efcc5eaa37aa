/* The lines: machine states, faults and their alarms. A machine faults by chance (press2 more than the others) or by the scenario
 * (line1's oven overheats, the compressor trips); the machines that depend on it stand still and complain a few seconds later, so
 * that the first alarm of a group is its cause. plant_orders.c feeds the lines with orders. */
#include "shell/demo/plant_model.h"

#include <stdio.h>

#include "core/alloc.h"
#include "core/time.h"

enum { TRIP_S = 40 * 60, TRIP_LASTS_S = 150, FLOOD_N = 40, FLOOD_S = 30, METER_SWAP_S = 20 * 60, COMPRESSOR = LINE_N * KIND_PER_LINE };

struct fault {
	const char *alarm, *reason;
	int severity, repair_s;              /* severity 1 (worst) .. 4; repair takes 50 to 150 % of repair_s */
};

enum { FAULT_N = 3, FAULT_SCENARIO = FAULT_N };

/* By chance: one of the first three. The fourth is the scenario's (and the oven's own trip). */
static const struct fault faults[][FAULT_N + 1] = {
	[KIND_PRESS] = {{"DIE_MISFEED", "misfeed", 2, 70}, {"HYDRAULIC_PRESSURE_LOW", "hydraulics", 1, 240}, {"LIGHT_CURTAIN", "safety", 2, 40}, {"CLUTCH_AIR_LOW", "no air", 2, 60}},
	[KIND_OVEN] = {{"FAN_VIBRATION", "fan", 2, 180}, {"THERMOCOUPLE_OPEN", "sensor", 2, 120}, {"DOOR_NOT_CLOSED", "door", 3, 50}, {"OVEN_TEMP_HIGH", "over temperature", 1, 300}},
	[KIND_CONVEYOR] = {{"BELT_JAM", "jam", 2, 90}, {"MOTOR_OVERLOAD", "overload", 2, 150}, {"PHOTOCELL_DIRTY", "sensor", 3, 45}, {"STOPPER_AIR_LOW", "no air", 2, 60}},
	[KIND_ROBOT] = {{"GRIPPER_EMPTY", "lost part", 3, 35}, {"AXIS_FOLLOWING_ERROR", "axis", 1, 200}, {"COLLISION_DETECTED", "collision", 1, 260}, {"GRIPPER_NO_VACUUM", "no air", 2, 60}},
	[KIND_COMPRESSOR] = {{"", "", 0, 0}, {"", "", 0, 0}, {"", "", 0, 0}, {"MOTOR_OVERLOAD", "overload", 1, TRIP_LASTS_S}},
	[KIND_UTILITY] = {{"", "", 0, 0}, {"", "", 0, 0}, {"", "", 0, 0}, {"", "", 0, 0}},
};

/* Running seconds between faults, by kind; press2 has a third of it. */
static const int mtbf_s[] = {[KIND_PRESS] = 2700, [KIND_OVEN] = 9000, [KIND_CONVEYOR] = 4800, [KIND_ROBOT] = 3600, [KIND_COMPRESSOR] = 0, [KIND_UTILITY] = 0};

static const char *const kind_names[] = {"press", "oven", "conveyor", "robot", "compressor", "hall"};

static struct bytes value_of(struct plant *p)
{
	return bytes_of(p->value.data, p->value.len);
}

static void begin(struct plant *p, const struct machine *m, const char *type)
{
	buf_clear(&p->value);
	buf_addf(&p->value, "{\"type\":\"%s\",\"machine\":\"%s\",\"line\":\"%s\",", type, m->name, plant_line_name(m->line));
}

static void finish(struct plant *p, const struct machine *m)
{
	buf_addf(&p->value, "\"shift\":\"%s\",", plant_shift(p->now_ms));
	plant_add_ts(&p->value, "ts", p->now_ms);
	buf_addc(&p->value, '}');
	plant_send(p, PLANT_EVENTS, bytes_str(m->name), value_of(p), bytes_of(NULL, 0), p->now_ms, p->now_ms);
}

static void state_send(struct plant *p, struct machine *m, enum machine_state state, const char *reason)
{
	begin(p, m, "state");
	buf_addf(&p->value, "\"state\":\"%s\",\"previous\":\"%s\",\"reason\":\"%s\",", plant_state_names[state], plant_state_names[m->state], reason);
	finish(p, m);
	m->state = state;
}

static void state_set(struct plant *p, struct machine *m, enum machine_state state, const char *reason)
{
	if (m->state != state)
		state_send(p, m, state, reason);
}

static void alarm_send(struct plant *p, const struct machine *m, const char *name, int severity, bool active)
{
	begin(p, m, "alarm");
	buf_addf(&p->value, "\"alarm\":\"%s\",\"severity\":%d,\"active\":%s,", name, severity, active ? "true" : "false");
	if (m->kind == KIND_OVEN) {
		const struct line *l = &p->lines[m->line];
		buf_adds(&p->value, "\"detail\":{\"value\":");
		plant_add_fixed(&p->value, l->zone_shown[0], 1);
		buf_adds(&p->value, ",\"limit\":");
		plant_add_fixed(&p->value, OVEN_LIMIT, 1);
		buf_adds(&p->value, ",\"unit\":\"degC\"},");
	} else if (m->kind == KIND_COMPRESSOR) {
		buf_adds(&p->value, "\"detail\":{\"value\":");
		plant_add_fixed(&p->value, p->pressure, 2);
		buf_adds(&p->value, ",\"limit\":6.00,\"unit\":\"bar\"},");
	}
	finish(p, m);
}

static void alarm_later(struct plant *p, int64_t delay_ms, int machine, const char *name, int severity, bool active, bool flood)
{
	if (p->alarm_n == p->alarm_cap) {
		p->alarm_cap = p->alarm_cap ? p->alarm_cap * 2 : 64;
		p->alarms = xreallocarray(p->alarms, p->alarm_cap, sizeof *p->alarms);
	}
	p->alarms[p->alarm_n++] = (struct pending_alarm){.at_ms = p->now_ms + delay_ms, .machine = machine, .name = name, .severity = severity, .active = active, .flood = flood};
}

static void alarms_tick(struct plant *p)
{
	size_t kept = 0, n = p->alarm_n;
	for (size_t i = 0; i < n; i++) {
		struct pending_alarm a = p->alarms[i];
		if (a.at_ms > p->now_ms) {
			p->alarms[kept++] = a;
			continue;
		}
		if (a.flood)
			plant_count(p, NUISANCE_FLOOD);
		alarm_send(p, &p->machines[a.machine], a.name, a.severity, a.active);
	}
	p->alarm_n = kept;
}

static void machine_fail(struct plant *p, int index, int fault)
{
	struct machine *m = &p->machines[index];
	const struct fault *f = &faults[m->kind][fault];
	if (m->state == STATE_DOWN)
		return;
	m->alarm = fault;
	m->down_until_ms = p->now_ms + (int64_t)f->repair_s * (500 + plant_random(p, 1000));
	if (fault == FAULT_SCENARIO && m->kind == KIND_COMPRESSOR)
		m->down_until_ms = p->now_ms + (int64_t)f->repair_s * 1000;
	alarm_send(p, m, f->alarm, f->severity, true);
	state_set(p, m, STATE_DOWN, f->reason);
	/* Those who wait for this machine complain after it. */
	for (int k = 0; m->line >= 0 && k < KIND_PER_LINE; k++) {
		static const char *const waits[] = {"OUTFEED_BLOCKED", "LOAD_MISSING", "STARVED", "PART_MISSING"};
		if (k == (int)m->kind || plant_random(p, 100) >= 70)
			continue;
		int64_t after_ms = 3000 + 1000 * (int64_t)plant_random(p, 12);
		alarm_later(p, after_ms, m->line * KIND_PER_LINE + k, waits[k], 4, true, false);
		alarm_later(p, m->down_until_ms - p->now_ms + after_ms, m->line * KIND_PER_LINE + k, waits[k], 4, false, false);
	}
}

static void machine_repair(struct plant *p, struct machine *m)
{
	const struct fault *f = &faults[m->kind][m->alarm];
	if (m->kind == KIND_OVEN && p->lines[m->line].too_hot)
		return;
	m->down_until_ms = 0;
	alarm_send(p, m, f->alarm, f->severity, false);
	state_set(p, m, STATE_IDLE, "repaired");
}

/* The compressor trips: its own alarm first, then FLOOD_N others within FLOOD_S seconds, some of them chattering. */
static void flood_begin(struct plant *p)
{
	machine_fail(p, COMPRESSOR, FAULT_SCENARIO);
	plant_count(p, NUISANCE_FLOOD);
	for (int i = 1; i < FLOOD_N; i++) {
		int machine = i % 3 == 1 ? (i / 3 % LINE_N) * KIND_PER_LINE + KIND_ROBOT : (int)plant_random(p, LINE_N * KIND_PER_LINE);
		int kind = machine % KIND_PER_LINE;
		static const char *const names[] = {"CLUTCH_AIR_LOW", "DAMPER_AIR_LOW", "STOPPER_AIR_LOW", "GRIPPER_NO_VACUUM"};
		int64_t after_ms = 1000 + (int64_t)(i - 1) * (FLOOD_S - 2) * 1000 / (FLOOD_N - 1);
		alarm_later(p, after_ms, machine, names[kind], kind == KIND_ROBOT ? 2 : 3, true, true);
		alarm_later(p, after_ms + TRIP_LASTS_S * 1000, machine, names[kind], kind == KIND_ROBOT ? 2 : 3, false, false);
	}
}

static bool air_ok(const struct plant *p)
{
	return p->pressure >= 5500;
}

static const char *line_obstacle(const struct plant *p, int line)
{
	static const char *const down[] = {"press down", "oven down", "conveyor down", "robot down"};
	for (int k = 0; k < KIND_PER_LINE; k++)
		if (p->machines[line * KIND_PER_LINE + k].state == STATE_DOWN)
			return down[k];
	if (!air_ok(p))
		return "no air";
	if (p->lines[line].now.number == 0)
		return "no order";
	if (p->lines[line].zone[0] < p->lines[line].setpoint - 20000)
		return "oven cold";
	return NULL;
}

static void line_tick(struct plant *p, int i)
{
	struct line *l = &p->lines[i];
	struct machine *m = &p->machines[i * KIND_PER_LINE];
	plant_orders_tick(p, i);
	for (int k = 0; k < KIND_PER_LINE; k++)
		if (m[k].state == STATE_DOWN && p->now_ms >= m[k].down_until_ms)
			machine_repair(p, &m[k]);
	if (l->too_hot)
		machine_fail(p, i * KIND_PER_LINE + KIND_OVEN, FAULT_SCENARIO);
	const char *obstacle = line_obstacle(p, i);
	bool setup = l->setup_until_ms > p->now_ms;
	l->producing = !obstacle && !setup;
	for (int k = 0; k < KIND_PER_LINE; k++) {
		if (m[k].state == STATE_DOWN)
			continue;
		if (l->producing)
			state_set(p, &m[k], STATE_RUNNING, "order");
		else if (setup && k != KIND_OVEN && !obstacle)
			state_set(p, &m[k], STATE_SETUP, "changeover");
		else
			state_set(p, &m[k], STATE_IDLE, obstacle ? obstacle : "changeover");
	}
	if (!l->producing)
		return;
	for (int k = 0; k < KIND_PER_LINE; k++) {
		uint32_t mean = (uint32_t)mtbf_s[k] / (i == 1 && k == KIND_PRESS ? 3 : 1);
		if (plant_random(p, mean) == 0)
			machine_fail(p, i * KIND_PER_LINE + k, (int)plant_random(p, FAULT_N));
	}
	l->cycle_left_ms -= PLANT_TICK_MS;
	if (l->cycle_left_ms <= 0) {
		int nominal = plant_products[l->now.product].cycle_ms;
		/* One stroke in twelve hesitates: the small losses that OEE calls performance. */
		int next = nominal + (int)plant_noise(p, 120) + (plant_random(p, 12) == 0 ? nominal / 2 : 0);
		l->cycle_time = next;
		l->cycle_left_ms += next;
		plant_stroke(p, i);
		plant_part_made(p, i);
	}
}

void plant_lines_init(struct plant *p)
{
	static const int shown[] = {1, 2, 3};
	for (int i = 0; i < MACHINE_N; i++) {
		struct machine *m = &p->machines[i];
		bool on_line = i < COMPRESSOR;
		m->line = on_line ? i / KIND_PER_LINE : -1;
		m->kind = on_line ? (enum machine_kind)(i % KIND_PER_LINE) : i == COMPRESSOR ? KIND_COMPRESSOR : KIND_UTILITY;
		snprintf(m->name, sizeof m->name, "%s%d", kind_names[m->kind], on_line ? shown[m->line] : 1);
		m->energy_ws = (int64_t)(1000 + plant_random(p, 4000)) * 3600000;
	}
	p->machines[1 * KIND_PER_LINE + KIND_PRESS].meter_offset_ws = 0;
	/* oven3's register is close to its end: it overflows some hours before "now", whatever the oven draws (12 to 62 kW). */
	p->machines[2 * KIND_PER_LINE + KIND_OVEN].energy_ws = (int64_t)(65535 - 900) * 360000;
	p->next_order = 24001;
	plant_orders_init(p);
}

void plant_lines_tick(struct plant *p)
{
	int64_t scenario_s = plant_scenario_s(p);
	/* Every state is told again when a shift begins, so that time in a state adds up per shift. */
	bool new_shift = strcmp(plant_shift(p->now_ms), plant_shift(p->now_ms - PLANT_TICK_MS)) != 0;
	for (int i = 0; i < MACHINE_N && new_shift; i++)
		if (p->machines[i].state != STATE_OFF)
			state_send(p, &p->machines[i], p->machines[i].state, "new shift");
	struct machine *compressor = &p->machines[COMPRESSOR], *hall = &p->machines[COMPRESSOR + 1];
	if (scenario_s == TRIP_S)
		flood_begin(p);
	if (compressor->state == STATE_DOWN && p->now_ms >= compressor->down_until_ms)
		machine_repair(p, compressor);
	if (compressor->state != STATE_DOWN)
		state_set(p, compressor, STATE_RUNNING, "demand");
	state_set(p, hall, STATE_RUNNING, "always");
	alarms_tick(p);
	for (int i = 0; i < LINE_N; i++)
		line_tick(p, i);
}

/* Reference data: everything once, then what changes. robot4 exists on paper only and is deleted. */
void plant_machines_send(struct plant *p, bool first)
{
	int64_t second = (p->now_ms - p->start_ms) / 1000;
	static const char *const vendors[] = {"Schuler", "Nabertherm", "Interroll", "KUKA", "Kaeser", "Siemens"};
	static const int ideal_kw[] = {22, 62, 4, 6, 75, 13};
	/* Negative seconds are before the sensors start. */
	static const struct { int second, machine; const char *firmware; } changes[] = {{-5400, 3, "2.1"}, {600, 6, "2.0"}, {1500, 8, "1.4"}};
	for (int i = 0; i <= MACHINE_N; i++) {
		bool scrapped = i == MACHINE_N;
		const char *firmware = "1.0";
		bool send = first;
		for (size_t c = 0; c < sizeof changes / sizeof *changes; c++) {
			if (changes[c].machine == i && changes[c].second == second) {
				send = true;
				firmware = changes[c].firmware;
			}
		}
		if (!send && !(scrapped && second == -3600))
			continue;
		const struct machine *m = &p->machines[scrapped ? 3 : i];
		const char *name = scrapped ? "robot4" : m->name;
		buf_clear(&p->value);
		buf_addf(&p->value, "{\"machine\":\"%s\",\"line\":\"%s\",\"type\":\"%s\",\"vendor\":\"%s\",\"installed\":\"%d-0%d-15\",\"firmware\":\"%s\",", name,
			plant_line_name(m->line), kind_names[m->kind], vendors[m->kind], 2009 + i, 1 + i % 9, firmware);
		buf_addf(&p->value, "\"nominal\":{\"kw\":%d,\"parts_per_min\":%d},", ideal_kw[m->kind], m->line < 0 ? 0 : 15);
		plant_add_ts(&p->value, "ts", p->now_ms);
		buf_addc(&p->value, '}');
		bool tombstone = scrapped && !send;
		if (tombstone)
			plant_count(p, NUISANCE_TOMBSTONE);
		plant_send(p, PLANT_MACHINES, bytes_str(name), tombstone ? bytes_of(NULL, 0) : value_of(p), bytes_of(NULL, 0), p->now_ms, p->now_ms);
	}
}

void plant_energy_tick(struct plant *p)
{
	enum { WS_PER_TENTH_KWH = 360000, REGISTER_END = 65536 };        /* 16 bits of 0.1 kWh */
	struct machine *press2 = &p->machines[1 * KIND_PER_LINE + KIND_PRESS], *oven3 = &p->machines[2 * KIND_PER_LINE + KIND_OVEN];
	if (plant_scenario_s(p) == METER_SWAP_S) {
		plant_count(p, NUISANCE_COUNTER_RESET);
		press2->meter_offset_ws = press2->energy_ws;
	}
	if ((oven3->energy_ws - oven3->meter_offset_ws) / WS_PER_TENTH_KWH >= REGISTER_END) {
		plant_count(p, NUISANCE_COUNTER_RESET);
		oven3->meter_offset_ws += (int64_t)REGISTER_END * WS_PER_TENTH_KWH;
	}
	int64_t second = (p->now_ms - p->start_ms) / 1000 + PLANT_BOOK_MS / 1000;
	for (int i = 0; i < MACHINE_N; i++) {
		if ((second + i * 4) % 60 != 0)
			continue;
		const struct machine *m = &p->machines[i];
		char meter[24];
		snprintf(meter, sizeof meter, "em-%s", m->name);
		buf_clear(&p->value);
		buf_addf(&p->value, "{\"meter\":\"%s\",\"machine\":\"%s\",\"line\":\"%s\",\"kwh\":", meter, m->name, plant_line_name(m->line));
		plant_add_fixed(&p->value, (m->energy_ws - m->meter_offset_ws) / WS_PER_TENTH_KWH * 100, 1);
		buf_adds(&p->value, ",\"kw\":");
		plant_add_fixed(&p->value, m->power_w, 1);
		buf_addc(&p->value, ',');
		plant_add_ts(&p->value, "ts", p->now_ms);
		buf_addc(&p->value, '}');
		plant_send(p, PLANT_ENERGY, bytes_str(meter), value_of(p), bytes_of(NULL, 0), p->now_ms, p->now_ms);
	}
}
