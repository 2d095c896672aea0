-- Daily of days that were built in buckets: what the buckets counted, added up.
-- grain:  day, country
-- inputs: counted (the rows of daily, of each bucket)
-- params: none
-- notes:  a visitor is in one bucket, so that numbers of visitors add up, too. Bytes that no BIGINT
--         can hold stop at its largest value, of a bucket as of all.
SELECT
    day,
    country,
    sum(sessions)::BIGINT AS sessions,
    sum(visitors)::BIGINT AS visitors,
    sum(pages)::BIGINT AS pages,
    sum(hits)::BIGINT AS hits,
    least(sum(bytes_sent), 9223372036854775807)::BIGINT AS bytes_sent,
    sum(errors)::BIGINT AS errors,
    sum(robot_hits)::BIGINT AS robot_hits,
    max(geo_built) AS geo_built,
    any_value(geo_is_late) AS geo_is_late
FROM counted
GROUP BY day, country
ORDER BY day, country
