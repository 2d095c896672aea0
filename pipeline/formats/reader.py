"""Reads a raw file's blocks in its layout, in parts where a header changes that."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.formats.fields import FIELDS, ReadBlock
from pipeline.formats.headers import HeaderLayout
from pipeline.formats.layouts import BlockLayout, Layout
from pipeline.formats.pattern import Pattern


@dataclass(frozen=True)
class Part:
    """Lines of a block that are read in one layout."""

    line_no: npt.NDArray[np.int64]
    lines: pa.Array
    layout: BlockLayout
    directive: str | None = None
    """Lines of it that are no records, as RE2."""


@dataclass
class Reader:
    """One raw file's reader; ``cut`` is called in the order of its blocks, ``read`` in any."""

    layout: Layout
    zone: ZoneInfo | None = None
    _current: Pattern | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Put the zone into the layout."""
        self.layout = self.layout.in_zone(self.zone)

    def cut(self, line_no: npt.NDArray[np.int64], lines: pa.Array) -> list[Part]:
        """Cut a block where its header changes; it is one part without headers."""
        if not isinstance(self.layout, HeaderLayout):
            return [Part(line_no, lines, self.layout)]
        found, self._current = self.layout.sections(lines, self._current)
        return [
            Part(line_no[start:end], lines[start:end], layout, self.layout.directive)
            for start, end, layout in found
        ]


def read_parts(connection: duckdb.DuckDBPyConnection, parts: Sequence[Part]) -> ReadBlock:
    """Read a block: ``hits + rejects + blank + directives`` is always the number of lines."""
    return join(_read_part(connection, part) for part in parts)


def _read_part(connection: duckdb.DuckDBPyConnection, part: Part) -> ReadBlock:
    line_no, lines, directives = part.line_no, part.lines, np.zeros(0, np.int64)
    if part.directive:
        is_one = pc.match_substring_regex(lines, part.directive)
        chosen = is_one.to_numpy(zero_copy_only=False)
        directives, line_no = line_no[chosen], line_no[~chosen]
        lines = lines.filter(pc.invert(is_one))
    read = part.layout.read_block(connection, line_no, lines)
    return ReadBlock(read.hits, read.rejects, read.blank, [*directives.tolist(), *read.directives])


def join(reads: Iterator[ReadBlock]) -> ReadBlock:
    """Put what parts of a block became together, in line order."""
    parts = list(reads)
    if len(parts) <= 1:  # none: of most layouts, when a file's is looked for
        return parts[0] if parts else ReadBlock(FIELDS.empty_table(), [], [], [])
    hits = pa.concat_tables([FIELDS.empty_table(), *(part.hits for part in parts)])
    return ReadBlock(
        hits.sort_by("line_no"),
        sorted((one for part in parts for one in part.rejects), key=lambda one: one[0]),
        sorted(number for part in parts for number in part.blank),
        sorted(number for part in parts for number in part.directives),
    )
