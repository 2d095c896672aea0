"""Products that write W3C extended logs, each in its way; sources: ``w3c``."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pipeline.formats.escapes import (
    Decoder,
    percent_decoded,
    percent_is_escaped,
    plus_is_space,
    twice_decoded,
)


@dataclass(frozen=True)
class Dialect:
    """How a product writes W3C extended logs."""

    name: str
    marks: frozenset[str] = frozenset()
    """Names of fields of which a header of this product has one; none: any header is its."""
    software: str | None = None
    """What its ``#Software:`` line looks like."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Fields that it names otherwise than ``_NAMES``, or means something else by."""
    before: str = ""
    between: str = " "
    after: str = ""
    """What stands before, between and behind a line's fields, as RE2."""
    shape: str = r"[^ ]+"
    shapes: Mapping[str, str] = field(default_factory=dict)
    """What a field looks like, and those that look otherwise, by their names in the header."""
    decoders: Mapping[str, Decoder] = field(default_factory=dict)
    not_hits: tuple[str, str] | None = None
    """A name in the header, and what its field looks like in lines that are no requests."""
    has_quotes: bool = False
    """Whether strings stand in quotes, which are doubled in them."""

    def wrote(self, directives: str) -> bool:
        """Whether the directives before a header name this product."""
        flags = re.IGNORECASE | re.MULTILINE
        return bool(self.software and re.search(self.software, directives, flags))

    def may_have(self, names: Iterable[str]) -> bool:
        """Whether a header may be this product's by its fields."""
        return not self.marks or not self.marks.isdisjoint(names)


IIS = Dialect(
    "iis",
    frozenset({"s-sitename", "s-computername", "sc-substatus", "sc-win32-status"}),
    r"^#Software: Microsoft ",
    {"time-taken": "duration_ms"},
    # A space becomes a plus; a plus stays one, so that "+" can stand for either, mostly the first.
    decoders={"agent": plus_is_space},
)
"""``time-taken`` is in milliseconds; user agents have ``+`` for each space."""

_STRING = r'(?:"[^"]*")+|[^ \t"][^ \t]*'
IIS_ADVANCED = Dialect(
    "iis_advanced",
    frozenset({"timetakenms"}),
    r"^#Software: IIS Advanced Logging",
    {"time-taken": "duration_ms", "timetakenms": "duration_ms"},
    shape=_STRING,
    has_quotes=True,
)
"""IIS's Advanced Logging module: strings in quotes, with spaces; ``time-taken`` in milliseconds."""

CLOUDFRONT = Dialect(
    "cloudfront",
    frozenset({"x-edge-location"}),
    # cs(Host) is the distribution's name; x-host-header is what the viewer asked for.
    names={"cs(host)": "", "x-host-header": "host"},
    between="\t",
    shape=r"[^\t]*",
    decoders={
        "agent": twice_decoded,
        "path": percent_is_escaped,
        "query": percent_is_escaped,
        "referrer": percent_is_escaped,
    },
)
"""URL-encodes fields, ``%`` to ``%25``. In user agents of some years spaces are encoded twice
(``%2520``). ``time-taken`` is in seconds. Addresses of proxies are in ``x-forwarded-for``."""

CLOUDFRONT_RTMP = Dialect(
    "cloudfront_rtmp",
    frozenset({"x-cf-client-id"}),
    names={"cs-uri-stem": "target", "c-referrer": "referrer", "c-user-agent": "agent"},
    between="\t",
    shape=r"[^\t]*",
    shapes={"x-event": "play"},
    decoders={"agent": percent_decoded, "query": percent_is_escaped},
    not_hits=("x-event", "connect|disconnect|stop|pause|unpause|seek"),
)
"""A stream that begins to play is a hit; the other events of a connection are none."""

INCAPSULA = Dialect(
    "incapsula",
    frozenset({"cs-clapp", "cs-clappsig", "s-suid"}),
    r"^#Software: Incapsula",
    {"cs-uri-stem": "", "cs-bytes": "bytes", "s-xff": "forwarded"},
    before='"',
    between='" "',
    after='"',
    shape=r'(?:[^"\\]|\\.)*',
    shapes={"sc-status": r"[1-5]\d\d|-?|0", "cs-bytes": r"\d*"},
)
"""Every field stands in quotes; ``cs-uri`` has no scheme; ``cs-bytes`` is the content's length."""

SHOUTCAST = Dialect(
    "shoutcast",
    frozenset({"avgbandwidth"}),
    r"^#Software: SHOUTcast",
    {"cs-uri-stem": "target", "x-duration": "duration_s"},
    decoders={"agent": percent_decoded},
)
"""One line a listener, when he leaves: ``x-duration`` is in seconds."""

W3C = Dialect(
    "w3c",
    between=r"[ \t]+",
    shape=_STRING,
    has_quotes=True,
)
"""The draft: whitespace between fields, strings in quotes, ``time-taken`` in seconds."""
