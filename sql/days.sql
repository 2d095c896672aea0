-- Days: one row per day with hits: how much came from how many sources and files, how complete it is.
-- grain:  day
-- inputs: daily (with day), shares (day, source, files: how many raw files gave hits to which day), completeness (day, sources_expected, share, is_preliminary, reasons, sources_whole, doubts)
-- params: $censored_share DOUBLE
-- notes:  error_share is the share of 5xx among the hits that are not robots'. From $censored_share on
--         visitors were turned away, and the day's counts are a lower bound: it is censored.
--         `share` is what is covered of what was expected of the day's sources, 0 to 1;
--         `sources_whole` are those of the expected ones of which nothing is missing;
--         `doubts` say which lines may be counted twice.
WITH files AS (
    SELECT day, count(DISTINCT source) AS sources, sum(files)::BIGINT AS files
    FROM shares
    GROUP BY day
),
totals AS (
    SELECT
        day,
        sum(hits + robot_hits)::BIGINT AS hits,
        sum(robot_hits)::BIGINT AS robot_hits,
        sum(sessions)::BIGINT AS sessions,
        sum(errors) / nullif(sum(hits), 0)::DOUBLE AS error_share,
        max(geo_built) AS geo_built,
        any_value(geo_is_late) AS geo_is_late
    FROM daily
    GROUP BY day
)
SELECT
    t.day,
    f.sources,
    f.files,
    t.hits,
    t.robot_hits,
    t.sessions,
    t.error_share,
    t.geo_built,
    t.geo_is_late,
    c.sources_expected,
    c.share,
    c.is_preliminary,
    coalesce(t.error_share >= $censored_share, false) AS is_censored,
    c.reasons,
    c.sources_whole,
    c.doubts
FROM totals AS t
JOIN files AS f USING (day)
LEFT JOIN completeness AS c USING (day)
ORDER BY t.day
