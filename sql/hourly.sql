-- Hourly: what each country did in each hour.
-- grain:  day, hour, country
-- inputs: hours (day, hours_since_1969, country, their counts), visitors_of_hours (day, hours_since_1969, visitor_id, country, pages), sessions (with day), left_out (day, visitor_id)
-- params: none
-- notes:  `hour` is the start of the hour in UTC; a session belongs to the hour it starts. Where
--         the site's zone is not whole hours from UTC, an hour can stand under two days.
--         left_out as in daily. Hours are numbers from 1969 on while they are counted (build/hours.sql).
WITH started AS (
    SELECT
        day,
        (epoch_us(started_at) + 31_536_000_000_000) // 3_600_000_000 AS hours_since_1969,
        country,
        count(*) AS sessions
    FROM sessions
    ANTI JOIN left_out USING (day, visitor_id)
    GROUP BY ALL
),
visited AS (
    SELECT
        day,
        hours_since_1969,
        country,
        count(*) AS visitors,
        sum(pages)::BIGINT AS pages
    FROM visitors_of_hours
    ANTI JOIN left_out USING (day, visitor_id)
    GROUP BY ALL
)
SELECT
    h.day,
    make_timestamptz(h.hours_since_1969 * 3_600_000_000 - 31_536_000_000_000) AS hour,
    h.country,
    coalesce(s.sessions, 0) AS sessions,
    coalesce(v.visitors, 0) AS visitors,
    coalesce(v.pages, 0) AS pages,
    h.hits,
    h.bytes_sent,
    h.errors,
    h.robot_hits
FROM hours AS h
LEFT JOIN visited AS v USING (day, hours_since_1969, country)
LEFT JOIN started AS s USING (day, hours_since_1969, country)
