-- Sessions: one visitor's hits in order, cut where the gap is longer than the timeout.
-- grain:  day, session
-- inputs: cut_sessions (sessions without ids), hits (with row_no), robotlike (day, visitor_id)
-- params: $session_key BLOB
-- notes:  a session belongs to the day it starts; its attributes count its own hits up to the end
--         of the following day. Its first and last hit are named by row_no: their texts are taken
--         from there (build/session_texts.py). Texts are read here only where several hits share a
--         session's first or last second: `place` is the total order of a visitor's hits
--         (docs/definitions.md, Order), the files' own last.
--         is_robotlike is said of the visitor's day on which the session starts.
--         Bytes that no BIGINT can hold (forged sizes) stop at its largest value.
WITH seconds AS (
    SELECT visitor_id, started_at, unnest([started_at, ended_at]) AS ts
    FROM cut_sessions
    WHERE is_tied
),
placed AS (
    SELECT
        s.visitor_id, s.started_at, h.ts, h.row_no, h.country,
        create_sort_key(
            h.path, 'ASC NULLS FIRST', h.query, 'ASC NULLS FIRST', h.method, 'ASC NULLS FIRST',
            h.status, 'ASC NULLS FIRST', h.bytes_sent, 'ASC NULLS FIRST',
            h.referrer, 'ASC NULLS FIRST', h.country, 'ASC NULLS FIRST',
            h.subdivision, 'ASC NULLS FIRST', h.source, 'ASC NULLS FIRST', h.row_no, 'ASC NULLS FIRST'
        ) AS place
    FROM hits AS h
    JOIN seconds AS s USING (visitor_id, ts)
    WHERE NOT h.is_robot AND NOT h.is_asset
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
FROM cut_sessions AS c
LEFT JOIN ends AS f
    ON c.visitor_id = f.visitor_id AND c.started_at = f.started_at AND c.started_at = f.ts
LEFT JOIN ends AS l
    ON c.visitor_id = l.visitor_id AND c.started_at = l.started_at AND c.ended_at = l.ts
LEFT JOIN robotlike AS r ON c.day = r.day AND c.visitor_id = r.visitor_id
