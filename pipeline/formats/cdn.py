"""CDNs that log JSON a line: Cloudflare Logpush, Fastly, Akamai DataStream 2, CloudFront.

Sources: Cloudflare, *HTTP requests* (Logpush datasets) and *Log output options* (timestamp
format); Fastly, *Log streaming* (JSON example of its endpoints); Akamai TechDocs, DataStream 2,
*Data set parameters* and *Log format*; Amazon CloudFront Developer Guide, *Standard logging (v2)*.
"""

from zoneinfo import ZoneInfo

from pipeline.formats import w3c_dialects
from pipeline.formats.escapes import form_decoded
from pipeline.formats.json_lines import JsonLayout
from pipeline.formats.times import TimeFormat

CLOUDFLARE = JsonLayout(
    "cloudflare",
    {
        "time": ("EdgeStartTimestamp",),
        "client": ("ClientIP",),
        "host": ("ClientRequestHost",),
        "method": ("ClientRequestMethod",),
        "target": ("ClientRequestURI", "ClientRequestPath"),
        "protocol": ("ClientRequestProtocol",),
        "status": ("EdgeResponseStatus",),
        "bytes": ("EdgeResponseBytes",),
        "referrer": ("ClientRequestReferer",),
        "agent": ("ClientRequestUserAgent",),
    },
    TimeFormat("iso_or_epoch"),
    example='{"ClientIP":"203.0.113.7","ClientRequestHost":"www.example.com",'
    '"ClientRequestMethod":"GET","ClientRequestProtocol":"HTTP/2",'
    '"ClientRequestReferer":"https://example.org/","ClientRequestSource":"eyeball",'
    '"ClientRequestURI":"/english/?lang=en",'
    '"ClientRequestUserAgent":"Mozilla/5.0 (X11; Linux)","EdgeResponseBytes":5120,'
    '"EdgeResponseStatus":200,"EdgeStartTimestamp":1478637000123456789,'
    '"RayID":"documentation"}',
    marks=("ClientIP", "EdgeStartTimestamp"),
    only={"ClientRequestSource": "^(?:eyeball|orangeToOrange|inBrowserChallenge|unknown|)$"},
)
"""Times as ``unix``, ``unixnano`` or ``rfc3339``. What a worker or a health check asks of the edge
(``ClientRequestSource``) comes from no visitor."""

FASTLY = JsonLayout(
    "fastly_json",
    {
        "time": ("timestamp",),
        "client": ("client_ip",),
        "host": ("host",),
        "method": ("request_method",),
        "target": ("url",),
        "protocol": ("request_protocol",),
        "status": ("response_status",),
        "bytes": ("response_body_size",),
        "referrer": ("request_referer",),
        "agent": ("request_user_agent",),
    },
    example='{"timestamp":"2016-11-08T20:30:00+0000","client_ip":"203.0.113.7",'
    '"geo_country":"canada","geo_city":"ottawa","host":"www.example.com",'
    '"url":"/english/?lang=en","request_method":"GET","request_protocol":"HTTP/2",'
    '"request_referer":"https://example.org/","request_user_agent":"Mozilla/5.0 (X11; Linux)",'
    '"response_state":"HIT","response_status":200,"response_reason":"OK",'
    '"response_body_size":5120,"fastly_server":"cache-yul-1","fastly_is_edge":true}',
    marks=("client_ip", "request_method", "response_status"),
    only={"fastly_is_edge": "^true$"},
)
"""What an edge asks of its shield is logged once more, with ``fastly_is_edge`` false."""

AKAMAI = JsonLayout(
    "akamai",
    {
        "time": ("reqTimeSec",),
        "client": ("cliIP",),
        "host": ("reqHost",),
        "method": ("reqMethod",),
        "path": ("reqPath",),
        "query": ("queryStr",),
        "status": ("statusCode",),
        "bytes": ("bytes",),
        "referrer": ("referer",),
        "agent": ("UA",),
        "forwarded": ("xForwardedFor",),
    },
    TimeFormat("epoch_s"),
    example='{"version":"2","cp":"123456","reqId":"documentation","reqTimeSec":"1478637000.123",'
    '"bytes":"5120","cliIP":"203.0.113.7","statusCode":"200","proto":"HTTPS",'
    '"reqHost":"www.example.com","reqMethod":"GET","reqPath":"/english/","queryStr":"lang=en",'
    '"UA":"Mozilla/5.0%20(X11;%20Linux)","referer":"https://example.org/",'
    '"xForwardedFor":"198.51.100.9"}',
    marks=("cliIP", "reqTimeSec"),
    decoders={"agent": form_decoded, "referrer": form_decoded},
)
"""URL-encodes fields with spaces or other characters outside ``!`` to ``~``; what has no value is
left out."""

CLOUDFRONT = JsonLayout(
    "cloudfront_json",
    {
        "date": ("date",),
        "clock": ("time",),
        "time": ("timestamp(ms)", "timestamp"),
        "client": ("c-ip",),
        "host": ("x-host-header",),
        "method": ("cs-method",),
        "path": ("cs-uri-stem",),
        "query": ("cs-uri-query",),
        "protocol": ("cs-protocol-version",),
        "status": ("sc-status",),
        "bytes": ("sc-bytes",),
        "referrer": ("cs(Referer)",),
        "agent": ("cs(User-Agent)",),
        "duration_s": ("time-taken",),
        "forwarded": ("x-forwarded-for",),
    },
    TimeFormat("iso_or_epoch", ZoneInfo("UTC")),
    example='{"date":"2016-11-08","time":"20:30:00","x-edge-location":"YUL62-C1","sc-bytes":"5120",'
    '"c-ip":"203.0.113.7","cs-method":"GET","cs(Host)":"d111111abcdef8.cloudfront.net",'
    '"cs-uri-stem":"/english/","sc-status":"200","cs(Referer)":"https://example.org/",'
    '"cs(User-Agent)":"Mozilla/5.0%20(X11;%20Linux)","cs-uri-query":"lang=en",'
    '"x-host-header":"www.example.com","time-taken":"0.046","x-forwarded-for":"198.51.100.9",'
    '"cs-protocol-version":"HTTP/2.0"}',
    marks=("c-ip", "x-edge-location"),
    decoders=w3c_dialects.CLOUDFRONT.decoders,
)
"""The fields of its W3C log, encoded as there; date and time or, where these are not chosen, a
timestamp."""

LAYOUTS = (CLOUDFLARE, FASTLY, AKAMAI, CLOUDFRONT)
