-- Referrers' hosts: of an absolute http or https URL, in lower case, without user and port.
-- grain:  referrer
-- inputs: referrers (referrer)
-- params: none
-- notes:  null for what is no such URL or has no host; only ASCII has its case changed.
WITH authorities AS (
    SELECT
        referrer,
        CASE WHEN starts_with(lower(left(referrer, 8)), 'http://')
            OR lower(left(referrer, 8)) = 'https://'
        THEN split_part(split_part(split_part(referrer, '/', 3), '?', 1), '#', 1)
        END AS authority
    FROM referrers
)
SELECT
    referrer,
    nullif(CASE
        WHEN contains(authority, '@') OR contains(authority, ':')
            OR contains(authority, '[') OR strlen(authority) <> length(authority)
        THEN translate(
            regexp_extract(authority, '^(?:.*@)?(\[[^\]]*\]|[^:\[]*)', 1),
            'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz'
        )
        ELSE lower(authority) END, '') AS referrer_host
FROM authorities
