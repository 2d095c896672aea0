r"""Zeek's http.log, formerly Bro's: tab separated, named by ``#fields`` or in the default order.

Sources: Zeek documentation, *base/protocols/http/main.zeek* (HTTP::Info) and *Zeek Log Formats and
Inspection*; Bro 2.4's HTTP::Info for the order without ``version``.

Unset is ``-`` and empty ``(empty)``; bytes that can't be printed are ``\x09``. A record with a
``trans_depth`` of 0 holds no request.
"""

from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.formats.escapes import Decoder, hex_decoded, http_version
from pipeline.formats.headers import HeaderLayout
from pipeline.formats.pattern import SHAPES, Pattern, Segment
from pipeline.formats.times import TimeFormat

_NAMES = {
    "ts": "time", "id.orig_h": "client", "method": "method", "host": "host", "uri": "target",
    "referrer": "referrer", "version": "protocol", "user_agent": "agent",
    "response_body_len": "bytes", "status_code": "status", "proxied": "forwarded",
}  # fmt: skip
_NEEDED = ("time", "client", "method")
_FIELD = r"[^\t]*"
_TIMES = TimeFormat("epoch_s")
_SHAPES = {
    "ts": _TIMES.pattern, "trans_depth": r"[1-9]\d*", "response_body_len": SHAPES["bytes"],
    "request_body_len": SHAPES["bytes"], "status_code": SHAPES["status"],
    "origin": r"(?:[^\t]*\t)?",
}  # fmt: skip
_HEAD = "ts uid id.orig_h id.orig_p id.resp_h id.resp_p trans_depth method host uri referrer"
_ZEEK = (
    f"{_HEAD} version user_agent origin request_body_len response_body_len status_code status_msg"
    " info_code info_msg tags username password proxied orig_fuids orig_filenames"
    " orig_mime_types resp_fuids resp_filenames resp_mime_types"
)
"""Zeek 3.2 to now; before, ``origin`` was missing."""
_BRO = (
    f"{_HEAD} user_agent request_body_len response_body_len status_code status_msg info_code"
    " info_msg filename tags username password proxied orig_fuids orig_mime_types resp_fuids"
    " resp_mime_types"
)
"""Bro up to 2.4."""


def compile_header(text: str, _before: str | None = None) -> Pattern | None:
    """Make the layout of a ``#fields`` line; None when it is another log's than http."""
    header = text.rsplit("\n", 1)[-1]
    return _compile(header.split("\t")[1:])


def _compile(names: list[str], *, origin_may_lack: bool = False) -> Pattern | None:
    if any(needed not in map(_NAMES.get, names) for needed in _NEEDED):
        return None
    segments: list[Segment] = []
    for number, name in enumerate(names):
        if origin_may_lack and name == "origin":
            segments[-1:] = [Segment(rf"\t{_SHAPES[name]}", plain=r"\t[^\t]*\t")]
            continue
        shape = _FIELD if name == "origin" else _SHAPES.get(name, _FIELD)
        segments += [Segment(shape, _NAMES.get(name)), Segment(r"\t")][
            : 1 + (number + 1 < len(names))
        ]
    at = names.index("trans_depth") if "trans_depth" in names else None
    not_hits = None if at is None else rf"^(?:[^\t]*\t){{{at}}}0(?:\t|$)"
    return Pattern("zeek", tuple(segments), _TIMES, not_hits=not_hits, decoders=_DECODERS)


def _text(texts: pa.StringArray) -> pa.StringArray:
    is_empty = pc.equal(texts, "(empty)")
    return pc.if_else(is_empty, "", hex_decoded(texts))


def _forwarded(texts: pa.StringArray) -> pa.StringArray:
    """The X-Forwarded-For of a set of ``HEADER -> value``, whose own commas are escaped."""
    found = pc.extract_regex(texts, pattern=r"(?:^|,)X-FORWARDED-FOR -> (?P<value>[^,]*)")
    return hex_decoded(pc.struct_field(found, "value"))


_DECODERS: dict[str, Decoder] = {
    "host": _text, "target": _text, "referrer": _text, "agent": _text,
    "protocol": http_version, "forwarded": _forwarded,
}  # fmt: skip


def _default(names: str, name: str) -> Pattern:
    made = _compile(names.split(), origin_may_lack=True)
    if made is None:
        raise AssertionError(name)
    return replace(made, name=name)


LAYOUTS = (
    HeaderLayout(
        "zeek", r"^#fields\t", compile_header, _default(_ZEEK, "zeek"),
        example="1478637000.123456\tCHhAvVGS1DHFjwGM9\t203.0.113.7\t50000\t192.0.2.1\t80\t1\tGET"
        "\twww.example.com\t/english/?lang=en\thttps://example.org/\t1.1\tMozilla/5.0 (X11; Linux)"
        "\t-\t0\t5120\t200\tOK\t-\t-\t(empty)\t-\t-\tX-FORWARDED-FOR -> 198.51.100.9\t-\t-\t-"
        "\tFrLEcY3AUPKdcYGf29\t-\ttext/html",
    ),
    HeaderLayout(
        "bro", r"^#fields\t", compile_header, _default(_BRO, "bro"),
        example="1478637000.123456\tCHhAvVGS1DHFjwGM9\t203.0.113.7\t50000\t192.0.2.1\t80\t1\tGET"
        "\twww.example.com\t/english/?lang=en\thttps://example.org/\tMozilla/5.0 (X11; Linux)"
        "\t0\t5120\t200\tOK\t-\t-\t-\t(empty)\t-\t-\t-\t-\t-\tFrLEcY3AUPKdcYGf29\ttext/html",
    ),
)  # fmt: skip
