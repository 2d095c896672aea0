-- What the sessions of each surge's days, and of the days before it, are made of.
-- grain:  surge, dimension, element
-- inputs: counted, spans (surge, country, day, is_before, is_weekend)
-- params: $zone VARCHAR, $kept INTEGER, $least INTEGER
-- notes:  counts alone, so that the same rows give the same bytes. Of a dimension the $kept elements
--         are named whose share of the sessions changed most; the others, and those with fewer than
--         $least sessions (a path seen once may name a person), are one row, is_other. A null element
--         is a session's without one: no referrer, no user agent. `squares` and `products` are sums
--         over the days before: of an element's sessions squared, and of them times the day's.
--         The hour is of the site's zone; the kind of agent is told by the marks of products in it,
--         each browser before those whose marks it carries, too. A network is told by its number,
--         and called by the last of its names; 0 is none, which has no element. Sessions that were
--         built before they had a source have none, those of hits that no database of networks was
--         asked for no network: where one is among them, nothing is said of servers, or networks.
WITH named AS (
    SELECT country, day, dimension, element, NULL AS name, sessions
    FROM counted
    WHERE dimension NOT IN ('user agent', 'quarter', 'network')
    UNION ALL
    SELECT country, day, dimension, element, max(name), sum(sessions)
    FROM counted
    WHERE dimension = 'network'
    GROUP BY ALL
    UNION ALL
    SELECT
        country, day, 'hour',
        lpad(hour(make_timestamptz(element::BIGINT * 900_000_000) AT TIME ZONE $zone)::VARCHAR, 2, '0'),
        NULL,
        sum(sessions)
    FROM counted
    WHERE dimension = 'quarter'
    GROUP BY ALL
    UNION ALL
    SELECT
        country, day, 'kind of agent',
        CASE
            WHEN element IS NULL THEN NULL
            WHEN contains(element, 'FBAN/') OR contains(element, 'FB_IAB/') THEN 'Facebook'
            WHEN contains(element, 'Edg') THEN 'Edge'
            WHEN contains(element, 'OPR/') OR contains(element, 'Opera') THEN 'Opera'
            WHEN contains(element, 'SamsungBrowser/') THEN 'Samsung Internet'
            WHEN contains(element, 'Firefox/') OR contains(element, 'FxiOS/') THEN 'Firefox'
            WHEN contains(element, 'MSIE ') OR contains(element, 'Trident/')
                THEN 'Internet Explorer'
            WHEN contains(element, '; wv)') THEN 'Android WebView'
            WHEN contains(element, 'Chrome/') OR contains(element, 'CriOS/') THEN 'Chrome'
            WHEN contains(element, 'Safari/') THEN 'Safari'
            ELSE 'another browser'
        END || CASE
            WHEN contains(element, 'iPad') OR contains(element, 'Tablet')
                OR (contains(element, 'Android') AND NOT contains(element, 'Mobile'))
                THEN ', tablet'
            WHEN contains(element, 'Mobi') OR contains(element, 'iPhone')
                OR contains(element, 'Android') THEN ', phone'
            WHEN contains(element, 'Windows') OR contains(element, 'Macintosh')
                OR contains(element, 'X11') THEN ', desktop'
            ELSE ', another device'
        END,
        NULL,
        sum(sessions)
    FROM counted
    WHERE dimension = 'user agent'
    GROUP BY ALL
),
totals AS (
    SELECT country, day, sum(sessions) AS sessions
    FROM counted
    WHERE dimension = 'quarter'
    GROUP BY ALL
),
by_surge AS (
    SELECT
        p.surge, c.dimension, c.element, max(c.name) AS name,
        coalesce(sum(c.sessions) FILTER (NOT p.is_before), 0)::BIGINT AS observed,
        coalesce(sum(c.sessions) FILTER (p.is_before AND NOT p.is_weekend), 0)::BIGINT AS weekdays_before,
        coalesce(sum(c.sessions) FILTER (p.is_before AND p.is_weekend), 0)::BIGINT AS weekends_before,
        coalesce(sum(c.sessions * c.sessions) FILTER (p.is_before), 0)::DOUBLE AS squares,
        coalesce(sum(c.sessions * t.sessions) FILTER (p.is_before), 0)::DOUBLE AS products
    FROM named AS c
    JOIN spans AS p ON c.country = p.country AND c.day = p.day
    JOIN totals AS t ON c.country = t.country AND c.day = t.day
    GROUP BY p.surge, c.dimension, c.element
),
unknown AS (
    SELECT surge, dimension
    FROM by_surge
    WHERE dimension IN ('source server', 'network') AND element IS NULL
),
changed AS (
    SELECT
        surge, dimension, element, name, observed, weekdays_before, weekends_before, squares, products,
        weekdays_before + weekends_before AS before,
        abs(
            observed::HUGEINT * sum(before) OVER all_elements
            - before::HUGEINT * sum(observed) OVER all_elements
        ) AS change
    FROM by_surge
    ANTI JOIN unknown USING (surge, dimension)
    WINDOW all_elements AS (PARTITION BY surge, dimension)
),
ordered AS (
    SELECT
        surge, dimension, observed, weekdays_before, weekends_before, squares, products,
        CASE
            WHEN dimension <> 'network' THEN element
            WHEN element <> '0' THEN concat_ws(' ', concat('AS', element), name)
        END AS shown,
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
    CASE WHEN NOT is_other THEN shown END AS element,
    is_other,
    sum(observed)::BIGINT AS observed,
    sum(weekdays_before)::BIGINT AS weekdays_before,
    sum(weekends_before)::BIGINT AS weekends_before,
    sum(squares) AS squares,
    sum(products) AS products
FROM ordered
GROUP BY ALL
ORDER BY surge, dimension, element NULLS LAST, is_other
