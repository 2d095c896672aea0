"""Finds a file's layout by trying all of them on its first lines."""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.formats.fields import BLANK, FIELDS, ReadBlock
from pipeline.formats.json_lines import JsonLayout
from pipeline.formats.layouts import Layout, list_layouts
from pipeline.formats.reader import Part, Reader, join, read_parts

SAMPLE_LINES = 200
LEAST_SHARE = 0.5
"""Of the lines tried a layout reads at least so many."""
LEAST_REJECTED = 20
"""So many rejected lines of a block are tried in another layout."""
LEAST_SHARE_OF_REJECTED = 0.9
_ADDRESS = (
    r"^\[?(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.%\w]*)\]?(?::\d+)?$"
)


@dataclass(frozen=True)
class Candidate:
    """What a layout makes of some lines."""

    layout: Layout
    share: float
    """Of the lines that are not blank those that it knows."""
    addresses: float
    """Of its hits those whose client is an address."""
    fields: int
    """How many fields it finds."""
    clients: tuple[str | None, ...]

    @property
    def rank(self) -> tuple[float, float, int]:
        """The higher, the better it fits."""
        return round(self.share, 2), round(self.addresses, 2), self.fields


@dataclass(frozen=True)
class Detected:
    """The layout of some lines."""

    layout: Layout
    share: float
    rivals: tuple[Layout, ...]
    """Those that fit as well and say that another was the client."""


def detect(connection: duckdb.DuckDBPyConnection, lines: pa.Array) -> Detected | None:
    """Find the layout that knows most of some lines; None when none knows half of them.

    Args:
        connection: the calling thread's own.
        lines: a file's first ones; ``SAMPLE_LINES`` that are not blank are looked at.
    """
    sample = lines.filter(pc.not_equal(pc.ascii_trim(lines, BLANK), ""))[:SAMPLE_LINES]
    if not len(sample):
        return None
    candidates = rank(connection, sample)
    if not candidates or candidates[0].share < LEAST_SHARE:
        return None
    best = candidates[0]
    rivals = [
        one.layout
        for one in candidates[1:]
        if one.rank == best.rank and one.clients != best.clients
    ]
    return Detected(best.layout, best.share, tuple(rivals))


def read_block(
    connection: duckdb.DuckDBPyConnection, parts: Sequence[Part], *, is_found: bool
) -> ReadBlock:
    """Read a block: ``hits + rejects + blank + directives`` is always the number of lines.

    Args:
        connection: the calling thread's own.
        parts: see ``Reader.cut``.
        is_found: whether the layout was found and not given: then rejected lines are read in
            another one when that knows nearly all of them, for a file may change its layout.
    """
    read = read_parts(connection, parts)
    if not is_found or len(read.rejects) < LEAST_REJECTED:
        return read
    numbers = np.array([number for number, _, _ in read.rejects], np.int64)
    lines = pa.array([line for _, line, _ in read.rejects], pa.string())
    other = detect(connection, lines)
    if other is None or other.share < LEAST_SHARE_OF_REJECTED:
        return read
    again = read_parts(connection, Reader(other.layout).cut(numbers, lines))
    kept = ReadBlock(read.hits, [], read.blank, read.directives)
    return join(iter((kept, again)))


def rank(connection: duckdb.DuckDBPyConnection, sample: pa.Array) -> list[Candidate]:
    """What every layout makes of some lines, the best first; of equals the likelier."""
    is_json = pc.any(pc.starts_with(sample, "{")).as_py()
    tried: Sequence[Layout] = [
        layout for layout in list_layouts() if is_json or not isinstance(layout, JsonLayout)
    ]
    found = [_try(connection, layout, sample) for layout in tried]
    return sorted((one for one in found if one.share), key=lambda one: one.rank, reverse=True)


def _try(connection: duckdb.DuckDBPyConnection, layout: Layout, sample: pa.Array) -> Candidate:
    numbers = np.arange(1, len(sample) + 1, dtype=np.int64)
    read = read_parts(connection, Reader(layout).cut(numbers, sample))
    known = len(read.hits) + (len(read.directives) if len(read.hits) else 0)
    return Candidate(
        layout, known / len(sample), _share_of_addresses(read), _count_fields(read),
        tuple(read.hits["client"].to_pylist()),
    )  # fmt: skip


def _share_of_addresses(read: ReadBlock) -> float:
    if not len(read.hits):
        return 0.0
    is_address = pc.match_substring_regex(read.hits["client"], _ADDRESS).fill_null(False)
    return float(pc.mean(is_address.cast(pa.float64())).as_py())


def _count_fields(read: ReadBlock) -> int:
    return sum(read.hits[name].null_count < len(read.hits) for name in FIELDS.names)
