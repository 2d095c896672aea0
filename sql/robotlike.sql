-- Robot-like visitors: whose pages of one day look like a robot's, whatever name they give.
-- grain:  day, visitor
-- inputs: hits (with day), days (day, is_built)
-- params: none
-- notes:  after the rule that Wikimedia labels automated traffic by, with its thresholds
--         (wikitech.wikimedia.org/wiki/Data_Platform/Data_Lake/Traffic/BotDetection; analytics-refinery,
--         hql/webrequest/actor): of 10 pages a day or more, either over 800, or 30 a minute from
--         the first to the last, or a user agent of under 25 or over 400 characters, or over 100
--         of which less than a fifth are different paths. For the last, Wikimedia asks for a
--         visitor without cookies, which a log does not have: here it is one who took no asset
--         that day (/robots.txt is none). Its day is the last 24 hours, here the local day. A span of
--         less than a minute is taken as one: a browser that opens its tabs again is no robot.
WITH busy AS (
    SELECT
        h.day,
        h.visitor_id,
        count(*) AS pages,
        greatest(epoch_us(max(h.ts)) - epoch_us(min(h.ts)), 60_000_000) AS span_us,
        any_value(length(h.user_agent)) AS agent_length
    FROM hits AS h
    JOIN days AS d ON h.day = d.day AND d.is_built
    WHERE h.is_page
    GROUP BY h.day, h.visitor_id
    HAVING count(*) >= 10
),
monotonous AS (
    SELECT h.day, h.visitor_id
    FROM hits AS h
    JOIN busy AS b ON h.day = b.day AND h.visitor_id = b.visitor_id AND b.pages > 100
    WHERE h.is_page OR (h.is_asset AND lower(h.path) <> '/robots.txt')
    GROUP BY h.day, h.visitor_id
    HAVING count(*) FILTER (WHERE h.is_asset) = 0
        AND count(DISTINCT h.path) * 5 < count(*)
)
SELECT day, visitor_id
FROM busy
WHERE pages > 800
    OR pages * 60_000_000 >= 30 * span_us
    OR agent_length NOT BETWEEN 25 AND 400
    OR (day, visitor_id) IN (SELECT (day, visitor_id) FROM monotonous)
