-- Hits as other robot lists would have them.
-- grain:  hit
-- inputs: stored_hits (hits with day, row_no), robot_agents (user_agent)
-- params: none
-- notes:  a hit without a user agent is no robot's.
SELECT
    h.row_no, h.day, h.ts, h.source, h.visitor_id, h.country, h.subdivision, h.geo_built, h.method,
    h.path, h.query, h.status, h.bytes_sent, h.referrer, h.user_agent, h.is_asset,
    r.user_agent IS NOT NULL AS is_robot,
    r.user_agent IS NULL AND NOT h.is_asset AND coalesce(h.method = 'GET', false)
        AND (h.status BETWEEN 200 AND 299 OR h.status = 304) AS is_page
FROM stored_hits AS h
LEFT JOIN robot_agents AS r ON h.user_agent = r.user_agent
