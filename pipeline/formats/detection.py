"""Finds a file's layout by trying all of them on its first lines."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.formats.fields import BLANK, FIELDS, ReadBlock
from pipeline.formats.json_lines import JsonLayout
from pipeline.formats.layouts import (
    COMBINED,
    NO_REQUESTS,
    Combined,
    Layout,
    find_layout,
    list_layouts,
)
from pipeline.formats.pattern import Pattern, without_ends
from pipeline.formats.reader import Part, Reader, join, read_parts

SAMPLE_LINES = 200
LEAST_SHARE = 0.5
"""Of the lines tried a layout reads at least so many; of its clients so many are addresses."""
_PLAIN = (
    r'^[0-9A-Fa-f.:]+ - [^ "]+ \[[^\]]{26}\] "(?:[^"\\]|\\.)*" [1-5]\d\d (?:\d+|-)'
    r'(?: "(?:[^"\\]|\\.)*" "(?:[^"\\]|\\.)*")?$'
)
"""Common and combined lines in which nothing could be anything else: no other layout is tried."""
_WHOLE = (
    r'^[^"]*"(?:[^"\\]|\\.)*" [1-5]\d\d (?:\d+|-)'
    r'(?: "(?:[^"\\]|\\.)*" "(?:[^"\\]|\\.)*")?$'
)
"""Common and combined lines that have nothing after their last field."""
_TIME = r" \[\d\d/[A-Z][a-z][a-z]/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] \""
"""What every common and combined line holds."""
LEAST_REJECTED = 20
"""So many rejected lines of a block are tried in another layout."""
LEAST_SHARE_OF_REJECTED = 0.9
_FALLBACK = Combined()
"""Combined as long as no line shows a layout."""
_SHOWN_WIDTH = 100
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
    told: tuple[list[str | None], list[float | None]]
    """Each hit's client and duration."""

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
    """Those that fit as well and find another client or duration."""

    def say_rivals(self) -> str:
        """Say what else the lines could be, and how to choose."""
        others = " or ".join(layout.name for layout in self.rivals)
        return (
            f"read as {self.layout.name}, but its lines could be {others} as well, with another"
            " client or duration: set log_format to what the server writes"
        )


def detect(connection: duckdb.DuckDBPyConnection, lines: pa.Array) -> Detected | None:
    """Find the layout that knows most of some lines; None when none knows half of them.

    Args:
        connection: the calling thread's own.
        lines: a file's first ones; ``SAMPLE_LINES`` that are not blank are looked at.
    """
    sample = lines.filter(pc.not_equal(pc.ascii_trim(lines, BLANK), ""))[:SAMPLE_LINES]
    sample = without_ends(sample)
    if not len(sample):
        return None
    if pc.all(pc.match_substring_regex(sample, _PLAIN)).as_py():
        return Detected(COMBINED, 1.0, ())
    fitting = [one for one in rank(connection, sample) if min(one.rank[:2]) >= LEAST_SHARE]
    if not fitting:
        return None
    best = fitting[0]
    rivals = [one.layout for one in fitting[1:] if one.rank == best.rank and one.told != best.told]
    return Detected(best.layout, best.share, tuple(rivals))


@dataclass
class FileReader:
    """One raw file's blocks in its layout: the one given, else the one that its lines show."""

    given: str | None = None
    """A layout's name or a format string."""
    zone: ZoneInfo | None = None
    """Of times without an offset; UTC when not given."""
    detected: Detected | None = None
    _reader: Reader | None = None
    # Blocks are read in several threads: an append is safe, a sum is not.
    _hits: list[tuple[str, int]] = field(default_factory=list)
    _guesses: list["_Guess"] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Take the layout that is given."""
        if self.given:
            self._reader = Reader(find_layout(self.given), self.zone)

    @property
    def layout(self) -> Layout:
        """The layout; combined as long as no line shows another."""
        return self._reader.layout if self._reader else COMBINED

    def cut(
        self,
        connection: duckdb.DuckDBPyConnection,
        line_no: npt.NDArray[np.int64],
        lines: pa.Array,
    ) -> list[Part]:
        """Cut a block where its layout changes; to be called in the order of the blocks."""
        if self._reader is None and (found := detect(connection, lines)):
            self.detected, self._reader = found, Reader(found.layout, self.zone)
        return (self._reader or Reader(_FALLBACK)).cut(line_no, lines)

    def read(self, connection: duckdb.DuckDBPyConnection, parts: Sequence[Part]) -> ReadBlock:
        """Read a block: ``hits + rejects + blank + directives`` is always the number of lines.

        Of a layout that was not given, rejected lines are read in another one that knows nearly
        all of them: a file may change its layout.
        """
        read = read_parts(connection, parts)
        if any(part.layout is _FALLBACK for part in parts):
            self._guesses.append(_guess(read))
        self._hits.append((self.layout.name, len(read.hits)))
        if self.given or len(read.rejects) < LEAST_REJECTED:
            return read
        numbers = np.array([number for number, _, _ in read.rejects], np.int64)
        lines = pa.array([line for _, line, _ in read.rejects], pa.string())
        other = detect(connection, lines)
        if other is None or other.share < LEAST_SHARE_OF_REJECTED:
            return read
        again = read_parts(connection, Reader(other.layout, self.zone).cut(numbers, lines))
        self._hits.append((other.layout.name, len(again.hits)))
        kept = ReadBlock(read.hits, [], read.blank, read.directives)
        return join(iter((kept, again)))

    def count_hits(self) -> Counter[str]:
        """The hits by layout, of the layouts that have some."""
        counts = Counter[str]()
        for name, hits in self._hits:
            counts[name] += hits
        return +counts

    def say_doubt(self) -> str | None:
        """Say why the layout may be another one, and how to choose; None when there is no doubt."""
        if self.detected and self.detected.rivals:
            return self.detected.say_rivals()
        hits = sum(guess.hits for guess in self._guesses)
        addresses = sum(guess.addresses for guess in self._guesses)
        others = [guess.other for guess in self._guesses if guess.other]
        if not others or addresses >= LEAST_SHARE * hits:
            return None
        client = min(others)[1][:_SHOWN_WIDTH]
        return (
            f"read as combined, as no layout fits, but {hits - addresses:,} of its {hits:,} clients"
            f" are no addresses, the first is {client}: set log_format to the format string of the"
            ' server\'s configuration, or to "combined" if they are names of hosts'
        )


@dataclass(frozen=True)
class _Guess:
    """Whether a block that was read as combined for want of a layout seems to be it."""

    hits: int
    addresses: int
    """Of the clients those that are one."""
    other: tuple[int, str] | None
    """The first client that is none, with its line's number."""


def _guess(read: ReadBlock) -> _Guess:
    is_other = pc.invert(pc.match_substring_regex(read.hits["client"], _ADDRESS))
    others = read.hits.select(["line_no", "client"]).filter(is_other)
    first = next(((row["line_no"], row["client"]) for row in others[:1].to_pylist()), None)
    return _Guess(len(read.hits), len(read.hits) - len(others), first)


def find_nearest(connection: duckdb.DuckDBPyConnection, sample: pa.Array) -> Layout | None:
    """The layout that reads most of some lines, else the one that comes furthest in them."""
    if best := rank(connection, sample):
        return best[0].layout
    numbers = np.arange(1, len(sample) + 1, dtype=np.int64)
    reached: list[tuple[float, Layout]] = []
    for layout in list_layouts():
        rejects = read_parts(connection, Reader(layout).cut(numbers, sample)).rejects
        reached.append((sum(why.column for _, _, why in rejects), layout))
    furthest = max(reached, key=lambda one: one[0])
    return furthest[1] if furthest[0] > len(sample) else None


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
    parts = [_matching(part) for part in Reader(layout).cut(numbers, sample)]
    read = read_parts(connection, [part for part in parts if len(part.lines)])
    is_one = len(read.hits) > 0 or layout.name == NO_REQUESTS.name
    known = len(read.hits) + len(read.directives) if is_one else 0
    if layout is COMBINED:  # it reads on over what follows the agent
        known = pc.sum(pc.match_substring_regex(sample, _WHOLE)).as_py()
    has_client = not isinstance(layout, Pattern) or "client" in layout.fields
    addresses = _share_of_addresses(read) if has_client else 1.0
    told = (read.hits["client"].to_pylist(), read.hits["duration_ms"].to_pylist())
    return Candidate(layout, known / len(sample), addresses, _count_fields(read), told)


def _matching(part: Part) -> Part:
    """The lines of a part that its layout knows: to say why it does not know others takes long."""
    shapes: tuple[str | None, ...] = (_TIME,)
    if isinstance(part.layout, Pattern):
        shapes = (f"(?s){part.layout.regex}", part.layout.not_hits, part.directive)
    elif part.layout is not COMBINED:
        return part
    known = pa.array(np.zeros(len(part.lines), np.bool_))
    for shape in shapes:
        if shape:
            known = pc.or_(known, pc.match_substring_regex(part.lines, shape))
    chosen = known.to_numpy(zero_copy_only=False)
    return replace(part, line_no=part.line_no[chosen], lines=part.lines.filter(known))


def _share_of_addresses(read: ReadBlock) -> float:
    if not len(read.hits):
        return 0.0
    is_address = pc.match_substring_regex(read.hits["client"], _ADDRESS)
    return float(pc.mean(is_address.cast(pa.float64())).as_py())


def _count_fields(read: ReadBlock) -> int:
    return sum(read.hits[name].null_count < len(read.hits) for name in FIELDS.names)
