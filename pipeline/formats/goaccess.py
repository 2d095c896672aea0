"""What GoAccess's specifiers stand for.

Source: GoAccess's manual (custom log/date/time format).
"""

import re
from collections.abc import Iterator

from pipeline.formats.directives import FORWARDED, Directive, split_format
from pipeline.formats.times import PATTERNS, TimeFormat

_GOACCESS = re.compile(r"%(?P<letter>.)|~h(?:\{(?P<skipped>[^}]*)\})?")
_ONLY_GOACCESS = re.compile(r"%\^(?!t[io]|FB)|%d.*%t|%x|~h")
_GOACCESS_FIELDS = {
    "h": "client", "r": "request", "m": "method", "U": "target", "q": "query", "H": "protocol",
    "s": "status", "b": "bytes", "R": "referrer", "u": "agent", "D": "duration_us",
    "T": "duration_s", "L": "duration_ms", "n": "duration_ns", "v": "host", "d": "date",
    "t": "clock",
}  # fmt: skip
_GOACCESS_SHAPES = {
    "d": r"\d{4}-\d\d-\d\d", "t": r"\d\d:\d\d:\d\d(?:\.\d{1,9})?", "~": r"\s*",
}  # fmt: skip
_GOACCESS_TIMES = {"x": "any", "c": "clf"}
_GOACCESS_OTHERS = frozenset("^eCMkK~")


def is_goaccess(text: str) -> bool:
    """Whether a format string can be GoAccess's alone."""
    return bool(_ONLY_GOACCESS.search(re.sub(r"%\{[^}]*\}", "", text)))


def read_goaccess(text: str) -> list[Directive]:
    """Read a format string of GoAccess's.

    Raises:
        ValueError: it has a specifier that is not known; says what to write.
    """
    return list(_read(text))


def _read(text: str) -> Iterator[Directive]:
    text = text.replace("%d:%t %^", "%c")  # Apache's time, whose offset GoAccess leaves out
    for part, found in split_format(text, _GOACCESS):
        if found is None:
            yield Directive(part, is_literal=True)
            continue
        letter = found["letter"]
        if letter is None:
            yield from _read_hosts(part, found["skipped"] or "")
        elif letter == "%":
            yield Directive("%", is_literal=True)
        elif letter in _GOACCESS_TIMES:
            kind = _GOACCESS_TIMES[letter]
            yield Directive(part, "time", PATTERNS[kind], times=TimeFormat(kind))
        elif letter in _GOACCESS_FIELDS:
            yield Directive(part, _GOACCESS_FIELDS[letter], _GOACCESS_SHAPES.get(letter))
        elif letter in _GOACCESS_OTHERS:
            yield Directive(part, shape=_GOACCESS_SHAPES.get(letter))
        else:
            known = "".join(sorted(_GOACCESS_FIELDS.keys() | _GOACCESS_OTHERS))
            raise ValueError(f"{part} is no specifier of GoAccess: write % and one of {known}")


def _read_hosts(part: str, skipped: str) -> Iterator[Directive]:
    """The hosts of ``X-Forwarded-For`` and, if they are skipped, the quotes around them."""
    quote = Directive("", shape='"?')
    yield from [quote] if '"' in skipped else []
    yield Directive(part, "forwarded", FORWARDED, forwarded="x-forwarded-for")
    yield from [quote] if '"' in skipped else []
