#!/usr/bin/env -S weir -f
-- A check for cron or CI: exit 4 if something is wrong with the data. Run: weir demo -f examples/health.sql
SELECT count(*) AS messages, count(_error) AS bad FROM "plant.sensors" \gset
\warn messages :messages, bad :bad
\assert SELECT :messages > 0
\assert SELECT :bad <= 0.001 * :messages
-- No partition without a leader; no group that lost messages before it read them.
\assert SELECT count(*) = 0 FROM weir_topics WHERE leaderless > 0 AND topic LIKE 'plant.%'
\assert SELECT coalesce(sum(lost), 0) = 0 FROM weir_group_offsets
SELECT topic, sum(high - low) AS messages FROM weir_partitions WHERE topic LIKE 'plant.%' GROUP BY topic ORDER BY topic;
