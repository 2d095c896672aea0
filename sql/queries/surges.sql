-- Episodes that touch a span of days, for the command of that name.
-- grain:  country, start_day
-- inputs: surges, days, expected
-- params: $country VARCHAR or NULL for all, $first_day DATE, $last_day DATE
-- notes:  geo_before is when the database of addresses was built that located the last whole day
--         judged before the first (the oldest day, where none was), if another located the first.
WITH located AS (
    SELECT day, geo_built
    FROM days
    WHERE geo_built IS NOT NULL AND NOT coalesce(is_preliminary, false)
),
judged AS (
    SELECT e.country, l.day, l.geo_built
    FROM located AS l
    JOIN expected AS e ON l.day = e.day AND e.expected IS NOT NULL
)
SELECT
    s.country, s.start_day, s.peak_day, s.end_day, s.days, s.observed, s.expected, s.excess,
    s.peak_sessions, s.peak_ratio, s.is_open, s.is_at_least, s.excess_low, s.excess_high,
    s.others_ratio,
    nullif(
        coalesce(j.geo_built, (SELECT arg_min(geo_built, day) FROM located)), d.geo_built
    ) AS geo_before,
    s.in_hindsight
FROM surges AS s
LEFT JOIN days AS d ON s.start_day = d.day
ASOF LEFT JOIN judged AS j ON s.country = j.country AND s.start_day > j.day
WHERE ($country IS NULL OR s.country = $country)
    AND s.end_day >= $first_day AND s.start_day <= $last_day
ORDER BY s.start_day, s.country
