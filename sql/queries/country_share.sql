-- Each country's share of a day's sessions, with the U.S. share beside it.
-- grain:  day, country
-- inputs: daily
-- params: none
-- notes:  shares are of 1. Countries without a session that day are left out. `ZZ` is where the
--         database gives no answer; it counts in the whole.
WITH totals AS (
    SELECT
        day,
        sum(sessions)::BIGINT AS all_sessions,
        coalesce(sum(sessions) FILTER (WHERE country = 'US'), 0)::BIGINT AS us_sessions
    FROM daily
    GROUP BY day
)
SELECT
    d.day,
    d.country,
    d.sessions,
    t.all_sessions,
    round(d.sessions / t.all_sessions, 4) AS share,
    round(t.us_sessions / t.all_sessions, 4) AS us_share
FROM daily AS d
JOIN totals AS t USING (day)
WHERE d.sessions > 0
ORDER BY d.day, d.sessions DESC, d.country
