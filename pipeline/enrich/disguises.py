"""Finds addresses that are written otherwise: encoded, in other digits, with other separators.

A line is read as whoever decodes it would, in turns, and each character of that knows where in the
line it came from. It finds more than addresses; times stay what they are.
"""

import re
import sys
import unicodedata
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

_TURNS = 3
"""So often is an encoding undone: ``%252E`` takes two."""
_HEX = "[0-9A-Fa-f]"
_ESCAPE = re.compile(
    rf"%u(?P<u>{_HEX}{{4}})|\\u(?P<j>{_HEX}{{4}})|%(?P<p>{_HEX}{{2}})|\\x(?P<x>{_HEX}{{2}})"
    rf"|\\(?P<o>[0-3][0-7]{{2}})|&#[xX](?P<h>{_HEX}{{1,6}});|&#(?P<d>[0-9]{{1,7}});"
    r"|&(?P<e>period|colon|comma|lowbar|hyphen|dash|amp|percnt|num|semi|bsol);"
    r"|[\[({<](?P<b>[.:]|dot|DOT)[\])}>]|(?P<z>[\xad\u200b-\u200f\u2060\ufeff])"
)
_ENTITIES = {
    "period": ".", "colon": ":", "comma": ",", "lowbar": "_", "hyphen": "-", "dash": "-",
    "amp": "&", "percnt": "%", "num": "#", "semi": ";", "bsol": "\\", "dot": ".", "DOT": ".",
}  # fmt: skip
_BASES = {"u": 16, "j": 16, "p": 16, "x": 16, "o": 8, "h": 16, "d": 10}
_UTF_8 = re.compile("[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_FOREIGN = re.compile(r"[^\x00-\x7f]")
_LOOKALIKES = str.maketrans(
    "\u3002\u00b7\u2027\u066b\u2219\u2236\u2010\u2011\u2013\u2212", ".....:----"
)

_OCTET = r"(?:0[xX][0-9A-Fa-f]{1,2}|0[0-7]{1,3}|[0-9]{1,3})(?![0-9])"
_ODD_OCTET = re.compile("[xX]|[0-9]{4}")
_IPV4 = re.compile(rf"(?<![0-9.]){_OCTET}(?:\.{_OCTET}){{3,}}+")
_GROUP = "[0-9A-Fa-f]{1,4}+:"
_IPV6 = re.compile(
    rf"(?<![0-9A-Fa-f:])(?:(?:{_GROUP}){{6,}}+|(?:(?:{_GROUP}){{1,5}}+|:):)"
    r"[0-9A-Fa-f:]*+(?:\.[0-9]++)*+"
)
_RUNS = {
    one: re.compile(rf"(?<![0-9])[0-9]++(?:{re.escape(one)}[0-9]++){{3,}}+") for one in "-_,;|/+~*:"
}
"""Numbers with one separator between them, by that."""
_NUMBER = re.compile("[0-9]+")
_DATES = ([4, 2, 2], [2, 2, 4], [8], [4])
"""How many digits the numbers of a date have that may stand before an address."""
_TIME = re.compile(r"[0-2][0-9]:[0-5][0-9]:[0-6][0-9]:[0-9]{1,3}")

Origins = npt.NDArray[np.int64]
"""Where in the line each character of a text begins, and at last where the line ends."""


Place: TypeAlias = tuple[int, int, str]
"""Where an address may begin and end in a line, and how its mask begins."""


def find_encoded(line: str) -> list[Place]:
    """What is an address once the line is decoded; some may overlap."""
    text, origins = line, np.arange(len(line) + 1)
    found = set[Place]()
    for _ in range(_TURNS):
        decoded, origins = _decode(text, origins)
        if decoded == text:
            break
        text = decoded
        for start, end, mask in find_odd(text):
            # An escape is a part of what it stands for: the next character begins behind it.
            first, last = int(origins[start]), int(origins[end])
            if line[first:last] != text[start:end]:
                found.add((first, last, mask))
    return sorted(found)


def find_odd(text: str) -> list[Place]:
    """What is an address as it stands, also in octal and with other separators than dots."""
    found = [(*one.span(), "x.x.x.") for one in _IPV4.finditer(text)]
    found += [(*one.span(), "x:") for one in _IPV6.finditer(text)]
    for separator, form in _RUNS.items():
        runs = form.finditer(text) if text.count(separator) >= 3 else ()
        spans = (span for run in runs if (span := _without_date(run)))
        found += [(*span, f"x{separator}" * 3) for span in spans]
    return sorted(found)


def find_octal(text: str) -> list[Place]:
    """Of these what has octets as C writes them, in octal or hexadecimal."""
    found = (one for one in _IPV4.finditer(text) if _ODD_OCTET.search(one[0]))
    return [(*one.span(), "x.x.x.") for one in found]


def _without_date(run: re.Match[str]) -> tuple[int, int] | None:
    """The four numbers of a run that may be an address; None of dates, times and longer lists."""
    numbers = list(_NUMBER.finditer(run[0]))
    dated = next((len(n) for n in _DATES if [len(one[0]) for one in numbers[: len(n)]] == n), 0)
    rest = numbers[dated:]
    if len(rest) != 4 or any(len(one[0]) > 3 for one in rest) or _TIME.fullmatch(run[0]):
        return None
    return run.start() + rest[0].start(), run.end()


def _decode(text: str, origins: Origins) -> tuple[str, Origins]:
    """Undo one encoding, and write digits and dots of other scripts as ASCII's."""
    text, origins = _replace(_ESCAPE, _unescape, text, origins)
    if text.isascii():
        return text, origins
    text, origins = _replace(_UTF_8, _join_bytes, text, origins)
    return _FOREIGN.sub(_fold, text), origins


def _replace(
    form: re.Pattern[str],
    value_of: Callable[[re.Match[str]], str | None],
    text: str,
    origins: Origins,
) -> tuple[str, Origins]:
    """Put one character, or nothing, in the place of each match; None leaves it as it is."""
    edges, is_kept = np.zeros(len(text) + 1, np.int8), np.ones(len(text) + 1, np.bool_)

    def put(found: re.Match[str]) -> str:
        value = value_of(found)
        if value is None:
            return found[0]
        edges[found.start() + 1] += 1
        edges[found.end()] -= 1
        is_kept[found.start()] = bool(value)
        return value

    replaced = form.sub(put, text)
    return replaced, origins[is_kept & (np.cumsum(edges) == 0)]


def _unescape(found: re.Match[str]) -> str | None:
    kind, text = found.lastgroup or "", found[found.lastgroup or 0]
    if kind == "z":
        return ""
    if kind not in _BASES:
        return _ENTITIES.get(text, text)
    number = int(text, _BASES[kind])
    return chr(number) if number <= sys.maxunicode else None


def _join_bytes(found: re.Match[str]) -> str | None:
    try:
        return found[0].encode("latin-1").decode()
    except UnicodeDecodeError:
        return None


def _fold(found: re.Match[str]) -> str:
    """ASCII's character that another one is or looks like."""
    digit = unicodedata.decimal(found[0], None)
    if digit is not None:
        return str(digit)
    folded = unicodedata.normalize("NFKC", found[0].translate(_LOOKALIKES))
    folded = folded.translate(_LOOKALIKES)
    return folded if len(folded) == 1 else found[0]
