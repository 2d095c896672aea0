-- Rows of hourly for the command of that name, each with how complete its day is.
-- grain:  day, hour, country
-- inputs: hourly, days
-- params: $country VARCHAR or NULL for all, $first_day DATE, $last_day DATE
-- notes:  the last three columns are the day's, as of daily's rows.
SELECT
    h.day, h.hour, h.country, h.sessions, h.visitors, h.pages, h.hits, h.bytes_sent, h.errors,
    h.robot_hits, h.local_hour,
    d.share, d.is_preliminary, d.is_censored
FROM hourly AS h
LEFT JOIN days AS d USING (day)
WHERE ($country IS NULL OR h.country = $country) AND h.day BETWEEN $first_day AND $last_day
ORDER BY h.day, h.hour, h.country
