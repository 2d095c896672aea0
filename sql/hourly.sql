-- Hourly: what each country did in each hour.
-- grain:  day, hour, country
-- inputs: numbers (with day), sessions (with day), days (day, is_built), left_out (day, visitor_id)
-- params: none
-- notes:  `hour` is the start of the hour in UTC; a session belongs to the hour it starts. Where
--         the site's zone is not whole hours from UTC, an hour can stand under two days.
--         Bytes that no BIGINT can hold (forged sizes) stop at its largest value; left_out as in daily.
--         Hours are numbers from 1969 on while they are counted, as // rounds towards zero, in half of
--         time_bucket's time.
WITH built AS (
    SELECT
        n.day, n.country, n.visitor_id, n.status, n.bytes_sent, n.is_robot, n.is_asset, n.is_page,
        (epoch_us(n.ts) + 31_536_000_000_000) // 3_600_000_000 AS hours_since_1969,
        l.visitor_id IS NOT NULL AS is_left_out
    FROM numbers AS n
    JOIN days AS d ON n.day = d.day AND d.is_built
    LEFT JOIN left_out AS l ON n.day = l.day AND n.visitor_id = l.visitor_id
),
started AS (
    SELECT
        day,
        (epoch_us(started_at) + 31_536_000_000_000) // 3_600_000_000 AS hours_since_1969,
        country,
        count(*) AS sessions
    FROM sessions
    ANTI JOIN left_out USING (day, visitor_id)
    GROUP BY ALL
),
counted AS (
    SELECT
        day,
        hours_since_1969,
        country,
        count(DISTINCT visitor_id) FILTER (
            WHERE NOT is_robot AND NOT is_asset AND NOT is_left_out
        ) AS visitors,
        count(*) FILTER (WHERE is_page AND NOT is_left_out) AS pages,
        count(*) FILTER (WHERE NOT is_robot) AS hits,
        least(coalesce(sum(bytes_sent) FILTER (WHERE NOT is_robot), 0), 9223372036854775807)::BIGINT AS bytes_sent,
        count(*) FILTER (WHERE NOT is_robot AND status >= 500) AS errors,
        count(*) FILTER (WHERE is_robot) AS robot_hits
    FROM built
    GROUP BY ALL
)
SELECT
    c.day,
    make_timestamptz(c.hours_since_1969 * 3_600_000_000 - 31_536_000_000_000) AS hour,
    c.country,
    coalesce(s.sessions, 0) AS sessions,
    c.visitors,
    c.pages,
    c.hits,
    c.bytes_sent,
    c.errors,
    c.robot_hits
FROM counted AS c
LEFT JOIN started AS s USING (day, hours_since_1969, country)
