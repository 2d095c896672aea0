-- Rows of daily for the command of that name, each with how complete its day is.
-- grain:  day, country
-- inputs: daily, days
-- params: $country VARCHAR or NULL for all, $first_day DATE, $last_day DATE
-- notes:  the last three columns are the day's: `share` is what is there of what was expected of
--         its sources, 0 to 1; null while `days` waits for the rest of a build.
SELECT
    d.day, d.country, d.sessions, d.visitors, d.pages, d.hits, d.bytes_sent, d.errors, d.robot_hits,
    d.geo_built, d.geo_is_late,
    c.share, c.is_preliminary, c.is_censored
FROM daily AS d
LEFT JOIN days AS c USING (day)
WHERE ($country IS NULL OR d.country = $country) AND d.day BETWEEN $first_day AND $last_day
ORDER BY d.day, d.country
