-- Days that have hits, with all that is known of each.
-- grain:  day
-- inputs: days
-- params: $first_day DATE, $last_day DATE
SELECT *
FROM days
WHERE day BETWEEN $first_day AND $last_day
ORDER BY day
