-- Episodes that contradict expected. No row: all is well.
-- grain:  rule, country, start_day
-- inputs: surges, expected, days
-- params: none
-- notes:  sums run over the whole span of an episode, unflagged days between flagged ones included.
WITH spans AS (
    SELECT
        s.country, s.start_day,
        sum(e.observed) AS observed,
        max(e.observed) FILTER (WHERE e.is_surge) AS peak_sessions,
        max(e.observed) FILTER (WHERE e.day = s.peak_day) AS peak_day_sessions,
        count(*) FILTER (WHERE e.is_surge AND e.day IN (s.start_day, s.end_day)) AS flagged_ends,
        bool_or(e.is_surge AND (d.is_preliminary OR d.is_censored)) AS is_at_least
    FROM surges AS s
    JOIN expected AS e ON s.country = e.country AND e.day BETWEEN s.start_day AND s.end_day
    LEFT JOIN days AS d ON e.day = d.day
    GROUP BY s.country, s.start_day
),
last_days AS (
    SELECT max(day) AS day, max(day) FILTER (WHERE NOT coalesce(is_preliminary, false)) AS whole_day
    FROM days
),
offences AS (
    SELECT
        'a flagged day is in one episode' AS rule, e.country, e.day AS start_day,
        format('in {} episodes', count(s.country)) AS found
    FROM expected AS e
    LEFT JOIN surges AS s ON e.country = s.country AND e.day BETWEEN s.start_day AND s.end_day
    WHERE e.is_surge
    GROUP BY e.country, e.day
    HAVING count(s.country) <> 1
    UNION ALL
    SELECT
        'an episode starts and ends on a flagged day' AS rule, country, start_day,
        format('{} to {}', s.start_day, s.end_day) AS found
    FROM surges AS s
    LEFT JOIN spans AS p USING (country, start_day)
    WHERE p.flagged_ends IS DISTINCT FROM CASE WHEN s.start_day = s.end_day THEN 1 ELSE 2 END
    UNION ALL
    SELECT
        'days are the calendar span' AS rule, country, start_day, format('{} days', days) AS found
    FROM surges
    WHERE (days = end_day - start_day + 1 AND peak_day BETWEEN start_day AND end_day) IS NOT TRUE
    UNION ALL
    SELECT
        'observed and excess are those of the span' AS rule, country, start_day,
        format('{} observed, {} in expected, {} excess', s.observed, p.observed, s.excess) AS found
    FROM surges AS s
    LEFT JOIN spans AS p USING (country, start_day)
    WHERE (s.observed = p.observed AND abs(s.observed - s.expected - s.excess) < 0.01) IS NOT TRUE
    UNION ALL
    SELECT
        'the excess lies in its interval' AS rule, country, start_day,
        format('{} to {}, excess {}', excess_low, excess_high, excess) AS found
    FROM surges
    WHERE excess NOT BETWEEN excess_low AND excess_high
    UNION ALL
    SELECT
        'the others that rose alike rose' AS rule, country, start_day,
        format('to {} times the expected', others_ratio) AS found
    FROM surges
    WHERE others_ratio <= 1
    UNION ALL
    SELECT
        'the peak is the highest day' AS rule, country, start_day,
        format('{} on {}, highest {}', s.peak_sessions, s.peak_day, p.peak_sessions) AS found
    FROM surges AS s
    LEFT JOIN spans AS p USING (country, start_day)
    WHERE (
        s.peak_sessions = p.peak_sessions AND s.peak_sessions = p.peak_day_sessions
    ) IS NOT TRUE
    UNION ALL
    SELECT
        'an episode is open until a whole day comes after it' AS rule, s.country, s.start_day,
        format('{} to {}, last day {}, last whole one {}', s.start_day, s.end_day, l.day, l.whole_day) AS found
    FROM surges AS s
    CROSS JOIN last_days AS l
    WHERE s.is_open IS NULL OR (s.is_open AND s.end_day < l.whole_day)
        OR (NOT s.is_open AND s.end_day = l.day)
    UNION ALL
    SELECT
        'a size is at least when a flagged day is a lower bound' AS rule, country, start_day,
        concat(s.is_at_least, ', days ', p.is_at_least) AS found
    FROM surges AS s
    LEFT JOIN spans AS p USING (country, start_day)
    WHERE s.is_at_least IS DISTINCT FROM p.is_at_least
)
SELECT rule, country, start_day, found
FROM offences
ORDER BY rule, country, start_day
