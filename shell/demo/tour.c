/* shell/demo/tour.h. Titles are the questions; a text says what the answer shows and why it is cheap; sql is what gets run, formatted as a
 * person would type it. Steps are independent of each other and may be run again. */
#include "shell/demo/tour.h"

const struct tour_step demo_tour[DEMO_TOUR_N] = {
	{
		"What is on this cluster?",
		"Topics, partitions and offsets are tables too. Nothing has been read yet: the counts come from offsets.",
		"SELECT topic, count(*) AS partitions, sum(high - low) AS messages\n"
		"  FROM weir_partitions GROUP BY topic ORDER BY topic;",
	},
	{
		"What came in last?",
		"A topic is a table, and nobody had to declare it: the columns are found by looking at a few messages. The newest rows are\n"
		"read from the end of the partition, so this costs the same on a thousand messages and on a billion.",
		"SELECT _time, tag, value, unit, quality FROM \"plant.sensors\"\n"
		"  WHERE _partition = 0 ORDER BY _offset DESC LIMIT 5;",
	},
	{
		"What will a query cost before I run it?",
		"EXPLAIN SCAN shows what would be fetched, partition by partition, and what happens to every condition. A key lives in one\n"
		"partition, so three of four are not read at all.",
		"EXPLAIN SCAN SELECT _time, value FROM \"plant.sensors\"\n"
		"  WHERE _key = 'line1/oven1/zone1_temp';",
	},
	{
		"Did the oven overheat?",
		"The same key, five minutes a row. A heater contactor stuck: look for the five minutes with a maximum far above the mean.",
		"SELECT time_text(_ts / 300000 * 300000) AS since, count(*) AS n, round(avg(value), 1) AS mean, max(value) AS highest\n"
		"  FROM \"plant.sensors\" WHERE _key = 'line1/oven1/zone1_temp'\n"
		"  GROUP BY since ORDER BY since;",
	},
	{
		"How much of the data is broken?",
		"NaN, messages cut in half, a gateway's error text: a bad message never stops a query and never disappears. Its columns are\n"
		"NULL, _error says why, _value is intact.",
		"SELECT CASE WHEN _value LIKE '%NaN%' THEN 'NaN' WHEN _value LIKE '{%' THEN 'cut' ELSE 'not JSON' END AS what,\n"
		"       count(*) AS n, min(_error) AS error, substr(min(_value), 1, 40) AS example\n"
		"  FROM \"plant.sensors\" WHERE _error IS NOT NULL GROUP BY what ORDER BY n DESC;",
	},
	{
		"Which sensors are dead or stuck?",
		"A dead sensor sends nothing, a stuck one sends the same value for ten minutes. Both look fine on a dashboard.",
		"WITH ten_min AS (\n"
		"  SELECT tag, count(*) AS n, count(DISTINCT value) AS shown, max(_ts) AS last FROM \"plant.sensors\"\n"
		"   WHERE tag IS NOT NULL AND signal <> 'setpoint' AND unit <> '1' GROUP BY tag, _ts / 600000),\n"
		"tags AS (\n"
		"  SELECT tag, max(last) AS last, sum(n >= 30 AND shown = 1) AS stuck FROM ten_min GROUP BY tag)\n"
		"SELECT tag, time_text(last) AS last_seen, CASE WHEN stuck THEN 'stuck for ' || stuck || '0 min' ELSE 'silent' END AS state\n"
		"  FROM tags WHERE stuck OR last < (SELECT max(last) FROM tags) - 60000;",
	},
	{
		"Forty alarms in half a minute: which was first?",
		"The alarm with the most others in the minute after it is the cause, not the loudest one. _ts >= ts('-1h') is a condition on\n"
		"the record's time: a broker with a time index starts reading there.",
		"SELECT _time, machine, alarm, severity, count(*) OVER (\n"
		"         ORDER BY _ts RANGE BETWEEN CURRENT ROW AND 60000 FOLLOWING) AS in_next_minute\n"
		"  FROM \"plant.events\" WHERE type = 'alarm' AND active AND _ts >= ts('-1h')\n"
		"  ORDER BY in_next_minute DESC, _ts LIMIT 5;",
	},
	{
		"Whose machines stand still the most?",
		"plant.machines is a changelog: as a TABLE it has one row a key, the last one, and the scrapped robot4 (a tombstone) is gone.\n"
		"States become durations with lead(), then join what nobody would copy into every message: the vendor.",
		"CREATE TABLE IF NOT EXISTS machine_list (machine TEXT PRIMARY KEY, type TEXT, vendor TEXT, firmware TEXT)\n"
		"  FROM TOPIC 'plant.machines' WITH (format = 'json');\n"
		"WITH states AS (\n"
		"  SELECT machine, state, reason, lead(_ts) OVER (PARTITION BY machine ORDER BY _ts) - _ts AS ms\n"
		"    FROM \"plant.events\" WHERE type = 'state')\n"
		"SELECT m.vendor, m.type, count(*) AS stops, round(sum(ms) / 60000.0, 1) AS minutes\n"
		"  FROM states JOIN machine_list AS m USING (machine) WHERE state = 'down'\n"
		"  GROUP BY m.vendor, m.type ORDER BY minutes DESC;",
	},
	{
		"Which product costs us the most scrap, and how long does an order take?",
		"Two topics of the MES and the laboratory, joined by order. Nested JSON is reached by path; the path works on any message,\n"
		"declared or not.",
		"WITH runs AS (\n"
		"  SELECT \"order\", product, max(_ts) FILTER (WHERE status = 'completed') - max(_ts) FILTER (WHERE status = 'started') AS ms\n"
		"    FROM \"plant.orders\" WHERE product IS NOT NULL GROUP BY \"order\", product),\n"
		"lab AS (\n"
		"  SELECT \"order\", sum(scrap) AS scrap, sum(parts) AS parts, avg(_value ->> '$.measure.hardness_hrc') AS hrc\n"
		"    FROM \"plant.quality\" GROUP BY \"order\")\n"
		"SELECT product, count(*) AS orders, round(avg(ms) / 60000.0, 1) AS minutes, round(avg(hrc), 1) AS hardness,\n"
		"       round(100.0 * sum(scrap) / sum(parts), 2) AS scrap_percent\n"
		"  FROM runs JOIN lab USING (\"order\") WHERE ms IS NOT NULL\n"
		"  GROUP BY product ORDER BY scrap_percent DESC;",
	},
	{
		"Where does the energy go?",
		"Meters are counters, and counters reset: press2's was exchanged, oven3's overflowed at 6553.5 kWh. last - first lies; the sum of\n"
		"steps, with a step after a reset counted from zero, does not.",
		"WITH steps AS (\n"
		"  SELECT machine, kwh, lag(kwh) OVER (PARTITION BY meter ORDER BY _ts) AS before FROM \"plant.energy\")\n"
		"SELECT machine, round(max(kwh) - min(kwh), 1) AS max_minus_min,\n"
		"       round(sum(CASE WHEN kwh < before THEN kwh ELSE kwh - before END), 1) AS used_kwh, sum(kwh < before) AS resets\n"
		"  FROM steps GROUP BY machine ORDER BY resets DESC, used_kwh DESC LIMIT 6;",
	},
};

void tour_markdown(struct buf *to)
{
	buf_adds(to, "# The five-minute tour\n\n"
		"`weir demo` starts a broker inside the program, fills it with an hour of a simulated plant (and eight hours of its states, orders,\n"
		"quality results and energy meters) and keeps it running. `\\tour` at its prompt walks through the ten questions below; `\\tour 3` asks\n"
		"one of them. Without a terminal `weir demo` answers all ten and ends. With `--start 2026-09-01T06:00:00Z` the plant's clock is fixed and\n"
		"nothing moves, so every answer can be repeated (only question 7 asks for the last hour of your clock); `--seed 2` is another plant history. Any other option works as with a real cluster:\n\n"
		"    weir demo -c 'SELECT count(*) FROM \"plant.sensors\"'\n\n"
		"The plant has three lines of a press, an oven, a conveyor and a robot, a compressor, and the troubles that real plants have: late and\n"
		"repeated messages, NaN, cut and broken JSON, numbers as text, missing fields, mixed units, a stuck and a dead sensor, a clock that steps\n"
		"back, an alarm flood, counters that reset, a deleted machine.\n");
	for (int i = 0; i < DEMO_TOUR_N; i++)
		buf_addf(to, "\n## %d. %s\n\n%s\n\n```sql\n%s\n```\n", i + 1, demo_tour[i].title, demo_tour[i].text, demo_tour[i].sql);
}
