-- What the surges that touch a span of days are made of: drivers first, then by the excess.
-- grain:  country, start_day, dimension, element
-- inputs: drivers, surges
-- params: $country VARCHAR or NULL for all, $first_day DATE, $last_day DATE
SELECT
    d.country, d.start_day, d.dimension, d.element, d.is_other, d.observed, d.expected, d.excess,
    d.share, d.surprise, d.rank, d.sessions_before, d.days_before
FROM drivers AS d
JOIN surges AS u USING (country, start_day)
WHERE ($country IS NULL OR d.country = $country)
    AND u.end_day >= $first_day AND u.start_day <= $last_day
ORDER BY
    d.start_day, d.country, d.rank NULLS LAST, d.dimension, d.excess DESC NULLS LAST,
    d.observed DESC, d.element NULLS LAST, d.is_other
