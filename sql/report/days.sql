-- Every day with hits: how much came in, how much of it failed, which database was in force.
-- grain:  day
-- inputs: days
-- params: none
SELECT day, sources, hits, robot_hits, sessions, error_share, geo_built, geo_is_late
FROM days
ORDER BY day
