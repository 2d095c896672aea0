"""Finds a file's layout by trying all of them on its first lines."""

from dataclasses import dataclass, replace
from functools import cache

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.formats.client_texts import are_addresses
from pipeline.formats.doubts import tell_unknown
from pipeline.formats.fields import FIELDS, ReadBlock
from pipeline.formats.headers import HeaderLayout
from pipeline.formats.json_lines import JsonLayout
from pipeline.formats.layouts import COMBINED, NO_REQUESTS, Layout, list_layouts, no_requests
from pipeline.formats.pattern import NO_LINE, Pattern
from pipeline.formats.reader import Part, Reader, read_parts
from pipeline.formats.unwrapping import sample_of

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
    told: list[list[object]]
    """Each hit's client, time and duration."""

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
    """Those that fit as well and find another client, time or duration."""

    def say_rivals(self) -> str:
        """Say what else the lines could be, and how to choose."""
        others = " or ".join(layout.name for layout in self.rivals)
        settings = (f'log_format = "{one.name}"' for one in (self.layout, *self.rivals))
        return (
            f"read as {self.layout.name}, but its lines could be {others} as well, with another"
            f" client, time or duration: set {' or '.join(settings)}, whichever the server writes"
        )


def detect(connection: duckdb.DuckDBPyConnection, lines: pa.Array) -> Detected | None:
    """Find the layout that knows most of some lines; None when none knows half of them.

    Args:
        connection: the calling thread's own.
        lines: a file's first ones; see ``sample_of``.
    """
    sample = sample_of(lines)
    if not len(sample):
        return None
    if combined := _find_combined(connection, sample):
        return combined
    fitting = [one for one in rank(connection, sample) if min(one.rank[:2]) >= LEAST_SHARE]
    if not fitting:
        return None
    best = fitting[0]
    rivals = [one.layout for one in fitting[1:] if one.rank == best.rank and one.told != best.told]
    return Detected(best.layout, best.share, tuple(rivals))


def _find_combined(connection: duckdb.DuckDBPyConnection, sample: pa.Array) -> Detected | None:
    """Combined, where so many lines can be nothing else that no other layout comes near it."""
    is_plain = are_plain(sample)
    if is_plain.all():
        return Detected(COMBINED, 1.0, ())
    others = sample.filter(pa.array(~is_plain))
    most = round(len(others) / len(sample), 2)
    # A header may make a layout of lines that no layout has by itself.
    if most >= LEAST_SHARE or _is_any(others, _headers()):
        return None
    found = try_layout(connection, COMBINED, sample)
    share, addresses, _ = found.rank
    is_it = share > most and min(share, addresses) >= LEAST_SHARE
    return Detected(COMBINED, found.share, ()) if is_it else None


@cache
def _headers() -> str:
    layouts = (one for one in list_layouts() if isinstance(one, HeaderLayout))
    return "|".join(f"(?:{one.header})" for one in layouts)


def are_plain(lines: pa.Array) -> npt.NDArray[np.bool_]:
    """Which lines, without their ends, are common or combined ones and could be nothing else."""
    is_plain: npt.NDArray[np.bool_] = pc.match_substring_regex(lines, _PLAIN).to_numpy(
        zero_copy_only=False
    )
    return is_plain


def find_only(
    connection: duckdb.DuckDBPyConnection, lines: pa.Array, owner: npt.NDArray[np.int64]
) -> list[Layout | None]:
    """The one layout that knows each file's first line; None where none does, or several do.

    Where all lines of a file are read in it, ``detect`` finds the same: none other knows them all.

    Args:
        connection: the calling thread's own.
        lines: of several files one after the other, without their ends.
        owner: the file of each, from 0, rising.
    """
    firsts = lines.take(pa.array(np.flatnonzero(np.diff(owner, prepend=-1))))
    layouts = [one for one in list_layouts() if one.name != NO_REQUESTS.name]
    counts, which = np.zeros(len(firsts), np.int64), np.zeros(len(firsts), np.int64)
    for layout in layouts:
        if isinstance(layout, HeaderLayout):  # what it makes of other lines is not to be known
            is_header = pc.match_substring_regex(firsts, layout.header)
            counts += 2 * is_header.to_numpy(zero_copy_only=False)
    is_json = pc.starts_with(firsts, "{").to_numpy(zero_copy_only=False)
    is_whole = pc.match_substring_regex(firsts, _WHOLE).to_numpy(zero_copy_only=False)
    silent: list[tuple[Layout, npt.NDArray[np.int64]]] = []
    for number, layout in enumerate(layouts):
        rows = np.flatnonzero((counts < 2) & (is_json | (not isinstance(layout, JsonLayout))))
        if read := _read_matching(connection, layout, firsts.take(pa.array(rows))):
            known = rows[read.hits["line_no"].to_numpy() - 1]
            known = known[is_whole[known]] if layout is COMBINED else known
            counts[known] += 1
            which[known] = number
            silent.append((layout, rows[np.array(read.directives, np.int64) - 1]))
    for layout, rows in silent:  # it takes the first line for no request, but may know others
        its = np.flatnonzero(np.isin(owner, rows[counts[rows] == 1]))
        if isinstance(layout, JsonLayout) and len(its):
            its = its[layout.may_know(lines.take(pa.array(its)))]
        if read := _read_matching(connection, layout, lines.take(pa.array(its))):
            counts[owner[its[read.hits["line_no"].to_numpy() - 1]]] = 2
    return [
        layouts[number] if count == 1 else None
        for number, count in zip(which.tolist(), counts.tolist(), strict=True)
    ]


def find_nearest(connection: duckdb.DuckDBPyConnection, sample: pa.Array) -> Layout | None:
    """The layout that reads most of some lines, else the one that comes furthest in them."""
    if best := rank(connection, sample):
        return best[0].layout
    numbers = np.arange(1, len(sample) + 1, dtype=np.int64)
    reached: list[tuple[float, Layout]] = []
    for layout in list_layouts():
        if isinstance(layout, JsonLayout):  # it is no further than at a line's first column
            continue
        rejects = read_parts(connection, Reader(layout).cut(numbers, sample)).rejects
        reached.append((sum(why.column for _, _, why in rejects), layout))
    furthest = max(reached, key=lambda one: one[0])
    return furthest[1] if furthest[0] > len(sample) else None


def rank(connection: duckdb.DuckDBPyConnection, sample: pa.Array) -> list[Candidate]:
    """What every layout makes of some lines, the best first; of equals the likelier."""
    has_others = _is_any(sample, no_requests().not_hits or NO_LINE)
    tried = [layout for layout in list_layouts() if _may_know(layout, sample, has_others)]
    found = [try_layout(connection, layout, sample) for layout in tried]
    return sorted((one for one in found if one.share), key=lambda one: one.rank, reverse=True)


def _may_know(layout: Layout, sample: pa.Array, has_others: bool) -> bool:
    """Whether a layout may know any of some lines: to ask it takes long.

    ``has_others``: whether any of them is what some layout knows as no request.
    """
    if isinstance(layout, Pattern):
        return has_others or _is_any(sample, layout.beginning)
    if isinstance(layout, JsonLayout):
        return bool(pc.any(pc.starts_with(sample, "{")).as_py() and layout.may_know(sample).any())
    return True


def _is_any(lines: pa.Array, shape: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(lines, shape)).as_py())


def try_layout(
    connection: duckdb.DuckDBPyConnection, layout: Layout, sample: pa.Array
) -> Candidate:
    """What a layout makes of some lines."""
    read = _read_matching(connection, layout, sample)
    if not read:
        return Candidate(layout, 0.0, 0.0, 0, [])
    is_one = len(read.hits) > 0 or layout.name == NO_REQUESTS.name
    is_one |= isinstance(layout, HeaderLayout) and layout.has_header(sample)
    known = len(read.hits) + len(read.directives) if is_one else 0
    if layout is COMBINED:  # it reads on over what follows the agent
        known = min(known, pc.sum(pc.match_substring_regex(sample, _WHOLE)).as_py())
    has_client = not isinstance(layout, Pattern) or "client" in layout.fields
    addresses = _share_of_addresses(read) if has_client and len(read.hits) else float(is_one)
    told = [read.hits[name].to_pylist() for name in ("client", "ts", "duration_ms")]
    return Candidate(layout, known / len(sample), addresses, _count_fields(read), told)


def _read_matching(
    connection: duckdb.DuckDBPyConnection, layout: Layout, sample: pa.Array
) -> ReadBlock | None:
    """Those of some lines, numbered from 1, that a layout may know; None when it knows none."""
    numbers = np.arange(1, len(sample) + 1, dtype=np.int64)
    parts = [_matching(part) for part in Reader(layout).cut(numbers, sample)]
    parts = [part for part in parts if len(part.lines)]
    return read_parts(connection, parts) if parts else None  # to read nothing takes long, too


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
    is_dash, is_socket = tell_unknown(read.hits)
    is_unknown = pc.or_(is_dash, is_socket).to_numpy()  # by itself: the header has the address
    return float((are_addresses(read.hits["client"].combine_chunks()) | is_unknown).mean())


def _count_fields(read: ReadBlock) -> int:
    return sum(read.hits[name].null_count < len(read.hits) for name in FIELDS.names)
