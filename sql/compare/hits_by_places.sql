-- Hits as another address database would place them, where addresses are kept in full.
-- grain:  hit
-- inputs: stored_hits (hits with day, row_no), places (client, country, subdivision)
-- params: none
-- notes:  places holds every client of the hits, null too.
SELECT
    h.row_no, h.day, h.ts, h.source, h.visitor_id, h.geo_built, h.method, h.path, h.query,
    h.status, h.bytes_sent, h.referrer, h.user_agent, h.is_robot, h.is_asset, h.is_page,
    p.country, p.subdivision
FROM stored_hits AS h
LEFT JOIN places AS p ON h.client IS NOT DISTINCT FROM p.client
