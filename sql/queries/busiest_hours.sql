-- The 24 hours in which most sessions began, all countries together.
-- grain:  day, hour
-- inputs: hourly, daily
-- params: none
-- notes:  `hour` is the start of the hour in UTC, `day` the site's local day. `share_of_day` is the
--         share of the day's sessions that began in the hour, `error_share` that of answers 5xx
--         among its hits: where it is high, visitors were turned away and sessions are too few.
WITH day_totals AS (
    SELECT day, sum(sessions)::BIGINT AS sessions
    FROM daily
    GROUP BY day
),
hours AS (
    SELECT
        day,
        hour,
        sum(sessions)::BIGINT AS sessions,
        sum(hits)::BIGINT AS hits,
        sum(errors)::BIGINT AS errors
    FROM hourly
    GROUP BY day, hour
)
SELECT
    h.hour,
    h.day,
    h.sessions,
    round(h.sessions / t.sessions, 4) AS share_of_day,
    h.hits,
    round(h.errors / h.hits, 4) AS error_share
FROM hours AS h
JOIN day_totals AS t USING (day)
WHERE h.sessions > 0
ORDER BY h.sessions DESC, h.hour, h.day
LIMIT 24
