-- Hour by hour: one country's sessions, and the requests of all countries with their 5xx answers.
-- grain:  hour
-- inputs: hourly
-- params: $country VARCHAR, $first_day DATE, $last_day DATE
-- notes:  `hour` is the start of the hour in UTC. Requests are hits without robots'.
SELECT
    hour,
    coalesce(sum(sessions) FILTER (WHERE country = $country), 0)::BIGINT AS sessions,
    sum(hits)::BIGINT AS hits,
    sum(errors)::BIGINT AS errors
FROM hourly
WHERE day BETWEEN $first_day AND $last_day
GROUP BY hour
ORDER BY hour
