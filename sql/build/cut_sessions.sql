-- Cut sessions: a visitor's stretches put together where no gap between is longer than the timeout.
-- grain:  day, session
-- inputs: stretches (their day, visitor_id, country, started_at, ended_at, counts, first_row, last_row, is_tied), days (day, is_built)
-- params: $timeout_seconds INTEGER, $parts UBIGINT, $part UBIGINT
-- notes:  most sessions are one stretch, which no other one is near; the others are put together.
--         Which these are is found by times alone, as a window takes longer the more it carries; a
--         stretch is known by its first_row.
--         is_tied: another hit may share the second of the first or the last one, which are named by
--         row_no; so may one of another country, as stretches of several overlap.
--         Visitors can be taken in $parts parts, one at a time ($part from 0), to fit into memory:
--         sessions of different visitors know nothing of each other.
WITH near AS (
    SELECT
        first_row, day, started_at,
        lag(day) OVER visitor AS previous_day,
        lead(day) OVER visitor AS next_day,
        lead(started_at) OVER visitor AS next_at,
        max(ended_at) OVER (visitor ROWS UNBOUNDED PRECEDING) AS reached_at,
        max(ended_at) OVER (visitor ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS left_at
    FROM stretches
    WHERE visitor_id % $parts::UBIGINT = $part::UBIGINT
    WINDOW visitor AS (PARTITION BY visitor_id ORDER BY started_at)
),
linked AS MATERIALIZED (
    SELECT
        first_row,
        left_at IS NULL
        OR epoch_us(started_at) - epoch_us(left_at) > $timeout_seconds::BIGINT * 1000000
        OR previous_day < day - 1 AS is_start,
        next_at IS NULL
        OR epoch_us(next_at) - epoch_us(reached_at) > $timeout_seconds::BIGINT * 1000000
        OR day < next_day - 1 AS is_end
    FROM near
    WHERE NOT (is_start AND is_end)
),
numbered AS (
    SELECT
        s.visitor_id, s.day, s.country, s.started_at, s.ended_at, s.hits, s.pages, s.bytes_sent,
        s.errors, s.first_row, s.last_row, s.is_tied,
        last_value(CASE WHEN l.is_start THEN s.started_at END IGNORE NULLS) OVER visitor AS session_at,
        last_value(CASE WHEN l.is_start THEN s.day END IGNORE NULLS) OVER visitor AS start_day
    FROM stretches AS s
    JOIN linked AS l USING (first_row)
    WINDOW visitor AS (PARTITION BY s.visitor_id ORDER BY s.started_at)
),
whole AS (
    SELECT
        day, visitor_id, started_at, ended_at, hits, pages, bytes_sent, errors, country, first_row,
        last_row, is_tied
    FROM stretches
    ANTI JOIN linked USING (first_row)
    WHERE visitor_id % $parts::UBIGINT = $part::UBIGINT
    UNION ALL
    SELECT
        start_day AS day,
        visitor_id,
        session_at AS started_at,
        max(ended_at) AS ended_at,
        sum(hits)::BIGINT AS hits,
        sum(pages)::BIGINT AS pages,
        least(sum(bytes_sent), 9223372036854775807)::BIGINT AS bytes_sent,
        sum(errors)::BIGINT AS errors,
        arg_min(country, started_at) AS country,
        arg_min(first_row, started_at) AS first_row,
        arg_max(last_row, ended_at) AS last_row,
        bool_or(is_tied) OR min(country) <> max(country) AS is_tied
    FROM numbered
    WHERE day <= start_day + 1
    GROUP BY visitor_id, session_at, start_day
)
SELECT
    w.day, w.visitor_id, w.started_at, w.ended_at, w.hits, w.pages, w.bytes_sent, w.errors,
    w.country, w.first_row, w.last_row, w.is_tied
FROM whole AS w
JOIN days AS d ON w.day = d.day AND d.is_built
