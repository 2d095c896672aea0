-- Robot-like visitors: whose pages of one day look like a robot's, whatever name they give.
-- grain:  day, visitor
-- inputs: visitors_of_days (day, visitor_id, day_pages), hits (with day)
-- params: $least_pages, $most_pages, $most_pages_a_minute, $shortest_agent, $longest_agent, $many_pages, $many_pages_a_path INTEGER, $asset_path VARCHAR
-- notes:  after the rule that Wikimedia labels automated traffic by, with its thresholds
--         (wikitech.wikimedia.org/wiki/Data_Platform/Data_Lake/Traffic/BotDetection; analytics-refinery,
--         hql/webrequest/actor): of $least_pages a day or more, either over $most_pages, or
--         $most_pages_a_minute from the first to the last, or a user agent of under $shortest_agent or
--         over $longest_agent characters, or over $many_pages, and more than $many_pages_a_path of
--         them to each different path. For the last, Wikimedia asks for a
--         visitor without cookies, which a log does not have: here it is one who took no asset
--         that day ($asset_path is none). Its day is the last 24 hours, here the local day. A span of
--         less than a minute is taken as one: a browser that opens its tabs again is no robot.
--         Paths are told apart by their hashes: a hostile visitor's fill any memory.
WITH busy AS (
    SELECT DISTINCT day, visitor_id, day_pages AS pages
    FROM visitors_of_days
    WHERE day_pages >= $least_pages
),
timed AS (
    SELECT
        b.day,
        b.visitor_id,
        b.pages,
        greatest(epoch_us(max(h.ts)) - epoch_us(min(h.ts)), 60_000_000) AS span_us,
        any_value(length(h.user_agent)) AS agent_length
    FROM hits AS h
    JOIN busy AS b USING (day, visitor_id)
    WHERE h.is_page
    GROUP BY b.day, b.visitor_id, b.pages
),
fetched AS (
    SELECT h.day, h.visitor_id, hash(h.path) AS path_hash, h.is_asset, count(*) AS times
    FROM hits AS h
    JOIN busy AS b ON h.day = b.day AND h.visitor_id = b.visitor_id AND b.pages > $many_pages
    WHERE h.is_page OR (h.is_asset AND lower(h.path) <> $asset_path)
    GROUP BY ALL
),
monotonous AS (
    SELECT day, visitor_id
    FROM fetched
    GROUP BY day, visitor_id
    HAVING NOT bool_or(is_asset) AND count(*) * $many_pages_a_path < sum(times)
)
SELECT day, visitor_id
FROM timed
WHERE pages > $most_pages
    OR pages * 60_000_000 >= $most_pages_a_minute * span_us
    OR agent_length NOT BETWEEN $shortest_agent AND $longest_agent
    OR (day, visitor_id) IN (SELECT (day, visitor_id) FROM monotonous)
