"""Layouts of format strings as they stand in the configuration of Apache, nginx or GoAccess.

A string's fields are not always told apart by what stands between them: a path may hold spaces, an
address colons, a forwarding header both. So each looks like what its server writes there.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from pipeline.errors import SettingsError
from pipeline.formats.configuration import read_configured
from pipeline.formats.directives import FORWARDED, NO_QUERY, PORT, Directive, read_directives
from pipeline.formats.fields import DURATIONS
from pipeline.formats.pattern import QUOTED, SHAPES, Pattern, Segment
from pipeline.formats.times import PLAIN_ISO, TimeFormat, find_missing

_NEEDED = {
    "time date": "%t or $time_local", "client forwarded": "%h or $remote_addr",
    "request method target path": "%r or $request",
}  # fmt: skip
_WITH_SPACES = ("%u", "$remote_user", "%e", "%l")
"""What is written unquoted and may hold spaces."""


@dataclass(frozen=True)
class _Place:
    """Where a directive stands."""

    before: Directive | None
    rest: tuple[Directive, ...]
    """What comes behind it."""
    is_quoted: bool
    """Whether a quote was opened before it."""
    has_list: bool
    """Whether a forwarding header without quotes stands before it."""
    follows_list: bool
    """Whether no more than a comma and a space stand between."""

    @property
    def after(self) -> Directive | None:
        """What comes next."""
        return self.rest[0] if self.rest else None

    @property
    def after_is_literal(self) -> bool:
        """Whether text comes next."""
        return self.after is not None and self.after.is_literal

    @property
    def stop(self) -> str:
        """The first character of the text that comes next."""
        return next(self._stops, "")

    @property
    def stop_of_next(self) -> str:
        """The same of the directive that comes next."""
        return next(islice(self._stops, 1, None), "")

    @property
    def _stops(self) -> Iterator[str]:
        return (one.text[0] for one in self.rest if one.is_literal)

    @property
    def is_alone_in_quotes(self) -> bool:
        """Whether all that stands between two quotes is this directive."""
        return (
            self.before is not None and self.before.text[-1:] == '"'
            and self.after_is_literal and self.stop == '"'
        )  # fmt: skip


def is_format(text: str) -> bool:
    """Whether it is a format string or a map of JSON, and not a layout's name."""
    return "%" in text or "$" in text or text.lstrip().startswith("{")


def compile_format(
    text: str, name: str = "", example: str = "", key: str = "log_format"
) -> Pattern:
    """Make a layout of a format string, with or without its quotes and its directive.

    Args:
        text: the string.
        name: what to call the layout; the string when not given.
        example: a line of it.
        key: the setting that has the string.

    Raises:
        SettingsError: it has a directive that is not known, or lacks time, client or request.
    """
    string, escape = read_configured(text)
    try:
        directives = read_directives(string)
    except ValueError as error:
        raise SettingsError(key, text, str(error)) from None
    if escape != "default":
        directives = [one for one in directives if one.shape != NO_QUERY]
    fields = {directive.field for directive in directives}
    for needed, remedy in _NEEDED.items():
        if not fields & set(needed.split()):
            raise SettingsError(key, text, f"it has no {needed.split()[0]}: add {remedy}")
    layout = _assemble(directives, name or text, example, ".*?" if escape == "none" else QUOTED)
    if missing := find_missing(layout.times.kind):
        remedy = f"its time has no {missing}: write date and time of day side by side"
        raise SettingsError(key, text, remedy)
    return layout


def _assemble(directives: list[Directive], name: str, example: str, quoted: str) -> Pattern:
    chosen = _choose(directives)
    segments = []
    for number, (one, place) in enumerate(zip(directives, _places(directives), strict=True)):
        if one.is_literal:
            segments.append(Segment(re.escape(one.text)))
            continue
        shape = one.shape or _shape(one, place, quoted)
        field = one.field if number in chosen else None
        segments.append(Segment(shape, field, _plain(one, shape, place)))
    times = next((d.times for n, d in enumerate(directives) if d.times and n in chosen), None)
    kinds = [d.forwarded for n, d in enumerate(directives) if d.forwarded and n in chosen]
    return Pattern(
        name, tuple(segments), times or TimeFormat("iso"), example,
        forwarded_kind=kinds[0] if kinds else Pattern.forwarded_kind,
    )  # fmt: skip


def _choose(directives: list[Directive]) -> set[int]:
    """Which directive gives each field: the final one, else the first; the finest duration."""
    chosen: dict[str, int] = {}
    for number, one in enumerate(directives):
        if one.field and (one.field not in chosen or one.is_final):
            is_better = one.field not in chosen or not directives[chosen[one.field]].is_final
            chosen[one.field] = number if is_better else chosen[one.field]
    durations = [chosen[field] for field in DURATIONS if field in chosen]
    return set(chosen.values()) - set(durations[:-1])


def _places(directives: list[Directive]) -> list[_Place]:
    places: list[_Place] = []
    lists: list[int] = []
    is_quoted = False
    for number, one in enumerate(directives):
        before = directives[number - 1] if number else None
        place = _Place(
            before, tuple(directives[number + 1 :]), is_quoted, bool(lists),
            before is not None and before.text in (" ", ", ") and lists[-1:] == [number - 2],
        )  # fmt: skip
        places.append(place)
        if one.is_literal:
            is_quoted ^= bool(one.text.count('"') % 2)
        elif one.forwarded and (one.shape == FORWARDED or _is_list(one, place)):
            lists.append(number)
    return places


def _is_list(one: Directive, place: _Place) -> bool:
    return one.field == "forwarded" and not place.is_quoted and place.stop in (" ", ",")


def _shape(one: Directive, place: _Place, quoted: str) -> str:
    """What a directive's text looks like, by its field and by what stands around it."""
    if one.field in SHAPES or place.after is None:
        return SHAPES.get(one.field or "", ".*")
    if place.is_alone_in_quotes:
        return quoted
    if one.field in ("target", "path", "query"):
        return _target_shape(one, place)
    if one.text in _WITH_SPACES and place.has_list:
        return "[^ ]*"  # with spaces a user could name another peer, and a forged list too
    if one.field == "request" or one.text in _WITH_SPACES:
        return ".*?"
    return _address_shape(one, place) or _token_shape(one, place)


def _address_shape(one: Directive, place: _Place) -> str | None:
    """A client, a host or a header of clients where what follows does not end it."""
    if _is_list(one, place):
        is_ended = place.after_is_literal and place.rest[0].text[:2] == ' "'
        return QUOTED if is_ended else FORWARDED
    if place.follows_list:
        return "[^ ,]+"
    if one.field in ("client", "host") and place.stop == ":":  # of version 6: to its last colon
        return f'[^ "/{re.escape(place.stop_of_next.replace(":", ""))}]*'
    return '[^ /?"]*' if one.field == "host" and not place.after_is_literal else None


def _token_shape(one: Directive, place: _Place) -> str:
    """What ends where the text behind it begins."""
    ends = re.escape(place.stop) + ('"' if place.is_quoted and place.stop != '"' else "")
    if one.field in ("method", "protocol"):
        ends = re.sub(r"\\ |\"", "", ends) + ' "'
        return f"[^{ends}]*"
    return f"[^{ends}]*" if place.after_is_literal else "[^ ]*?"


def _target_shape(one: Directive, place: _Place) -> str:
    """A target, a path or a query: the longest, as it may hold spaces and what follows has none."""
    has_query = any(other.field == "query" for other in place.rest[:3])
    mark = "?" if one.field == "path" and has_query else ""
    if place.is_quoted:
        part, rest = rf'(?:[^"\\{mark}]|\\.)*', QUOTED
        until_mark = r'(?:[^"\\?]|\\.)*'
    else:
        ends = re.escape(place.stop) or " "
        part, rest, until_mark = f"[^{ends}{mark}]*", f"[^{ends}]*", f"[^{ends}?]*"
    if place.after and place.after.shape == NO_QUERY:
        return rf"{until_mark}\?{rest}|{until_mark}?"
    return part


def _plain(one: Directive, shape: str, place: _Place) -> str | None:
    if one.times and one.times.kind == "iso":
        return PLAIN_ISO
    if place.after is None or not place.after.is_literal:
        return None
    if shape == ".*?":
        return f"[^{re.escape(place.stop)}]*"
    following = [other.field or other.shape for other in place.rest[:3]]
    if place.stop == ":" and following[1:] == [PORT, None]:
        return '[^ :/"]*'
    is_first = place.is_quoted and place.after.text == " " and following[1:2] == ["protocol"]
    if is_first and one.field in ("target", "path"):
        return r'[^ "\\?]*' if one.field == "path" else r'[^ "\\]*'
    return None
