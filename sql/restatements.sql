-- Restatements: the rows that a publication adds, one per figure of which something is new.
-- grain:  day, country
-- inputs: daily (with day), completeness (one row a day), published (the restatements so far), changed (day, reason)
-- params: $now TIMESTAMPTZ
-- notes:  a day's countries, and their sum as country 'all'. A country without a row on a day that
--         was published is 0, before and after. Only the days of `changed` are looked at.
--         Nothing is published before what was published last, whatever the clock says.
WITH last AS (
    SELECT day, country, sessions, share, is_preliminary, sources, sources_expected
    FROM published
    QUALIFY row_number() OVER (PARTITION BY day, country ORDER BY published_at DESC) = 1
),
known AS (
    SELECT day, max(published_at) AS published_at FROM published GROUP BY day
),
counted AS (
    SELECT day, country, sessions FROM daily WHERE country <> 'all'
    UNION ALL
    SELECT day, 'all' AS country, sum(sessions)::BIGINT AS sessions FROM daily GROUP BY day
),
figures AS (
    SELECT
        coalesce(c.day, l.day) AS day,
        coalesce(c.country, l.country) AS country,
        coalesce(c.sessions, 0) AS sessions,
        l.sessions AS previous_sessions,
        l.country IS NOT NULL AS has_row,
        [l.share, l.is_preliminary::INTEGER, l.sources, l.sources_expected] AS previous_completeness
    FROM counted AS c
    FULL JOIN last AS l ON c.day = l.day AND c.country = l.country
)
SELECT
    f.day,
    f.country,
    greatest($now, coalesce(k.published_at + INTERVAL 1 SECOND, $now)) AS published_at,
    f.sessions,
    CASE WHEN k.day IS NOT NULL THEN coalesce(f.previous_sessions, 0) END AS previous_sessions,
    CASE WHEN k.day IS NOT NULL THEN changed.reason ELSE 'first published' END AS reason,
    d.share,
    d.is_preliminary,
    coalesce(d.sources, 0) AS sources,
    d.sources_expected
FROM figures AS f
JOIN changed ON f.day = changed.day
LEFT JOIN completeness AS d ON f.day = d.day
LEFT JOIN known AS k ON f.day = k.day
WHERE k.day IS NULL
    OR f.sessions <> coalesce(f.previous_sessions, 0)
    OR (
        f.has_row
        AND [d.share, d.is_preliminary::INTEGER, coalesce(d.sources, 0), d.sources_expected]
            IS DISTINCT FROM f.previous_completeness
    )
ORDER BY f.day, f.country
