/* MES orders and batches. An order is released, perhaps changed, started, completed (or aborted); its parts form batches of BATCH_PARTS,
 * and each batch gets one laboratory result one to four minutes later. The result follows from the process: hardness falls with the
 * distance of the oven's mean temperature from its setpoint, thickness with the press force above nominal. */
#include "shell/demo/plant_model.h"

#include <stdio.h>

#include "core/time.h"

const struct product plant_products[] = {
	{"bracket-A", 190, 800, 4000}, {"hinge-B", 205, 950, 5000}, {"plate-C", 175, 620, 3200},
};
enum { PRODUCT_N = sizeof plant_products / sizeof *plant_products, CUSTOMER_N = 4, LATIN1_ORDER = 24012 };

static const struct { const char *name, *country; } customers[CUSTOMER_N] = {
	{"Nordwerk", "DE"}, {"Alpine Motion", "AT"}, {"Vesta Frames", "CZ"}, {"Lumen & Co", "NL"},
};
static const char *const operators[] = {"M. Keller", "A. Novak", "S. Lindqvist", "J\u00fcrgen Roth"};

static void order_send(struct plant *p, int line, const struct order *o, const char *status)
{
	char key[24];
	int key_len = snprintf(key, sizeof key, "MO-%d", o->number);
	buf_clear(&p->value);
	buf_addf(&p->value, "{\"order\":\"%s\",\"status\":\"%s\",\"line\":\"%s\",\"product\":\"%s\",\"quantity\":%d,\"produced\":%d,", key, status,
		plant_line_name(line), plant_products[o->product].name, o->quantity, o->produced);
	buf_addf(&p->value, "\"customer\":{\"name\":\"%s\",\"country\":\"%s\"},\"operator\":\"", customers[o->customer].name, customers[o->customer].country);
	if (o->number == LATIN1_ORDER && o->produced == 0 && status[0] == 's') {
		plant_count(p, NUISANCE_BAD_UTF8);
		buf_adds(&p->value, "J\xfcrgen Roth");
	} else {
		buf_adds(&p->value, operators[(o->number + line) % 4]);
	}
	buf_adds(&p->value, "\",");
	plant_add_ts(&p->value, "due", o->due_ms);
	buf_addc(&p->value, ',');
	plant_add_ts(&p->value, "ts", p->now_ms);
	buf_addc(&p->value, '}');
	plant_send(p, PLANT_ORDERS, bytes_of(key, (size_t)key_len), bytes_of(p->value.data, p->value.len), bytes_of(NULL, 0), p->now_ms, p->now_ms);
}

static struct order order_new(struct plant *p, int line)
{
	struct order o = {.number = p->next_order++, .product = (int)plant_random(p, PRODUCT_N), .quantity = BATCH_PARTS * (6 + (int)plant_random(p, 9)),
		.customer = (int)plant_random(p, CUSTOMER_N)};
	o.due_ms = p->now_ms - p->now_ms % 60000 + 60000 * (20 + (int64_t)plant_random(p, 41));
	order_send(p, line, &o, "released");
	return o;
}

void plant_orders_init(struct plant *p)
{
	for (int i = 0; i < LINE_N; i++)
		p->lines[i].setup_until_ms = p->now_ms + 20000 * (i + 1);
}

static void quality_send(struct plant *p, int line)
{
	const struct line *l = &p->lines[line];
	const struct product *product = &plant_products[l->now.product];
	int64_t off_c = l->temp_sum / l->batch_parts - product->setpoint_c * 1000;
	int64_t off_kn = l->force_sum / l->batch_parts - (int64_t)product->force_kn * 1000;
	int64_t distance = off_c < 0 ? -off_c : off_c;
	int64_t hardness = 58000 - distance * 45 / 100 + plant_noise(p, 350);           /* HRC; good from 54 on */
	int64_t thickness = 3050 - off_kn / 400 + plant_noise(p, 8);                    /* mm; good 2.98 .. 3.10 */
	bool soft = hardness < 54000, thin = thickness < 2980, thick = thickness > 3100;
	int64_t scrap = (soft ? 5 + plant_random(p, 12) : 0) + (thin || thick ? 2 + plant_random(p, 5) : 0) + (plant_random(p, 6) == 0 ? 1 : 0);
	int64_t at_ms = p->now_ms + 60000 + 1000 * (int64_t)plant_random(p, 180);
	char key[32];
	int key_len = snprintf(key, sizeof key, "B-%d-%02d", l->now.number, l->batch_number);
	buf_clear(&p->value);
	buf_addf(&p->value, "{\"batch\":\"%s\",\"order\":\"MO-%d\",\"line\":\"%s\",\"product\":\"%s\",", key, l->now.number, plant_line_name(line), product->name);
	plant_add_ts(&p->value, "started", l->batch_start_ms);
	buf_addc(&p->value, ',');
	plant_add_ts(&p->value, "ended", p->now_ms);
	buf_addf(&p->value, ",\"parts\":%d,\"good\":%d,\"scrap\":%d,\"result\":\"%s\",\"measure\":{\"hardness_hrc\":", l->batch_parts, l->batch_parts - (int)scrap, (int)scrap,
		soft || thin || thick ? "fail" : "pass");
	plant_add_fixed(&p->value, hardness, 1);
	buf_adds(&p->value, ",\"thickness_mm\":");
	plant_add_fixed(&p->value, thickness, 3);
	buf_addf(&p->value, "},\"defects\":[%s%s%s],", soft ? "\"soft\"" : "", soft && (thin || thick) ? "," : "", thin ? "\"thin\"" : thick ? "\"thick\"" : "");
	plant_add_ts(&p->value, "ts", at_ms);
	buf_addc(&p->value, '}');
	plant_send(p, PLANT_QUALITY, bytes_of(key, (size_t)key_len), bytes_of(p->value.data, p->value.len), bytes_of(NULL, 0), at_ms, at_ms);
}

static void order_start(struct plant *p, int i)
{
	struct line *l = &p->lines[i];
	int before = l->now.product;
	bool first = l->now.number == 0;
	l->now = l->queue[0];
	for (int q = 1; q < QUEUE_N; q++)
		l->queue[q - 1] = l->queue[q];
	l->queue[QUEUE_N - 1] = (struct order){.number = 0};
	l->setpoint = plant_products[l->now.product].setpoint_c * 1000;
	l->parts = 0;
	l->batch_number = 0;
	l->batch_parts = 0;
	/* The same product again needs a minute, another one two to four. */
	int64_t setup_s = !first && before == l->now.product ? 60 : 120 + (int64_t)plant_random(p, 120);
	l->setup_until_ms = p->now_ms + setup_s * 1000;
	order_send(p, i, &l->now, "started");
}

void plant_orders_tick(struct plant *p, int i)
{
	struct line *l = &p->lines[i];
	for (int q = 0; q < QUEUE_N; q++) {
		if (l->queue[q].number != 0 || p->now_ms < l->next_release_ms)
			continue;
		l->queue[q] = order_new(p, i);
		l->next_release_ms = p->now_ms + 30000 + 1000 * (int64_t)plant_random(p, 90);
	}
	/* A customer changes a waiting order now and then: about one in ten. */
	struct order *waiting = &l->queue[QUEUE_N - 1];
	if (waiting->number != 0 && plant_random(p, 6000) == 0) {
		waiting->quantity += BATCH_PARTS;
		order_send(p, i, waiting, "changed");
	}
	if (l->now.number == 0 && l->queue[0].number != 0)
		order_start(p, i);
}

void plant_part_made(struct plant *p, int i)
{
	struct line *l = &p->lines[i];
	if (l->batch_parts == 0) {
		l->batch_start_ms = p->now_ms;
		l->batch_number++;
		l->force_sum = l->temp_sum = 0;
	}
	l->now.produced++;
	l->batch_parts++;
	l->force_sum += l->force;
	l->temp_sum += (l->zone_shown[0] + l->zone_shown[1]) / 2;
	if (l->batch_parts == BATCH_PARTS || l->now.produced == l->now.quantity) {
		quality_send(p, i);
		l->batch_parts = 0;
	}
	/* A handful of orders is given up half way. */
	bool aborted = l->now.produced == l->now.quantity / 2 && plant_random(p, 40) == 0;
	if (l->now.produced == l->now.quantity || aborted) {
		order_send(p, i, &l->now, aborted ? "aborted" : "completed");
		l->now.number = 0;
	}
}
