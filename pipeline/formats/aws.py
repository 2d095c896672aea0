"""Access logs of AWS: Application and Classic Load Balancer, and S3.

Fields that AWS adds come last, so every layout is open there. A Network Load Balancer logs TLS
connections, which are no requests.
Sources: Elastic Load Balancing, "Access logs" for each kind of load balancer; Amazon S3, "Server
access log format".
"""

from pipeline.formats.error_logs import or_no_hit
from pipeline.formats.escapes import out_of_quotes
from pipeline.formats.pattern import CLF, DECIMAL, SHAPES, Pattern, Segment, literal
from pipeline.formats.times import PLAIN_ISO, TimeFormat

_ISO = TimeFormat("iso")
_STATUS, _BYTES = (Segment(SHAPES[name], name) for name in ("status", "bytes"))
# AWS does not escape: a quote ends a field only before a space, a URL's last one does not.
_REFERRER, _AGENT = (
    Segment('(?:[^"]|"[^ ])*', name, plain='[^"]*') for name in ("referrer", "agent")
)
_REQUEST = Segment('(?:[^"]|"[^ ]|" HTTP/)*', "request", plain='[^"]*')
_NETWORK = r"tls \d\.\d \d{4}-\d\d-\d\dT[^ ]+ net/"
"""An entry of a Network Load Balancer."""
_TCP = r'[^"]* "- - - "'
"""An entry of a TCP listener: no method, no URL, no status."""

_BALANCED = (
    Segment(_ISO.pattern, "time", PLAIN_ISO), Segment(r" [^ ]+ \[?"),
    Segment(r"[^ \[\]]+", "client", r"[^ \[\]:]+"),
    Segment(rf"\]?:\d+ [^ ]+ (?:{DECIMAL}) "), Segment(DECIMAL, "duration_s"),
    Segment(rf" (?:{DECIMAL}) "),
)  # fmt: skip

ALB = Pattern(
    "alb",
    (
        Segment("(?:https?|h2|grpcs|wss?) "), *_BALANCED, _STATUS,
        Segment(r" [^ ]+ (?:\d+|-) "), _BYTES, literal(' "'), _REQUEST, literal('" "'), _AGENT,
        Segment('" [^ "]+ [^ "]+'),
    ),
    _ISO,
    "https 2024-10-10T11:55:36.123456Z app/my-balancer/50dc6c495c0c9188 192.0.2.10:2817 "
    "10.0.0.1:80 0.001 0.012 0.000 200 200 340 2326 "
    '"GET https://www.example.com:443/a?b=c HTTP/1.1" "Mozilla/5.0" '
    "ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 "
    "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/web/73e2d6bc24d8a067 "
    '"Root=1-58337262-36d228ad5d99923122bbe354" "www.example.com" "-" 0 '
    '2024-10-10T11:55:36.110000Z "forward" "-" "-" "10.0.0.1:80" "200" "-" "-" '
    'TID_0123456789abcdef "-" "-" "-"',
    rest="(?: |$)",
    not_hits=or_no_hit(_NETWORK),
)  # fmt: skip
"""Application Load Balancer; ``duration_ms`` is what the target took until it began to answer."""

ELB = Pattern(
    "elb",
    (
        *_BALANCED, Segment(r"[1-5]\d\d", "status"), Segment(r" [^ ]+ (?:\d+|-) "), _BYTES,
        literal(' "'), _REQUEST, literal('" "'), _AGENT, Segment('" [^ "]+ [^ "]+'),
    ),
    _ISO,
    "2024-10-10T11:55:36.123456Z my-balancer 192.0.2.10:2817 10.0.0.1:80 0.001 0.012 0.000 "
    '200 200 340 2326 "GET https://www.example.com:443/a?b=c HTTP/1.1" "Mozilla/5.0" '
    "ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2",
    rest="(?: |$)",
    not_hits=or_no_hit(_TCP, _NETWORK),
)  # fmt: skip
"""Classic Load Balancer."""

ELB_2014 = Pattern(
    "elb_2014",
    (
        *_BALANCED, Segment(r"[1-5]\d\d", "status"), Segment(r" [^ ]+ (?:\d+|-) "), _BYTES,
        literal(' "'), _REQUEST, literal('"'),
    ),
    _ISO,
    "2014-10-10T11:55:36.123456Z my-balancer 192.0.2.10:2817 10.0.0.1:80 0.001 0.012 0.000 "
    '200 200 340 2326 "GET https://www.example.com:443/a?b=c HTTP/1.1"',
    not_hits=or_no_hit(_TCP, _NETWORK),
)  # fmt: skip
"""Classic Load Balancer before it logged the user agent and TLS."""

_NOT_GET = "(?:[^ T]|[^ E]T|[^ G]ET|[^ _]GET)"
"""How an operation ends that is none of a copy's source, which end in ``_GET``."""
_OPERATION = rf" [^ ]+ [^ ]+ (?:REST|WEBSITE|SOAP)\.[^ ]*{_NOT_GET} [^ ]+ "
_BEFORE_OPERATION = r"[^ ]+ [^ ]+ \[[^\]]*\] [^ ]+ [^ ]+ [^ ]* ?"
S3 = Pattern(
    "s3",
    (
        Segment(r"[^ ]+ [^ ]+ \["), Segment(CLF.pattern, "time"), literal("] "),
        Segment("[^ ]+", "client"), Segment(f'{_OPERATION}"?', plain=f'{_OPERATION}"'),
        _REQUEST, Segment('"? ', plain='" '), _STATUS, Segment(" [^ ]+ "), _BYTES,
        Segment(r" (?:\d+|-) "), Segment(r"\d+|-", "duration_ms"),
        Segment(r" (?:\d+|-) "), Segment('".*?"|-', "referrer", '"[^"]*"'), literal(" "),
        # What follows has no quotes, so the line's last one is the agent's, whatever that holds.
        Segment('".*"|-', "agent", '"[^"]*"'),
        Segment(
            '(?: [^ "]+(?: [^ "]+ [^ "]+ [^ "]+ [^ "]+ )?)?',
            plain=' [^ "]+ [^ "]+ [^ "]+ [^ "]+ [^ "]+ ',
        ),
        Segment('[^ "]*', "host"),
    ),
    CLF,
    "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be example-bucket "
    "[10/Oct/2024:11:55:36 +0000] 192.0.2.10 - 3E57427F3EXAMPLE REST.GET.OBJECT a.html "
    '"GET /a.html?b=c HTTP/1.1" 200 - 2326 2326 12 11 "https://example.org/" "Mozilla/5.0" - '
    "s9lzHYrFp76ZVxRcpX9EXAMPLE= SigV4 ECDHE-RSA-AES128-GCM-SHA256 AuthHeader "
    "example-bucket.s3.eu-central-1.amazonaws.com TLSv1.2 - -",
    rest='(?: [^ "]+)* *$',
    not_hits=or_no_hit(
        rf"{_BEFORE_OPERATION}(?:S3|BATCH)\.[^ ]+ ",
        rf"{_BEFORE_OPERATION}(?:REST|SOAP)\.COPY\.[^ ]+_GET ",
    ),
    decoders={"referrer": out_of_quotes, "agent": out_of_quotes},
)  # fmt: skip
"""S3 server access log.

Records without a request are none of a visitor's: ``S3.*`` (lifecycle), ``BATCH.DELETE.OBJECT``
(one object of a request that has its own record), ``REST.COPY.*_GET`` (what a copy reads).
The host is there when the record has the fields from host ID on. S3 escapes nothing: a referrer
ends where a quote, a space and a quote stand.
"""

LAYOUTS = (ALB, ELB, ELB_2014, S3)
