#!/usr/bin/env -S weir -f
-- OEE per line and shift from three topics: availability from machine states, performance from parts against the ideal cycle, quality
-- from the laboratory's results. Run: weir demo -f examples/oee.sql
-- The press paces the line. Planned time is the time covered by the states; cycle times are the products' (4.0, 5.0, 3.2 s).
WITH states AS (
  SELECT line, shift, state, lead(_ts) OVER (PARTITION BY machine ORDER BY _ts) - _ts AS ms
    FROM "plant.events" WHERE type = 'state' AND machine LIKE 'press%'),
time AS (
  SELECT line, shift, sum(ms) AS planned_ms, sum(ms) FILTER (WHERE state = 'running') AS running_ms
    FROM states WHERE state <> 'off' GROUP BY line, shift),
made AS (
  SELECT line, CASE WHEN substr(ended, 12, 2) BETWEEN '06' AND '13' THEN 'early' WHEN substr(ended, 12, 2) BETWEEN '14' AND '21' THEN 'late' ELSE 'night' END AS shift,
         sum(parts) AS parts, sum(good) AS good,
         sum(parts * CASE product WHEN 'bracket-A' THEN 4000 WHEN 'hinge-B' THEN 5000 ELSE 3200 END) AS ideal_ms
    FROM "plant.quality" WHERE parts IS NOT NULL GROUP BY 1, 2)
SELECT line, shift, round(100.0 * running_ms / planned_ms, 1) AS availability, round(100.0 * ideal_ms / running_ms, 1) AS performance,
       round(100.0 * good / parts, 1) AS quality, round(100.0 * running_ms / planned_ms * ideal_ms / running_ms * good / parts, 1) AS oee
  FROM time JOIN made USING (line, shift) ORDER BY line, shift;
