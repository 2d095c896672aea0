-- Every day with hits: how much came in, how much of it failed, which database was in force.
-- grain:  day
-- inputs: days
-- params: none
SELECT
    day, sources, hits, robot_hits, sessions, error_share, geo_built, geo_is_late, sources_expected,
    share, is_preliminary, is_censored, reasons, sources_whole, doubts
FROM days
ORDER BY day
