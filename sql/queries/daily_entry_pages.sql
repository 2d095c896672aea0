-- Sessions of each day and country by the path of their first hit: the 20 paths of most.
-- grain:  day, country, entry_path
-- inputs: sessions
-- params: none
-- notes:  the path is as written, whatever the answer was; null where the request was none.
--         `share` is of all the country's sessions of the day, 0 to 1; `one_hit_share` that of its
--         sessions of one hit.
SELECT
    day,
    country,
    entry_path,
    count(*) AS sessions,
    sum(pages)::BIGINT AS pages,
    round(count(*) / sum(count(*)) OVER (PARTITION BY day, country), 4) AS share,
    round(count(*) FILTER (WHERE is_bounce) / count(*), 4) AS one_hit_share
FROM sessions
GROUP BY day, country, entry_path
QUALIFY row_number() OVER (PARTITION BY day, country ORDER BY count(*) DESC, entry_path) <= 20
ORDER BY day, country, sessions DESC, entry_path
