-- Days of whose files many lines are unread, visitors may be proxies, or times were guessed.
-- grain:  day
-- inputs: files
-- params: $first_day DATE, $last_day DATE, $unread_share DOUBLE
-- notes:  as `figure` says of a day: a rejected line counts for each day of its file; is_proxied is
--         of a source of which most hits are a proxy's that nobody trusts, or of private addresses.
--         Of a day of which that is so, it is of a file at least: of most lakes none is a suspect.
WITH suspects AS MATERIALIZED (
    SELECT DISTINCT unnest(days).day AS day
    FROM files
    WHERE
        (rejected > 0 AND rejected >= $unread_share * "lines")
        OR is_zoneless
        OR 2 * greatest(coalesce(unheeded, 0), coalesce(private_hits, 0)) > hits + duplicates
),
shares AS (
    SELECT
        unnest(days).day AS day,
        source, "lines", rejected, unheeded, private_hits, is_zoneless,
        hits + duplicates AS all_hits
    FROM files
    WHERE EXISTS (SELECT day FROM suspects) AND replaced_by IS NULL AND forgotten_at IS NULL
),
by_source AS (
    SELECT
        day,
        sum("lines") AS all_lines,
        sum(rejected) AS rejected,
        sum(all_hits) AS all_hits,
        sum(coalesce(unheeded, 0)) AS unheeded,
        sum(coalesce(private_hits, 0)) AS private_hits,
        bool_or(coalesce(is_zoneless, false)) AS is_zoneless
    FROM shares
    WHERE day BETWEEN $first_day AND $last_day
    GROUP BY day, source
)
SELECT
    day,
    sum(rejected) > 0 AND sum(rejected) >= $unread_share * sum(all_lines) AS is_unread,
    bool_or(2 * unheeded > all_hits OR 2 * private_hits > all_hits) AS is_proxied,
    bool_or(is_zoneless) AS is_zoneless
FROM by_source
GROUP BY day
HAVING is_unread OR is_proxied OR bool_or(is_zoneless)
ORDER BY day
