-- Days: one row per day with hits: how much came from how many sources and files.
-- grain:  day
-- inputs: daily (with day), shares (day, source, file_key: which raw files gave hits to which day)
-- params: none
-- notes:  error_share is the share of 5xx among the hits that are not robots'.
WITH files AS (
    SELECT day, count(DISTINCT source) AS sources, count(*) AS files
    FROM shares
    GROUP BY day
)
SELECT
    d.day,
    any_value(f.sources) AS sources,
    any_value(f.files) AS files,
    sum(d.hits + d.robot_hits)::BIGINT AS hits,
    sum(d.robot_hits)::BIGINT AS robot_hits,
    sum(d.sessions)::BIGINT AS sessions,
    sum(d.errors) / nullif(sum(d.hits), 0)::DOUBLE AS error_share,
    max(d.geo_built) AS geo_built,
    any_value(d.geo_is_late) AS geo_is_late
FROM daily AS d
JOIN files AS f USING (day)
GROUP BY d.day
ORDER BY d.day
