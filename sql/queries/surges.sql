-- Episodes that touch a span of days, for the command of that name.
-- grain:  country, start_day
-- inputs: surges
-- params: $country VARCHAR or NULL for all, $first_day DATE, $last_day DATE
SELECT
    country, start_day, peak_day, end_day, days, observed, expected, excess, peak_sessions,
    peak_ratio, is_open, is_at_least, excess_low, excess_high, others_ratio
FROM surges
WHERE ($country IS NULL OR country = $country)
    AND end_day >= $first_day AND start_day <= $last_day
ORDER BY start_day, country
