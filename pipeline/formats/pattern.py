"""Layouts that are one regular expression: what separates the fields, and what each looks like.

A block of lines is read in time linear in their length, whatever a line holds.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.formats.client_texts import are_addresses, follow_a_name
from pipeline.formats.escapes import Decoder, decode
from pipeline.formats.extraction import extract
from pipeline.formats.fields import (
    BLANK,
    Read,
    ReadBlock,
    Rejected,
    read_fields,
)
from pipeline.formats.times import TimeFormat

QUOTED = r'(?:[^"\\]|\\.)*'
"""What stands between quotes; Apache and nginx escape quotes and backslashes in it."""
NO_LINE = r"[^\x00-\x{10FFFF}]"
"""What no line looks like."""
SHAPES = {"status": r"[1-5]\d\d|-1??|0(?:00)??", "bytes": r"\d+|-"}
"""What some fields look like wherever they stand."""
DECIMAL = r"\d+(?:\.\d+)?|-(?:\d+(?:\.\d+)?)?"
"""A number, or a minus for none."""
CLF = TimeFormat()
_REQUEST = ("request", "method", "target", "path", "status")


@dataclass(frozen=True)
class Segment:
    """A field, or what stands between two (no ``field``)."""

    shape: str
    """A regular expression of RE2 without groups."""
    field: str | None = None
    plain: str | None = None
    """What it looks like in nearly all lines, where that is easier to read: of the texts that
    ``shape`` could take in a line the one that is tried first."""

    @property
    def regex(self) -> str:
        """With a group of the field's name."""
        return self._named(self.shape)

    @property
    def plain_regex(self) -> str:
        """The same of ``plain``."""
        return self._named(self.shape if self.plain is None else self.plain)

    def _named(self, shape: str) -> str:
        return f"(?P<{self.field}>{shape})" if self.field else f"(?:{shape})"


IDENTITY_AND_USER = Segment(r" [^ ]+ .+? \[", plain=r" [^ ]+ [^ ]+ \[")
"""What common and combined have between client and time; a user may have spaces in the name."""


@dataclass(frozen=True)
class Pattern:
    """A layout whose lines are ``segments`` from the first to the last character."""

    name: str
    segments: tuple[Segment, ...]
    times: TimeFormat = CLF
    example: str = ""
    forwarded_kind: str = "x-forwarded-for"
    """What header ``forwarded`` is: see ``clients``."""
    rest: str = ""
    """What follows the last segment of a line that goes on: fields that later versions add."""
    plain_rest: str = ""
    """What does in nearly all lines, as a segment's ``plain``."""
    not_hits: str | None = None
    """Lines that are no requests, as RE2: error logs, other modes, empty records."""
    decoders: Mapping[str, Decoder] = field(default_factory=dict)
    """What makes a field's value of its text, by field."""
    constants: Mapping[str, str] = field(default_factory=dict)
    """Fields that no line has, as they are the same in all."""
    needs_request: bool = False
    """Whether a line that has neither method, target nor status is no request."""

    def in_zone(self, zone: ZoneInfo | None) -> "Pattern":
        """The same layout with local times of ``zone``."""
        return replace(self, times=replace(self.times, zone=zone)) if zone else self

    @cached_property
    def regex(self) -> str:
        """The whole line's."""
        return f"^{''.join(segment.regex for segment in self.segments)}{self.rest or '$'}"

    @cached_property
    def beginning(self) -> str:
        """The first two segments': sooner compiled than the whole, where many layouts are tried."""
        return self._prefix(2)

    @cached_property
    def plain_regex(self) -> str:
        """The same of nearly all lines: of those that it takes it tells what ``regex`` would.

        That prefers, from left to right, what is tried first: the ``plain`` of each segment.
        """
        shapes = "".join(segment.plain_regex for segment in self.segments)
        return f"^{shapes}{self.plain_rest or self.rest or '$'}"

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """The names of the fields it has, in order."""
        return _fields_of(self.segments)

    def read_block(
        self, _: duckdb.DuckDBPyConnection, line_no: npt.NDArray[np.int64], lines: pa.Array
    ) -> ReadBlock:
        """Read a block of lines, as ``formats.combined.read_block`` does."""
        lines = without_ends(lines)
        blank = pc.equal(pc.ascii_trim(lines, BLANK), "")
        texts, is_found = extract(lines, self.regex, self.plain_regex)
        is_empty = pc.and_(is_found, self._find_empty(texts))
        is_read = pc.and_not(pc.and_not(is_found, blank), is_empty)
        known = pc.or_(is_empty, self._find_not_hits(lines, pc.or_(blank, is_found)))
        rows = np.flatnonzero(is_read.to_numpy(zero_copy_only=False))
        if len(rows) < len(lines):
            texts = {name: text.take(pa.array(rows)) for name, text in texts.items()}
        texts |= {name: pa.repeat(value, len(rows)) for name, value in self.constants.items()}
        read = read_fields(line_no[rows], decode(texts, self.decoders), self.times)
        read = self._without_sentences(read, lines, rows)
        rejects = {int(rows[row]): name for row, name in read.wrong.items()}
        left = pc.or_(pc.or_(is_read, blank), known)
        others = np.flatnonzero(~left.to_numpy(zero_copy_only=False))
        return ReadBlock(
            read.hits,
            list(self._explain(line_no, lines, rejects, others)),
            _numbers(line_no, blank),
            _numbers(line_no, known),
        )

    def _without_sentences(self, read: Read, lines: pa.Array, rows: npt.NDArray[np.intp]) -> Read:
        """Leave out lines whose client is a host's name, but not before identity and user."""
        if not len(read.hits) or IDENTITY_AND_USER not in self.segments:
            return read
        is_hit = are_addresses(read.hits["client"].combine_chunks())
        if is_hit.all():
            return read
        places = np.setdiff1d(np.arange(len(rows)), list(read.wrong))
        behind_client = self._prefix(self.segments.index(IDENTITY_AND_USER))
        names = lines.take(pa.array(rows[places[~is_hit]]))
        behind = pc.replace_substring_regex(names, pattern=behind_client, replacement="")
        betweens = pc.extract_regex(behind, rf"(?s)^ (?P<between>.*?) \[{self.times.pattern}\]")
        is_hit[~is_hit] = follow_a_name(betweens.field("between"))
        wrong = dict.fromkeys(places[~is_hit].tolist(), "client")
        return Read(read.hits.filter(pa.array(is_hit)), read.wrong | wrong)

    def _find_empty(self, texts: Mapping[str, pa.Array]) -> pa.Array:
        """Of lines that were found those that are no request as they say nothing of one."""
        said = [texts[name] for name in _REQUEST if name in texts] if self.needs_request else []
        is_empty = pa.repeat(bool(said), len(next(iter(texts.values()))))
        for text in said:
            is_empty = pc.and_(is_empty, pc.is_in(text, pa.array(["-", ""])))
        return is_empty

    def _find_not_hits(self, lines: pa.Array, others: pa.Array) -> pa.Array:
        left = np.flatnonzero(~others.to_numpy(zero_copy_only=False))
        known = np.zeros(len(lines), np.bool_)
        if self.not_hits is not None and len(left):
            matched = pc.match_substring_regex(lines.take(pa.array(left)), f"(?s){self.not_hits}")
            known[left] = matched.to_numpy(zero_copy_only=False)
        return pa.array(known)

    def _explain(
        self,
        line_no: npt.NDArray[np.int64],
        lines: pa.Array,
        wrong: dict[int, str],
        others: npt.NDArray[np.int64],
    ) -> Iterator[tuple[int, str, Rejected]]:
        """Say where each line fails: in a field that is wrong, or the first that is missing."""
        failures: dict[int, Rejected] = {}
        for name in sorted(set(wrong.values())):
            rows = np.array([row for row, field in wrong.items() if field == name], np.int64)
            failures |= self._locate(lines, rows, name)
        failures |= self._find_failures(lines, others)
        for row in sorted(failures):
            yield int(line_no[row]), lines[row].as_py(), failures[row]

    def _locate(
        self, lines: pa.Array, rows: npt.NDArray[np.int64], name: str
    ) -> dict[int, Rejected]:
        """The place of a field that is there, in each of some lines."""
        at = next((self.fields.index(one) for one in (name, "date") if one in self.fields), 0)
        names = [number for number, segment in enumerate(self.segments) if segment.field]
        return self._reject(lines, rows, names[at], name)

    def _find_failures(self, lines: pa.Array, rows: npt.NDArray[np.int64]) -> dict[int, Rejected]:
        """The first segment that each of some lines lacks."""
        failures: dict[int, Rejected] = {}
        left = [(rows, 0, len(self.segments))]
        while left:
            rows, least, most = left.pop()
            if not len(rows):
                continue
            if least == most:
                failures |= self._reject(lines, rows, least, self._name(least))
                continue
            count = (least + most + 1) // 2
            found = pc.match_substring_regex(lines.take(pa.array(rows)), self._prefix(count))
            is_there = found.to_numpy(zero_copy_only=False)
            left += [(rows[is_there], count, most), (rows[~is_there], least, count - 1)]
        return failures

    def _prefix(self, count: int) -> str:
        return f"(?s)^{self._shapes(0, count)}"

    def _shapes(self, start: int, end: int | None = None) -> str:
        """Segments without groups."""
        return "".join(f"(?:{segment.shape})" for segment in self.segments[start:end])

    def _reject(
        self, lines: pa.Array, rows: npt.NDArray[np.int64], count: int, name: str
    ) -> dict[int, Rejected]:
        """Reject lines where so many segments end."""
        texts = lines.take(pa.array(rows))
        behind = pc.replace_substring_regex(texts, pattern=self._prefix(count), replacement="")
        taken = pc.subtract(pc.utf8_length(texts), pc.utf8_length(behind)).to_pylist()
        return {
            int(row): Rejected(name, length + 1) for row, length in zip(rows, taken, strict=True)
        }

    def _name(self, number: int) -> str:
        """A segment's field; of what stands between two, the one that comes next."""
        following = (segment.field for segment in self.segments[number:] if segment.field)
        return next(following, "end")


def without_ends(lines: pa.Array) -> pa.Array:
    """Lines without their newline and one carriage return before it."""
    lines = pc.ascii_rtrim(lines, "\n")
    if pc.any(pc.ends_with(lines, "\r")).as_py():
        lines = pc.replace_substring_regex(lines, pattern="\r$", replacement="")
    return lines


def _fields_of(segments: tuple[Segment, ...]) -> tuple[str, ...]:
    return tuple(segment.field for segment in segments if segment.field)


def _numbers(line_no: npt.NDArray[np.int64], chosen: pa.Array) -> list[int]:
    numbers: list[int] = line_no[chosen.to_numpy(zero_copy_only=False)].tolist()
    return numbers


def literal(text: str) -> Segment:
    """What stands between two fields, as it is."""
    return Segment(re.escape(text))
