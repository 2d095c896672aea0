"""What a format string's directive looks like in a line.

A string's fields are not always told apart by what stands between them: a path may hold spaces, an
address colons, a forwarding header both. So each looks like what its server writes there.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, takewhile

from pipeline.formats.directives import FORWARDED, NO_QUERY, PORT, Directive
from pipeline.formats.pattern import QUOTED, SHAPES
from pipeline.formats.times import PLAIN_ISO

_USERS = ("%u", "$remote_user", "%e", "%l")
"""What is written unquoted and may hold spaces, and follows the client."""


_LAZY = f"{QUOTED}?"
"""As little of what stands between quotes as the rest of the line leaves."""
_NO_SPACES, _NO_LIST = "[^ ]*", "[^ ,]+"


@dataclass(frozen=True)
class Place:
    """Where a directive stands."""

    before: Directive | None
    rest: tuple[Directive, ...]
    """What comes behind it."""
    is_quoted: bool
    """Whether a quote was opened before it."""
    has_free: bool
    """Whether what a visitor writes with spaces stands before it without quotes."""
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


def places_of(directives: list[Directive]) -> list[Place]:
    """Where each of a format string's directives stands."""
    places: list[Place] = []
    lists: list[int] = []
    has_free = is_quoted = False
    for number, one in enumerate(directives):
        before = directives[number - 1] if number else None
        place = Place(
            before, tuple(directives[number + 1 :]), is_quoted, has_free,
            before is not None and before.text in (" ", ", ") and lists[-1:] == [number - 2],
        )  # fmt: skip
        places.append(place)
        if one.is_literal:
            is_quoted ^= bool(one.text.count('"') % 2)
        elif one.forwarded and (one.shape == FORWARDED or _is_list(one, place)):
            lists.append(number)
        has_free |= bool(lists) or (one.has_spaces and not is_quoted)
    return places


def _is_list(one: Directive, place: Place) -> bool:
    return one.field == "forwarded" and not place.is_quoted and place.stop in (" ", ",")


def shape_of(one: Directive, place: Place, quoted: str) -> str:
    """What a directive's text looks like, by its field and by what stands around it."""
    if one.field in SHAPES or place.after is None:
        return SHAPES.get(one.field or "", ".*")
    if place.is_alone_in_quotes:
        return quoted
    if one.field in ("target", "path", "query"):
        return _target_shape(one, place)
    if one.is_several:
        return _several_shape(place)
    return _free_shape(one, place, quoted) or _address_shape(one, place) or _token_shape(one, place)


def _free_shape(one: Directive, place: Place, quoted: str) -> str | None:
    """What may hold spaces: the shortest text that leaves the rest of the line what it must be."""
    if one.text in _USERS and place.has_free:
        return _NO_SPACES  # with spaces a user could name another peer, and a forged header too
    if one.has_spaces and place.is_quoted and quoted == QUOTED:
        return _LAZY
    return ".*?" if one.field == "request" or one.has_spaces or one.text in _USERS else None


def _address_shape(one: Directive, place: Place) -> str | None:
    """A client, a host or a header of clients where what follows does not end it."""
    if _is_list(one, place):
        is_ended = place.after_is_literal and place.rest[0].text[:2] == ' "'
        return QUOTED if is_ended else FORWARDED
    if place.follows_list:
        return _NO_LIST
    if one.field in ("client", "host") and place.stop == ":":  # of version 6: to its last colon
        return f'[^ "/{re.escape(place.stop_of_next.replace(":", ""))}]*'
    return '[^ /?"]*' if one.field == "host" and not place.after_is_literal else None


def _token_shape(one: Directive, place: Place) -> str:
    """What ends where the text behind it begins."""
    ends = re.escape(place.stop) + ('"' if place.is_quoted and place.stop != '"' else "")
    if one.field in ("method", "protocol"):
        ends = re.sub(r"\\ |\"", "", ends) + ' "'
        return f"[^{ends}]*"
    return f"[^{ends}]*" if place.after_is_literal else "[^ ]*?"


def _several_shape(place: Place) -> str:
    """Values of the servers that nginx asked one after the other.

    With a comma where it tried the next one, with a colon where it was sent on to others.
    """
    ends = re.escape(place.stop if place.after_is_literal else " ")
    one = rf'(?:\[[0-9A-Fa-f:.]+\](?::\d+)?|unix:[^ ,"]+|[^ ,"{ends}]+)'
    comma = ", " if place.stop == "," else ", ?"
    return f"(?:{one}(?:(?:{comma}| : ){one})*)?"


def _target_shape(one: Directive, place: Place) -> str:
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


def plain_of(one: Directive, shape: str, place: Place) -> str | None:
    """What it looks like in nearly all lines: a segment's ``plain``."""
    if one.times and one.times.kind == "iso" and not one.decode:
        return PLAIN_ISO
    if not place.after_is_literal:
        return None
    return _plain_list(shape, place) or _plain_free(shape, place) or _plain_target(one, place)


def _plain_list(shape: str, place: Place) -> str | None:
    """Clients in a list, and what follows it without a sign that could make it longer."""
    if place.follows_list and shape in (_NO_SPACES, _NO_LIST):
        return "[^ ,;]+"
    if shape != FORWARDED:
        return None
    literals = [*takewhile(lambda one: one.is_literal, place.rest)]
    text, behind = "".join(one.text for one in literals), place.rest[len(literals) :]
    if text == " " and behind:
        is_ended = behind[0].text in _USERS or behind[0].field == "client"
    else:
        is_ended = text[0] == " " and text[1:2] not in (" ", ",", ";")
    return r'[^ ,;"\\]+(?:, ?[^ ,;"\\]+)*' if is_ended else None


def _plain_free(shape: str, place: Place) -> str | None:
    """What may hold what follows it, and does not."""
    if shape == _LAZY:
        return rf'[^{re.escape(place.stop)}"\\]*'
    if shape.endswith(".*?"):
        return f"{shape.removesuffix('.*?')}[^{re.escape(place.stop)}]*"
    is_before_port = [other.field or other.shape for other in place.rest[1:3]] == [PORT, None]
    return shape.replace("[^", "[^:", 1) if place.stop == ":" and is_before_port else None


def _plain_target(one: Directive, place: Place) -> str | None:
    """A target without spaces, before a protocol."""
    is_first = place.is_quoted and place.rest[0].text == " "
    if not is_first or [other.field for other in place.rest[1:2]] != ["protocol"]:
        return None
    return {"path": r'[^ "\\?]*', "target": r'[^ "\\]*'}.get(one.field or "")
