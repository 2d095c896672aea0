-- Rows of expected for the command of that name.
-- grain:  country, day
-- inputs: expected
-- params: $country VARCHAR or NULL for all, $first_day DATE, $last_day DATE
SELECT *
FROM expected
WHERE ($country IS NULL OR country = $country) AND day BETWEEN $first_day AND $last_day
ORDER BY country, day
