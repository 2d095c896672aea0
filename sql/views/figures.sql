-- Figures: each day's sessions of each country as they were last published.
-- grain:  day, country
-- inputs: restatements
-- params: none
-- notes:  the day's total, which is published as country `all`, is left out: sums are right. A
--         country of which a day no longer has a session stays, with 0.
SELECT
    day, country, published_at, sessions, previous_sessions, reason, share, is_preliminary, sources,
    sources_expected
FROM restatements
WHERE country <> 'all'
QUALIFY row_number() OVER (PARTITION BY day, country ORDER BY published_at DESC) = 1
