-- One country's sessions per local day beside what its own history expects.
-- grain:  day
-- inputs: expected
-- params: $country VARCHAR
-- notes:  expected and upper are null while there is too little history to judge by.
SELECT day, observed, expected, upper, is_surge
FROM expected
WHERE country = $country
ORDER BY day
