-- The days of each surge, and the country's earlier days that say what is usual.
-- grain:  surge, day
-- inputs: spanned (country, start_day, end_day), expected, days
-- params: $reach INTEGER, $most INTEGER
-- notes:  surges are numbered from 0 by country and first day. The earlier days are the last $most
--         of the $reach before its first that have hits, lack nothing and belong to no surge. Days on
--         which nobody was located stand beside one another alone.
WITH numbered AS (
    SELECT row_number() OVER (ORDER BY country, start_day) - 1 AS surge, country, start_day, end_day
    FROM spanned
),
near AS (
    SELECT u.surge, u.country, e.day, e.day < u.start_day AS is_before, e.observed, e.expected
    FROM numbered AS u
    JOIN expected AS e
        ON u.country = e.country AND e.day BETWEEN u.start_day - $reach::INTEGER AND u.end_day
    JOIN days AS d ON e.day = d.day
    JOIN days AS f ON u.start_day = f.day AND (f.geo_built IS NULL) = (d.geo_built IS NULL)
    WHERE e.day >= u.start_day OR NOT (e.is_surge OR d.is_preliminary)
    QUALIFY e.day >= u.start_day
        OR row_number() OVER (PARTITION BY u.surge, e.day < u.start_day ORDER BY e.day DESC) <= $most
)
SELECT surge, country, day, is_before, isodow(day) >= 6 AS is_weekend, observed, expected
FROM near
ORDER BY surge, day
