-- Minutes: how many hits each source wrote in each minute. What completeness is judged by.
-- grain:  day, source, minute
-- inputs: hits (with day), days (day, is_built)
-- params: none
-- notes:  `minute` is the start of the minute in UTC; a minute without a hit has no row. Robots and
--         assets count: whatever a server writes shows that its log is there. Minutes are numbers
--         of 32 bits while they are counted, which takes half the time, and from 1969 on, as //
--         rounds towards zero.
WITH counted AS (
    SELECT
        h.day,
        h.source,
        ((epoch_us(h.ts) + 31_536_000_000_000) // 60_000_000)::INTEGER AS minutes_since_1969,
        count(*) AS hits
    FROM hits AS h
    JOIN days AS d ON h.day = d.day AND d.is_built
    GROUP BY ALL
)
SELECT
    day,
    source,
    make_timestamptz(minutes_since_1969 * 60_000_000::BIGINT - 31_536_000_000_000) AS minute,
    hits
FROM counted
