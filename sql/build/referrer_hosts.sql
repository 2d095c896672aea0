-- Referrers' hosts: of an absolute http or https URL, in lower case, without user and port.
-- grain:  referrer
-- inputs: referrers (referrer)
-- params: none
-- notes:  null for what is no such URL or has no host; only ASCII has its case changed.
WITH authorities AS (
    SELECT
        referrer,
        regexp_extract(referrer, '^[Hh][Tt][Tt][Pp][Ss]?://([^/?#]*)', 1) AS authority
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
