"""What the directives of Apache's LogFormat write.

Source: Apache's mod_log_config, mod_logio and mod_ssl (custom log formats).
"""

import re
from collections.abc import Iterator

from pipeline.formats.directives import (
    FORWARDING,
    MARK,
    PORT,
    Directive,
    merge_targets,
    split_format,
)
from pipeline.formats.pattern import DECIMAL
from pipeline.formats.times import PATTERNS, TimeFormat, expand, pattern_of

_APACHE = re.compile(
    r"%(?:[<>]|!?\d{3}(?:,\d{3})*)*(?:\{(?P<argument>[^}]*)\})?[<>]?"
    r"(?P<letter>\^t[io]|\^FB|[A-Za-z%])"
)
_APACHE_FIELDS = {
    "h": "client", "a": "client", "r": "request", "s": "status", "b": "bytes", "B": "bytes",
    "O": "bytes", "v": "host", "V": "host", "m": "method", "U": "path",
    "H": "protocol", "D": "duration_us", "T": "duration_s", "t": "time",
}  # fmt: skip
_APACHE_SHAPES = {"D": r"\d+|-\d*", "T": DECIMAL}
_APACHE_OTHERS = frozenset("ACcefFiIkKlLnopPRuSXx") | {"^ti", "^to", "^FB"}
"""Also those of mod_ssl (``%{...}x``, ``%{...}c``) and mod_logio."""
_WITH_SPACES = frozenset("oCenx")
"""With an argument: headers, cookies, variables and notes, which may hold spaces."""
_HEADERS = {
    "referer": "referrer", "referrer": "referrer", "user-agent": "agent", "host": "host",
    **dict.fromkeys(FORWARDING, "forwarded"),
}  # fmt: skip
_UNITS = {"ms": "duration_ms", "us": "duration_us", "s": "duration_s"}


def read_apache(text: str) -> list[Directive]:
    """Read a format string of Apache's.

    Raises:
        ValueError: it has a directive that is not known; says what to write.
    """
    return _merge_times(merge_targets(list(_read(text))))


def _read(text: str) -> Iterator[Directive]:
    for part, found in split_format(text, _APACHE):
        if found is None or found["letter"] == "%":
            yield Directive("%" if found else part, is_literal=True)
        elif found["letter"] == "t":
            yield from _apache_time(part, found["argument"])
        elif found["letter"] == "q":
            yield Directive("", shape=MARK)
            yield Directive(part, "query")
        else:
            yield _apache_directive(part, found["letter"], found["argument"])


def _apache_directive(part: str, letter: str, argument: str | None) -> Directive:
    if letter == "i" and argument is not None:
        return _header(part, argument)
    if letter == "T" and argument is not None:
        if argument not in _UNITS:
            raise ValueError(f"the unit of {part}: write s, ms or us")
        return Directive(part, _UNITS[argument], DECIMAL)
    if letter in _APACHE_FIELDS:
        is_final = (letter == "s" and ">" in part) or letter in "bB" or argument == "c"
        shape = _APACHE_SHAPES.get(letter)
        return Directive(part, _APACHE_FIELDS[letter], shape, is_final=is_final)
    if letter in _APACHE_OTHERS:
        has_spaces = argument is not None and letter in _WITH_SPACES
        return Directive(part, shape=PORT if letter == "p" else None, has_spaces=has_spaces)
    known = " ".join(sorted(_APACHE_FIELDS.keys() | _APACHE_OTHERS))
    raise ValueError(f"{part} is no directive of Apache's LogFormat: write % and one of {known}")


def _apache_time(part: str, argument: str | None) -> Iterator[Directive]:
    form = re.sub("^(begin|end):?", "", argument or "")
    kind = {
        "": "clf", "sec": "epoch_s", "msec": "epoch_ms", "usec": "epoch_us", "%s": "epoch_s",
    }.get(form)  # fmt: skip
    if kind == "clf":
        yield Directive("[", is_literal=True)
        yield Directive(part, "time", PATTERNS["clf"], times=TimeFormat())
        yield Directive("]", is_literal=True)
    elif kind:
        yield Directive(part, "time", PATTERNS[kind], times=TimeFormat(kind))
    else:
        form = {"msec_frac": "%f", "usec_frac": "%f"}.get(form, form)
        yield _strftime(part, form)


def _merge_times(directives: list[Directive]) -> list[Directive]:
    """One time of several ``%{...}t`` with only text between them."""
    places = [n for n, directive in enumerate(directives) if directive.field == "time"]
    if len(places) <= 1:
        return directives
    first, last = places[0], places[-1]
    run = directives[first : last + 1]
    kinds = [one.times.kind if one.times else one.text.replace("%", "%%") for one in run]
    text = "".join(one.text for one in run)
    if kinds == ["epoch_s", ".", "%f"]:
        merged = Directive(text, "time", PATTERNS["epoch_s"], times=TimeFormat("epoch_s"))
        return [*directives[:first], merged, *directives[last + 1 :]]
    parts = [one for one in run if one.is_literal or (one.times and "%" in one.times.kind)]
    letters = re.findall("%(.)", expand("".join(kinds)).replace("%%", ""))
    if len(parts) < len(run) or len(set(letters)) < len(letters):
        return directives  # not one time: an epoch, or begin and end
    return [*directives[:first], _strftime(text, "".join(kinds)), *directives[last + 1 :]]


def _strftime(part: str, form: str) -> Directive:
    try:
        shape = pattern_of(form)
    except KeyError as error:
        known = "%Y %m %d %e %b %H %M %S %T %z"
        raise ValueError(
            f"%{error.args[0]} of {part} in a time is not read: write {known}"
        ) from None
    return Directive(part, "time", shape, times=TimeFormat(expand(form)))


def _header(part: str, name: str) -> Directive:
    name = name.lower()
    field = _HEADERS.get(name)
    if field == "forwarded":
        return Directive(part, field, forwarded=name, is_final=FORWARDING[name])
    return Directive(part, field, has_spaces=field != "host")
