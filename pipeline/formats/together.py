"""Many small files read at once, as far as each would be read so by itself.

Which layout a file has is told by its own lines alone (``detection``). Here are the cases in which
that is plain to see, for many files in one pass; whatever leaves a doubt (a line that is rejected,
a client that is no address, a line that something may carry) is for the file's own reader.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.formats.client_texts import are_addresses
from pipeline.formats.detection import are_plain, find_only
from pipeline.formats.fields import ReadBlock
from pipeline.formats.headers import HeaderLayout
from pipeline.formats.layouts import COMBINED, Layout, find_layout, list_layouts
from pipeline.formats.pattern import without_ends
from pipeline.formats.reader import Part, Reader, read_parts
from pipeline.formats.unwrapping import may_be_carried, may_be_wrapped
from pipeline.formats.verdicts import find_repeated
from pipeline.raw.blocks import to_lines

_Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class JoinedLines:
    """``n`` lines of ``files`` files one after the other."""

    lines: pa.Array
    """(n,) with their ends."""
    owner: _Ints
    """(n,) the file of each, from 0, rising."""
    heads: Sequence[bytes]
    """Each file's first lines that begin with ``#``."""

    def of(self, files: Sequence[int]) -> tuple[_Ints, pa.Array]:
        """The numbers (from 1) and texts of the lines of some files."""
        if len(files) == len(self.heads):
            return np.arange(1, len(self.lines) + 1), self.lines
        is_chosen = np.zeros(len(self.heads), np.bool_)
        is_chosen[list(files)] = True
        rows = np.flatnonzero(is_chosen[self.owner])
        return rows + 1, self.lines.take(pa.array(rows))


@dataclass(frozen=True)
class ReadTogether:
    """What some of the files became, all of them in one layout; ``files`` are in no doubt."""

    layout: Layout
    files: tuple[int, ...]
    read: ReadBlock
    """Of these and of some others, whose rows stand among theirs."""


def read_together(
    connection: duckdb.DuckDBPyConnection,
    texts: JoinedLines,
    given: str | None,
    zone: ZoneInfo | None,
) -> Iterator[ReadTogether]:
    """Read the files that leave no doubt, layout by layout.

    Args:
        connection: the calling thread's own.
        texts: the files.
        given: a layout's name or a format string; found of each file when there is none.
        zone: of times without an offset; UTC when not given.
    """
    for layout, head, files in _choose(connection, texts, find_layout(given) if given else None):
        line_no, lines = texts.of(files)
        made = layout.in_zone(zone)
        part: Part | None
        if isinstance(made, HeaderLayout):
            part = _under_header(made, head, line_no, lines)
            is_header = pc.match_substring_regex(lines, made.header)
            # One further on may change what the lines behind it are.
            is_odd = ~_are_first(is_header.to_numpy(zero_copy_only=False), texts.owner[line_no - 1])
        else:
            (part,) = Reader(made, zone).cut(line_no, lines)
            is_odd = np.zeros(len(lines), np.bool_)
        if part is None:
            continue
        is_odd |= find_repeated(lines)
        if made.name == COMBINED.name:
            is_odd |= may_be_wrapped(lines)
        if given or made.name != COMBINED.name:
            is_odd |= may_be_carried(lines)
        read = read_parts(connection, [part])
        sure = _without_doubt(files, texts.owner, line_no[is_odd], read)
        if sure:
            yield ReadTogether(made, sure, read)


def _choose(
    connection: duckdb.DuckDBPyConnection, texts: JoinedLines, given: Layout | None
) -> Iterator[tuple[Layout, bytes, list[int]]]:
    """The layout that is given, or that files' first lines tell: each with its head and files."""
    if given and not isinstance(given, HeaderLayout):
        yield given, b"", list(range(len(texts.heads)))
        return
    by_head: dict[bytes, list[int]] = {}
    for file, head in enumerate(texts.heads):
        by_head.setdefault(head, []).append(file)
    for head, files in by_head.items():
        if not (head or given):
            yield from _find_by_lines(connection, texts, files)
        elif made := given or _find_by_head(head):
            yield made, head, files


def _find_by_head(head: bytes) -> Layout | None:
    """The layout of files that begin so, if that tells: the first of those whose header it is."""
    lines = to_lines(head)
    layouts = (one for one in list_layouts() if isinstance(one, HeaderLayout))
    return next((one for one in layouts if one.has_header(lines)), None)


def _find_by_lines(
    connection: duckdb.DuckDBPyConnection, texts: JoinedLines, files: Sequence[int]
) -> Iterator[tuple[Layout, bytes, list[int]]]:
    """The layouts of files without a head: of common and combined lines, or by the first line."""
    line_no, lines = texts.of(files)
    owner = texts.owner[line_no - 1]
    is_other = np.zeros(len(texts.heads), np.bool_)
    is_other[owner[~are_plain(pc.utf8_rtrim(lines, "\r\n"))]] = True
    if plain := [file for file in files if not is_other[file]]:
        yield COMBINED, b"", plain
    rows = np.flatnonzero(is_other[owner])
    others, number = np.unique(owner[rows], return_inverse=True)
    found: dict[str, tuple[Layout, list[int]]] = {}
    only = find_only(connection, without_ends(lines.take(pa.array(rows))), number)
    for file, made in zip(others.tolist(), only, strict=True):
        if made and made.name != COMBINED.name:
            found.setdefault(made.name, (made, []))[1].append(file)
    for made, its in found.values():
        yield made, b"", its


def _under_header(
    layout: HeaderLayout, head: bytes, line_no: _Ints, lines: pa.Array
) -> Part | None:
    """The lines of files that begin in one and the same way, as one part."""
    first = to_lines(head)
    if not layout.has_header(first):
        return None
    _, pattern = layout.sections(first, None)
    return Part(line_no, lines, pattern, layout.directive)


def _are_first(is_one: npt.NDArray[np.bool_], owner: _Ints) -> npt.NDArray[np.bool_]:
    """False for whatever comes after the first one of its file."""
    rows = np.flatnonzero(is_one)
    is_first = np.ones(len(is_one), np.bool_)
    is_first[rows[1:][owner[rows[1:]] == owner[rows[:-1]]]] = False
    return is_first


def _without_doubt(
    files: Sequence[int], owner: _Ints, odd: _Ints, read: ReadBlock
) -> tuple[int, ...]:
    """Those of some files of whose lines each is a hit by an address, blank, or a directive."""
    hits = read.hits["line_no"].to_numpy()
    is_other = ~are_addresses(read.hits["client"].combine_chunks())
    doubtful = [odd, hits[is_other], np.array([number for number, _, _ in read.rejects], np.int64)]
    is_doubtful = np.zeros(len(owner) and int(owner[-1]) + 1, np.bool_)
    is_doubtful[owner[np.concatenate(doubtful) - 1]] = True
    has_hits = np.zeros(len(is_doubtful), np.bool_)
    has_hits[owner[hits - 1]] = True
    return tuple(file for file in files if has_hits[file] and not is_doubtful[file])
