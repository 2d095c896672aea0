-- Hourly: what each country did in each hour.
-- grain:  day, hour, country
-- inputs: hits (with day), sessions (with day), days (day, is_built)
-- params: none
-- notes:  `hour` is the start of the hour in UTC; a session belongs to the hour it starts. Where
--         the site's zone is not whole hours from UTC, an hour can stand under two days.
WITH started AS (
    SELECT day, date_trunc('hour', started_at) AS hour, country, count(*) AS sessions
    FROM sessions
    GROUP BY ALL
),
counted AS (
    SELECT
        h.day,
        date_trunc('hour', h.ts) AS hour,
        h.country,
        count(DISTINCT h.visitor_id) FILTER (WHERE NOT h.is_robot AND NOT h.is_asset) AS visitors,
        count(*) FILTER (WHERE h.is_page) AS pages,
        count(*) FILTER (WHERE NOT h.is_robot) AS hits,
        coalesce(sum(h.bytes_sent) FILTER (WHERE NOT h.is_robot), 0)::BIGINT AS bytes_sent,
        count(*) FILTER (WHERE NOT h.is_robot AND h.status >= 500) AS errors,
        count(*) FILTER (WHERE h.is_robot) AS robot_hits
    FROM hits AS h
    JOIN days AS d ON h.day = d.day AND d.is_built
    GROUP BY ALL
)
SELECT
    c.day,
    c.hour,
    c.country,
    coalesce(s.sessions, 0) AS sessions,
    c.visitors,
    c.pages,
    c.hits,
    c.bytes_sent,
    c.errors,
    c.robot_hits
FROM counted AS c
LEFT JOIN started AS s USING (day, hour, country)
