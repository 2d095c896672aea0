-- Rows of expected for the command of that name, each with whether something of its day is missing.
-- grain:  country, day
-- inputs: expected, days
-- params: $country VARCHAR or NULL for all, $first_day DATE, $last_day DATE
SELECT
    e.country, e.day, e.observed, e.expected, e.upper, e.score, e.is_surge, d.is_preliminary,
    d.is_censored
FROM expected AS e
LEFT JOIN days AS d USING (day)
WHERE ($country IS NULL OR e.country = $country) AND e.day BETWEEN $first_day AND $last_day
ORDER BY e.country, e.day
