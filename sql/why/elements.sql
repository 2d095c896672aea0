-- What the sessions of each surge's days, and of the days before it, are made of.
-- grain:  surge, dimension, element
-- inputs: sessions, spans (surge, country, day, is_before, is_weekend, leaves_out)
-- params: $zone VARCHAR, $kept INTEGER, $least INTEGER
-- notes:  counts alone, so that the same rows give the same bytes. Of a dimension the $kept elements
--         are named whose share of the sessions changed most; the others, and those with fewer than
--         $least sessions (a path seen once may name a person), are one row, is_other. A null element
--         is a session's without one: no referrer, no user agent. `squares` and `products` are sums
--         over the days before: of an element's sessions squared, and of them times the day's.
--         `leaves_out`: robot-like visitors count in none of the day's figures. The hour is of the site's zone; the kind of agent is told by the marks of products in it,
--         each browser before those whose marks it carries, too. Sessions that were built before they had a
--         source have none: where one is among them, nothing is said of servers.
WITH days AS (
    SELECT DISTINCT country, day, leaves_out FROM spans
),
picked AS (
    SELECT
        s.country, s.day, s.entry_path, s.referrer_host, s.subdivision, s.user_agent, s.source,
        epoch_us(s.started_at) // 900_000_000 AS quarter
    FROM sessions AS s
    JOIN days AS d ON s.country = d.country AND s.day = d.day
    WHERE NOT (d.leaves_out AND s.is_robotlike)
),
agents AS (
    SELECT country, day, user_agent, count(*) AS sessions FROM picked GROUP BY ALL
),
quarters AS (
    SELECT country, day, quarter, count(*) AS sessions FROM picked GROUP BY ALL
),
counted AS (
    SELECT country, day, 'entry page' AS dimension, entry_path AS element, count(*) AS sessions
    FROM picked GROUP BY ALL
    UNION ALL
    SELECT country, day, 'referring site', referrer_host, count(*) FROM picked GROUP BY ALL
    UNION ALL
    SELECT country, day, 'subdivision', subdivision, count(*) FROM picked GROUP BY ALL
    UNION ALL
    SELECT country, day, 'source server', source, count(*) FROM picked GROUP BY ALL
    UNION ALL
    SELECT
        country, day, 'hour',
        lpad(hour(make_timestamptz(quarter * 900_000_000) AT TIME ZONE $zone)::VARCHAR, 2, '0'),
        sum(sessions)
    FROM quarters GROUP BY ALL
    UNION ALL
    SELECT
        country, day, 'kind of agent',
        CASE
            WHEN user_agent IS NULL THEN NULL
            WHEN contains(user_agent, 'FBAN/') OR contains(user_agent, 'FB_IAB/') THEN 'Facebook'
            WHEN contains(user_agent, 'Edg') THEN 'Edge'
            WHEN contains(user_agent, 'OPR/') OR contains(user_agent, 'Opera') THEN 'Opera'
            WHEN contains(user_agent, 'SamsungBrowser/') THEN 'Samsung Internet'
            WHEN contains(user_agent, 'Firefox/') OR contains(user_agent, 'FxiOS/') THEN 'Firefox'
            WHEN contains(user_agent, 'MSIE ') OR contains(user_agent, 'Trident/')
                THEN 'Internet Explorer'
            WHEN contains(user_agent, '; wv)') THEN 'Android WebView'
            WHEN contains(user_agent, 'Chrome/') OR contains(user_agent, 'CriOS/') THEN 'Chrome'
            WHEN contains(user_agent, 'Safari/') THEN 'Safari'
            ELSE 'another browser'
        END || CASE
            WHEN contains(user_agent, 'iPad') OR contains(user_agent, 'Tablet')
                OR (contains(user_agent, 'Android') AND NOT contains(user_agent, 'Mobile'))
                THEN ', tablet'
            WHEN contains(user_agent, 'Mobi') OR contains(user_agent, 'iPhone')
                OR contains(user_agent, 'Android') THEN ', phone'
            WHEN contains(user_agent, 'Windows') OR contains(user_agent, 'Macintosh')
                OR contains(user_agent, 'X11') THEN ', desktop'
            ELSE ', another device'
        END,
        sum(sessions)
    FROM agents GROUP BY ALL
),
totals AS (
    SELECT country, day, count(*) AS sessions FROM picked GROUP BY ALL
),
by_surge AS (
    SELECT
        p.surge, c.dimension, c.element,
        coalesce(sum(c.sessions) FILTER (NOT p.is_before), 0)::BIGINT AS observed,
        coalesce(sum(c.sessions) FILTER (p.is_before AND NOT p.is_weekend), 0)::BIGINT AS weekdays_before,
        coalesce(sum(c.sessions) FILTER (p.is_before AND p.is_weekend), 0)::BIGINT AS weekends_before,
        coalesce(sum(c.sessions * c.sessions) FILTER (p.is_before), 0)::DOUBLE AS squares,
        coalesce(sum(c.sessions * t.sessions) FILTER (p.is_before), 0)::DOUBLE AS products
    FROM counted AS c
    JOIN spans AS p ON c.country = p.country AND c.day = p.day
    JOIN totals AS t ON c.country = t.country AND c.day = t.day
    GROUP BY p.surge, c.dimension, c.element
),
unknown AS (
    SELECT DISTINCT surge FROM by_surge WHERE dimension = 'source server' AND element IS NULL
),
changed AS (
    SELECT
        surge, dimension, element, observed, weekdays_before, weekends_before, squares, products,
        weekdays_before + weekends_before AS before,
        abs(
            observed::HUGEINT * sum(before) OVER all_elements
            - before::HUGEINT * sum(observed) OVER all_elements
        ) AS change
    FROM by_surge
    WHERE dimension <> 'source server' OR surge NOT IN (SELECT surge FROM unknown)
    WINDOW all_elements AS (PARTITION BY surge, dimension)
),
ordered AS (
    SELECT
        surge, dimension, element, observed, weekdays_before, weekends_before, squares, products,
        dimension <> 'hour' AND (
            row_number() OVER (
                PARTITION BY surge, dimension ORDER BY change DESC, element
            ) > $kept
            OR greatest(observed, before) < $least
        ) AS is_other
    FROM changed
)
SELECT
    surge,
    dimension,
    CASE WHEN NOT is_other THEN element END AS element,
    is_other,
    sum(observed)::BIGINT AS observed,
    sum(weekdays_before)::BIGINT AS weekdays_before,
    sum(weekends_before)::BIGINT AS weekends_before,
    sum(squares) AS squares,
    sum(products) AS products
FROM ordered
GROUP BY ALL
ORDER BY surge, dimension, element NULLS LAST, is_other
