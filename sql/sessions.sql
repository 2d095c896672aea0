-- Sessions: one visitor's hits in order, cut where the gap is longer than the timeout.
-- grain:  day, session
-- inputs: numbers (with day, row_no), hits (with row_no), days (day, is_built, starts_at, ends_at, keep_from), robotlike (day, visitor_id)
-- params: $timeout_seconds INTEGER, $session_key BLOB, $parts UBIGINT, $part UBIGINT
-- notes:  a session belongs to the day it starts; its attributes count its own hits up to the end
--         of the following day. Of the days beside the built ones only those hits are kept that
--         can continue a session: from keep_from on, or of visitors seen late on the day before.
--         Its first and last hit are named by row_no: their texts are taken from there
--         (build/session_texts.py). Texts are read here only where several hits share a session's
--         first or last second: `place` is the total order of a visitor's hits (docs/definitions.md,
--         Order), the files' own last. Visitors can be taken in $parts parts, one at a time ($part from 0), to fit into
--         memory: sessions of different visitors know nothing of each other.
--         is_robotlike is said of the visitor's day on which the session starts.
--         Bytes that no BIGINT can hold (forged sizes) stop at its largest value.
WITH late_visitors AS (
    SELECT DISTINCT n.visitor_id
    FROM numbers AS n
    JOIN days AS d USING (day)
    WHERE d.is_built
        AND d.day + 1 IN (SELECT day FROM days WHERE NOT is_built)
        AND epoch_us(n.ts) >= epoch_us(d.ends_at) - $timeout_seconds::BIGINT * 1000000
),
visits AS (
    SELECT
        n.visitor_id, n.ts, n.day, n.row_no, n.country, n.bytes_sent, n.is_page,
        n.status >= 500 AS is_error
    FROM numbers AS n
    JOIN days AS d USING (day)
    WHERE NOT n.is_robot AND NOT n.is_asset
        AND n.visitor_id % $parts::UBIGINT = $part::UBIGINT
        AND (n.ts >= d.keep_from OR n.visitor_id IN (SELECT visitor_id FROM late_visitors))
),
gaps AS (
    SELECT
        visitor_id, ts, day, row_no, country, bytes_sent, is_page, is_error,
        lag(ts) OVER visitor AS previous_ts,
        lag(day) OVER visitor AS previous_day
    FROM visits
    WINDOW visitor AS (PARTITION BY visitor_id ORDER BY ts)
),
starts AS (
    SELECT
        visitor_id, ts, day, row_no, country, bytes_sent, is_page, is_error,
        previous_ts IS NULL
        OR epoch_us(ts) - epoch_us(previous_ts) > $timeout_seconds::BIGINT * 1000000
        OR previous_day < day - 1 AS is_start,
        coalesce(ts = previous_ts, false) AS is_tied
    FROM gaps
),
numbered AS (
    SELECT
        visitor_id, ts, day, row_no, country, bytes_sent, is_page, is_error, is_tied,
        last_value(CASE WHEN is_start THEN ts END IGNORE NULLS) OVER visitor AS started_at,
        last_value(CASE WHEN is_start THEN day END IGNORE NULLS) OVER visitor AS start_day
    FROM starts
    WINDOW visitor AS (PARTITION BY visitor_id ORDER BY ts)
),
counted AS MATERIALIZED (
    SELECT
        n.start_day AS day,
        n.visitor_id,
        n.started_at,
        max(n.ts) AS ended_at,
        count(*) AS hits,
        count(*) FILTER (WHERE n.is_page) AS pages,
        least(coalesce(sum(n.bytes_sent), 0), 9223372036854775807)::BIGINT AS bytes_sent,
        count(*) FILTER (WHERE n.is_error) AS errors,
        arg_min(n.country, n.ts) AS country,
        arg_min(n.row_no, n.ts) AS first_row,
        arg_max(n.row_no, n.ts) AS last_row,
        bool_or(n.is_tied) AS is_tied
    FROM numbered AS n
    JOIN days AS d ON n.start_day = d.day AND d.is_built
    WHERE n.day <= n.start_day + 1
    GROUP BY n.visitor_id, n.started_at, n.start_day
),
seconds AS (
    SELECT visitor_id, started_at, unnest([started_at, ended_at]) AS ts
    FROM counted
    WHERE is_tied
),
tied AS (
    SELECT s.visitor_id, s.started_at, n.row_no
    FROM numbers AS n
    JOIN seconds AS s USING (visitor_id, ts)
    WHERE NOT n.is_robot AND NOT n.is_asset
),
placed AS (
    SELECT
        t.visitor_id, t.started_at, h.ts, h.row_no, h.country,
        create_sort_key(
            h.path, 'ASC NULLS FIRST', h.query, 'ASC NULLS FIRST', h.method, 'ASC NULLS FIRST',
            h.status, 'ASC NULLS FIRST', h.bytes_sent, 'ASC NULLS FIRST',
            h.referrer, 'ASC NULLS FIRST', h.country, 'ASC NULLS FIRST',
            h.subdivision, 'ASC NULLS FIRST', h.source, 'ASC NULLS FIRST', h.row_no, 'ASC NULLS FIRST'
        ) AS place
    FROM hits AS h
    JOIN tied AS t USING (row_no)
),
ends AS (
    SELECT
        visitor_id,
        started_at,
        ts,
        arg_min(country, place) AS country,
        arg_min(row_no, place) AS first_row,
        arg_max(row_no, place) AS last_row
    FROM placed
    GROUP BY visitor_id, started_at, ts
)
SELECT
    c.day,
    ('0x' || left(sha256(
        $session_key::BLOB || encode(concat(c.visitor_id, '-', epoch_us(c.started_at)))
    ), 16))::UBIGINT AS session_id,
    c.visitor_id,
    c.started_at,
    c.ended_at,
    c.hits,
    c.pages,
    c.bytes_sent,
    c.errors,
    coalesce(f.country, c.country) AS country,
    r.visitor_id IS NOT NULL AS is_robotlike,
    coalesce(f.first_row, c.first_row) AS first_row,
    coalesce(l.last_row, c.last_row) AS last_row
FROM counted AS c
LEFT JOIN ends AS f
    ON c.visitor_id = f.visitor_id AND c.started_at = f.started_at AND c.started_at = f.ts
LEFT JOIN ends AS l
    ON c.visitor_id = l.visitor_id AND c.started_at = l.started_at AND c.ended_at = l.ts
LEFT JOIN robotlike AS r ON c.day = r.day AND c.visitor_id = r.visitor_id
