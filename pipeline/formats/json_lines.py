"""Layouts of one JSON object a line, by a map of fields to places in it.

Caddy, Traefik, Google Cloud's load balancer, Azure, Cloudflare, Fastly and Akamai write such
lines, and nginx with ``escape=json``.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.formats.escapes import Decoder, decode, decode_each, decode_where
from pipeline.formats.fields import BLANK, ReadBlock, Rejected, read_fields
from pipeline.formats.json_repair import make_json
from pipeline.formats.json_texts import read_texts
from pipeline.formats.times import Flags, TimeFormat

_REQUEST = ("request", "method", "target", "path", "status")
"""Fields of which a request has at least one; an object without is something else's record."""


@dataclass(frozen=True)
class JsonLayout:
    """A layout whose lines are JSON objects."""

    name: str
    places: Mapping[str, tuple[str, ...]]
    """Each field's places, the first that is there is taken: JSON pointers, or keys with dots
    between (``request.headers.User-Agent.0``)."""
    times: TimeFormat = field(default_factory=lambda: TimeFormat("iso"))
    example: str = ""
    forwarded_kind: str = "x-forwarded-for"
    marks: tuple[str, ...] = ()
    """Places that must be there for an object to be this layout's."""
    only: Mapping[str, str] = field(default_factory=dict)
    """What a place's text must look like where it is there, as RE2; else it is no request."""
    decoders: Mapping[str, Decoder] = field(default_factory=dict)
    """What makes a field's value of its text, by field."""

    def in_zone(self, zone: ZoneInfo | None) -> "JsonLayout":
        """The same layout with local times of ``zone``."""
        return replace(self, times=replace(self.times, zone=zone)) if zone else self

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the fields it has, in order."""
        return tuple(self.places)

    def read_block(
        self,
        connection: duckdb.DuckDBPyConnection,
        line_no: npt.NDArray[np.int64],
        lines: pa.Array,
    ) -> ReadBlock:
        """Read a block of lines, as ``formats.combined.read_block`` does."""
        is_object, columns = self._extract(connection, lines)
        texts = {name: _first([columns[one] for one in its]) for name, its in self.places.items()}
        is_marked = _all_there([columns[one] for one in self.marks], is_object)
        is_marked = _all_match(columns, self.only, is_marked)
        is_request = _any_there([texts[name] for name in _REQUEST if name in texts], is_marked)
        rows = np.flatnonzero(is_request)
        if len(rows) < len(lines):
            texts = {name: text.take(pa.array(rows)) for name, text in texts.items()}
        texts = decode(texts, self.decoders)
        if "forwarded" in texts:
            texts["forwarded"] = decode_where(r"^\[", _join_lists, texts["forwarded"])
        read = read_fields(line_no[rows], texts, self.times)
        blank = _find_blank(lines, ~is_object)
        others = is_object & ~is_request
        wrong = {int(rows[row]): name for row, name in read.wrong.items()}
        garbage = np.flatnonzero(~blank & ~is_request & ~others).tolist()
        rejects = sorted(wrong | dict.fromkeys(garbage, "json"))
        reasons = wrong | dict.fromkeys(garbage, "json")
        return ReadBlock(
            read.hits,
            [
                (int(line_no[row]), lines[row].as_py().rstrip("\r\n"), Rejected(reasons[row], 1))
                for row in rejects
            ],
            line_no[blank].tolist(),
            line_no[others].tolist(),
        )

    def may_know(self, lines: pa.Array) -> Flags:
        """Which lines may be its requests: they have its marks' names, or some in escapes."""
        names = [re.split("[./]", mark)[-1] for mark in self.marks if "~" not in mark]
        found = pa.array(np.ones(len(lines), np.bool_))
        for name in names:
            found = pc.and_(found, pc.match_substring(lines, name))
        found = pc.or_(found, pc.match_substring_regex(lines, r"\\[ux]"))
        flags: Flags = found.to_numpy(zero_copy_only=False)
        return flags

    def _extract(
        self, connection: duckdb.DuckDBPyConnection, lines: pa.Array
    ) -> tuple[Flags, dict[str, pa.Array]]:
        """Which lines are objects, and the texts at each place."""
        asked = (*chain.from_iterable(self.places.values()), *self.marks, *self.only)
        places = list(dict.fromkeys(asked))
        pointers = [pointer_of(place) for place in places]
        is_object, texts = read_texts(connection, lines, pointers)
        is_broken = pc.and_(pa.array(~is_object), pc.starts_with(pc.ascii_ltrim(lines, BLANK), "{"))
        if pc.any(is_broken).as_py():
            repaired = pa.array(map(make_json, lines.filter(is_broken).to_pylist()), pa.string())
            is_repaired, others = read_texts(connection, repaired, pointers)
            is_object[is_broken.to_numpy(zero_copy_only=False)] = is_repaired
            texts = {p: pc.replace_with_mask(its, is_broken, others[p]) for p, its in texts.items()}
        return is_object, dict(zip(places, map(texts.__getitem__, pointers), strict=True))


def _join_lists(texts: pa.StringArray) -> pa.StringArray:
    """Make one list of a header that was sent in several lines (RFC 9110, section 5.3).

    The last line is the last proxy's: the first alone would be what a visitor writes.
    """
    return decode_each(_join_list, texts)


def _join_list(text: str) -> str:
    values = load_template(text)
    if isinstance(values, list) and all(isinstance(value, str) for value in values):
        return ", ".join(values)
    return text


def pointer_of(place: str) -> str:
    """Write a place as a JSON pointer (RFC 6901)."""
    if place.startswith("/"):
        return place
    return "".join(f"/{key.replace('~', '~0').replace('/', '~1')}" for key in place.split("."))


def _find_blank(lines: pa.Array, among: Flags) -> Flags:
    blank = np.zeros(len(lines), np.bool_)
    others = lines.filter(pa.array(among))
    blank[among] = pc.equal(pc.ascii_trim(others, BLANK), "").to_numpy(zero_copy_only=False)
    return blank


def _first(columns: list[pa.Array]) -> pa.Array:
    """The text of the first place that has one."""
    return pc.coalesce(*columns) if len(columns) > 1 else columns[0]


def _all_there(columns: list[pa.Array], among: Flags) -> Flags:
    there = among.copy()
    for column in columns:
        there &= column.is_valid().to_numpy(zero_copy_only=False)
    return there


def _all_match(columns: dict[str, pa.Array], shapes: Mapping[str, str], among: Flags) -> Flags:
    """Whether the texts that are there look as they must."""
    matched = among.copy()
    for place, shape in shapes.items():
        fits = pc.match_substring_regex(columns[place], shape).fill_null(True)
        matched &= fits.to_numpy(zero_copy_only=False)
    return matched


def _any_there(columns: list[pa.Array], among: Flags) -> Flags:
    there = np.zeros(len(among), np.bool_)
    for column in columns:
        there |= column.is_valid().to_numpy(zero_copy_only=False)
    return there & among


def find_strings(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a JSON value with its pointer."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from find_strings(inner, f"{path}/{key.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, str):
        yield path, value


def load_template(text: str) -> object:
    """The JSON value of a format string; None when it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
