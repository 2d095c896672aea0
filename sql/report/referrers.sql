-- Which sites one country's sessions of a day came from.
-- grain:  referrer_host
-- inputs: sessions
-- params: $country VARCHAR, $day DATE, $least BIGINT (sessions; rarer ones are left out), $with_robotlike BOOLEAN (whether theirs count)
SELECT referrer_host AS name, count(*) AS sessions
FROM sessions
WHERE day = $day AND country = $country AND ($with_robotlike OR is_robotlike IS NOT TRUE)
GROUP BY referrer_host
HAVING count(*) >= $least
ORDER BY sessions DESC, name NULLS LAST
LIMIT 5
