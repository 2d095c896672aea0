-- Rows of expected that contradict daily. No row: all is well.
-- grain:  rule, country, day
-- inputs: expected, daily
-- params: none
-- notes:  a country absent on a day that has hits is 0; it is judged on every such day.
WITH wanted AS (
    SELECT c.country, d.day, coalesce(s.sessions, 0) AS sessions
    FROM (SELECT DISTINCT country FROM daily) AS c
    CROSS JOIN (SELECT DISTINCT day FROM daily) AS d
    LEFT JOIN daily AS s ON c.country = s.country AND d.day = s.day
),
offences AS (
    SELECT
        'observed is the sessions of daily' AS rule, country, day,
        concat(e.observed, ' observed, ', w.sessions, ' in daily') AS found
    FROM expected AS e
    FULL JOIN wanted AS w USING (country, day)
    WHERE e.observed IS DISTINCT FROM w.sessions
    UNION ALL
    SELECT
        'a country is judged once a day' AS rule, country, day,
        format('{} rows', count(*)) AS found
    FROM expected
    GROUP BY country, day
    HAVING count(*) > 1
    UNION ALL
    SELECT
        'a day is judged whole or not at all' AS rule, country, day,
        concat('expected ', expected, ', upper ', upper, ', score ', score) AS found
    FROM expected
    WHERE (expected IS NULL) <> (upper IS NULL) OR (expected IS NULL) <> (score IS NULL)
    UNION ALL
    SELECT
        'a surge is above what was expected' AS rule, country, day,
        format('{} observed, {} expected', observed, expected) AS found
    FROM expected
    WHERE (NOT is_surge OR observed > expected) IS NOT TRUE
)
SELECT rule, country, day, found
FROM offences
ORDER BY rule, country, day
