-- Numbers: what is counted of hits, without their texts. The one read of the hits that are built of.
-- grain:  hit
-- inputs: hits (with day, row_no)
-- params: none
-- notes:  row_no is a hit's place in its files: whoever needs a text takes it from there.
SELECT
    row_no, day, ts, visitor_id, source, country, geo_built, status, bytes_sent, is_robot, is_asset,
    is_page
FROM hits
