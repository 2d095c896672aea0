-- Minutes as completeness is judged by them: numbers of 32 bits, half of what times take.
-- grain:  day, source, minute
-- inputs: minutes (with day)
-- params: none
-- notes:  `minute` is counted from 1970 on.
SELECT day, source, (epoch_us(minute) // 60_000_000)::INTEGER AS minute, hits
FROM minutes
