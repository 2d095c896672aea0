-- How much history the lake has to judge days by, and how many figures it was enough for.
-- grain:  one row
-- inputs: days, expected
-- params: none
SELECT
    count(*) FILTER (NOT is_preliminary) AS whole_days,
    (SELECT count(expected) FROM expected) AS judged
FROM days
