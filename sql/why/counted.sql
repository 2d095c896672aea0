-- Sessions of a country and day by each of what they are made of, in one reading.
-- grain:  country, day, dimension, element, name
-- inputs: sessions, spans (surge, country, day, leaves_out)
-- params: none
-- notes:  the time is counted by the quarter of an hour since 1970, which no zone cuts in two, as its
--         number. `leaves_out`: robot-like visitors count in none of the day's figures. A network is
--         its number; `name` is what it is called, which two databases may tell otherwise.
WITH days AS (
    SELECT DISTINCT country, day, leaves_out FROM spans
),
picked AS (
    SELECT
        s.country, s.day, s.entry_path, s.referrer_host, s.subdivision, s.source, s.user_agent,
        s.asn, s.as_org,
        epoch_us(s.started_at) // 900_000_000 AS quarter
    FROM sessions AS s
    JOIN days AS d ON s.country = d.country AND s.day = d.day
    WHERE NOT (d.leaves_out AND s.is_robotlike)
)
SELECT
    country,
    day,
    CASE
        WHEN grouping(entry_path) = 0 THEN 'entry page'
        WHEN grouping(referrer_host) = 0 THEN 'referring site'
        WHEN grouping(subdivision) = 0 THEN 'subdivision'
        WHEN grouping(source) = 0 THEN 'source server'
        WHEN grouping(asn) = 0 THEN 'network'
        WHEN grouping(user_agent) = 0 THEN 'user agent'
        ELSE 'quarter'
    END AS dimension,
    coalesce(
        entry_path, referrer_host, subdivision, source, asn::VARCHAR, user_agent, quarter::VARCHAR
    ) AS element,
    as_org AS name,
    count(*) AS sessions
FROM picked
GROUP BY GROUPING SETS (
    (country, day, entry_path), (country, day, referrer_host), (country, day, subdivision),
    (country, day, source), (country, day, asn, as_org), (country, day, user_agent),
    (country, day, quarter)
)
