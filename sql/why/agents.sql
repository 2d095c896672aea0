-- How many user agents have so many sessions on a surge's days, and so many on the days before it.
-- grain:  surge, sessions, sessions_before
-- inputs: sessions, spans (surge, country, day, is_before, leaves_out)
-- params: none
-- notes:  counts of counts: whatever was sent as a user agent, this stays small, and it holds all
--         that the spread of agents is made of. A missing user agent is one.
WITH days AS (
    SELECT DISTINCT country, day, leaves_out FROM spans
),
counted AS (
    SELECT s.country, s.day, s.user_agent, count(*) AS sessions
    FROM sessions AS s
    JOIN days AS d ON s.country = d.country AND s.day = d.day
    WHERE NOT (d.leaves_out AND s.is_robotlike)
    GROUP BY ALL
),
by_surge AS (
    SELECT
        p.surge, c.user_agent,
        coalesce(sum(c.sessions) FILTER (NOT p.is_before), 0)::BIGINT AS sessions,
        coalesce(sum(c.sessions) FILTER (p.is_before), 0)::BIGINT AS sessions_before
    FROM counted AS c
    JOIN spans AS p ON c.country = p.country AND c.day = p.day
    GROUP BY p.surge, c.user_agent
)
SELECT surge, sessions, sessions_before, count(*) AS agents
FROM by_surge
GROUP BY ALL
ORDER BY surge, sessions, sessions_before
