-- What the lake knows of a day, and between which days it lies.
-- grain:  one row
-- inputs: days, restatements
-- params: $day DATE
-- notes:  of a day without hits nothing is preliminary or located; it may have been published.
SELECT
    min(day) AS first_day,
    max(day) AS last_day,
    count(*) FILTER (day = $day) > 0 AS has_hits,
    count(*) FILTER (day = $day AND is_preliminary) > 0 AS is_preliminary,
    count(*) FILTER (day = $day AND geo_built IS NOT NULL) > 0 AS is_located,
    EXISTS (SELECT 1 FROM restatements WHERE day = $day) AS is_published
FROM days
