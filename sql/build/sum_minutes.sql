-- Minutes of days that were built in buckets: what the buckets counted, added up.
-- grain:  day, source, minute
-- inputs: counted (the rows of minutes, of each bucket)
-- params: none
SELECT day, source, minute, sum(hits)::BIGINT AS hits
FROM counted
GROUP BY day, source, minute
ORDER BY day, source, minute
