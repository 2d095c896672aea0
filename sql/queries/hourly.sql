-- Rows of hourly for the command of that name.
-- grain:  day, hour, country
-- inputs: hourly
-- params: $country VARCHAR or NULL for all, $first_day DATE, $last_day DATE
SELECT
    day, hour, country, sessions, visitors, pages, hits, bytes_sent, errors, robot_hits, local_hour
FROM hourly
WHERE ($country IS NULL OR country = $country) AND day BETWEEN $first_day AND $last_day
ORDER BY day, hour, country
