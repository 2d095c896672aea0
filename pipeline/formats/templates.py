"""Format strings as they stand in a server's configuration: Apache, nginx, GoAccess.

Sources: Apache's mod_log_config (custom log formats), nginx's ngx_http_log_module and its
variables, GoAccess's manual (custom log/date/time format).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.errors import SettingsError
from pipeline.formats.pattern import DECIMAL, QUOTED, SHAPES, Pattern, Segment
from pipeline.formats.times import PATTERNS, PLAIN_ISO, TimeFormat, expand, pattern_of

_APACHE = re.compile(
    r"%(?:[<>]|!?\d{3}(?:,\d{3})*)*(?:\{(?P<argument>[^}]*)\})?[<>]?(?P<letter>\^t[io]|[A-Za-z%])"
)
_NGINX = re.compile(r"\$(?:\{(?P<braced>\w+)\}|(?P<name>\w+))", re.ASCII)
_NEEDED = {
    "time date": "%t or $time_local", "client": "%h or $remote_addr",
    "request method target path": "%r or $request",
}  # fmt: skip
_WITH_SPACES = ("%u", "$remote_user", "%e", "%l")
"""What is written unquoted and may hold spaces."""
_APACHE_FIELDS = {
    "h": "client", "a": "client", "r": "request", "s": "status", "b": "bytes", "B": "bytes",
    "O": "bytes", "v": "host", "V": "host", "m": "method", "U": "path",
    "H": "protocol", "D": "duration_us", "T": "duration_s", "t": "time",
}  # fmt: skip
_APACHE_SHAPES = {"U": r"[^ ?\"]*", "D": r"\d+|-\d*", "T": DECIMAL}
_APACHE_OTHERS = frozenset("ACefFiIkKlLnopPRuSX")
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
_GOACCESS_SHAPES = {"d": r"\d{4}-\d\d-\d\d", "t": r"\d\d:\d\d:\d\d(?:\.\d{1,9})?"}
_GOACCESS_TIMES = {"x": "epoch_s", "c": "clf"}
_GOACCESS_OTHERS = frozenset("^eCMK~")
_UNITS = {"ms": "duration_ms", "us": "duration_us", "s": "duration_s"}


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


def is_format(text: str) -> bool:
    """Whether it is a format string or a map of JSON, and not a layout's name."""
    return "%" in text or "$" in text or text.lstrip().startswith("{")


def compile_format(text: str, name: str = "", example: str = "") -> Pattern:
    """Make a layout of a format string.

    Raises:
        SettingsError: it has a directive that is not known, or lacks time, client or request.
    """
    if _NGINX.search(text):
        directives = list(_nginx(text))
    elif re.search(r"%\^|%d.*%t|%x", text):
        directives = list(_goaccess(text))
    else:
        directives = _merge_times(list(_apache(text)))
    fields = {directive.field for directive in directives}
    for needed, remedy in _NEEDED.items():
        if not fields & set(needed.split()):
            raise _refuse(text, f"it has no {needed.split()[0]}", f"add {remedy}")
    return _assemble(directives, name or text, example)


def _assemble(directives: list[Directive], name: str, example: str) -> Pattern:
    chosen = _choose(directives)
    segments = []
    for number, one in enumerate(directives):
        if one.is_literal:
            segments.append(Segment(re.escape(one.text)))
            continue
        before = directives[number - 1].text[-1:] if number else ""
        after = directives[number + 1] if number + 1 < len(directives) else None
        shape = one.shape or _shape(one, before, after)
        field = one.field if number in chosen else None
        segments.append(Segment(shape, field, _plain(one, shape, after)))
    times = next((d.times for n, d in enumerate(directives) if d.times and n in chosen), None)
    kinds = [d.forwarded for n, d in enumerate(directives) if d.forwarded and n in chosen]
    return Pattern(
        name, tuple(segments), times or TimeFormat("iso"), example,
        forwarded_kind=kinds[0] if kinds else Pattern.forwarded_kind,
    )  # fmt: skip


def _choose(directives: list[Directive]) -> set[int]:
    """Which directive gives each field: the final one, else the first."""
    chosen: dict[str, int] = {}
    for number, one in enumerate(directives):
        if one.field and (one.field not in chosen or one.is_final):
            is_better = one.field not in chosen or not directives[chosen[one.field]].is_final
            chosen[one.field] = number if is_better else chosen[one.field]
    durations = sorted(number for field, number in chosen.items() if field.startswith("duration"))
    return set(chosen.values()) - set(durations[1:])


def _shape(one: Directive, before: str, after: Directive | None) -> str:
    """What a directive's text looks like, by its field and by what stands around it."""
    if one.field in SHAPES:
        return SHAPES[one.field]
    if after is None:
        return ".*"
    if before == '"' and after.is_literal and after.text[0] == '"':
        return QUOTED
    if one.field == "request" or one.text in _WITH_SPACES:
        return ".*?"
    if after.is_literal:
        return f"[^{re.escape(after.text[0])}]*"
    return "[^ ]*?"


def _plain(one: Directive, shape: str, after: Directive | None) -> str | None:
    if one.times and one.times.kind == "iso":
        return PLAIN_ISO
    if shape == ".*?" and after and after.is_literal:
        return f"[^{re.escape(after.text[0])}]*"
    return None


def _refuse(text: str, what: str, remedy: str) -> SettingsError:
    return SettingsError("--log-format", text, f"{what}: {remedy}")


def _apache(text: str) -> Iterator[Directive]:
    text = text.replace(r"\"", '"').replace(r"\t", "\t")
    for part, found in _parts(text, _APACHE):
        if found is None or found["letter"] == "%":
            yield Directive("%" if found else part, is_literal=True)
        elif found["letter"] == "t":
            yield from _apache_time(part, found["argument"])
        elif found["letter"] == "q":
            yield Directive("", shape=r"\??")
            yield Directive(part, "query", '[^ "]*')
        else:
            yield _apache_directive(text, part, found["letter"], found["argument"])


def _apache_directive(text: str, part: str, letter: str, argument: str | None) -> Directive:
    if letter == "i" and argument is not None:
        return _header(part, argument)
    if letter == "T" and argument is not None:
        if argument not in _UNITS:
            raise _refuse(text, f"the unit of {part}", "s, ms or us")
        return Directive(part, _UNITS[argument], DECIMAL)
    if letter in _APACHE_FIELDS:
        is_final = (letter == "s" and ">" in part) or letter in "bB" or argument == "c"
        shape = _APACHE_SHAPES.get(letter)
        return Directive(part, _APACHE_FIELDS[letter], shape, is_final=is_final)
    if letter in _APACHE_OTHERS or letter in ("^ti", "^to"):
        return Directive(part)
    known = "".join(sorted(_APACHE_FIELDS.keys() | _APACHE_OTHERS))
    raise _refuse(text, f"{part} is no directive of Apache's LogFormat", f"% and {known}")


def _apache_time(part: str, argument: str | None) -> Iterator[Directive]:
    form = re.sub("^(begin|end):?", "", argument or "")
    kind = {"": "clf", "sec": "epoch_s", "msec": "epoch_ms", "usec": "epoch_us"}.get(form)
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
    parts = [one for one in run if one.is_literal or (one.times and "%" in one.times.kind)]
    letters = re.findall("%(.)", expand("".join(kinds)).replace("%%", ""))
    if len(parts) < len(run) or len(set(letters)) < len(letters):
        return directives  # not one time: an epoch, or begin and end
    merged = _strftime("".join(one.text for one in run), "".join(kinds))
    return [*directives[:first], merged, *directives[last + 1 :]]


def _strftime(part: str, form: str) -> Directive:
    try:
        shape = pattern_of(form)
    except KeyError as error:
        raise _refuse(
            part, f"%{error.args[0]} in a time is not read", "%Y %m %d %b %H %M %S %T %z"
        ) from None
    return Directive(part, "time", shape, times=TimeFormat(expand(form)))


def _header(part: str, name: str) -> Directive:
    field = _HEADERS.get(name.lower())
    return Directive(part, field, forwarded=name.lower() if field == "forwarded" else None)


def _nginx(text: str) -> Iterator[Directive]:
    for part, found in _parts(text, _NGINX):
        if found is None:
            yield Directive(part, is_literal=True)
            continue
        name = found["braced"] or found["name"]
        field = NGINX_FIELDS.get(name)
        kind = NGINX_TIMES.get(name)
        forwarded = None
        if field == "forwarded":
            forwarded = re.sub("^(http|proxy_add)_", "", name).replace("_", "-")
        yield Directive(
            part, field, PATTERNS[kind] if kind else None,
            times=TimeFormat(kind) if kind else None, forwarded=forwarded,
            is_final=name == "body_bytes_sent",
        )  # fmt: skip


def _goaccess(text: str) -> Iterator[Directive]:
    text = text.replace("%d:%t %^", "%c")  # Apache's time, whose offset GoAccess leaves out
    for part, found in _parts(text, re.compile(r"%(?P<letter>\^|~|.)")):
        if found is None:
            yield Directive(part, is_literal=True)
            continue
        letter = found["letter"]
        if letter == "%":
            yield Directive("%", is_literal=True)
        elif letter in _GOACCESS_TIMES:
            kind = _GOACCESS_TIMES[letter]
            yield Directive(part, "time", PATTERNS[kind], times=TimeFormat(kind))
        elif letter in _GOACCESS_FIELDS:
            yield Directive(part, _GOACCESS_FIELDS[letter], _GOACCESS_SHAPES.get(letter))
        elif letter in _GOACCESS_OTHERS:
            yield Directive(part)
        else:
            known = "".join(sorted(_GOACCESS_FIELDS.keys() | _GOACCESS_OTHERS))
            raise _refuse(text, f"{part} is no specifier of GoAccess", f"% and {known}")


def _parts(text: str, form: re.Pattern[str]) -> Iterator[tuple[str, re.Match[str] | None]]:
    end = 0
    for found in form.finditer(text):
        if found.start() > end:
            yield text[end : found.start()], None
        yield found[0], found
        end = found.end()
    if end < len(text):
        yield text[end:], None
