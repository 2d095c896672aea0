-- What tells people from machines in the surges that touch a span of days.
-- grain:  country, start_day, figure
-- inputs: signals, surges
-- params: $country VARCHAR or NULL for all, $first_day DATE, $last_day DATE
SELECT s.country, s.start_day, s.figure, s.observed, s.usual, s.of_excess
FROM signals AS s
JOIN surges AS u USING (country, start_day)
WHERE ($country IS NULL OR s.country = $country)
    AND u.end_day >= $first_day AND u.start_day <= $last_day
ORDER BY s.start_day, s.country, s.figure
