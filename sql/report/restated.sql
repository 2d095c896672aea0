-- A country's figures whose number was changed after it was published: the first value and the last.
-- grain:  day
-- inputs: restatements
-- params: $country VARCHAR, $first_day DATE, $last_day DATE
-- notes:  a country that came to a published day later was 0 when that day was first published.
WITH days AS (
    SELECT day, min(published_at) AS published_at FROM restatements GROUP BY day
),
changed AS (
    SELECT
        day,
        arg_min(coalesce(previous_sessions, sessions), published_at) AS first_sessions,
        arg_max(sessions, published_at) AS last_sessions,
        arg_min(is_preliminary, published_at) FILTER (previous_sessions IS NULL) AS was_preliminary,
        arg_min(sources, published_at) FILTER (previous_sessions IS NULL) AS first_sources,
        arg_min(sources_expected, published_at) FILTER (previous_sessions IS NULL) AS first_sources_expected,
        max(published_at) FILTER (sessions <> previous_sessions) AS restated_at
    FROM restatements
    WHERE country = $country AND day BETWEEN $first_day AND $last_day
    GROUP BY day
    HAVING restated_at IS NOT NULL
)
SELECT
    c.day,
    c.first_sessions,
    d.published_at AS first_at,
    c.was_preliminary,
    c.first_sources,
    c.first_sources_expected,
    c.last_sessions,
    c.restated_at
FROM changed AS c
JOIN days AS d ON c.day = d.day
ORDER BY c.day
