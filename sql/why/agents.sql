-- How many user agents have so many sessions on a surge's days, and so many on the days before it.
-- grain:  surge, sessions, sessions_before
-- inputs: counted, spans (surge, country, day, is_before)
-- params: none
-- notes:  counts of counts: whatever was sent as a user agent, this stays small, and it holds all
--         that the spread of agents is made of. A missing user agent is one.
WITH by_surge AS (
    SELECT
        p.surge, c.element AS user_agent,
        coalesce(sum(c.sessions) FILTER (NOT p.is_before), 0)::BIGINT AS sessions,
        coalesce(sum(c.sessions) FILTER (p.is_before), 0)::BIGINT AS sessions_before
    FROM counted AS c
    JOIN spans AS p ON c.country = p.country AND c.day = p.day
    WHERE c.dimension = 'user agent'
    GROUP BY p.surge, c.element
)
SELECT surge, sessions, sessions_before, count(*) AS agents
FROM by_surge
GROUP BY ALL
ORDER BY surge, sessions, sessions_before
