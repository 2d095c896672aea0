"""HAProxy: its HTTP log, and the same in common log format.

Mostly carried by syslog (see ``wrappers``). The time is local and has no offset; the duration is
the total time. A line of a TCP frontend, a connection error and a message about servers and
backends is no request.
Source: HAProxy, Configuration Manual, section 8.2 (log formats) and 8.6 (non-printable and quote
characters are encoded as ``#XX``).
"""

from pipeline.formats.error_logs import or_no_hit
from pipeline.formats.pattern import CLF, SHAPES, Pattern, Segment, literal

_STATUS, _BYTES = (Segment(SHAPES[name], name) for name in ("status", "bytes"))
_TIME = Segment(CLF.pattern, "time")
_DURATION = Segment(r"-?\d+", "duration_ms")
_ACCEPTED = r"[^ ]+:\d+ \[[^\]]*\] "
_NOT_HITS = or_no_hit(
    _ACCEPTED + r"[^ ]+ [^ /]+/[^ ]+ -?\d+/-?\d+/\+?-?\d+ \+?\d+ [^ ]{2} ",
    _ACCEPTED + r"[^ ]+: ",
    r"Connect from [^ ]+:\d+ to |(?:Backup )?Server [^ /]+/[^ ]+ |backend [^ ]+ has "
    r"|Health check for |(?:Proxy|Frontend|Backend) [^ ]+ (?:started|stopped|paused|enabled)"
    r"|(?:Stopping|Pausing|Enabling|Disabling|Loading) (?:proxy|frontend|backend|peers) "
    r"|(?:New|Current) worker |\[(?:NOTICE|WARNING|ALERT|INFO)\] ",
)

_COUNTS = r'[^ ]{4} (?:\d+/){4}\+?\d+ \d+/\d+ (?:\{[^}]*\} )*"'
HAPROXY = Pattern(
    "haproxy",
    (
        Segment(r"[^ \"]+", "client", '[^ ":]+'), Segment(r":\d+ \["), _TIME,
        Segment(r"\] [^ ]+ [^ /]+/[^ ]+ (?:-?\d+/){4}\+?"), _DURATION, literal(" "), _STATUS,
        Segment(r" \+?"), _BYTES,
        Segment(f" .*? {_COUNTS}", plain=f" [^ ]+ [^ ]+ {_COUNTS}"),
        Segment('[^"]*', "request"),
    ),
    CLF,
    "192.0.2.10:33317 [10/Oct/2024:13:55:36.655] "
    "http-in~ static/srv1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {www.example.com|} {} "
    '"GET /a?b=c HTTP/1.1"',
    rest='(?:"|$)',
    not_hits=_NOT_HITS,
)  # fmt: skip
"""``option httplog``, also ``httpslog``, which appends fields.

A line that is longer than the log's ``len`` is cut off in the request. ``<BADREQ>`` is a request
that could not be read: a hit without method and path, as elsewhere.
"""

HAPROXY_CLF = Pattern(
    "haproxy_clf",
    (
        Segment(r"[^ \"]+", "client"), literal(" - - ["), _TIME,
        literal('] "'), Segment('[^"]*', "request"), literal('" '), _STATUS, Segment(r" \+?"),
        _BYTES,
        Segment(r' "" "" \d+ \d{1,3} (?:"[^"]*" ){3}(?:-?\d+ ){4}\+?'), _DURATION,
    ),
    CLF,
    "192.0.2.10 - - [10/Oct/2024:11:55:36 +0000] "
    '"GET /a?b=c HTTP/1.1" 200 2750 "" "" 33317 655 "http-in" "static" "srv1" 10 0 30 69 109 '
    '"----" 1 1 1 1 0 0 0 "" ""',
    rest=" ",
    not_hits=_NOT_HITS,
)  # fmt: skip
"""``option httplog clf``: its referrer and agent are always empty, so the line has none."""

LAYOUTS = (HAPROXY, HAPROXY_CLF)
