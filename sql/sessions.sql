-- Sessions: one visitor's hits in order, cut where the gap is longer than the timeout.
-- grain:  day, session
-- inputs: hits (with day), days (day, is_built, starts_at, ends_at, keep_from), robotlike (day, visitor_id)
-- params: $timeout_seconds INTEGER, $session_key BLOB, $parts UBIGINT, $part UBIGINT
-- notes:  a session belongs to the day it starts; its attributes count its own hits up to the end
--         of the following day. Of the days beside the built ones only those hits are kept that
--         can continue a session: from keep_from on, or of visitors seen late on the day before.
--         Texts are looked up for the first and last second of a session only; `place` is the
--         total order of a visitor's hits (docs/definitions.md, Order): it decides which came first when
--         several share a second. Visitors can be taken in $parts parts, one at a time ($part
--         from 0), to fit into memory: sessions of different visitors know nothing of each other.
--         is_robotlike is said of the visitor's day on which the session starts.
--         Bytes that no BIGINT can hold (forged sizes) stop at its largest value.
WITH late_visitors AS (
    SELECT DISTINCT h.visitor_id
    FROM hits AS h
    JOIN days AS d USING (day)
    WHERE d.is_built AND epoch_us(h.ts) >= epoch_us(d.ends_at) - $timeout_seconds::BIGINT * 1000000
),
visits AS (
    SELECT h.visitor_id, h.ts, h.day, h.bytes_sent, h.is_page, h.status >= 500 AS is_error
    FROM hits AS h
    JOIN days AS d USING (day)
    WHERE NOT h.is_robot AND NOT h.is_asset
        AND h.visitor_id % $parts::UBIGINT = $part::UBIGINT
        AND (h.ts >= d.keep_from OR h.visitor_id IN (SELECT visitor_id FROM late_visitors))
),
gaps AS (
    SELECT
        visitor_id, ts, day, bytes_sent, is_page, is_error,
        lag(ts) OVER visitor AS previous_ts,
        lag(day) OVER visitor AS previous_day,
        lead(ts) OVER visitor AS next_ts
    FROM visits
    WINDOW visitor AS (PARTITION BY visitor_id ORDER BY ts)
),
starts AS (
    SELECT
        visitor_id, ts, day, bytes_sent, is_page, is_error,
        previous_ts IS NULL
        OR epoch_us(ts) - epoch_us(previous_ts) > $timeout_seconds::BIGINT * 1000000
        OR previous_day < day - 1 AS is_start,
        coalesce(ts = previous_ts, false) OR coalesce(ts = next_ts, false) AS is_tied
    FROM gaps
),
numbered AS (
    SELECT
        visitor_id, ts, day, bytes_sent, is_page, is_error, is_tied,
        max(CASE WHEN is_start THEN ts END) OVER visitor AS started_at,
        max(CASE WHEN is_start THEN day END) OVER visitor AS start_day
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
        bool_or(n.is_tied) AS is_tied
    FROM numbered AS n
    JOIN days AS d ON n.start_day = d.day AND d.is_built
    WHERE n.day <= n.start_day + 1
    GROUP BY n.visitor_id, n.started_at, n.start_day
),
seconds AS (
    SELECT visitor_id, started_at, started_at AS ts, is_tied FROM counted
    UNION ALL
    SELECT visitor_id, started_at, ended_at, is_tied FROM counted WHERE ended_at > started_at
),
ends AS (
    SELECT
        s.visitor_id,
        s.started_at,
        v.user_agent,
        v.path,
        v.country,
        v.subdivision,
        CASE WHEN v.ts = s.started_at AND (
            starts_with(lower(left(v.referrer, 8)), 'http://')
            OR lower(left(v.referrer, 8)) = 'https://'
        ) THEN split_part(split_part(split_part(v.referrer, '/', 3), '?', 1), '#', 1)
        END AS authority,
        CASE WHEN s.is_tied THEN create_sort_key(
            v.ts, 'ASC NULLS FIRST', v.path, 'ASC NULLS FIRST', v.query, 'ASC NULLS FIRST',
            v.method, 'ASC NULLS FIRST', v.status, 'ASC NULLS FIRST',
            v.bytes_sent, 'ASC NULLS FIRST', v.referrer, 'ASC NULLS FIRST',
            v.country, 'ASC NULLS FIRST', v.subdivision, 'ASC NULLS FIRST'
        ) ELSE create_sort_key(v.ts, 'ASC NULLS FIRST') END AS place
    FROM hits AS v
    JOIN seconds AS s USING (visitor_id, ts)
    WHERE NOT v.is_robot AND NOT v.is_asset
),
texts AS (
    SELECT
        visitor_id,
        started_at,
        arg_min_null(path, place) AS entry_path,
        arg_max_null(path, place) AS exit_path,
        arg_min_null(country, place) AS country,
        arg_min_null(subdivision, place) AS subdivision,
        arg_min_null(authority, place) AS authority,
        any_value(user_agent) AS user_agent
    FROM ends
    GROUP BY visitor_id, started_at
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
    t.entry_path,
    t.exit_path,
    nullif(CASE
        WHEN contains(t.authority, '@') OR contains(t.authority, ':')
            OR contains(t.authority, '[') OR strlen(t.authority) <> length(t.authority)
        THEN translate(
            regexp_extract(t.authority, '^(?:.*@)?(\[[^\]]*\]|[^:\[]*)', 1),
            'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz'
        )
        ELSE lower(t.authority) END, '') AS referrer_host,
    t.country AS country,
    t.subdivision AS subdivision,
    t.user_agent,
    r.visitor_id IS NOT NULL AS is_robotlike
FROM counted AS c
JOIN texts AS t USING (visitor_id, started_at)
LEFT JOIN robotlike AS r ON c.day = r.day AND c.visitor_id = r.visitor_id
