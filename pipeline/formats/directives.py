"""What one part of a format string is, whichever server's it is."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.formats.escapes import Decoder
from pipeline.formats.times import TimeFormat

MARK = r"\??"
"""The question mark before a query that may be empty."""
PORT = r"[\d-]*"
NO_QUERY = "-?"
"""What nginx may write behind a target that has no query."""
_NODE = r'(?:[^ ,;"\\]|\\.)*'
FORWARDED = rf"{_NODE}(?: *[,;] *{_NODE})*"
"""A forwarding header without quotes around it: what commas separate, and pairs (RFC 7239)."""

_SURE = ("x-forwarded-for", "forwarded", "true-client-ip", "cf-connecting-ip")
_OTHERS = (
    "x-real-ip", "x-client-ip", "x-cluster-client-ip", "client-ip", "fastly-client-ip",
    "incap-client-ip", "x-azure-clientip", "x-envoy-external-address", "do-connecting-ip",
    "fly-client-ip", "x-original-forwarded-for",
)  # fmt: skip
FORWARDING = dict.fromkeys(_SURE, True) | dict.fromkeys(_OTHERS, False)
"""The headers in which a proxy names the client, and whether one goes before the others."""


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
    has_spaces: bool = False
    """Whether it may hold spaces: a header, a name."""
    decode: Decoder | None = None
    """What makes its value of its text."""
    is_several: bool = False
    """Whether it has a value for each server that was asked."""


def split_format(text: str, form: re.Pattern[str]) -> Iterator[tuple[str, re.Match[str] | None]]:
    """The directives of a format string with what was found, and the text between with None."""
    end = 0
    for found in form.finditer(text):
        if found.start() > end:
            yield text[end : found.start()], None
        yield found[0], found
        end = found.end()
    if end < len(text):
        yield text[end:], None


def merge_targets(directives: list[Directive]) -> list[Directive]:
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
