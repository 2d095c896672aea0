-- The 20 pages through which most sessions of the largest surge came in, against the days before.
-- grain:  entry_path
-- inputs: surges, sessions, days
-- params: none
-- notes:  the largest surge has the greatest excess; of equal ones the earliest, then the country
--         first in the alphabet. Before it are as many calendar days as it lasts: of these,
--         `days_before` have hits at all, so compare shares, not counts. Only sessions of the
--         surge's country count. A null path is that of a request without one.
WITH surge AS (
    SELECT country, start_day, end_day, start_day - days::INTEGER AS first_day_before
    FROM surges
    ORDER BY excess DESC, start_day, country
    LIMIT 1
),
history AS (
    SELECT count(*) AS days_before
    FROM days AS d
    JOIN surge AS u ON d.day >= u.first_day_before AND d.day < u.start_day
),
entries AS (
    SELECT
        s.entry_path,
        count(*) FILTER (WHERE s.day >= u.start_day) AS sessions,
        count(*) FILTER (WHERE s.day < u.start_day) AS sessions_before
    FROM sessions AS s
    JOIN surge AS u ON s.country = u.country AND s.day BETWEEN u.first_day_before AND u.end_day
    GROUP BY s.entry_path
),
shares AS (
    SELECT
        entry_path,
        sessions,
        sessions / sum(sessions) OVER () AS share,
        sessions_before,
        sessions_before / nullif(sum(sessions_before) OVER (), 0) AS share_before
    FROM entries
)
SELECT
    u.country,
    u.start_day,
    u.end_day,
    s.entry_path,
    s.sessions,
    round(s.share, 4) AS share,
    s.sessions_before,
    round(s.share_before, 4) AS share_before,
    h.days_before
FROM shares AS s
CROSS JOIN surge AS u
CROSS JOIN history AS h
WHERE s.sessions > 0
ORDER BY s.sessions DESC, s.entry_path NULLS FIRST
LIMIT 20
