-- Sessions per country and local day beside what its own history expects, and how complete it is.
-- grain:  country, day
-- inputs: expected, days
-- params: $country VARCHAR or NULL for all, $first_day DATE, $last_day DATE, $today DATE
-- notes:  expected and upper are null while there is too little history to judge by; a day that
--         has not begun is in no surge.
SELECT
    e.country,
    e.day,
    e.observed,
    e.expected,
    e.upper,
    e.is_surge AND e.day <= $today AS is_surge,
    coalesce(d.share, 1) AS share,
    coalesce(d.is_preliminary, false) AS is_preliminary,
    coalesce(d.is_censored, false) AS is_censored,
    e.day > $today AS is_future
FROM expected AS e
LEFT JOIN days AS d USING (day)
WHERE ($country IS NULL OR e.country = $country) AND e.day BETWEEN $first_day AND $last_day
ORDER BY e.country, e.day
