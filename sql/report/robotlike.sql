-- Sessions of robot-like visitors on each day, of one country or of all, and whether they count.
-- grain:  day
-- inputs: sessions, days
-- params: $country VARCHAR ('all': of all), $first_day DATE, $last_day DATE
-- notes:  they are left out where the day's figures are fewer than its sessions. A day that was
--         built before sessions were judged by behaviour has no row.
WITH made AS (
    SELECT
        day,
        count(*) AS all_sessions,
        count(*) FILTER (WHERE $country IN ('all', country)) AS sessions,
        count(*) FILTER (WHERE is_robotlike AND $country IN ('all', country)) AS robotlike_sessions
    FROM sessions
    WHERE day BETWEEN $first_day AND $last_day
    GROUP BY day
    HAVING bool_and(is_robotlike IS NOT NULL)
)
SELECT
    m.day,
    m.sessions,
    m.robotlike_sessions,
    d.sessions < m.all_sessions AS is_left_out
FROM made AS m
JOIN days AS d USING (day)
ORDER BY m.day
