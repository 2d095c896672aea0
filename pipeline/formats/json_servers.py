"""Servers that log JSON a line: Caddy and Traefik.

Sources: Caddy, *How Logging Works* and *log* directive; Traefik, *Access Logs* (fields of JSON,
and the common log format that it adds to).
"""

import re
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.formats.escapes import decode_each, decode_where, out_of_quotes
from pipeline.formats.json_lines import JsonLayout
from pipeline.formats.pattern import QUOTED, Pattern, Segment, literal
from pipeline.formats.times import TimeFormat
from pipeline.formats.web_servers import COMMON

_WALL = r"^(\d{4})/(\d\d)/(\d\d) "
_MILLIS = r"^(\d{10})(\d{3})\.(\d{1,6})\d*$"
_COMMON_LOG = r"^\d\d/[A-Z][a-z][a-z]/\d{4}:"
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_SECONDS = {"h": 3600, "m": 60, "s": 1, "ms": 1e-3, "\u00b5s": 1e-6, "us": 1e-6, "ns": 1e-9}


def _read_times(texts: pa.StringArray) -> pa.StringArray:
    """Write times of Caddy's ``wall``, ``unix_milli_float`` and ``common_log`` as the others."""
    for pattern, written in ((_WALL, r"\1-\2-\3 "), (_MILLIS, r"\1.\2\3")):
        texts = pc.replace_substring_regex(texts, pattern=pattern, replacement=written)
    return decode_where(_COMMON_LOG, partial(decode_each, _write_iso), texts)


def _write_iso(text: str) -> str:
    day, month, rest = text.split("/", 2)
    number = _MONTHS.index(month) + 1 if month in _MONTHS else 0
    return f"{rest[:4]}-{number:02}-{day} {rest[5:]}"


def _read_duration(text: str) -> str:
    """Seconds of a duration as Go writes it: ``1m2.5s``, ``46ms``."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(h|ms|m|[\u00b5un]?s)", text, re.ASCII)
    if "".join(map("".join, parts)) != text:
        return text
    return f"{sum(float(number) * _SECONDS[unit] for number, unit in parts):.9f}"


CADDY = JsonLayout(
    "caddy",
    {
        "time": ("ts",),
        # The same as remote_ip unless Caddy was told which proxies to trust.
        "client": ("request.client_ip", "request.remote_ip", "request.remote_addr"),
        "host": ("request.host",),
        "method": ("request.method",),
        "target": ("request.uri",),
        "protocol": ("request.proto",),
        "status": ("status",),
        "bytes": ("size",),
        "referrer": ("request.headers.Referer.0",),
        "agent": ("request.headers.User-Agent.0",),
        "duration_s": ("duration",),
        "forwarded": ("request.headers.X-Forwarded-For",),
    },
    TimeFormat("iso_or_epoch"),
    example='{"level":"info","ts":1478637000.123456,"logger":"http.log.access",'
    '"msg":"handled request","request":{"remote_ip":"203.0.113.7","remote_port":"50000",'
    '"client_ip":"203.0.113.7","proto":"HTTP/2.0","method":"GET","host":"www.example.com",'
    '"uri":"/english/?lang=en","headers":{"User-Agent":["Mozilla/5.0 (X11; Linux)"],'
    '"Referer":["https://example.org/"],"X-Forwarded-For":["198.51.100.9"]}},"bytes_read":0,'
    '"user_id":"","duration":0.046,"size":5120,"status":200}',
    marks=("request.method", "request.uri"),
    only={"logger": r"^http\.log\.access"},
    decoders={
        "time": partial(decode_where, r"/|^\d{13}\.", _read_times),
        "duration_s": partial(decode_where, "[hms]$", partial(decode_each, _read_duration)),
    },
)
"""``time_format`` may be any that has a name (``wall`` is local time), durations may have units. Up
to 2.4 the client is ``remote_addr``, with its port, and ``common_log`` says all once more. An error
of a handler is logged with its request a second time, by another ``logger``."""

TRAEFIK_JSON = JsonLayout(
    "traefik_json",
    {
        "time": ("StartUTC", "StartLocal", "time"),
        "client": ("ClientHost",),
        "host": ("RequestHost", "RequestAddr"),
        "method": ("RequestMethod",),
        "target": ("RequestPath",),
        "protocol": ("RequestProtocol",),
        "status": ("DownstreamStatus",),
        "bytes": ("DownstreamContentSize",),
        "referrer": ("request_Referer",),
        "agent": ("request_User-Agent",),
        "duration_ns": ("Duration",),
        "forwarded": ("request_X-Forwarded-For",),
    },
    example='{"ClientAddr":"203.0.113.7:50000","ClientHost":"203.0.113.7",'
    '"DownstreamContentSize":5120,"DownstreamStatus":200,"Duration":46000000,'
    '"RequestAddr":"www.example.com","RequestHost":"www.example.com","RequestMethod":"GET",'
    '"RequestPath":"/english/?lang=en","RequestProtocol":"HTTP/2.0",'
    '"StartUTC":"2016-11-08T20:30:00.123456789Z","level":"info","msg":"",'
    '"request_Referer":"https://example.org/","request_User-Agent":"Mozilla/5.0 (X11; Linux)",'
    '"request_X-Forwarded-For":"198.51.100.9","time":"2016-11-08T20:30:00Z"}',
    marks=("ClientHost", "DownstreamStatus"),
)
"""``Duration`` is in nanoseconds; headers are there when ``fields.headers`` keeps them."""

_VALUE = rf'"{QUOTED}"|-'
"""A value in quotes, or the bare dash of one that is not there."""
_PLAIN_VALUE = r'"[^"\\]*"'


TRAEFIK = Pattern(
    "traefik",
    (
        *COMMON, literal(" "), Segment(_VALUE, "referrer", _PLAIN_VALUE), literal(" "),
        Segment(_VALUE, "agent", _PLAIN_VALUE),
        Segment(
            rf" (?:\d+|-) (?:{_VALUE}) (?:{_VALUE}) ",
            plain=rf" \d+ {_PLAIN_VALUE} {_PLAIN_VALUE} ",
        ),
        Segment(r"\d+", "duration_ms"), literal("ms"),
    ),
    example='203.0.113.7 - - [08/Nov/2016:20:30:00 +0000] "GET /english/?lang=en HTTP/2.0" 200 5120'
    ' "https://example.org/" "Mozilla/5.0 (X11; Linux)" 1 "site@docker" "http://192.0.2.1:80" 46ms',
    decoders={"referrer": out_of_quotes, "agent": out_of_quotes},
)  # fmt: skip
"""Traefik's common log format: Apache's combined, the number of requests since its start, router,
server and duration. What it does not know is a dash without quotes."""

LAYOUTS = (CADDY, TRAEFIK_JSON, TRAEFIK)
