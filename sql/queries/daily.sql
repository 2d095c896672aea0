-- Rows of daily for the command of that name.
-- grain:  day, country
-- inputs: daily
-- params: $country VARCHAR or NULL for all, $first_day DATE, $last_day DATE
SELECT day, * EXCLUDE (day)
FROM daily
WHERE ($country IS NULL OR country = $country) AND day BETWEEN $first_day AND $last_day
ORDER BY day, country
