#!/usr/bin/env -S weir -f
-- What came late, what came twice? Late: the record's time is behind a record that was read before it in the same partition by more
-- than 10 s. Twice: an MQTT bridge marks what it repeats with a header. Run: weir demo -f examples/late_and_repeated.sql
WITH seen AS (
  SELECT line, _headers, _ts, max(_ts) OVER (PARTITION BY _partition ORDER BY _offset) AS newest FROM "plant.sensors")
SELECT header(_headers, 'gateway') AS gateway, count(*) AS messages, sum(newest - _ts > 10000) AS late,
       round(max(newest - _ts) / 1000.0, 1) AS worst_s, sum(header(_headers, 'mqtt_dup') = '1') AS repeated
  FROM seen GROUP BY gateway ORDER BY gateway;
