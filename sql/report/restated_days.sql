-- Days of which a publication changed a figure: the total before and after, and why.
-- grain:  published_at, day
-- inputs: restatements
-- params: $first_day DATE, $last_day DATE, $most INTEGER
-- notes:  by the $most newest of such publications, of which there are all_publications. A total
--         may be the same before and after where one country lost what another one got.
WITH changed AS (
    SELECT published_at, day, any_value(reason ORDER BY country) AS reason
    FROM restatements
    WHERE sessions <> previous_sessions AND day BETWEEN $first_day AND $last_day
    GROUP BY published_at, day
    QUALIFY dense_rank() OVER (ORDER BY published_at DESC) <= $most
),
totals AS (
    SELECT day, published_at, sessions, is_preliminary, sources, sources_expected
    FROM restatements
    WHERE country = 'all'
)
SELECT
    c.published_at,
    c.day,
    before.sessions AS sessions_before,
    before.is_preliminary AS was_preliminary,
    before.sources AS sources_before,
    before.sources_expected AS expected_before,
    after.sessions AS sessions_after,
    after.is_preliminary,
    after.sources,
    after.sources_expected,
    c.reason,
    (
        SELECT count(DISTINCT published_at)
        FROM restatements
        WHERE sessions <> previous_sessions AND day BETWEEN $first_day AND $last_day
    ) AS all_publications
FROM changed AS c
ASOF JOIN totals AS before ON c.day = before.day AND c.published_at > before.published_at
ASOF JOIN totals AS after ON c.day = after.day AND c.published_at >= after.published_at
ORDER BY c.published_at DESC, c.day
