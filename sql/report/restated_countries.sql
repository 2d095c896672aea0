-- Countries whose figures a publication changed: the sums of those figures before and after.
-- grain:  published_at, country
-- inputs: restatements
-- params: $country VARCHAR, $first_day DATE, $last_day DATE, $most INTEGER
-- notes:  by the $most newest of such publications of the span; $country first, then who moved farthest.
WITH changed AS (
    SELECT published_at, country, sessions, previous_sessions
    FROM restatements
    WHERE sessions <> previous_sessions AND day BETWEEN $first_day AND $last_day
    QUALIFY dense_rank() OVER (ORDER BY published_at DESC) <= $most
)
SELECT
    published_at,
    country,
    sum(previous_sessions)::BIGINT AS sessions_before,
    sum(sessions)::BIGINT AS sessions_after
FROM changed
WHERE country <> 'all'
GROUP BY published_at, country
ORDER BY
    published_at DESC,
    country <> $country,
    abs(sessions_after - sessions_before) DESC,
    country
