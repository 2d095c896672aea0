-- Visits: the hits that sessions are made of, in numbers.
-- grain:  hit
-- inputs: hits (with day, row_no), days (day, is_built, ends_at, keep_from)
-- params: $timeout_seconds INTEGER
-- notes:  neither robots nor assets. Of the days beside the built ones only those hits are taken that
--         can continue a session: from keep_from on, or of visitors seen late on the day before.
--         Times are microseconds from 1969 on, as // rounds towards zero (build/hours.sql).
WITH late_visitors AS (
    SELECT DISTINCT h.visitor_id
    FROM hits AS h
    JOIN days AS d USING (day)
    WHERE d.is_built
        AND d.day + 1 IN (SELECT day FROM days WHERE NOT is_built)
        AND epoch_us(h.ts) >= epoch_us(d.ends_at) - $timeout_seconds::BIGINT * 1000000
)
SELECT
    (h.day - DATE '1970-01-01')::INTEGER AS day_no,
    h.visitor_id,
    epoch_us(h.ts) + 31_536_000_000_000 AS us_since_1969,
    h.country,
    h.is_page,
    coalesce(h.status >= 500, false) AS is_error,
    coalesce(h.bytes_sent, 0) AS bytes_sent,
    h.row_no
FROM hits AS h
JOIN days AS d USING (day)
WHERE NOT h.is_robot AND NOT h.is_asset
    AND (h.ts >= d.keep_from OR h.visitor_id IN (SELECT visitor_id FROM late_visitors))
