-- Daily: what each country did on each local day. The table that figures are taken from.
-- grain:  day, country
-- inputs: numbers (with day), sessions (with day), days (day, is_built, geo_is_late), left_out (day, visitor_id)
-- params: none
-- notes:  one row per country with any hit; sum(hits + robot_hits) is the number of hits; robots
--         are excluded everywhere else, assets from visitors, pages and sessions only.
--         left_out are the robot-like visitors of a day where the setting drop_robotlike is on: they
--         are in no sessions, visitors and pages, and stay in hits, bytes and errors.
--         Bytes that no BIGINT can hold (forged sizes) stop at its largest value.
WITH built AS (
    SELECT
        n.day, n.country, n.visitor_id, n.status, n.bytes_sent, n.is_robot, n.is_asset, n.is_page,
        n.geo_built,
        d.geo_is_late,
        l.visitor_id IS NOT NULL AS is_left_out
    FROM numbers AS n
    JOIN days AS d ON n.day = d.day AND d.is_built
    LEFT JOIN left_out AS l ON n.day = l.day AND n.visitor_id = l.visitor_id
),
started AS (
    SELECT day, country, count(*) AS sessions
    FROM sessions
    ANTI JOIN left_out USING (day, visitor_id)
    GROUP BY day, country
),
counted AS (
    SELECT
        day,
        country,
        count(DISTINCT visitor_id) FILTER (
            WHERE NOT is_robot AND NOT is_asset AND NOT is_left_out
        ) AS visitors,
        count(*) FILTER (WHERE is_page AND NOT is_left_out) AS pages,
        count(*) FILTER (WHERE NOT is_robot) AS hits,
        least(coalesce(sum(bytes_sent) FILTER (WHERE NOT is_robot), 0), 9223372036854775807)::BIGINT AS bytes_sent,
        count(*) FILTER (WHERE NOT is_robot AND status >= 500) AS errors,
        count(*) FILTER (WHERE is_robot) AS robot_hits,
        max(geo_built) AS geo_built,
        any_value(geo_is_late) AS geo_is_late
    FROM built
    GROUP BY day, country
)
SELECT
    c.day,
    c.country,
    coalesce(s.sessions, 0) AS sessions,
    c.visitors,
    c.pages,
    c.hits,
    c.bytes_sent,
    c.errors,
    c.robot_hits,
    c.geo_built,
    c.geo_is_late
FROM counted AS c
LEFT JOIN started AS s USING (day, country)
