-- Rows of hourly that contradict themselves or daily. No row: all is well.
-- grain:  rule, day, hour, country
-- inputs: hourly, daily
-- params: none
-- notes:  the zone is not known here: a local day lies within 14 hours of the same UTC day.
--         Bytes of a day, too, stop at BIGINT's largest value.
WITH sums AS (
    SELECT
        day, country,
        max(visitors) AS least_visitors,
        sum(visitors) AS most_visitors,
        {
            sessions: sum(sessions)::BIGINT, pages: sum(pages)::BIGINT, hits: sum(hits)::BIGINT,
            bytes_sent: least(sum(bytes_sent), 9223372036854775807), errors: sum(errors)::BIGINT,
            robot_hits: sum(robot_hits)::BIGINT
        } AS measures
    FROM hourly
    GROUP BY day, country
),
days AS (
    SELECT
        day, country, visitors,
        {
            sessions: sessions, pages: pages, hits: hits, bytes_sent: bytes_sent::HUGEINT,
            errors: errors, robot_hits: robot_hits
        } AS measures
    FROM daily
),
offences AS (
    SELECT
        'hours add up to their day' AS rule, day, NULL AS hour, country,
        concat(s.measures, ' in hourly, ', d.measures, ' in daily') AS found
    FROM sums AS s
    FULL JOIN days AS d USING (day, country)
    WHERE s.measures IS DISTINCT FROM d.measures
    UNION ALL
    SELECT
        'visitors of a day are those of its hours' AS rule, day, NULL AS hour, country,
        format('{} in daily, {} to {} by hours', d.visitors, least_visitors, most_visitors) AS found
    FROM sums AS s
    JOIN days AS d USING (day, country)
    WHERE d.visitors NOT BETWEEN s.least_visitors AND s.most_visitors
    UNION ALL
    SELECT
        'a country has one row an hour' AS rule, day, hour, country,
        format('{} rows', count(*)) AS found
    FROM hourly
    GROUP BY day, hour, country
    HAVING count(*) > 1
    UNION ALL
    SELECT
        'an hour begins on the hour, in its day' AS rule, day, hour, country,
        hour::VARCHAR AS found
    FROM hourly
    WHERE (
        epoch(hour) % 3600 = 0
        AND epoch(hour) > epoch(day) - 15 * 3600 AND epoch(hour) < epoch(day) + (24 + 12) * 3600
    ) IS NOT TRUE
    UNION ALL
    SELECT
        'parts are no more than the whole' AS rule, day, hour, country,
        format('{} hits, {} pages, {} errors', hits, pages, errors)
        || format(', {} visitors, {} sessions, {} bytes', visitors, sessions, bytes_sent) AS found
    FROM hourly
    WHERE (
        hits + robot_hits >= 1 AND pages + errors <= hits AND visitors <= hits
        AND sessions <= hits AND (visitors > 0 OR sessions = 0) AND bytes_sent >= 0
        AND least(sessions, visitors, pages, hits, errors, robot_hits) >= 0
    ) IS NOT TRUE
)
SELECT rule, day, hour, country, found
FROM offences
ORDER BY rule, day, hour, country
