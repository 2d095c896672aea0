"""Envoy's and Istio's default text log.

Sources: Envoy, Access logging, "Default format string"; Istio, Envoy Access Logs, "Default access
log format", and that of Istio up to 1.8.
"""

from pipeline.formats.error_logs import or_no_hit
from pipeline.formats.pattern import SHAPES, Pattern, Segment, literal
from pipeline.formats.times import TimeFormat

_ISO = TimeFormat("iso")
_NOT_HITS = or_no_hit(r'\[[^\]]*\] "- - -" ')
"""A TCP connection; a request that could not be read is ``- - HTTP/1.1``."""

_BEGIN = (
    literal("["), Segment(_ISO.pattern, "time"), literal('] "'),
    Segment('(?:[A-Z]|- - H)[^"]*', "request"), literal('" '), Segment(SHAPES["status"], "status"),
)  # fmt: skip
# Envoy does not escape quotes in headers: the agent takes what the headers around it leave.
_END = (
    Segment(r"\d+", "bytes"), literal(" "), Segment(r"\d+", "duration_ms"), Segment(r' [^ ]+ "'),
    Segment('[^"]*', "forwarded"), literal('" "'), Segment(".*", "agent", '[^"]*'),
    Segment('" "[^"]*" "'), Segment('[^"]*', "host"), Segment('" "[^"]*"'),
)  # fmt: skip

ENVOY = Pattern(
    "envoy",
    (*_BEGIN, Segment(r" [^ ]+ \d+ "), *_END),
    _ISO,
    '[2024-10-10T11:55:36.123Z] "GET /a?b=c HTTP/1.1" 200 - 0 2326 12 11 "192.0.2.10" '
    '"Mozilla/5.0" "cc21d9b0-cf5c-432b-8c7e-98aeb7988cd2" "www.example.com" "10.0.0.1:80"',
    not_hits=_NOT_HITS,
)
"""Envoy; it does not log the peer, only ``X-Forwarded-For``."""

ISTIO = Pattern(
    "istio",
    (
        *_BEGIN,
        Segment(
            r' [^ ]+ (?:"[^"]*"|[^"]+) "[^"]*" \d+ ', plain=r' [^ ]+ [^ "]+ [^ "]+ "[^"]*" \d+ '
        ),
        *_END, Segment(r" [^ ]+ [^ ]+ [^ ]+ \[?", plain=r' [^ "]+ [^ "]+ [^ "]+ \[?'),
        Segment(r"[^ \[\]]+", "client", r'[^ "\[\]:]+'),
    ),
    _ISO,
    '[2024-10-10T11:55:36.123Z] "GET /a?b=c HTTP/1.1" 200 - via_upstream - "-" 0 2326 12 11 '
    '"192.0.2.10,198.51.100.7" "Mozilla/5.0" "cc21d9b0-cf5c-432b-8c7e-98aeb7988cd2" '
    '"www.example.com" "10.0.0.1:80" inbound|80|| 127.0.0.6:40001 10.0.0.1:80 203.0.113.9:40002 '
    "outbound_.80_._.web.default.svc.cluster.local default",
    rest=r"\]?:\d+(?: |$)",
    plain_rest=r'\]?:\d+(?: [^"]*)?$',
    not_hits=_NOT_HITS,
)  # fmt: skip
"""Istio; the peer is ``%DOWNSTREAM_REMOTE_ADDRESS%``. Up to 1.8 Mixer's status, in quotes, stood
for the two fields after the flags."""

LAYOUTS = (ENVOY, ISTIO)
