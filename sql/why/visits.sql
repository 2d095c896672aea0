-- What tells people from machines in the sessions of each surge's days, and of the days before.
-- grain:  surge, is_before
-- inputs: sessions, daily, spans (surge, country, day, is_before, leaves_out)
-- params: none
-- notes:  a visitor is one a day. `busiest` adds up each day's most sessions of one visitor;
--         `assets` are the country's requests for assets, those of visitors who are left out, too:
--         what its hits are more than the hits of its sessions (which may end on the next day).
WITH days AS (
    SELECT DISTINCT country, day, leaves_out FROM spans
),
by_visitor AS (
    SELECT
        s.country, s.day, s.visitor_id,
        bool_or(d.leaves_out AND s.is_robotlike) AS is_left_out,
        count(*) AS sessions,
        sum(s.hits)::BIGINT AS hits,
        sum(s.pages)::BIGINT AS pages,
        sum(s.errors)::BIGINT AS errors,
        count(*) FILTER (WHERE s.hits = 1) AS one_hit,
        count(*) FILTER (WHERE s.is_robotlike) AS robotlike
    FROM sessions AS s
    JOIN days AS d ON s.country = d.country AND s.day = d.day
    GROUP BY s.country, s.day, s.visitor_id
),
by_day AS (
    SELECT
        country, day,
        sum(hits) AS all_hits,
        count(*) FILTER (WHERE NOT is_left_out) AS visitors,
        max(sessions) FILTER (WHERE NOT is_left_out) AS busiest,
        sum(sessions) FILTER (WHERE NOT is_left_out) AS sessions,
        sum(hits) FILTER (WHERE NOT is_left_out) AS hits,
        sum(pages) FILTER (WHERE NOT is_left_out) AS pages,
        sum(errors) FILTER (WHERE NOT is_left_out) AS errors,
        sum(one_hit) FILTER (WHERE NOT is_left_out) AS one_hit,
        sum(robotlike) FILTER (WHERE NOT is_left_out) AS robotlike
    FROM by_visitor
    GROUP BY country, day
)
SELECT
    p.surge,
    p.is_before,
    coalesce(sum(b.sessions), 0)::BIGINT AS sessions,
    coalesce(sum(b.visitors), 0)::BIGINT AS visitors,
    coalesce(sum(b.busiest), 0)::BIGINT AS busiest,
    coalesce(sum(b.hits), 0)::BIGINT AS hits,
    coalesce(sum(b.pages), 0)::BIGINT AS pages,
    coalesce(sum(b.errors), 0)::BIGINT AS errors,
    coalesce(sum(b.one_hit), 0)::BIGINT AS one_hit,
    coalesce(sum(b.robotlike), 0)::BIGINT AS robotlike,
    coalesce(sum(greatest(a.hits - b.all_hits, 0)), 0)::BIGINT AS assets
FROM spans AS p
LEFT JOIN by_day AS b ON p.country = b.country AND p.day = b.day
LEFT JOIN daily AS a ON p.country = a.country AND p.day = a.day
GROUP BY p.surge, p.is_before
ORDER BY p.surge, p.is_before
