-- Visitors: when each was seen first and last, and how often.
-- grain:  visitor
-- inputs: sessions
-- params: none
-- notes:  of sessions alone: who only fetched assets, or is a robot, is no visitor. A session is of
--         the day it starts.
SELECT
    visitor_id,
    min(day) AS first_day,
    max(day) AS last_day,
    count(*) AS sessions
FROM sessions
GROUP BY visitor_id
