"""Google Cloud: usage logs of Cloud Storage, and the HTTP load balancer's log entries.

Sources: Cloud Storage documentation, *Usage logs & storage logs* (access and storage log format);
Cloud Logging, *LogEntry* and *HttpRequest*; Cloud Load Balancing, *Logging and monitoring*.
"""

import csv

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.formats.escapes import quotes_are_doubled
from pipeline.formats.headers import HeaderLayout
from pipeline.formats.json_lines import JsonLayout
from pipeline.formats.pattern import SHAPES, Pattern, Segment, literal
from pipeline.formats.times import TimeFormat

_NAMES = {
    "time_micros": "time", "c_ip": "client", "cs_method": "method", "cs_uri": "target",
    "sc_status": "status", "sc_bytes": "bytes", "time_taken_micros": "duration_us",
    "cs_host": "host", "cs_referer": "referrer", "cs_user_agent": "agent",
}  # fmt: skip
_NEEDED = ("time_micros", "c_ip", "cs_method")
_QUOTED = r'(?:[^"]|"")*'
_TIMES = TimeFormat("epoch_us")
_SHAPES = {
    "time_micros": _TIMES.pattern, "c_ip": '[^"]+', "sc_status": rf"{SHAPES['status']}|",
    "sc_bytes": r"\d*",
}  # fmt: skip
_HEADER = r'^"?time_micros"?,'
_FIELDS = (
    "time_micros,c_ip,c_ip_type,c_ip_region,cs_method,cs_uri,sc_status,cs_bytes,sc_bytes,"
    "time_taken_micros,cs_host,cs_referer,cs_user_agent,s_request_id,cs_operation,cs_bucket,"
    "cs_object"
)


def compile_header(text: str, _before: str | None = None) -> Pattern | None:
    """Make the layout of a usage log's header row; None when it lacks what a hit needs."""
    names = next(csv.reader([text.rsplit("\n", 1)[-1]]), [])
    if any(needed not in names for needed in _NEEDED):
        return None
    segments = [literal('"')]
    for number, name in enumerate(names):
        if number:
            segments.append(literal('","'))
        shape = _SHAPES.get(name, _QUOTED)
        segments.append(Segment(shape, _NAMES.get(name), '[^"]*' if shape == _QUOTED else None))
    no_client = rf'^(?:"{_QUOTED}",){{{names.index("c_ip")}}}"",'
    texts = ("target", "referrer", "agent")
    return Pattern(
        "google_storage", (*segments, literal('"')), _TIMES, not_hits=no_client,
        decoders=dict.fromkeys(texts, quotes_are_doubled),
    )  # fmt: skip


STORAGE = HeaderLayout(
    "google_storage",
    _HEADER,
    compile_header,
    compile_header(_FIELDS),
    directive=_HEADER,
    example='"1478637000123456","203.0.113.7","1","","GET","/example-bucket/english/a.html?lang=en"'
    ',"200","314","5120","46000","storage.googleapis.com","https://example.org/"'
    ',"Mozilla/5.0 (""X"")","documentation","GET_Object","example-bucket","english/a.html"',
)
"""CSV with a header row; every value in quotes, quotes in it doubled. Records without a client are
no requests: the bucket's own lifecycle deletes objects."""


def _without_unit(texts: pa.StringArray) -> pa.StringArray:
    return pc.replace_substring_regex(texts, pattern="s$", replacement="")


LOAD_BALANCER = JsonLayout(
    "google_load_balancer",
    {
        "time": ("timestamp",),
        "client": ("httpRequest.remoteIp",),
        "method": ("httpRequest.requestMethod",),
        "target": ("httpRequest.requestUrl",),
        "protocol": ("httpRequest.protocol",),
        "status": ("httpRequest.status",),
        "bytes": ("httpRequest.responseSize",),
        "referrer": ("httpRequest.referer",),
        "agent": ("httpRequest.userAgent",),
        "duration_s": ("httpRequest.latency",),
    },
    example='{"httpRequest":{"latency":"0.046s","referer":"https://example.org/",'
    '"remoteIp":"203.0.113.7","requestMethod":"GET","requestSize":"314",'
    '"requestUrl":"https://www.example.com/english/?lang=en","responseSize":"5120","status":200,'
    '"userAgent":"Mozilla/5.0 (X11; Linux)"},"timestamp":"2016-11-08T20:30:00.123456789Z"}',
    marks=("httpRequest.remoteIp",),
    decoders={"duration_s": _without_unit},
)
"""``latency`` is a duration in JSON's form of protocol buffers: seconds and an ``s``."""

LAYOUTS = (STORAGE, LOAD_BALANCER)
