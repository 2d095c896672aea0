"""What the directives of Apache's, nginx's and GoAccess's format strings write.

Sources: Apache's mod_log_config, mod_logio and mod_ssl (custom log formats), nginx's
ngx_http_log_module and its variables, GoAccess's manual (custom log/date/time format).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.formats.pattern import DECIMAL
from pipeline.formats.times import PATTERNS, TimeFormat, expand, pattern_of

_APACHE = re.compile(
    r"%(?:[<>]|!?\d{3}(?:,\d{3})*)*(?:\{(?P<argument>[^}]*)\})?[<>]?"
    r"(?P<letter>\^t[io]|\^FB|[A-Za-z%])"
)
NGINX = re.compile(r"\$(?:\{(?P<braced>\w+)\}|(?P<name>\w+))", re.ASCII)
_GOACCESS = re.compile(r"%(?P<letter>.)|~h(?:\{(?P<skipped>[^}]*)\})?")
_ONLY_GOACCESS = re.compile(r"%\^(?!t[io]|FB)|%d.*%t|%x|~h")
_APACHE_FIELDS = {
    "h": "client", "a": "client", "r": "request", "s": "status", "b": "bytes", "B": "bytes",
    "O": "bytes", "v": "host", "V": "host", "m": "method", "U": "path",
    "H": "protocol", "D": "duration_us", "T": "duration_s", "t": "time",
}  # fmt: skip
_APACHE_SHAPES = {"D": r"\d+|-\d*", "T": DECIMAL}
_APACHE_OTHERS = frozenset("ACcefFiIkKlLnopPRuSXx") | {"^ti", "^to", "^FB"}
"""Also those of mod_ssl (``%{...}x``, ``%{...}c``) and mod_logio."""
_HEADERS = {
    "referer": "referrer", "referrer": "referrer", "user-agent": "agent", "host": "host",
    "x-forwarded-for": "forwarded", "forwarded": "forwarded", "true-client-ip": "forwarded",
    "cf-connecting-ip": "forwarded",
}  # fmt: skip
NGINX_FIELDS = {
    "remote_addr": "client", "request": "request", "status": "status",
    "body_bytes_sent": "bytes", "bytes_sent": "bytes", "http_referer": "referrer",
    "http_user_agent": "agent", "http_x_forwarded_for": "forwarded",
    "proxy_add_x_forwarded_for": "forwarded", "http_forwarded": "forwarded",
    "http_true_client_ip": "forwarded", "http_cf_connecting_ip": "forwarded",
    "host": "host", "http_host": "host", "server_name": "host", "request_method": "method",
    "request_uri": "target", "uri": "path", "document_uri": "path", "args": "query",
    "query_string": "query", "server_protocol": "protocol", "request_time": "duration_s",
    "time_local": "time", "time_iso8601": "time", "msec": "time",
}  # fmt: skip
NGINX_TIMES = {"time_local": "clf", "time_iso8601": "iso", "msec": "epoch_s"}
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
_UNITS = {"ms": "duration_ms", "us": "duration_us", "s": "duration_s"}
MARK = r"\??"
"""The question mark before a query that may be empty."""
PORT = r"[\d-]*"


@dataclass(frozen=True)
class Directive:
    """One part of a format string: what it writes, or text that stands there as it is."""

    text: str
    """As it stands in the string."""
    field: str | None = None
    shape: str | None = None
    """What it looks like, when that does not follow from its field and what comes next."""
    is_literal: bool = False
    times: TimeFormat | None = None
    forwarded: str | None = None
    is_final: bool = False
    """Whether it is the one to take where a field comes more than once."""


def read_directives(text: str) -> list[Directive]:
    """Read a format string, of whichever of the three it is.

    Raises:
        ValueError: it has a directive that is not known; says what to write.
    """
    if NGINX.search(text):
        return _merge_targets(list(_nginx(text)))
    if _ONLY_GOACCESS.search(re.sub(r"%\{[^}]*\}", "", text)):
        return list(_goaccess(text))
    return _merge_times(_merge_targets(list(_apache(text))))


def _apache(text: str) -> Iterator[Directive]:
    for part, found in _parts(text, _APACHE):
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
        return Directive(part, shape=PORT if letter == "p" else None)
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
    field = _HEADERS.get(name.lower())
    return Directive(part, field, forwarded=name.lower() if field == "forwarded" else None)


def _nginx(text: str) -> Iterator[Directive]:
    for part, found in _parts(text, NGINX):
        if found is None:
            yield Directive(part, is_literal=True)
            continue
        name = found["braced"] or found["name"]
        if name == "is_args":
            yield Directive(part, shape=MARK)
            continue
        field = NGINX_FIELDS.get(name)
        kind = NGINX_TIMES.get(name)
        shape = PATTERNS[kind] if kind else PORT if name.endswith("_port") else None
        yield Directive(
            part, field, shape, times=TimeFormat(kind) if kind else None,
            forwarded=forwarded_header(name) if field == "forwarded" else None,
            is_final=name == "body_bytes_sent",
        )  # fmt: skip


def forwarded_header(variable: str) -> str:
    """Which header one of nginx's variables is."""
    return re.sub("^(http|proxy_add)_", "", variable).replace("_", "-")


def _merge_targets(directives: list[Directive]) -> list[Directive]:
    """One target of a path and the query that follows at once: ``$uri$is_args$args``, ``%U%q``."""
    merged: list[Directive] = []
    at = 0
    while at < len(directives):
        three = directives[at : at + 3]
        fields = [one.field for one in three]
        if fields == ["path", None, "query"] and three[1].shape == MARK:
            text = "".join(one.text for one in three)
            merged.append(Directive(text, "target"))
            if three[2].text[0] == "$":  # nginx writes - where there is no query
                merged.append(Directive("", shape=NO_QUERY))
            at += 3
        else:
            merged.append(directives[at])
            at += 1
    return merged


NO_QUERY = "-?"
"""What nginx may write behind a target that has no query."""


def _goaccess(text: str) -> Iterator[Directive]:
    text = text.replace("%d:%t %^", "%c")  # Apache's time, whose offset GoAccess leaves out
    for part, found in _parts(text, _GOACCESS):
        if found is None:
            yield Directive(part, is_literal=True)
            continue
        letter = found["letter"]
        if letter is None:
            yield from _goaccess_hosts(part, found["skipped"] or "")
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


def _goaccess_hosts(part: str, skipped: str) -> Iterator[Directive]:
    """The hosts of ``X-Forwarded-For`` and, if they are skipped, the quotes around them."""
    quote = Directive("", shape='"?')
    yield from [quote] if '"' in skipped else []
    yield Directive(part, "forwarded", FORWARDED, forwarded="x-forwarded-for")
    yield from [quote] if '"' in skipped else []


_NODE = r'(?:[^ ,;"\\]|\\.)*'
FORWARDED = rf"{_NODE}(?: *[,;] *{_NODE})*"
"""A forwarding header without quotes around it: what commas separate, and pairs (RFC 7239)."""


def _parts(text: str, form: re.Pattern[str]) -> Iterator[tuple[str, re.Match[str] | None]]:
    end = 0
    for found in form.finditer(text):
        if found.start() > end:
            yield text[end : found.start()], None
        yield found[0], found
        end = found.end()
    if end < len(text):
        yield text[end:], None
