"""Layouts of one JSON object a line, by a map of fields to places in it; DuckDB reads the JSON.

Caddy, Traefik, Google Cloud's load balancer, Azure, Cloudflare, Fastly and Akamai write such
lines, and nginx with ``escape=json``.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.formats.escapes import Decoder, decode
from pipeline.formats.fields import BLANK, ReadBlock, Rejected, read_fields
from pipeline.formats.times import TimeFormat

# Parsed once: what begins with a brace and is JSON is an object.
_EXTRACT = """
SELECT CASE WHEN starts_with(ltrim(line, $spaces), '{')
    THEN try(json_extract_string(line, $places)) END AS texts
FROM block
"""
_SPACES = " \t\r\n"
"""What JSON has around a value (RFC 8259, section 2)."""
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
        places = [(name, place) for name, its in self.places.items() for place in its]
        others_of = (*self.marks, *self.only)
        pointers = [pointer_of(place) for place in (*(p for _, p in places), *others_of)]
        connection.register("block", pa.table({"line": lines}))
        table = connection.execute(
            _EXTRACT, {"places": pointers, "spaces": _SPACES}
        ).to_arrow_table()
        columns = _columns(table["texts"], len(pointers))
        texts = _join([name for name, _ in places], columns)
        is_object = table["texts"].combine_chunks().is_valid()
        marks, only = (
            columns[len(places) :][: len(self.marks)],
            columns[len(pointers) - len(self.only) :],
        )
        is_marked = _all_there(marks, is_object) & _all_match(only, self.only.values())
        is_request = _any_there([texts[name] for name in _REQUEST if name in texts], is_marked)
        rows = np.flatnonzero(is_request)
        taken = pa.array(rows)
        texts = decode({name: text.take(taken) for name, text in texts.items()}, self.decoders)
        read = read_fields(line_no[rows], texts, self.times)
        blank = pc.equal(pc.ascii_trim(lines, BLANK), "").to_numpy(zero_copy_only=False)
        others = is_object.to_numpy(zero_copy_only=False) & ~is_request
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


def pointer_of(place: str) -> str:
    """Write a place as a JSON pointer (RFC 6901)."""
    if place.startswith("/"):
        return place
    return "".join(f"/{key.replace('~', '~0').replace('/', '~1')}" for key in place.split("."))


def _columns(texts: pa.ChunkedArray, width: int) -> list[pa.Array]:
    lists = texts.combine_chunks()
    if not len(lists) or lists.null_count == len(lists):
        return [pa.nulls(len(lists), pa.string()) for _ in range(width)]
    return [pc.list_element(lists, place) for place in range(width)]


def _join(names: list[str], columns: list[pa.Array]) -> dict[str, pa.Array]:
    """A field's text is that of the first of its places which has one."""
    texts: dict[str, pa.Array] = {}
    for name, column in zip(names, columns, strict=False):
        texts[name] = pc.coalesce(texts[name], column) if name in texts else column
    return texts


def _all_there(columns: list[pa.Array], among: pa.Array) -> npt.NDArray[np.bool_]:
    there: npt.NDArray[np.bool_] = among.to_numpy(zero_copy_only=False)
    for column in columns:
        there = there & column.is_valid().to_numpy(zero_copy_only=False)
    return there


def _all_match(columns: list[pa.Array], shapes: Iterable[str]) -> npt.NDArray[np.bool_] | bool:
    """Whether the texts that are there look as they must; True when nothing is asked."""
    matched: npt.NDArray[np.bool_] | bool = True
    for column, shape in zip(columns, shapes, strict=True):
        fits = pc.match_substring_regex(column, shape).fill_null(True)
        matched = matched & fits.to_numpy(zero_copy_only=False)
    return matched


def _any_there(columns: list[pa.Array], among: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
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
