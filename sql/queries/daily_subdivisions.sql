-- Sessions of each day, country and subdivision (state, province, region).
-- grain:  day, country, subdivision
-- inputs: sessions
-- params: none
-- notes:  of each session's first hit; `subdivision` is null where the database knows the country
--         alone. `share` is of the country's sessions of the day, 0 to 1; `one_hit_share` that of its
--         sessions of one hit. A visitor counts in each subdivision that it came from.
SELECT
    day,
    country,
    subdivision,
    count(*) AS sessions,
    count(DISTINCT visitor_id) AS visitors,
    sum(pages)::BIGINT AS pages,
    round(count(*) / sum(count(*)) OVER (PARTITION BY day, country), 4) AS share,
    round(count(*) FILTER (WHERE is_bounce) / count(*), 4) AS one_hit_share
FROM sessions
GROUP BY day, country, subdivision
ORDER BY day, country, sessions DESC, subdivision
