-- Hits as another address database would place them; only where addresses are kept in full.
-- grain:  hit
-- inputs: stored_hits (hits with day), places (client, country, subdivision)
-- params: none
-- notes:  places holds every client of the hits.
SELECT
    h.* EXCLUDE (country, subdivision),
    p.country,
    p.subdivision
FROM stored_hits AS h
JOIN places AS p ON h.client = p.client
