-- Minutes: how many hits each source wrote in each minute. What completeness is judged by.
-- grain:  day, source, minute
-- inputs: hits (with day), days (day, is_built)
-- params: none
-- notes:  `minute` is the start of the minute in UTC; a minute without a hit has no row. Robots and
--         assets count: whatever a server writes shows that its log is there.
WITH counted AS (
    SELECT h.day, h.source, (epoch_us(h.ts) // 60_000_000)::INTEGER AS minutes_since_1970, count(*) AS hits
    FROM hits AS h
    JOIN days AS d ON h.day = d.day AND d.is_built
    GROUP BY ALL
)
SELECT day, source, make_timestamptz(minutes_since_1970 * 60_000_000::BIGINT) AS minute, hits
FROM counted
