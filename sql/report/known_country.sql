-- Whether any hit of any day was from a country, now or when a figure of it was published.
-- grain:  one row
-- inputs: daily, restatements
-- params: $country VARCHAR
SELECT
    EXISTS (SELECT 1 FROM daily WHERE country = $country)
    OR EXISTS (SELECT 1 FROM restatements WHERE country = $country) AS is_known
