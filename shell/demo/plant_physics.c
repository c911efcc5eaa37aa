/* The physics of the model, one second a tick: ovens are first-order systems with a controller, a damper that drifts and a sensor lag;
 * the compressor saws between two pressures; presses warm their oil and wear their tools; robots and conveyors draw current while they
 * move. All values in thousandths. What the process does here decides what plant_line.c writes into the quality results. */
#include "shell/demo/plant_model.h"

#include "core/time.h"

enum {
	AMBIENT = 22000,                     /* m°C */
	OVEN_LOSS_S = 400,                   /* time constant of the empty oven */
	OVEN_GAIN = 900,                     /* m°C per second at full power */
	OVEN_SENSOR_S = 5,
	AIR_LOW = 6800, AIR_HIGH = 7600,     /* mbar-ish: thousandths of a bar */
};

void plant_physics_init(struct plant *p)
{
	for (int i = 0; i < LINE_N; i++) {
		struct line *l = &p->lines[i];
		l->setpoint = 190000;
		for (int z = 0; z < 2; z++)
			l->zone[z] = l->zone_shown[z] = 185000 + 1000 * (int64_t)plant_random(p, 8);
		l->oil = 41000 + 500 * (int64_t)plant_random(p, 8);
		l->gearbox = 38000;
		l->force = 800000;
		l->cycle_time = 4000;
		l->wear = 400 * (int64_t)plant_random(p, 20);
	}
	p->pressure = 7200;
	p->compressor_oil = 68000;
	p->hall = 21500;
	p->humidity = 46000;
	p->water_flow = 118000;
	p->water_temp = 17500;
	p->dewpoint = 3000;
	p->loaded = true;
}

static int64_t clamp(int64_t v, int64_t low, int64_t high)
{
	return v < low ? low : v > high ? high : v;
}

static int64_t towards(int64_t v, int64_t target, int64_t tau_s)
{
	return v + (target - v) / tau_s;
}

static void oven_tick(struct plant *p, int i)
{
	struct line *l = &p->lines[i];
	const struct machine *oven = &p->machines[i * KIND_PER_LINE + KIND_OVEN];
	/* The damper wanders and comes back: this is why batches differ in hardness. */
	l->damper = clamp(l->damper + plant_noise(p, 180) - l->damper / 900, -12000, 12000);
	l->too_hot = l->zone[0] > OVEN_LIMIT;
	int64_t middle = (l->zone[0] + l->zone[1]) / 2;
	int64_t duty = (l->setpoint + l->damper - AMBIENT) * 1000 / OVEN_LOSS_S / OVEN_GAIN + (l->setpoint + l->damper - middle) / 20;
	l->duty = clamp(duty, 0, 1000);
	if (oven->state == STATE_DOWN)
		l->duty = l->duty < 300 ? l->duty : 300;
	if (l->heater_stuck)
		l->duty = 1000;
	for (int z = 0; z < 2; z++) {
		int64_t v = l->zone[z];
		v += l->duty * OVEN_GAIN / 1000 - (v - AMBIENT) / OVEN_LOSS_S + plant_noise(p, 60);
		v += (l->zone[1 - z] - v) / 60;
		if (z == 1 && l->producing)
			v -= 15;                     /* the cold parts come in here */
		l->zone[z] = v;
		l->zone_shown[z] = towards(l->zone_shown[z], v, OVEN_SENSOR_S);
	}
}

static void air_tick(struct plant *p)
{
	struct machine *c = &p->machines[LINE_N * KIND_PER_LINE];
	int64_t use = 6;
	for (int i = 0; i < LINE_N; i++)
		use += p->lines[i].producing ? 5 : 1;
	if (c->state == STATE_DOWN)
		p->loaded = false;
	else if (p->pressure < AIR_LOW)
		p->loaded = true;
	else if (p->pressure > AIR_HIGH)
		p->loaded = false;
	/* After a trip the receiver empties in half a minute. */
	int64_t step = (p->loaded ? 42 : 0) - use - (c->state == STATE_DOWN ? 60 : 0);
	p->pressure = clamp(p->pressure + step + plant_noise(p, 4), 3500, 9000);
	p->compressor_oil = towards(p->compressor_oil, p->loaded ? 82000 : c->state == STATE_DOWN ? 30000 : 70000, 300) + plant_noise(p, 40);
	p->dewpoint = towards(p->dewpoint, p->loaded ? 4200 : 2800, 120) + plant_noise(p, 20);
	c->power_w = c->state == STATE_DOWN ? 300 : p->loaded ? 75000 : 26000;
}

void plant_stroke(struct plant *p, int i)
{
	struct line *l = &p->lines[i];
	const struct product *product = &plant_products[l->now.product];
	int64_t scenario_s = plant_scenario_s(p);
	/* line3's press runs one and a half sigma high from minute 35 on: for control charts. */
	int64_t shift = i == 2 && scenario_s >= 35 * 60 ? 9000 : 0;
	l->force = product->force_kn * 1000 + l->wear + shift + plant_noise(p, 6000);
	l->wear += 12;
	if (l->wear > 22000)
		l->wear = 0;                     /* a new tool */
	l->strokes++;
	l->parts++;
}

void plant_physics_tick(struct plant *p)
{
	int64_t minute_of_day = p->now_ms / 60000 % 1440;
	int64_t noon = minute_of_day < 0 ? 0 : minute_of_day < 840 ? minute_of_day : 2 * 840 - minute_of_day;   /* warmest at 14:00 */
	p->hall = towards(p->hall, 19000 + noon * 7, 600) + plant_noise(p, 30);
	p->humidity = clamp(towards(p->humidity, 60000 - noon * 20, 900) + plant_noise(p, 80), 20000, 90000);
	p->water_flow = clamp(towards(p->water_flow, 118000, 60) + plant_noise(p, 500), 60000, 160000);
	p->water_temp = towards(p->water_temp, 17500 + (p->hall - 21000) / 4, 200) + plant_noise(p, 25);
	for (int i = 0; i < LINE_N; i++) {
		struct line *l = &p->lines[i];
		struct machine *m = &p->machines[i * KIND_PER_LINE];
		int64_t scenario_s = plant_scenario_s(p);
		/* line1's heater contactor sticks in minute 18 for three minutes. */
		l->heater_stuck = i == 0 && scenario_s >= 18 * 60 && scenario_s < 21 * 60;
		oven_tick(p, i);
		bool press = m[KIND_PRESS].state == STATE_RUNNING, belt = m[KIND_CONVEYOR].state == STATE_RUNNING;
		bool robot = m[KIND_ROBOT].state == STATE_RUNNING;
		l->oil = towards(l->oil, press ? 52000 : 30000, 900) + plant_noise(p, 50);
		l->speed = towards(l->speed, belt ? 12400 : 0, 2);
		l->gearbox = towards(l->gearbox, robot ? 56000 : 28000, 1200) + plant_noise(p, 40);
		if (robot)
			l->axis_phase = (l->axis_phase + 1) % 6;
		m[KIND_PRESS].power_w = press ? 22000 : m[KIND_PRESS].state == STATE_DOWN ? 400 : 3000;
		m[KIND_OVEN].power_w = 2000 + l->duty * 60;
		m[KIND_CONVEYOR].power_w = belt ? 4000 : 300;
		m[KIND_ROBOT].power_w = robot ? 6200 : 900;
	}
	air_tick(p);
	p->machines[LINE_N * KIND_PER_LINE + 1].power_w = 9000 + (p->hall > 22000 ? 4000 : 0);
	for (int i = 0; i < MACHINE_N; i++)
		p->machines[i].energy_ws += p->machines[i].power_w;
}
