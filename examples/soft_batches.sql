#!/usr/bin/env -S weir -f
-- Why are batches soft? Oven temperature against setpoint, beside the hardness the laboratory found. Run: weir demo -f examples/soft_batches.sql
WITH temp AS MATERIALIZED (
  SELECT line, _ts, value AS degc FROM "plant.sensors" WHERE signal = 'zone1_temp' AND typeof(value) IN ('real', 'integer')),
target AS MATERIALIZED (
  SELECT line, _ts, value AS degc FROM "plant.sensors" WHERE signal = 'setpoint'),
batch AS MATERIALIZED (
  SELECT batch, line, product, ts(started) AS t0, ts(ended) AS t1, _value ->> '$.measure.hardness_hrc' AS hardness, result
    FROM "plant.quality" WHERE _ts >= (SELECT min(_ts) FROM temp) + 300000)
SELECT batch, product, hardness, result, round(avg(temp.degc), 1) AS mean_degc,
       round(avg(temp.degc) - (SELECT target.degc FROM target WHERE target.line = batch.line AND target._ts <= t1 ORDER BY target._ts DESC LIMIT 1), 1) AS off_setpoint
  FROM batch JOIN temp ON temp.line = batch.line AND temp._ts >= t0 AND temp._ts < t1
 GROUP BY batch ORDER BY hardness LIMIT 10;
