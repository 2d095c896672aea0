-- What the lake has of the days that a country's day is judged by: how many, and which can't serve.
-- grain:  one row
-- inputs: days, expected
-- params: $country VARCHAR, $first_day DATE, $last_day DATE: the days before the one that is judged
-- notes:  a day on which nobody was located has no row of a country in expected.
SELECT
    count(*) AS days,
    count(*) FILTER (e.day IS NULL) AS unlocated,
    count(*) FILTER (e.day IS NOT NULL AND d.is_preliminary) AS lacking,
    count(*) FILTER (e.is_surge AND NOT coalesce(d.is_preliminary, false)) AS in_surges
FROM days AS d
LEFT JOIN expected AS e ON e.day = d.day AND e.country = $country
WHERE d.day BETWEEN $first_day AND $last_day
