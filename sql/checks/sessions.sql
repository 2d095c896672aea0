-- Sessions that contradict themselves, each other or hits. No row: all is well.
-- grain:  rule, day, session_id
-- inputs: sessions, hits
-- params: none
-- notes:  run after a build: a day that is not built yet offends. A session can reach into the
--         day after its own, so hits are counted against sessions for visitors who were not seen
--         on the day before or after. Some days alone can be checked, with their neighbours' rows.
WITH visits AS (
    SELECT visitor_id, ts, day, country
    FROM hits
    WHERE NOT is_robot AND NOT is_asset
),
neighbours AS (
    SELECT
        day, session_id, started_at,
        lag(ended_at) OVER (PARTITION BY visitor_id ORDER BY started_at, day) AS previous_ended_at
    FROM sessions
),
visit_counts AS (
    SELECT visitor_id, day, count(*) AS hits
    FROM visits
    GROUP BY visitor_id, day
),
seen_on_one_day AS (
    SELECT v.visitor_id, v.day, v.hits
    FROM visit_counts AS v
    ANTI JOIN visit_counts AS beside
        ON v.visitor_id = beside.visitor_id AND beside.day IN (v.day - 1, v.day + 1)
),
session_counts AS (
    SELECT visitor_id, day, any_value(session_id) AS session_id, sum(hits) AS hits
    FROM sessions
    GROUP BY visitor_id, day
),
offences AS (
    SELECT 'a session id is given once' AS rule, min(day) AS day, session_id, 'ids' AS found
    FROM sessions
    GROUP BY session_id
    HAVING count(*) > 1
    UNION ALL
    SELECT
        'a session ends after it starts, within two days' AS rule, day, session_id,
        format('{} to {}', started_at, ended_at) AS found
    FROM sessions
    WHERE (ended_at >= started_at AND epoch(ended_at) - epoch(started_at) < 49 * 3600) IS NOT TRUE
    UNION ALL
    SELECT
        'parts are no more than the whole' AS rule, day, session_id,
        format('{} hits, {} pages, {} errors, {} bytes', hits, pages, errors, bytes_sent) AS found
    FROM sessions
    WHERE (
        hits >= 1 AND pages >= 0 AND errors >= 0 AND pages + errors <= hits AND bytes_sent >= 0
    ) IS NOT TRUE
    UNION ALL
    SELECT
        'a session starts with a hit of its day and country' AS rule, s.day, s.session_id,
        format('{} {}', s.country, s.started_at) AS found
    FROM sessions AS s
    ANTI JOIN visits AS v
        ON s.visitor_id = v.visitor_id AND s.started_at = v.ts AND s.day = v.day
        AND s.country = v.country
    UNION ALL
    SELECT
        'a session ends with a hit' AS rule, s.day, s.session_id, s.ended_at::VARCHAR AS found
    FROM sessions AS s
    ANTI JOIN visits AS v ON s.visitor_id = v.visitor_id AND s.ended_at = v.ts
    UNION ALL
    SELECT
        'sessions of a visitor follow one another' AS rule, day, session_id,
        format('started {}, the one before ended {}', started_at, previous_ended_at) AS found
    FROM neighbours
    WHERE started_at <= previous_ended_at
    UNION ALL
    SELECT
        'every visit is in one session' AS rule, v.day, s.session_id,
        concat(s.hits, ' in sessions, ', v.hits, ' in hits') AS found
    FROM seen_on_one_day AS v
    LEFT JOIN session_counts AS s USING (visitor_id, day)
    WHERE s.hits IS DISTINCT FROM v.hits
)
SELECT rule, day, session_id, found
FROM offences
ORDER BY rule, day, session_id
