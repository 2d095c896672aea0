-- Figures whose number was changed after it was published: the total's and one country's first.
-- grain:  day, country
-- inputs: restatements
-- params: $country VARCHAR, $most INTEGER
-- notes:  all of the total and of $country, newest day first; of other countries the $most that
--         moved farthest. all_figures counts those left out, too. A country that came to a
--         published day later was 0 when that day was first published.
WITH days AS (
    SELECT day, min(published_at) AS published_at FROM restatements GROUP BY day
),
changed AS (
    SELECT
        day,
        country,
        arg_min(coalesce(previous_sessions, sessions), published_at) AS first_sessions,
        arg_max(sessions, published_at) AS last_sessions,
        arg_min(is_preliminary, published_at) FILTER (previous_sessions IS NULL) AS was_preliminary,
        arg_min(sources, published_at) FILTER (previous_sessions IS NULL) AS first_sources,
        arg_min(sources_expected, published_at) FILTER (previous_sessions IS NULL) AS first_sources_expected,
        max(published_at) FILTER (sessions <> previous_sessions) AS restated_at,
        arg_max(reason, published_at) FILTER (sessions <> previous_sessions) AS reason,
        count(*) FILTER (sessions <> previous_sessions) AS changes
    FROM restatements
    GROUP BY day, country
    HAVING changes > 0
)
SELECT
    c.day,
    c.country,
    c.first_sessions,
    d.published_at AS first_at,
    c.was_preliminary,
    c.first_sources,
    c.first_sources_expected,
    c.last_sessions,
    c.restated_at,
    c.reason,
    c.changes,
    count(*) OVER () AS all_figures
FROM changed AS c
JOIN days AS d ON c.day = d.day
QUALIFY c.country IN ('all', $country) OR row_number() OVER (
    PARTITION BY c.country IN ('all', $country)
    ORDER BY abs(c.last_sessions - c.first_sessions) DESC, c.day DESC, c.country
) <= $most
ORDER BY
    c.country NOT IN ('all', $country),
    CASE WHEN c.country IN ('all', $country) THEN c.day END DESC,
    abs(c.last_sessions - c.first_sessions) DESC,
    c.day DESC,
    c.country
