-- Up to when the lines of each source reach: of a day, or of the days before for one that is silent.
-- grain:  source
-- inputs: hits (with day)
-- params: $first_day DATE, $last_day DATE
SELECT source, max(ts) AS lines_until
FROM hits
WHERE day BETWEEN $first_day AND $last_day
GROUP BY source
ORDER BY source
