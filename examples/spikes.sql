#!/usr/bin/env -S weir -f
-- Values far from their neighbours: a z-score over the last five minutes of each robot axis, while the robot moves (mean over 3 A). Run: weir demo -f examples/spikes.sql
WITH axis AS (
  SELECT tag, _ts, value,
         avg(value) OVER recent AS mean, avg(value * value) OVER recent AS square, count(*) OVER recent AS n
    FROM "plant.sensors" WHERE signal LIKE 'axis%' AND typeof(value) IN ('real', 'integer')
  WINDOW recent AS (PARTITION BY tag ORDER BY _ts RANGE BETWEEN 300000 PRECEDING AND 1 PRECEDING))
SELECT time_text(_ts) AS at, tag, value, round(mean, 2) AS mean, round((value - mean) / sqrt(square - mean * mean), 1) AS z
  FROM axis WHERE n >= 60 AND mean > 3 AND abs(value - mean) > 6 * sqrt(square - mean * mean) ORDER BY _ts;
