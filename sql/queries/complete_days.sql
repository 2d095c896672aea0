-- Days whose logs are complete as far as anybody knows: the watch's history.
-- grain:  day
-- inputs: days
-- params: $first_day DATE, $last_day DATE
SELECT day, geo_built IS NOT NULL AS is_located
FROM days
WHERE day BETWEEN $first_day AND $last_day AND NOT coalesce(is_preliminary, false)
ORDER BY day
