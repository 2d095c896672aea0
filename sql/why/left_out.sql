-- Which of some days have figures that leave robot-like visitors out.
-- grain:  day
-- inputs: spans (day), days, sessions
-- params: none
WITH made AS (
    SELECT day, count(*) AS sessions
    FROM sessions
    WHERE day IN (SELECT day FROM spans)
    GROUP BY day
)
SELECT m.day
FROM made AS m
JOIN days AS d ON m.day = d.day
WHERE d.sessions < m.sessions
