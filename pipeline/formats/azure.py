"""Azure's front ends: access logs of Front Door and Application Gateway, JSON a line.

Sources: Microsoft Learn, *Monitor metrics and logs in Azure Front Door* (access log) and
*Diagnostic logs for Application Gateway* (access log of v1 and of v2).

Other categories in the same files, as health probes and the firewall's, are no requests.
"""

from pipeline.formats.escapes import http_version, plus_is_space
from pipeline.formats.json_lines import JsonLayout

_ACCESS_LOG = {"category": "(?i)accesslog$"}

FRONT_DOOR = JsonLayout(
    "azure_front_door",
    {
        "time": ("time",),
        "client": ("properties.clientIp",),
        "host": ("properties.hostName",),
        "method": ("properties.httpMethod",),
        "target": ("properties.requestUri",),
        "protocol": ("properties.httpVersion",),
        "status": ("properties.httpStatusCode",),
        "bytes": ("properties.responseBytes",),
        "referrer": ("properties.referer", "properties.referrer"),
        "agent": ("properties.userAgent",),
        "duration_s": ("properties.timeTaken",),
    },
    example='{"time":"2016-11-08T20:30:00.1234567Z","category":"FrontDoorAccessLog",'
    '"operationName":"Microsoft.Cdn/Profiles/AccessLog/Write","properties":{"httpMethod":"GET",'
    '"httpVersion":"2.0.0.0","requestUri":"https://www.example.com:443/english/?lang=en",'
    '"requestBytes":"314","responseBytes":"5120","userAgent":"Mozilla/5.0 (X11; Linux)",'
    '"clientIp":"203.0.113.7","socketIp":"198.51.100.9","timeTaken":"0.046",'
    '"httpStatusCode":"200","hostName":"www.example.com","referer":"https://example.org/"}}',
    marks=("properties.clientIp", "properties.requestUri", "properties.httpStatusCode"),
    only={**_ACCESS_LOG, "properties.isReceivedFromClient": "(?i)^true$"},
    decoders={
        "protocol": http_version,
    },
)
"""``timeTaken`` is in seconds; ``requestUri`` has its port. What an edge asked of its origin shield
is logged once more, with ``isReceivedFromClient`` false."""

_GATEWAY = {
    "time": ("timeStamp", "time"),
    "client": ("properties.clientIP",),
    "host": ("properties.originalHost", "properties.host"),
    "method": ("properties.httpMethod",),
    # requestQuery is not the client's: it names the server that answered.
    "target": ("properties.originalRequestUriWithArgs", "properties.requestUri"),
    "protocol": ("properties.httpVersion",),
    "status": ("properties.httpStatus",),
    "bytes": ("properties.sentBytes",),
    "agent": ("properties.userAgent",),
}
_GATEWAY_MARKS = ("properties.clientIP", "properties.httpStatus")

GATEWAY = JsonLayout(
    "azure_gateway",
    {**_GATEWAY, "duration_s": ("properties.timeTaken",)},
    example='{"timeStamp":"2016-11-08T20:30:00+00:00","category":"ApplicationGatewayAccessLog",'
    '"operationName":"ApplicationGatewayAccess","properties":{"instanceId":"appgw_1",'
    '"clientIP":"203.0.113.7","clientPort":50000,"httpMethod":"GET",'
    '"originalRequestUriWithArgs":"/english/?lang=en","requestUri":"/english/",'
    '"requestQuery":"SERVER-STATUS=200","userAgent":"Mozilla/5.0 (X11; Linux)",'
    '"httpStatus":200,"httpVersion":"HTTP/1.1","receivedBytes":314,"sentBytes":5120,'
    '"timeTaken":0.046,"host":"backend.example.com","originalHost":"www.example.com"}}',
    marks=("timeStamp", *_GATEWAY_MARKS),
    only=_ACCESS_LOG,
)
"""v2: ``timeTaken`` is in seconds."""

GATEWAY_V1 = JsonLayout(
    "azure_gateway_v1",
    {**_GATEWAY, "duration_ms": ("properties.timeTaken",)},
    example='{"time":"2016-11-08T20:30:00Z","category":"ApplicationGatewayAccessLog",'
    '"operationName":"ApplicationGatewayAccess","properties":{"instanceId":"Role_IN_0",'
    '"clientIP":"203.0.113.7","clientPort":50000,"httpMethod":"GET","requestUri":"/english/",'
    '"requestQuery":"SERVER-STATUS=200","userAgent":"Mozilla/5.0+(X11;+Linux)",'
    '"httpStatus":200,"httpVersion":"HTTP/1.1","receivedBytes":314,"sentBytes":5120,'
    '"timeTaken":46,"host":"www.example.com"}}',
    marks=("time", *_GATEWAY_MARKS),
    only={**_ACCESS_LOG, "timeStamp": "^$"},
    decoders={"agent": plus_is_space},
)
"""v1, which has no ``timeStamp``: ``timeTaken`` is in milliseconds, and IIS's ``+`` in agents."""

LAYOUTS = (FRONT_DOOR, GATEWAY, GATEWAY_V1)
