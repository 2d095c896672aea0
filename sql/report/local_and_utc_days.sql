-- The same sessions of one country counted by the site's local day and by the UTC day.
-- grain:  day
-- inputs: hourly
-- params: $country VARCHAR, $first_day DATE, $last_day DATE
-- notes:  hours are those of UTC, so that their sums are exact for both kinds of day; the days
--         beside the span are read because a UTC day takes hours from a neighbouring local day.
WITH hours AS (
    SELECT day AS local_day, (hour AT TIME ZONE 'UTC')::DATE AS utc_day, sessions
    FROM hourly
    WHERE country = $country AND day BETWEEN $first_day - 1 AND $last_day + 1
),
local_days AS (
    SELECT local_day AS day, sum(sessions)::BIGINT AS sessions
    FROM hours
    GROUP BY local_day
),
utc_days AS (
    SELECT utc_day AS day, sum(sessions)::BIGINT AS sessions
    FROM hours
    GROUP BY utc_day
)
SELECT
    day,
    coalesce(l.sessions, 0) AS local_sessions,
    coalesce(u.sessions, 0) AS utc_sessions
FROM local_days AS l
FULL JOIN utc_days AS u USING (day)
WHERE day BETWEEN $first_day AND $last_day
ORDER BY day
