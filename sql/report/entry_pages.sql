-- Where one country's sessions of a day began on the site.
-- grain:  entry_path
-- inputs: sessions
-- params: $country VARCHAR, $day DATE, $least BIGINT (sessions; rarer ones are left out), $with_robotlike BOOLEAN (whether theirs count)
SELECT entry_path AS name, count(*) AS sessions
FROM sessions
WHERE day = $day AND country = $country AND ($with_robotlike OR is_robotlike IS NOT TRUE)
GROUP BY entry_path
HAVING count(*) >= $least
ORDER BY sessions DESC, name NULLS LAST
LIMIT 5
