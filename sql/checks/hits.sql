-- Hits that contradict themselves or the definitions. No row: all is well.
-- grain:  rule, day, hit
-- inputs: hits
-- params: none
-- notes:  the zone is not known here: a local day lies within 14 hours of the same UTC day.
--         A hit to which the server sent no status has none.
WITH offences AS (
    SELECT 'a hit says whose, when and what it is' AS rule, day, source, line_no
    FROM hits
    WHERE ts IS NULL OR visitor_id IS NULL OR country IS NULL
        OR is_robot IS NULL OR is_asset IS NULL OR is_page IS NULL
    UNION ALL
    SELECT 'a page is a successful GET of a person' AS rule, day, source, line_no
    FROM hits
    WHERE is_page <> (
        NOT is_robot AND NOT is_asset AND coalesce(method = 'GET', false)
        AND coalesce(status BETWEEN 200 AND 299 OR status = 304, false)
    )
    UNION ALL
    SELECT 'an empty agent is a robot, none is not' AS rule, day, source, line_no
    FROM hits
    WHERE coalesce(user_agent IN ('', '-'), false) AND NOT is_robot
        OR user_agent IS NULL AND is_robot
    UNION ALL
    SELECT 'a hit lies in its day' AS rule, day, source, line_no
    FROM hits
    WHERE epoch(ts) < epoch(day) - 14 * 3600 OR epoch(ts) >= epoch(day) + (24 + 12) * 3600
    UNION ALL
    SELECT 'status, bytes and country are in bounds' AS rule, day, source, line_no
    FROM hits
    WHERE status NOT BETWEEN 100 AND 599 OR bytes_sent < 0 OR NOT country SIMILAR TO '[A-Z]{2}'
)
SELECT rule, day, source, line_no
FROM offences
ORDER BY rule, day, source, line_no
