-- Hits as another address database would place them, where addresses are kept in full.
-- grain:  hit
-- inputs: stored_hits (hits with day), places (client, country, subdivision)
-- params: none
-- notes:  places holds every client of the hits.
SELECT
    h.* EXCLUDE (country, subdivision),
    coalesce(p.country, 'ZZ') AS country,
    p.subdivision
FROM stored_hits AS h
LEFT JOIN places AS p ON h.client = p.client
