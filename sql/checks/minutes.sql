-- Rows of minutes that contradict themselves or hits. No row: all is well.
-- grain:  rule, day, source, minute
-- inputs: minutes, hits
-- params: none
-- notes:  run after a build: a day that is not built yet offends.
WITH hit_counts AS (
    SELECT day, source, count(*) AS hits
    FROM hits
    GROUP BY day, source
),
sums AS (
    SELECT day, source, sum(hits)::BIGINT AS hits
    FROM minutes
    GROUP BY day, source
),
bounds AS (
    SELECT day, source, min(ts) AS first_at, max(ts) AS last_at
    FROM hits
    GROUP BY day, source
),
offences AS (
    SELECT
        'minutes add up to their hits' AS rule, day, source, NULL::TIMESTAMPTZ AS minute,
        concat(s.hits, ' in minutes, ', h.hits, ' in hits') AS found
    FROM sums AS s
    FULL JOIN hit_counts AS h USING (day, source)
    WHERE s.hits IS DISTINCT FROM h.hits
    UNION ALL
    SELECT
        'a source has one row a minute' AS rule, day, source, minute,
        format('{} rows', count(*)) AS found
    FROM minutes
    GROUP BY day, source, minute
    HAVING count(*) > 1
    UNION ALL
    SELECT
        'a minute with hits begins on the minute' AS rule, day, source, minute,
        format('{} hits', hits) AS found
    FROM minutes
    WHERE (hits >= 1 AND minute = date_trunc('minute', minute)) IS NOT TRUE
    UNION ALL
    SELECT
        'minutes reach from the first hit to the last' AS rule, m.day, m.source, b.first_at AS minute,
        format('{} to {}', min(m.minute), max(m.minute)) AS found
    FROM minutes AS m
    JOIN bounds AS b USING (day, source)
    GROUP BY m.day, m.source, b.first_at, b.last_at
    HAVING min(m.minute) <> date_trunc('minute', b.first_at)
        OR max(m.minute) <> date_trunc('minute', b.last_at)
)
SELECT rule, day, source, minute, found
FROM offences
ORDER BY rule, day, source, minute
