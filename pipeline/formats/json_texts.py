"""Texts at some places of JSON objects, of a block of lines at once.

A server writes its lines alike: the same keys in the same order. Where most are, they are read as a
regular expression, by its automaton, which makes no tree of any. All others DuckDB reads, which
alone says what is no JSON; what is read without it is what it would say, to the letter.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.formats.automaton import Automaton, automaton_of
from pipeline.formats.numbers import compiled_for
from pipeline.formats.times import Flags

# Parsed once: what begins with a brace, behind JSON's spaces (RFC 8259, section 2), and is JSON is
# an object. The places are one text: DuckDB looks for pandas at each of a list.
_EXTRACT = r"""
SELECT CASE WHEN starts_with(ltrim(line, E' \t\r\n'), '{')
    THEN try(json_extract_string(line, from_json($places, '["VARCHAR"]'))) END AS texts
FROM block
"""
_LEAST_LINES = 1000
"""So many are worth an automaton."""
_SAMPLE, _LEAST_ALIKE, _LONGEST = 8, 2, 4096
"""So many lines are looked at, of which so many must be alike; none of more characters is."""
_MOST_SHAPES = 3
_TOKEN = re.compile(
    r'[ \t\r\n]*(?:(?P<string>"(?:[^"\\]|\\.)*")|(?P<number>-?\d[-+.eE\d]*)'
    r"|(?P<word>true|false|null)|(?P<sign>[{}\[\]:,]))",
    re.ASCII | re.DOTALL,
)
_PLAIN = '[^"\\\\\x00-\x1f]'
_SHAPES = {
    "string": rf'"(?:{_PLAIN}|\\["\\/bfnrt])*"',
    "number": r"(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?)",
    "word": "(?:true|false|null)",
}
"""What a value looks like that nobody asks for."""
_ASKED = _SHAPES | {"string": f"{_PLAIN}*", "whole": r"0|-?[1-9]\d*", "word": "true|false"}
"""What one that is asked for looks like, a text between its quotes."""
_TEXTS = rf'\[(?:"{_PLAIN}*"(?:,"{_PLAIN}*")*)?\]'
"""A list of texts as DuckDB writes it."""
Texts = dict[str, pa.StringArray]


def read_texts(
    connection: duckdb.DuckDBPyConnection, lines: pa.StringArray, pointers: Sequence[str]
) -> tuple[Flags, Texts]:
    """Which of n lines are JSON objects, and the n texts at each JSON pointer (RFC 6901).

    Null where there is none; of what is no string its JSON.
    """
    return _read(connection, lines, pointers, compiled_for(lines.nbytes), _MOST_SHAPES)


def _read(
    connection: duckdb.DuckDBPyConnection,
    lines: pa.StringArray,
    pointers: Sequence[str],
    compiled: ModuleType | None,
    most_shapes: int,
) -> tuple[Flags, Texts]:
    is_worth = compiled and most_shapes and len(lines) >= _LEAST_LINES
    shape = _find_shape(lines, pointers) if is_worth else None
    automaton = shape and automaton_of(shape.regex)
    if not (compiled and shape and automaton):
        return _ask(connection, lines, pointers)
    texts, is_object = _read_alike(connection, lines, pointers, shape, compiled, automaton)
    is_odd = ~is_object
    if is_odd.any():
        mask = pa.array(is_odd)
        odd = lines.filter(mask)
        is_object[is_odd], others = _read(connection, odd, pointers, compiled, most_shapes - 1)
        texts = {one: pc.replace_with_mask(its, mask, others[one]) for one, its in texts.items()}
    return is_object, texts


def _ask(
    connection: duckdb.DuckDBPyConnection, lines: pa.StringArray, pointers: Sequence[str]
) -> tuple[Flags, Texts]:
    """The same by DuckDB alone."""
    connection.register("block", pa.table({"line": lines}))
    given = {"places": json.dumps(list(pointers))}
    lists = connection.execute(_EXTRACT, given).to_arrow_table()["texts"].combine_chunks()
    is_object: Flags = lists.is_valid().to_numpy(zero_copy_only=False)
    if not is_object.any():
        return is_object, dict.fromkeys(pointers, pa.nulls(len(lines), pa.string()))
    values, starts = lists.flatten(), (np.cumsum(is_object) - 1) * len(pointers)
    return is_object, {
        pointer: values.take(pa.array(starts + number, mask=~is_object))
        for number, pointer in enumerate(pointers)
    }


def _read_alike(  # noqa: PLR0913 what is read, and how
    connection: duckdb.DuckDBPyConnection,
    lines: pa.StringArray,
    pointers: Sequence[str],
    shape: "_Shape",
    compiled: ModuleType,
    automaton: Automaton,
) -> tuple[Texts, Flags]:
    """The texts of lines of a shape, and which are of it; the others' mean nothing."""
    parts, is_alike = compiled.split(lines, automaton)
    nothing = pa.nulls(len(lines), pa.string())
    texts = {one: parts.get(shape.groups.get(one), nothing) for one in pointers}
    if shape.numbers:
        members = [part for n, one in enumerate(shape.numbers) for part in (f',"{n}":', texts[one])]
        alone = pc.binary_join_element_wise('{"":0', *members, "}", "")
        _, written = _ask(connection, alone, [f"/{n}" for n in range(len(shape.numbers))])
        texts |= zip(shape.numbers, written.values(), strict=True)
    return texts, is_alike


@dataclass(frozen=True)
class _Shape:
    """How lines are written alike."""

    regex: str
    groups: Mapping[str, str]
    """The group of each pointer that has a text; there is nothing at the others."""
    numbers: tuple[str, ...]
    """Those of numbers that DuckDB may write in its own way: all but whole ones."""


def _find_shape(lines: pa.StringArray, pointers: Sequence[str]) -> _Shape | None:
    """The shape of most of some lines, here and there; None where too few are alike."""
    places = np.linspace(0, len(lines) - 1, _SAMPLE, dtype=np.int64)
    shapes = [_shape_of(line, pointers) for line in lines.take(pa.array(places)).to_pylist()]
    counts = Counter(shape.regex for shape in shapes if shape)
    regex, count = max(counts.items(), key=lambda one: one[1], default=("", 0))
    if count < _LEAST_ALIKE:
        return None
    return next(shape for shape in shapes if shape and shape.regex == regex)


def _shape_of(line: str, pointers: Sequence[str]) -> _Shape | None:
    """How a line is written; None of one that is not to be read so."""
    try:
        if len(line) > _LONGEST or not isinstance(json.loads(line), dict):
            return None
        return _Writing(line, pointers).shape()
    except (ValueError, RecursionError):
        return None


def _fitting(shape: str, text: str) -> str:
    """A shape, of which a text must be."""
    if not re.fullmatch(shape, text):
        raise ValueError(text)  # an escape
    return shape


class _Writing:
    """A line of JSON, walked through from its beginning to its end."""

    def __init__(self, line: str, pointers: Sequence[str]) -> None:
        self._line, self._at = line, 0
        self._asked = {pointer: f"t{number}" for number, pointer in enumerate(pointers)}
        self._groups: dict[str, str] = {}
        self._numbers: list[str] = []
        self._pieces: list[str] = []

    def shape(self) -> _Shape:
        """The whole line's."""
        self._read_value("", self._next())
        regex = f"^{''.join(self._pieces)}[ \t\r\n]*$"
        return _Shape(regex, self._groups, tuple(self._numbers))

    def _next(self) -> re.Match[str]:
        """The next token; the space before it, and a sign that only separates, is of the shape."""
        token = _TOKEN.match(self._line, self._at)
        if token is None:
            raise ValueError(self._line)  # what Python takes beyond JSON: NaN
        self._at = token.end()
        self._add(token[0].removesuffix(token[token.lastgroup or 0]))
        return token

    def _add(self, text: str) -> None:
        self._pieces.append(re.escape(text))

    def _read_value(self, pointer: str, token: re.Match[str]) -> None:
        kind = str(token.lastgroup)
        group = self._asked.get(pointer)
        if kind == "sign" and group:
            self._read_texts(pointer, group)
        elif kind == "sign":
            self._read_members(pointer, token["sign"])
        elif group and token["word"] == "null":
            self._add("null")
        elif group:
            self._read_asked(pointer, group, kind, token[kind])
        else:
            self._pieces.append(_fitting(_SHAPES[kind], token[kind]))

    def _read_asked(self, pointer: str, group: str, kind: str, text: str) -> None:
        if kind == "number" and re.fullmatch(_ASKED["whole"], text):
            kind = "whole"
        elif kind == "number":
            self._numbers.append(pointer)
        self._groups[pointer] = group
        quote = '"' * (kind == "string")
        shape = _fitting(_ASKED[kind], text.strip('"'))
        self._pieces.append(f"{quote}(?P<{group}>{shape}){quote}")

    def _read_texts(self, pointer: str, group: str) -> None:
        """A list of texts that is asked for as JSON; that of anything else is written anew."""
        found = re.compile(_TEXTS).match(self._line, self._at - 1)
        if not found or any(asked.startswith(f"{pointer}/") for asked in self._asked):
            raise ValueError(pointer)
        self._groups[pointer] = group
        self._pieces.append(f"(?P<{group}>{_TEXTS})")
        self._at = found.end()

    def _read_members(self, pointer: str, opening: str) -> None:
        """An object's or a list's."""
        self._add(opening)
        names: set[str] = set()
        token = self._next()
        while token["sign"] not in ("}", "]"):
            name = str(len(names))
            if opening == "{":
                if "\\" in token[0]:
                    raise ValueError(token[0])  # a key may be written in several ways
                name = token["string"][1:-1].replace("~", "~0").replace("/", "~1")
                self._add(token["string"])
                self._add(self._next()[0].strip())
                token = self._next()
            if name in names:
                raise ValueError(name)  # twice
            names.add(name)
            self._read_value(f"{pointer}/{name}", token)
            token = self._next()
            if token["sign"] == ",":
                self._add(",")
                token = self._next()
        self._add(token["sign"])
