-- Sessions per hour and country, for the watch's comparison with earlier days.
-- grain:  hour, country
-- inputs: hourly
-- params: $first_day DATE, $last_day DATE, $until TIMESTAMPTZ (the last hour)
-- notes:  where the zone is not whole hours from UTC, an hour stands under two days: their sum.
SELECT hour, country, sum(sessions)::BIGINT AS sessions
FROM hourly
WHERE day BETWEEN $first_day AND $last_day AND hour <= $until
GROUP BY hour, country
ORDER BY hour, country
