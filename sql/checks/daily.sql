-- Rows of daily that contradict themselves, hits or sessions. No row: all is well.
-- grain:  rule, day, country
-- inputs: daily, hits, sessions
-- params: none
-- notes:  run after a build: a day that is not built yet offends. Whether the robot-like sessions
--         count is a setting, which is not known here: those of a day all do or none does.
WITH hit_counts AS (
    SELECT
        day, country,
        count(*) FILTER (WHERE NOT is_robot) AS hits,
        count(*) FILTER (WHERE is_robot) AS robot_hits
    FROM hits
    GROUP BY day, country
),
session_counts AS (
    SELECT
        day, country,
        count(*) AS sessions,
        count(*) FILTER (WHERE is_robotlike IS NOT TRUE) AS kept
    FROM sessions
    GROUP BY day, country
),
offences AS (
    SELECT
        'every hit is counted once' AS rule, day, country,
        concat(d.hits, '+', d.robot_hits, ' counted, ', h.hits, '+', h.robot_hits, ' in hits') AS found
    FROM daily AS d
    FULL JOIN hit_counts AS h USING (day, country)
    WHERE d.hits IS DISTINCT FROM h.hits OR d.robot_hits IS DISTINCT FROM h.robot_hits
    UNION ALL
    SELECT
        'every session is counted once' AS rule, day, country,
        concat(d.sessions, ' counted, ', s.sessions, ' in sessions') AS found
    FROM daily AS d
    FULL JOIN session_counts AS s USING (day, country)
    WHERE d.sessions IS DISTINCT FROM coalesce(s.sessions, 0)
        AND d.sessions IS DISTINCT FROM coalesce(s.kept, 0)
    UNION ALL
    SELECT
        'robot-like sessions of a day count or do not' AS rule, day, NULL AS country,
        concat(sum(d.sessions), ' counted, ', sum(s.sessions), ' in sessions, ', sum(s.kept), ' without') AS found
    FROM daily AS d
    JOIN session_counts AS s USING (day, country)
    GROUP BY day
    HAVING sum(d.sessions) NOT IN (sum(s.sessions), sum(s.kept))
    UNION ALL
    SELECT
        'a country has one row a day' AS rule, day, country, format('{} rows', count(*)) AS found
    FROM daily
    GROUP BY day, country
    HAVING count(*) > 1
    UNION ALL
    SELECT
        'parts are no more than the whole' AS rule, day, country,
        format('{} hits, {} pages, {} errors', hits, pages, errors)
        || format(', {} visitors, {} sessions, {} bytes', visitors, sessions, bytes_sent) AS found
    FROM daily
    WHERE (
        hits + robot_hits >= 1 AND pages + errors <= hits AND visitors <= hits
        AND sessions <= hits AND (visitors > 0 OR sessions = 0) AND bytes_sent >= 0
        AND least(sessions, visitors, pages, hits, errors, robot_hits) >= 0
    ) IS NOT TRUE
    UNION ALL
    SELECT
        'a day has one answer to geo_is_late' AS rule, day, NULL AS country, 'both' AS found
    FROM daily
    GROUP BY day
    HAVING count(DISTINCT geo_is_late) <> 1
)
SELECT rule, day, country, found
FROM offences
ORDER BY rule, day, country
