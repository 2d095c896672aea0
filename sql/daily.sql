-- Daily: what each country did on each local day. The table that figures are taken from.
-- grain:  day, country
-- inputs: hours (day, country, their counts), visitors_of_days (day, visitor_id, country, pages), sessions (with day), days (day, geo_is_late), left_out (day, visitor_id)
-- params: none
-- notes:  one row per country with any hit; sum(hits + robot_hits) is the number of hits; robots
--         are excluded everywhere else, assets from visitors, pages and sessions only.
--         left_out are the robot-like visitors of a day where the setting drop_robotlike is on: they
--         are in no sessions, visitors and pages, and stay in hits, bytes and errors.
--         Bytes that no BIGINT can hold (forged sizes) stop at its largest value.
WITH started AS (
    SELECT day, country, count(*) AS sessions
    FROM sessions
    ANTI JOIN left_out USING (day, visitor_id)
    GROUP BY day, country
),
visited AS (
    SELECT day, country, count(*) AS visitors, sum(pages)::BIGINT AS pages
    FROM visitors_of_days
    ANTI JOIN left_out USING (day, visitor_id)
    GROUP BY day, country
),
counted AS (
    SELECT
        day,
        country,
        sum(hits)::BIGINT AS hits,
        least(sum(bytes_sent), 9223372036854775807)::BIGINT AS bytes_sent,
        sum(errors)::BIGINT AS errors,
        sum(robot_hits)::BIGINT AS robot_hits,
        max(geo_built) AS geo_built
    FROM hours
    GROUP BY day, country
)
SELECT
    c.day,
    c.country,
    coalesce(s.sessions, 0) AS sessions,
    coalesce(v.visitors, 0) AS visitors,
    coalesce(v.pages, 0) AS pages,
    c.hits,
    c.bytes_sent,
    c.errors,
    c.robot_hits,
    c.geo_built,
    d.geo_is_late
FROM counted AS c
JOIN days AS d USING (day)
LEFT JOIN visited AS v USING (day, country)
LEFT JOIN started AS s USING (day, country)
