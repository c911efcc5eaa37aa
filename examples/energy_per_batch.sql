#!/usr/bin/env -S weir -f
-- Energy of the oven per batch: the mean of its power readings over the batch's time. Run: weir demo -f examples/energy_per_batch.sql
-- Only batches of the last hour have sensor data. Readings come every 5 s, so the mean times the duration is the energy.
WITH power AS MATERIALIZED (
  SELECT line, _ts, value AS kw FROM "plant.sensors" WHERE signal = 'power' AND typeof(value) IN ('real', 'integer')),
batch AS MATERIALIZED (
  SELECT batch, line, product, parts, ts(started) AS t0, ts(ended) AS t1 FROM "plant.quality" WHERE _ts >= (SELECT min(_ts) FROM power) + 300000)
SELECT batch, product, parts, round((t1 - t0) / 60000.0, 1) AS minutes, round(avg(kw) * (t1 - t0) / 3600000.0, 2) AS kwh,
       round(1000 * avg(kw) * (t1 - t0) / 3600000.0 / parts, 1) AS wh_per_part
  FROM batch JOIN power ON power.line = batch.line AND power._ts >= t0 AND power._ts < t1
 GROUP BY batch, product, parts, t0, t1 ORDER BY wh_per_part DESC LIMIT 10;
