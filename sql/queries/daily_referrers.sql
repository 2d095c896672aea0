-- Sessions of each day and country by the site that sent them.
-- grain:  day, country, referrer_host
-- inputs: sessions
-- params: none
-- notes:  the host of the first hit's referrer; null where there was none, or no URL. The site's own
--         host is a visit that went on after a pause. `share` is of the country's sessions of the
--         day, 0 to 1; `one_hit_share` that of its sessions of one hit.
SELECT
    day,
    country,
    referrer_host,
    count(*) AS sessions,
    sum(pages)::BIGINT AS pages,
    round(count(*) / sum(count(*)) OVER (PARTITION BY day, country), 4) AS share,
    round(count(*) FILTER (WHERE is_bounce) / count(*), 4) AS one_hit_share
FROM sessions
GROUP BY day, country, referrer_host
ORDER BY day, country, sessions DESC, referrer_host
