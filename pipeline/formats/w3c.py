"""W3C extended logs, whose ``#Fields:`` line names what stands in the lines after it.

Sources: W3C working draft WD-logfile-960323 *Extended Log File Format*; Microsoft, *W3C Logging*
(HTTP Server API) and IIS's defaults; Amazon CloudFront Developer Guide, *Standard logging
reference* and *Streaming distribution log file format*; Imperva, *Log file structure* (W3C);
SHOUTcast DNAS, whose W3C log has one form.

Dates and times are UTC, as the draft has it, until a zone is set; SHOUTcast writes local ones.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.formats.escapes import Decoder, quotes_are_doubled
from pipeline.formats.headers import HeaderLayout
from pipeline.formats.pattern import SHAPES, Pattern, Segment
from pipeline.formats.times import TimeFormat
from pipeline.formats.w3c_dialects import (
    CLOUDFRONT,
    CLOUDFRONT_RTMP,
    IIS,
    IIS_ADVANCED,
    INCAPSULA,
    SHOUTCAST,
    W3C,
    Dialect,
)

_HEADER = r"(?i)^#Fields:"
_NAMES = {
    "date": "date", "time": "clock", "c-ip": "client", "cs-method": "method",
    "cs-uri-stem": "path", "cs-uri": "target", "cs-uri-query": "query", "cs-version": "protocol",
    "cs-protocol-version": "protocol", "sc-status": "status", "c-status": "status",
    "sc-bytes": "bytes", "cs-host": "host", "cs(host)": "host", "cs(user-agent)": "agent",
    "cs(referer)": "referrer", "cs(referrer)": "referrer", "x-forwarded-for": "forwarded",
    "cs(x-forwarded-for)": "forwarded", "time-taken": "duration_s",
}  # fmt: skip
"""The draft's identifiers, and those of the products that several of them share."""
_SHAPES = {
    "date": r"\d{4}-\d\d-\d\d", "clock": r"\d\d:\d\d:\d\d(?:\.\d{1,9})?", **SHAPES,
}  # fmt: skip
_NEEDED = (frozenset({"date"}), frozenset({"clock"}), frozenset({"client"}),
           frozenset({"method", "path", "target", "status"}))  # fmt: skip
_SOFTWARE = re.compile("^#Software:", re.IGNORECASE | re.MULTILINE)
_DATE = re.compile(r"^#Date:\s*(\d{4}-\d\d-\d\d)", re.IGNORECASE | re.MULTILINE | re.ASCII)


_DIALECTS = (INCAPSULA, IIS_ADVANCED, IIS, CLOUDFRONT, CLOUDFRONT_RTMP, SHOUTCAST, W3C)


def compile_header(
    text: str, before: str | None = None, only: Dialect | None = None
) -> Pattern | None:
    """Make the layout of a ``#Fields:`` line and the directives before it.

    Lines with a time and no date are of the day of ``#Date:``, also past midnight.

    Args:
        text: lines, the last of which is the header.
        before: the product of the header before: a ``#Fields:`` alone does not change it.
        only: the product it must be of; any when not given.
    """
    *directives, header = text.split("\n")
    names = header.partition(":")[2].lower().split()
    said = "\n".join(directives)
    named = (one for one in _DIALECTS if one.wrote(said))
    dialect = next(named, None) or next(one for one in _DIALECTS if one.may_have(names))
    if dialect is W3C and not _SOFTWARE.search(said):
        dialect = next((one for one in _DIALECTS if one.name == before), W3C)
    if only not in (None, dialect):
        return None
    fields = _choose(dialect, names)
    date = _DATE.search(said) if "date" not in fields else None
    constants = {"date": date[1]} if date else {}
    if any(needed.isdisjoint([*fields, *constants]) for needed in _NEEDED):
        return None
    return replace(_assemble(dialect, names, fields), constants=constants)


def _choose(dialect: Dialect, names: list[str]) -> list[str | None]:
    """The field of each name; None when it has none or had it before."""
    known = {**_NAMES, **dialect.names}
    if "cs-uri-stem" in names and known["cs-uri-stem"]:
        known["cs-uri"] = ""
    fields: list[str | None] = []
    for name in names:
        made = known.get(name) or None
        fields.append(None if made in fields else made)
    return fields


def _assemble(dialect: Dialect, names: list[str], fields: list[str | None]) -> Pattern:
    segments = [Segment(dialect.before)]
    for number, (name, made) in enumerate(zip(names, fields, strict=True)):
        if number:
            segments.append(Segment(dialect.between))
        shape = dialect.shapes.get(name) or (made and _SHAPES.get(made)) or dialect.shape
        segments.append(Segment(shape, made))
    segments.append(Segment(f"{dialect.after}[ \t]*", plain=dialect.after))
    return Pattern(
        dialect.name, tuple(segments), TimeFormat("iso"), not_hits=_not_hits(dialect, names),
        decoders=_decoders(dialect, fields), needs_request=True,
    )  # fmt: skip


def _not_hits(dialect: Dialect, names: list[str]) -> str | None:
    if dialect.not_hits is None or dialect.not_hits[0] not in names:
        return None
    before = f"(?:(?:{dialect.shape}){dialect.between}){{{names.index(dialect.not_hits[0])}}}"
    return f"^{before}(?:{dialect.not_hits[1]}){dialect.between}"


def _decoders(dialect: Dialect, fields: Iterable[str | None]) -> Mapping[str, Decoder]:
    if dialect.has_quotes:
        return {made: _unquoted for made in fields if made and made not in _SHAPES}
    if dialect is INCAPSULA:
        return {"target": _with_scheme}
    return dialect.decoders


def _unquoted(texts: pa.StringArray) -> pa.StringArray:
    """Take a string out of its quotes, which are doubled in it."""
    is_quoted = pc.starts_with(texts, '"')
    inner = quotes_are_doubled(pc.utf8_slice_codeunits(texts, 1, -1))
    return pc.if_else(is_quoted, inner, texts)


def _with_scheme(texts: pa.StringArray) -> pa.StringArray:
    """Put a scheme before ``host/path``, so that it is an absolute target."""
    is_path = pc.is_in(pc.utf8_slice_codeunits(texts, 0, 1), pa.array(["/", "-", ""]))
    return pc.if_else(is_path, texts, pc.binary_join_element_wise("http://", texts, ""))


def _layout(
    dialect: Dialect, example: str, default: Pattern | None = None, directive: str = "^#"
) -> HeaderLayout:
    only = None if dialect is W3C else dialect
    compiled = partial(compile_header, only=only)
    return HeaderLayout(dialect.name, _HEADER, compiled, default, directive, example)


_ENVELOPE = (
    r"^(?:#|\|==\||(?i:accountId|configId|checksum|format|startTime|endTime|publicKeyId|key):)"
)
"""What Imperva writes above the log, up to ``|==|``."""


def _default(
    dialect: Dialect, names: str, *last: Segment, rest: str = "", plain_rest: str = ""
) -> Pattern:
    """The layout of lines without a header: fields in order, and some that may follow."""
    made = _assemble(dialect, names.split(), _choose(dialect, names.split()))
    return Pattern(
        made.name, (*made.segments[:-1], *last), made.times, rest=rest,
        plain_rest=plain_rest, not_hits=made.not_hits, decoders=made.decoders,
    )  # fmt: skip


_IIS_DEFAULT = _default(
    IIS,
    "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent)"
    " cs(Referer) sc-status sc-substatus sc-win32-status".lower(),
    Segment(" "),
    Segment(r"\d*?", "bytes", plain=""),
    Segment(r"(?: \d+ )?", plain=""),
    Segment(r"\d+", "duration_ms"),
)
"""What IIS 7 to 10 log unless told otherwise, and with sc-bytes and cs-bytes before time-taken."""
_CLOUDFRONT_DEFAULT = _default(
    CLOUDFRONT,
    "date time x-edge-location sc-bytes c-ip cs-method cs(host) cs-uri-stem sc-status cs(referer)"
    " cs(user-agent) cs-uri-query cs(cookie) x-edge-result-type x-edge-request-id x-host-header"
    " cs-protocol cs-bytes time-taken x-forwarded-for ssl-protocol ssl-cipher"
    " x-edge-response-result-type",
    Segment("\t?", plain="\t"),
    Segment(r"HTTP/[0-9.]+|-|", "protocol"),
    rest=r"(?:\t[^\t]*)*",
    plain_rest=r"(?:\t[^\t]*)*$",
)
"""The 23 and 24 fields of old, the 33 of now, and those that will be added."""
_RTMP_DEFAULT = _default(
    CLOUDFRONT_RTMP,
    "date time x-edge-location c-ip x-event sc-bytes x-cf-status x-cf-client-id cs-uri-stem"
    " cs-uri-query c-referrer x-page-url c-user-agent x-sname x-sname-query x-file-ext x-sid",
)
_SHOUTCAST_DEFAULT = _default(
    SHOUTCAST,
    "c-ip c-dns date time cs-uri-stem c-status cs(user-agent) sc-bytes x-duration avgbandwidth",
)

LAYOUTS = (
    _layout(
        IIS,
        "2016-11-08 20:30:00 192.0.2.1 GET /english/index.asp lang=en 443 - 203.0.113.7"
        " Mozilla/5.0+(Windows+NT+10.0;+Win64;+x64) https://example.org/ 200 0 0 46",
        _IIS_DEFAULT,
    ),
    _layout(
        IIS_ADVANCED,
        "#Software: IIS Advanced Logging Module\n"
        "#Fields:  date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip"
        " cs(User-Agent) cs(Referer) sc-status sc-substatus sc-win32-status sc-bytes time-taken\n"
        "2016-11-08 20:30:00.123 192.0.2.1 GET /english/index.asp lang=en 443 - 203.0.113.7"
        ' "Mozilla/5.0 (Windows NT 10.0; Win64; x64)" "https://example.org/" 200 0 0 5120 46',
    ),
    _layout(
        CLOUDFRONT,
        "2016-11-08\t20:30:00\tYUL62-C1\t5120\t203.0.113.7\tGET\td111111abcdef8.cloudfront.net"
        "\t/english/a%2520b.html\t200\thttps://example.org/\tMozilla/5.0%20(X11;%20Linux)\tlang=en"
        "\t-\tHit\tdocumentation==\twww.example.com\thttps\t314\t0.046\t-\tTLSv1.3"
        "\tTLS_AES_128_GCM_SHA256\tHit\tHTTP/2.0\t-\t-\t50000\t0.046\tHit\ttext/html\t5000\t-\t-",
        _CLOUDFRONT_DEFAULT,
    ),
    _layout(
        CLOUDFRONT_RTMP,
        "2016-11-08\t20:30:00\tYUL62\t203.0.113.7\tplay\t5120\tOK\tdocumentation"
        "\trtmp://example.cloudfront.net/cfx/st\tkey=value\thttps://example.org/player.swf"
        "\thttps://example.org/\tLNX%2010,0,32,18\tmyvideo\t-\tflv\t1",
        _RTMP_DEFAULT,
    ),
    _layout(
        INCAPSULA,
        "#Software: Incapsula LOGS API\n"
        "#Fields: date time cs-clapp cs(User-Agent) cs-uri cs-version c-ip cs-method"
        " cs-uri-query sc-status s-xff cs-bytes cs(Referrer)\n"
        '"2016-11-08" "20:30:00" "Firefox" "Mozilla/5.0 (X11; Linux)" "www.example.com/english/"'
        ' "HTTP/1.1" "203.0.113.7" "GET" "lang=en" "200" "198.51.100.9" "5120"'
        ' "https://example.org/"',
        directive=_ENVELOPE,
    ),
    _layout(
        SHOUTCAST,
        "203.0.113.7 203.0.113.7 2016-11-08 20:30:00 /stream?title=Unknown 200"
        " Example%20Player%2F1.0 5120 46 128",
        _SHOUTCAST_DEFAULT,
    ),
    _layout(
        W3C,
        "#Version: 1.0\n"
        "#Fields: time date c-ip cs-method cs-uri sc-status sc-bytes time-taken cs(User-Agent)\n"
        "20:30:00 2016-11-08 203.0.113.7 GET /english/?lang=en 200 5120 0.046"
        ' "Mozilla/5.0 (""X"")"',
    ),
)
