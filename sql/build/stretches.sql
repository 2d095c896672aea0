-- Stretches: a visitor's hits in a part of an hour that is no longer than the timeout, as one row.
-- grain:  day, visitor, part of an hour, country
-- inputs: hits (with day, row_no), days (day, is_built, ends_at, keep_from)
-- params: $timeout_seconds INTEGER
-- notes:  no gap cuts such hits, so that sessions are made of rows that are far fewer; an hour's and a
--         day's visitors are, too. Neither robots nor assets. Of the days beside the built ones only
--         those hits are taken that can continue a session: from keep_from on, or of visitors seen
--         late on the day before.
--         The first and the last hit are named by row_no (under 2^32); is_tied is where another one
--         shares the second of either. Both are told by numbers of time and row_no, of which the
--         least and the largest come from one read.
--         Parts of hours begin with the hour: in UTC, counted from 1969 on, as % rounds towards zero.
--         Bytes that no BIGINT can hold (forged sizes) stop at its largest value.
WITH late_visitors AS (
    SELECT DISTINCT h.visitor_id
    FROM hits AS h
    JOIN days AS d USING (day)
    WHERE d.is_built
        AND d.day + 1 IN (SELECT day FROM days WHERE NOT is_built)
        AND epoch_us(h.ts) >= epoch_us(d.ends_at) - $timeout_seconds::BIGINT * 1000000
),
timed AS (
    SELECT
        h.day, h.visitor_id, h.country, h.status, h.bytes_sent, h.is_page,
        epoch_us(h.ts) + 31_536_000_000_000 AS us,
        us - us % 3_600_000_000 % ($timeout_seconds::BIGINT * 1000000) AS since_us,
        (us - since_us)::UBIGINT << 32 AS time_bits,
        h.row_no::UBIGINT AS row_no
    FROM hits AS h
    JOIN days AS d USING (day)
    WHERE NOT h.is_robot AND NOT h.is_asset
        AND (h.ts >= d.keep_from OR h.visitor_id IN (SELECT visitor_id FROM late_visitors))
),
grouped AS (
    SELECT
        day,
        visitor_id,
        country,
        since_us,
        count(*) AS hits,
        count(*) FILTER (WHERE is_page) AS pages,
        count(*) FILTER (WHERE status >= 500) AS errors,
        sum(bytes_sent) AS bytes_sent,
        min(time_bits | row_no) AS first,
        max(time_bits | row_no) AS last,
        4294967295 - (min(time_bits | (4294967295 - row_no)) & 4294967295) AS last_of_first,
        4294967295 - (max(time_bits | (4294967295 - row_no)) & 4294967295) AS first_of_last
    FROM timed
    GROUP BY day, visitor_id, country, since_us
)
SELECT
    day,
    visitor_id,
    country,
    since_us // 3_600_000_000 AS hours_since_1969,
    make_timestamptz(since_us - 31_536_000_000_000 + (first >> 32)::BIGINT) AS started_at,
    make_timestamptz(since_us - 31_536_000_000_000 + (last >> 32)::BIGINT) AS ended_at,
    hits,
    pages,
    least(coalesce(bytes_sent, 0), 9223372036854775807)::BIGINT AS bytes_sent,
    errors,
    (first & 4294967295)::UINTEGER AS first_row,
    (last & 4294967295)::UINTEGER AS last_row,
    (first & 4294967295) <> last_of_first OR (last & 4294967295) <> first_of_last AS is_tied
FROM grouped
