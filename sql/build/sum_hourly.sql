-- Hourly of days that were built in buckets: what the buckets counted, added up.
-- grain:  day, hour, country
-- inputs: counted (the rows of hourly, of each bucket)
-- params: none
-- notes:  as sum_daily.
SELECT
    day,
    hour,
    country,
    sum(sessions)::BIGINT AS sessions,
    sum(visitors)::BIGINT AS visitors,
    sum(pages)::BIGINT AS pages,
    sum(hits)::BIGINT AS hits,
    least(sum(bytes_sent), 9223372036854775807)::BIGINT AS bytes_sent,
    sum(errors)::BIGINT AS errors,
    sum(robot_hits)::BIGINT AS robot_hits
FROM counted
GROUP BY day, hour, country
ORDER BY day, hour, country
