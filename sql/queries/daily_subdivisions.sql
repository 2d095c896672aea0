-- Sessions of each day, country and subdivision (state, province, region), with its name.
-- grain:  day, country, subdivision
-- inputs: sessions, subdivisions
-- params: none
-- notes:  of each session's first hit; `subdivision` is null where the database knows the country
--         alone. `share` is of the country's sessions of the day, 0 to 1; `one_hit_share` that of its
--         sessions of one hit.
WITH counted AS (
    SELECT
        day,
        country,
        subdivision,
        count(*) AS sessions,
        sum(pages)::BIGINT AS pages,
        round(count(*) / sum(count(*)) OVER (PARTITION BY day, country), 4) AS share,
        round(count(*) FILTER (WHERE is_bounce) / count(*), 4) AS one_hit_share
    FROM sessions
    GROUP BY day, country, subdivision
)
SELECT
    c.day, c.country, c.subdivision, s.name, c.sessions, c.pages, c.share, c.one_hit_share
FROM counted AS c
LEFT JOIN subdivisions AS s USING (country, subdivision)
ORDER BY c.day, c.country, c.sessions DESC, c.subdivision
