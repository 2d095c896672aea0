-- Each day of a span that has hits: how much came in, how much of it failed, which database was in force.
-- grain:  day
-- inputs: days
-- params: $first_day DATE, $last_day DATE
-- notes:  sources_expected, share and is_preliminary are null where nobody judged the day.
SELECT
    day, sources, all_hits, robot_hits, sessions, error_share, geo_built, geo_is_late,
    sources_expected, share, is_preliminary,
    coalesce(is_censored, false) AS is_censored,
    coalesce(reasons, []) AS reasons,
    coalesce(sources_whole, sources) AS sources_whole,
    coalesce(doubts, []) AS doubts
FROM days
WHERE day BETWEEN $first_day AND $last_day
ORDER BY day
