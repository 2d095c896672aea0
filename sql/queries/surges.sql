-- Episodes that touch a span of days, for the command of that name.
-- grain:  country, start_day
-- inputs: surges
-- params: $country VARCHAR or NULL for all, $first_day DATE, $last_day DATE
SELECT *
FROM surges
WHERE ($country IS NULL OR country = $country)
    AND end_day >= $first_day AND start_day <= $last_day
ORDER BY start_day, country
