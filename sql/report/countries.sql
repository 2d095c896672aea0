-- Sessions of each country over a span of days.
-- grain:  country
-- inputs: daily
-- params: $first_day DATE, $last_day DATE
SELECT country, sum(sessions)::BIGINT AS sessions
FROM daily
WHERE day BETWEEN $first_day AND $last_day
GROUP BY country
ORDER BY sessions DESC, country
