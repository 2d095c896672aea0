-- Hours: what all hits of an hour come to, those of robots and assets too.
-- grain:  day, hour, country
-- inputs: hits (with day), days (day, is_built)
-- params: none
-- notes:  what daily and hourly have but for visitors, pages and sessions. Hours are numbers from 1969
--         on, as // rounds towards zero, in half of time_bucket's time.
--         Bytes that no BIGINT can hold (forged sizes) stop at its largest value.
SELECT
    h.day,
    (epoch_us(h.ts) + 31_536_000_000_000) // 3_600_000_000 AS hours_since_1969,
    h.country,
    count(*) FILTER (WHERE NOT h.is_robot) AS hits,
    least(coalesce(sum(h.bytes_sent) FILTER (WHERE NOT h.is_robot), 0), 9223372036854775807)::BIGINT AS bytes_sent,
    count(*) FILTER (WHERE NOT h.is_robot AND h.status >= 500) AS errors,
    count(*) FILTER (WHERE h.is_robot) AS robot_hits,
    max(h.geo_built) AS geo_built
FROM hits AS h
JOIN days AS d ON h.day = d.day AND d.is_built
GROUP BY ALL
