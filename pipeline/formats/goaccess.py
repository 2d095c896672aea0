"""What GoAccess's specifiers stand for.

``%d`` and ``%t`` are whatever its ``date-format`` and ``time-format`` say. Where these are not
given, they are any date whose parts can be told apart, and any time of day.
Source: GoAccess's manual (custom log/date/time format).
"""

import re
from collections.abc import Iterator, Mapping
from functools import partial

from pipeline.formats.calendar import CLOCK, DATE, write_clock, write_date, write_moment
from pipeline.formats.directives import FORWARDED, Directive, split_format
from pipeline.formats.escapes import decode_each
from pipeline.formats.times import PATTERNS, TimeFormat, expand, find_missing, pattern_of

_SPECIFIER = re.compile(
    r"(?P<both>%d(?P<between>[^%]{0,3})%t(?P<tail>(?:[.,]?%\^)?(?: %\^)?))"
    r"|%(?P<letter>.)|~h(?:\{(?P<skipped>[^}]*)\})?"
)
_ONLY_GOACCESS = re.compile(r"%\^(?!t[io]|FB)|%d|%x|~h")
_FIELDS = {
    "h": "client", "r": "request", "m": "method", "U": "target", "q": "query", "H": "protocol",
    "s": "status", "b": "bytes", "R": "referrer", "u": "agent", "D": "duration_us",
    "T": "duration_s", "L": "duration_ms", "n": "duration_ns", "v": "host",
}  # fmt: skip
_SHAPES = {"~": r"\s*"}
_OTHERS = frozenset("^eCMkK~")
_EPOCHS = {"%s": "epoch_s", "%*": "epoch_ms", "%f": "epoch_us"}
_APACHE = ("%d:%t %^", "%c")
"""Apache's time, whose offset GoAccess leaves out."""


def is_goaccess(text: str) -> bool:
    """Whether a format string can be GoAccess's alone."""
    return bool(_ONLY_GOACCESS.search(re.sub(r"%\{[^}]*\}", "", text)))


def read_goaccess(text: str, forms: Mapping[str, str]) -> list[Directive]:
    """Read a format string of GoAccess's.

    Args:
        text: the string.
        forms: of ``date``, ``time`` and ``datetime`` those that are given.

    Raises:
        ValueError: it has a specifier that is not known; says what to write.
    """
    return list(_read(text if forms else text.replace(*_APACHE), forms))


def _read(text: str, forms: Mapping[str, str]) -> Iterator[Directive]:
    for part, found in split_format(text, _SPECIFIER):
        letter = found["letter"] if found else None
        if found is None or letter == "%":
            yield Directive("%" if found else part, is_literal=True)
        elif found["both"]:
            yield _moment(part, found["between"], found["tail"], forms)
        elif letter is None:
            yield from _read_hosts(part, found["skipped"] or "")
        elif letter in ("x", "c", "d", "t"):
            yield _time(part, letter, forms)
        elif letter in _FIELDS:
            yield Directive(part, _FIELDS[letter])
        elif letter in _OTHERS:
            yield Directive(part, shape=_SHAPES.get(letter))
        else:
            known = "".join(sorted({*_FIELDS, *_OTHERS, *"dtx"}))
            raise ValueError(f"{part} is no specifier of GoAccess: write % and one of {known}")


def _moment(part: str, between: str, tail: str, forms: Mapping[str, str]) -> Directive:
    """A date and a time of day that stand side by side, and the offset that may follow them.

    GoAccess skips the fraction and the offset with ``%^``; here they are read.
    """
    date, clock = _shape(forms, "date", DATE), _shape(forms, "time", CLOCK)
    marks = [re.escape(mark) for mark in re.findall(r"([., ]?)%\^", tail)]
    # What is skipped ends where the next part begins; only the last may hold a space.
    behind = "[^ ]*?".join(marks) + (".*?" if marks else "")
    shape = f"(?:{date}){re.escape(between)}(?:{clock}){behind}"
    write = partial(
        write_moment, date=date, between=between, clock=clock,
        forms=(forms.get("date"), forms.get("time")),
    )  # fmt: skip
    decode = partial(decode_each, write)
    return Directive(part, "time", shape, times=TimeFormat("iso"), decode=decode)


def _time(part: str, letter: str, forms: Mapping[str, str]) -> Directive:
    if letter == "d":
        decode = partial(decode_each, partial(write_date, form=forms.get("date")))
        return Directive(part, "date", _shape(forms, "date", DATE), decode=decode)
    if letter == "t":
        decode = partial(decode_each, partial(write_clock, form=forms.get("time")))
        return Directive(part, "clock", _shape(forms, "time", CLOCK), decode=decode)
    both = dict.fromkeys(forms.get(name, "") for name in ("date", "time"))
    form = forms.get("datetime") or "".join(both)
    if letter == "c" or not form:
        kind = "clf" if letter == "c" else "any"
        return Directive(part, "time", PATTERNS[kind], times=TimeFormat(kind))
    kind = _EPOCHS.get(form) or expand(form)
    if missing := find_missing(kind):
        raise ValueError(f"the time {form} has no {missing}: write datetime-format")
    return Directive(part, "time", PATTERNS.get(kind) or _pattern(form), times=TimeFormat(kind))


def _shape(forms: Mapping[str, str], name: str, default: str) -> str:
    return _pattern(forms[name]) if name in forms else default


def _pattern(form: str) -> str:
    try:
        return pattern_of(form)
    except KeyError as error:
        raise ValueError(f"%{error.args[0]} of the format {form} is not read") from None


def _read_hosts(part: str, skipped: str) -> Iterator[Directive]:
    """The hosts of ``X-Forwarded-For`` and, if they are skipped, the quotes around them."""
    quote = Directive("", shape='"?')
    yield from [quote] if '"' in skipped else []
    yield Directive(part, "forwarded", FORWARDED, forwarded="x-forwarded-for")
    yield from [quote] if '"' in skipped else []
