-- U.S. sessions of each day: how many, how many were expected, and whether the day is a surge.
-- grain:  day
-- inputs: days, expected
-- params: none
-- notes:  a day with hits but without a U.S. session is 0; a day without any hits has no row.
--         `expected` and `upper` are null while there is too little history. A U.S. address is not
--         an American; with fewer `sources` than the days around it, a day's figure is too low.
WITH us AS (
    SELECT day, observed, expected, upper, is_surge
    FROM expected
    WHERE country = 'US'
)
SELECT
    d.day,
    coalesce(u.observed, 0) AS sessions,
    round(u.expected, 1) AS expected,
    round(u.upper, 1) AS upper,
    coalesce(u.is_surge, false) AS is_surge,
    d.sources
FROM days AS d
LEFT JOIN us AS u USING (day)
ORDER BY d.day
