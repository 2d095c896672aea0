"""Layouts that are one regular expression: what separates the fields, and what each looks like.

RE2 reads a block of lines in time linear in their length, whatever a line holds.
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

from pipeline.formats.escapes import Decoder, decode
from pipeline.formats.fields import BLANK, FIELDS, ReadBlock, Rejected, read_fields
from pipeline.formats.times import TimeFormat

WORD = "[^ ]+"
QUOTED = r'(?:[^"\\]|\\.)*'
"""What stands between quotes; Apache and nginx escape quotes and backslashes in it."""
NO_LINE = r"[^\x00-\x{10FFFF}]"
"""What no line looks like."""
SHAPES = {"status": r"[1-5]\d\d|-|0|000|-1", "bytes": r"\d+|-"}
"""What some fields look like wherever they stand."""
SYSLOG = (
    r"(?:<\d{1,3}>)?(?:1 )?(?:[A-Z][a-z][a-z] [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT[^ ]+) "
    r"(?:[^ ]+ )?(?:[^ \[\]]+(?:\[\d+\])?:|[^ ]+ [^ ]+ [^ ]+ -) "
)
"""What a syslog daemon writes before a message: RFC 3164, section 4.1, or RFC 5424, section 6."""
CLF = TimeFormat()


@dataclass(frozen=True)
class Segment:
    """A field, or what stands between two (no ``field``)."""

    shape: str
    """A regular expression of RE2 without groups."""
    field: str | None = None

    @property
    def regex(self) -> str:
        """With a group of the field's name."""
        return f"(?P<{self.field}>{self.shape})" if self.field else f"(?:{self.shape})"


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
    not_hits: str | None = None
    """Lines that are no requests, as RE2: error logs, other modes, empty records."""
    decoders: Mapping[str, Decoder] = field(default_factory=dict)
    """What makes a field's value of its text, by field."""

    def in_zone(self, zone: ZoneInfo | None) -> "Pattern":
        """The same layout with local times of ``zone``."""
        return replace(self, times=replace(self.times, zone=zone)) if zone else self

    @cached_property
    def regex(self) -> str:
        """The whole line's."""
        return f"^{''.join(segment.regex for segment in self.segments)}{self.rest or '$'}"

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """The names of the fields it has, in order."""
        return tuple(segment.field for segment in self.segments if segment.field)

    def read_block(
        self, _: duckdb.DuckDBPyConnection, line_no: npt.NDArray[np.int64], lines: pa.Array
    ) -> ReadBlock:
        """Read a block of lines, as ``formats.combined.read_block`` does."""
        lines = without_ends(lines)
        blank = pc.equal(pc.ascii_trim(lines, BLANK), "")
        found = pc.extract_regex(lines, pattern=f"(?s){self.regex}")
        is_read = pc.and_(found.is_valid(), pc.invert(blank))
        known = self._find_not_hits(lines, pc.or_(blank, found.is_valid()))
        rows = np.flatnonzero(is_read.to_numpy(zero_copy_only=False))
        chosen = found if len(rows) == len(lines) else found.take(pa.array(rows))
        texts = {name: pc.struct_field(chosen, name) for name in self.fields}
        read = read_fields(line_no[rows], decode(texts, self.decoders), self.times)
        rejects = {int(rows[row]): name for row, name in read.wrong.items()}
        left = pc.or_(pc.or_(is_read, blank), known)
        others = np.flatnonzero(~left.to_numpy(zero_copy_only=False))
        return ReadBlock(
            read.hits,
            list(self._explain(line_no, lines, rejects, others)),
            _numbers(line_no, blank),
            _numbers(line_no, known),
        )

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
        found = pc.extract_regex(lines.take(pa.array(rows)), pattern=self._prefix(names[at]))
        taken = pc.utf8_length(pc.struct_field(found, "taken")).fill_null(0).to_pylist()
        return {
            int(row): Rejected(name, length + 1) for row, length in zip(rows, taken, strict=True)
        }

    def _prefix(self, count: int) -> str:
        texts = "".join(f"(?:{segment.shape})" for segment in self.segments[:count])
        return f"(?s)^(?P<taken>{texts})"

    def _find_failures(self, lines: pa.Array, rows: npt.NDArray[np.int64]) -> dict[int, Rejected]:
        """The first segment that each of some lines lacks."""
        failures: dict[int, Rejected] = {}
        taken = np.zeros(len(rows), np.int64)
        for count in range(1, len(self.segments) + 1):
            if not len(rows):
                break
            found = pc.extract_regex(lines.take(pa.array(rows)), pattern=self._prefix(count))
            matched = found.is_valid().to_numpy(zero_copy_only=False)
            name = self._name(count - 1)
            failures |= {
                int(row): Rejected(name, int(at) + 1)
                for row, at in zip(rows[~matched], taken[~matched], strict=True)
            }
            lengths = pc.utf8_length(pc.struct_field(found, "taken")).fill_null(0)
            taken, rows = lengths.to_numpy()[matched], rows[matched]
        failures |= {
            int(row): Rejected("end", int(at) + 1) for row, at in zip(rows, taken, strict=True)
        }
        return failures

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


def _numbers(line_no: npt.NDArray[np.int64], chosen: pa.Array) -> list[int]:
    numbers: list[int] = line_no[chosen.to_numpy(zero_copy_only=False)].tolist()
    return numbers


def literal(text: str) -> Segment:
    """What stands between two fields, as it is."""
    return Segment(re.escape(text))


NOTHING = ReadBlock(FIELDS.empty_table(), [], [])
