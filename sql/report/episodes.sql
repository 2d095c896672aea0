-- Every surge of every country, the one with the most sessions above expectation first.
-- grain:  country, start_day
-- inputs: surges
-- params: none
SELECT
    country, start_day, peak_day, end_day, days, observed, expected, excess, peak_sessions,
    peak_ratio, is_open, is_at_least
FROM surges
ORDER BY excess DESC, country, start_day
