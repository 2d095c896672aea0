-- Published values of figures: each with the one before it, the newest publication first.
-- grain:  day, country, published_at
-- inputs: restatements
-- params: $country VARCHAR or NULL for all, $first_day DATE, $last_day DATE, $only_changes BOOLEAN
-- notes:  percent is of the value before; null where that was 0 or there was none. With
--         $only_changes the first values, and those that only became more complete, are left out.
SELECT
    day,
    country,
    published_at,
    sessions,
    previous_sessions,
    sessions - previous_sessions AS change,
    100.0 * (sessions - previous_sessions) / nullif(previous_sessions, 0) AS percent,
    share,
    sources,
    sources_expected,
    is_preliminary,
    reason
FROM restatements
WHERE ($country IS NULL OR country = $country)
    AND day BETWEEN $first_day AND $last_day
    AND (NOT $only_changes OR sessions <> previous_sessions)
ORDER BY published_at DESC, day DESC, country
