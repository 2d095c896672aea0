-- Sessions of each country over all days.
-- grain:  country
-- inputs: daily
-- params: none
SELECT country, sum(sessions)::BIGINT AS sessions
FROM daily
GROUP BY country
ORDER BY sessions DESC, country
