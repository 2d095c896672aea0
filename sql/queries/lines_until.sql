-- Up to when the lines of each source reach: of a day, or of the days before for one that is silent.
-- grain:  source
-- inputs: hits (with day)
-- params: $first_day DATE, $last_day DATE, $now TIMESTAMPTZ
-- notes:  a line after $now is not there yet: another time is asked about, or a clock is wrong.
SELECT source, max(ts) AS lines_until
FROM hits
WHERE day BETWEEN $first_day AND $last_day AND ts <= $now
GROUP BY source
ORDER BY source
