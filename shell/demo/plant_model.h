/* Inside of the plant model; only shell/demo/plant*.c include this. Values are integers in thousandths of the unit (1.234 kN = 1234),
 * powers in watts, energy in watt-seconds. plant.c owns the struct and sends messages; plant_line.c moves states and alarms, plant_orders.c orders and batches;
 * plant_physics.c moves temperatures, pressures and currents; plant_tags.c turns them into sensor messages and spoils some. */
#ifndef WEIR_SHELL_DEMO_PLANT_MODEL_H
#define WEIR_SHELL_DEMO_PLANT_MODEL_H

#include "core/buf.h"
#include "shell/demo/plant.h"

enum { LINE_N = 3, MACHINE_N = 14, QUEUE_N = 2, BATCH_PARTS = 25, OVEN_LIMIT = 235000 };

enum machine_kind { KIND_PRESS, KIND_OVEN, KIND_CONVEYOR, KIND_ROBOT, KIND_COMPRESSOR, KIND_UTILITY };
enum { KIND_PER_LINE = 4 };
enum machine_state { STATE_OFF, STATE_IDLE, STATE_SETUP, STATE_RUNNING, STATE_DOWN };

struct machine {
	enum machine_kind kind;
	int line;                            /* 0..2, -1 = utilities */
	char name[16];
	enum machine_state state;
	int64_t down_until_ms;               /* 0 = not down */
	int alarm;                           /* index into the kind's alarms while down */
	int64_t energy_ws, meter_offset_ws;  /* the meter shows energy - offset */
	int64_t power_w;
};

struct product {
	const char *name;
	int setpoint_c, force_kn, cycle_ms;
};

struct order {
	int number;                          /* 0 = none */
	int product, quantity, produced;
	int64_t due_ms;
	int customer;
};

struct line {
	struct order now, queue[QUEUE_N];
	int64_t setup_until_ms;
	int64_t next_release_ms;
	int32_t cycle_left_ms;
	bool producing;
	/* the batch in work */
	int batch_number, batch_parts;
	int64_t batch_start_ms, force_sum, temp_sum;
	/* press */
	int64_t force, wear, oil, cycle_time;
	int64_t strokes, parts;
	/* oven */
	int64_t zone[2], zone_shown[2], duty, damper, setpoint;
	bool heater_stuck, too_hot;
	/* conveyor and robot */
	int64_t speed, axis_phase, gearbox;
};

struct pending_alarm {
	int64_t at_ms;
	int machine;
	const char *name;
	int severity;
	bool active, flood;
};

struct held {
	struct plant_event event;            /* its bytes are owned here */
	uint8_t *data;
};

struct plant {
	uint64_t rng[4];
	int64_t start_ms, now_ms;
	struct machine machines[MACHINE_N];
	struct line lines[LINE_N];
	struct pending_alarm *alarms; size_t alarm_n, alarm_cap;
	struct held *held; size_t held_n, held_cap;
	int next_order;
	/* air, hall, cooling water */
	int64_t pressure, compressor_oil, hall, humidity, water_flow, water_temp, dewpoint;
	bool loaded;
	int64_t stuck_value[64];             /* per tag; INT64_MIN = not stuck */
	int64_t sensor_n;                    /* numbers the sensor messages, for the nuisances that come every so many */
	struct buf key, value, headers;
	struct plant_stats stats;
	plant_emit_fn *emit;
	void *emit_arg;
	bool failed;
};

extern const struct product plant_products[];
extern const char *const plant_state_names[];

/* plant.c */
uint32_t plant_random(struct plant *p, uint32_t below);          /* 0 .. below-1 */
int64_t plant_noise(struct plant *p, int64_t sigma);             /* about normal, mean 0 */
int64_t plant_scenario_s(const struct plant *p);                 /* second of the scenario's hour, -1 before the sensors start */
void plant_send(struct plant *p, enum plant_topic topic, struct bytes key, struct bytes value, struct bytes headers, int64_t ts_ms, int64_t at_ms);
void plant_count(struct plant *p, enum plant_nuisance n);
void plant_add_fixed(struct buf *b, int64_t milli, int decimals);
void plant_add_ts(struct buf *b, const char *name, int64_t ms);  /* "name":"2026-..Z" */
const char *plant_line_name(int line);
const char *plant_shift(int64_t ms);

/* plant_line.c */
void plant_lines_init(struct plant *p);
void plant_machines_send(struct plant *p, bool first);
void plant_lines_tick(struct plant *p);
void plant_energy_tick(struct plant *p);

/* plant_orders.c */
void plant_orders_init(struct plant *p);
void plant_orders_tick(struct plant *p, int line);               /* releases, starts */
void plant_part_made(struct plant *p, int line);

/* plant_physics.c */
void plant_physics_init(struct plant *p);
void plant_physics_tick(struct plant *p);
void plant_stroke(struct plant *p, int line);                    /* the press of this line has made a part */

/* plant_tags.c */
void plant_tags_init(struct plant *p);
void plant_tags_tick(struct plant *p);

#endif
