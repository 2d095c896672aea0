"""Squid: its native log, and combined with its two result codes behind.

A request is what a client asked of Squid over HTTP, also ``CONNECT`` (a tunnel) and one that was
broken off before a status (``TCP_MISS_ABORTED/000``). No requests are connections that sent none
that could be read (URL ``error:...`` or ``-``) and questions of other caches (``UDP_*``, ICP and
HTCP).
Source: Squid, directive ``logformat`` (``squid``, ``combined``) and its wiki, "Squid Log Files".
"""

from pipeline.formats.error_logs import or_no_hit
from pipeline.formats.pattern import (
    CLF,
    IDENTITY_AND_USER,
    QUOTED,
    SHAPES,
    Pattern,
    Segment,
    literal,
)
from pipeline.formats.times import TimeFormat

_STATUS, _BYTES = (Segment(SHAPES[name], name) for name in ("status", "bytes"))
_EPOCH = TimeFormat("epoch_s")
_TARGET = r'(?:/[^ "]*|[^ :/"]+://[^ "]*|[^ /"]+:\d+|urn:[^ "]+|\*)'
"""Every form of a request's target (RFC 9112, section 3.2), but not ``error:...``."""
_PLAIN_TARGET = r'(?:/[^ "]*|[^ :/"]+:(?://[^ "]*|\d+))'

SQUID = Pattern(
    "squid",
    (
        Segment(" *"), Segment(r"\d+\.\d{3}", "time"), Segment(" +"),
        Segment(r"-?\d+", "duration_ms"), literal(" "), Segment('[^ "]+', "client"),
        Segment(" [A-TV-Z][A-Z_]*/"), _STATUS, literal(" "), _BYTES, literal(" "),
        Segment("[^ ]+", "method"), literal(" "), Segment(_TARGET, "target", _PLAIN_TARGET),
        Segment(" .+? [A-Z_]+/[^ ]+ [^ ]+", plain=" [^ ]+ [A-Z_]+/[^ ]+ [^ ]+"),
    ),
    _EPOCH,
    "1728561336.123     12 192.0.2.10 TCP_MISS/200 2326 GET http://www.example.com/a?b=c - "
    "HIER_DIRECT/198.51.100.7 text/html",
    rest="(?: |$)",
    not_hits=or_no_hit(
        r" *\d+\.\d{3} +-?\d+ [^ ]+ UDP_",
        r" *\d+\.\d{3} +-?\d+ [^ ]+ [^ ]+ (?:\d+|-) [^ ]+ (?:error:|- )",
    ),
)  # fmt: skip
"""``squid``; ``log_mime_hdrs`` and custom formats append to it."""

SQUID_COMBINED = Pattern(
    "squid_combined",
    (
        Segment('[^ "]+', "client"), IDENTITY_AND_USER,
        Segment(CLF.pattern, "time"), literal('] "'),
        Segment(
            rf"[^ \"]+ {_TARGET} HTTP/\d+\.\d+", "request",
            rf"[^ \"]+ {_PLAIN_TARGET} HTTP/\d+\.\d+",
        ),
        literal('" '),
        _STATUS, literal(" "), _BYTES, literal(' "'), Segment(QUOTED, "referrer"), literal('" "'),
        Segment(QUOTED, "agent"), Segment('" [A-TV-Z][A-Z_]*:[A-Z_]+'),
    ),
    CLF,
    "192.0.2.10 - - [10/Oct/2024:13:55:36 +0200] "
    '"GET http://www.example.com/a?b=c HTTP/1.1" 200 2326 "https://example.org/" "Mozilla/5.0" '
    "TCP_MISS:HIER_DIRECT",
    rest="(?: |$)",
    not_hits=or_no_hit(
        r'[^"]*"[^ "]+ (?:error:|-[ "])', r'[^"]*"[^"]*" \d+ \d+ "[^"]*" "[^"]*" UDP_'
    ),
)  # fmt: skip
"""``combined``, whose tail is Squid's result and where the answer came from."""

LAYOUTS = (SQUID, SQUID_COMBINED)
