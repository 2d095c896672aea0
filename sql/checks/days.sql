-- Rows of days that contradict hits or daily. No row: all is well.
-- grain:  rule, day
-- inputs: days, hits, daily
-- params: none
-- notes:  run after a build: a day that is not built yet offends.
WITH hit_counts AS (
    SELECT
        day,
        count(*) AS hits,
        count(*) FILTER (WHERE is_robot) AS robot_hits,
        count(DISTINCT source) AS sources,
        count(*) FILTER (WHERE NOT is_robot AND status >= 500)
        / nullif(count(*) FILTER (WHERE NOT is_robot), 0) AS error_share
    FROM hits
    GROUP BY day
),
daily_totals AS (
    SELECT day, sum(sessions)::BIGINT AS sessions
    FROM daily
    GROUP BY day
),
offences AS (
    SELECT 'a day with hits has one row' AS rule, day, format('{} rows', count(d.all_hits)) AS found
    FROM hit_counts AS h
    FULL JOIN days AS d USING (day)
    GROUP BY day
    HAVING count(d.all_hits) <> 1 OR count(h.hits) = 0
    UNION ALL
    SELECT
        'hits are those of the day' AS rule, day,
        concat(d.all_hits, ' (robots ', d.robot_hits, '), in hits ', h.hits, ' (', h.robot_hits, ')') AS found
    FROM days AS d
    JOIN hit_counts AS h USING (day)
    WHERE d.all_hits IS DISTINCT FROM h.hits OR d.robot_hits IS DISTINCT FROM h.robot_hits
    UNION ALL
    SELECT
        'error_share is that of the day' AS rule, day,
        concat(d.error_share, ' in days, ', h.error_share, ' in hits') AS found
    FROM days AS d
    JOIN hit_counts AS h USING (day)
    WHERE round(d.error_share, 9) IS DISTINCT FROM round(h.error_share, 9)
    UNION ALL
    SELECT
        'sources gave a file each and hits' AS rule, day,
        format('{} sources, {} in hits, {} files', d.sources, h.sources, d.files) AS found
    FROM days AS d
    JOIN hit_counts AS h USING (day)
    WHERE (d.sources = h.sources AND d.files >= d.sources) IS NOT TRUE
    UNION ALL
    SELECT
        'sessions are those of daily' AS rule, day,
        concat(d.sessions, ' in days, ', t.sessions, ' in daily') AS found
    FROM days AS d
    FULL JOIN daily_totals AS t USING (day)
    WHERE d.sessions IS DISTINCT FROM t.sessions
    UNION ALL
    SELECT
        'a day is preliminary when and only when it has reasons' AS rule, day,
        format('share {}, {} reasons', share, len(reasons)) AS found
    FROM days
    WHERE (
        share BETWEEN 0 AND 1 AND is_preliminary = (len(reasons) > 0)
        AND (is_preliminary OR (share = 1 AND sources_whole = sources_expected))
        AND sources_whole BETWEEN 0 AND sources_expected
    ) IS NOT TRUE
    UNION ALL
    SELECT
        'days are censored from one share of 5xx on' AS rule, day,
        concat(is_censored, ', ', error_share) AS found
    FROM days
    WHERE is_censored IS NULL OR (
        is_censored
        AND coalesce(error_share, 0)
        <= (SELECT coalesce(max(error_share), 0) FROM days WHERE NOT is_censored)
    )
)
SELECT rule, day, found
FROM offences
ORDER BY rule, day
