-- Sessions of each day and country by the path of their first hit.
-- grain:  day, country, entry_path
-- inputs: sessions
-- params: none
-- notes:  the path is as written, whatever the answer was; null where the request was none.
--         `share` is of the country's sessions of the day, 0 to 1; `one_hit_share` that of its
--         sessions of one hit.
SELECT
    day,
    country,
    entry_path,
    count(*) AS sessions,
    count(DISTINCT visitor_id) AS visitors,
    sum(pages)::BIGINT AS pages,
    round(count(*) / sum(count(*)) OVER (PARTITION BY day, country), 4) AS share,
    round(count(*) FILTER (WHERE is_bounce) / count(*), 4) AS one_hit_share
FROM sessions
GROUP BY day, country, entry_path
ORDER BY day, country, sessions DESC, entry_path
