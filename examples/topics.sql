#!/usr/bin/env -S weir -f
-- Every topic at a glance: partitions, offsets, how evenly they are spread. Works on any cluster: weir -b host:9092 -f examples/topics.sql
SELECT topic, count(*) AS partitions, sum(high - low) AS offsets,
       round(1.0 * max(high - low) * count(*) / nullif(sum(high - low), 0), 2) AS fullest_over_mean, sum(leader < 0) AS leaderless
  FROM weir_partitions GROUP BY topic ORDER BY offsets DESC;
