#!/usr/bin/env -S weir -f
-- Which messages cannot be decoded, why, and where? Run: weir demo -f examples/dead_letters.sql
-- To keep them: \copy (SELECT ..) TO bad.csv, or INSERT INTO a topic of their own (--write).
SELECT header(_headers, 'gateway') AS gateway, replace(_error, rtrim(_error, '0123456789'), '') AS at_byte, count(*) AS n,
       min(_partition || ':' || _offset) AS first, substr(min(_value), 1, 48) AS example
  FROM "plant.sensors" WHERE _error LIKE 'JSON:%' GROUP BY gateway, at_byte ORDER BY n DESC, gateway, at_byte;
