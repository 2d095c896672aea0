"""Many small raw files become hits and accountings at once, where each leaves no doubt by itself.

What comes of a file is what ``staging`` makes of it alone; a file that is in any doubt is left to
that. Nothing of them is in the lake yet.
"""

import time
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import groupby
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.days import EPOCH
from pipeline.enrich.hits import local_days
from pipeline.errors import DataError, TidegaugeError
from pipeline.formats.headers import HeaderLayout
from pipeline.formats.layouts import forwarded_kind
from pipeline.formats.together import JoinedLines, ReadTogether, read_together
from pipeline.formats.zoneless import find_zoneless
from pipeline.ingest.deduplication import NewFile
from pipeline.ingest.file_days import FileDays
from pipeline.ingest.neighbours import with_lines
from pipeline.ingest.overlaps import hash_lines
from pipeline.ingest.staging import (
    Counts,
    Reading,
    connection_of_thread,
    find_proxied,
    make_record,
)
from pipeline.lake.ledger import FileRecord, key_of
from pipeline.lake.packs import MOST_BYTES, Rows
from pipeline.raw.blocks import Block, to_lines
from pipeline.raw.content import Content, read_content, read_whole
from pipeline.raw.files import Origin
from pipeline.raw.opening import ReadLimits
from pipeline.raw.rotation import PACKED
from pipeline.tables import HITS

_BATCH_FILES = 4_000
_BATCH_BYTES = 32 * 1024 * 1024
"""Of content, about: what is made of a batch is in memory until it is in the lake."""
_PACKED = 8
"""So many times its bytes a compressed log holds, about."""
_Ints = npt.NDArray[np.int64]
_DAY_BITS = 20
_DAY_MASK = (1 << _DAY_BITS) - 1
_FIRST_DAY = -1
"""Since 1970: the last one of 1969, where the first instant of 1970 may be one of its."""


@dataclass(frozen=True)
class _Small:
    path: Path
    origin: Origin
    content: Content
    text: bytes
    is_source_by_name: bool

    @property
    def file_key(self) -> str:
        """As of its record."""
        return key_of(self.origin.source, self.content.sha256)

    @property
    def tail_bytes(self) -> int:
        """Length of a last line without its end."""
        return len(self.text) - self.text.rfind(b"\n") - 1

    @property
    def head(self) -> bytes:
        """Its first lines that begin with ``#``."""
        end = 0
        while self.text.startswith(b"#", end):
            end = self.text.find(b"\n", end) + 1 or len(self.text)
        return self.text[:end]


def group_small(files: Sequence[tuple[Path, Origin | None]]) -> Iterator[list[int]]:
    """Files that are read together, by number: small ones that are alike; each other one alone.

    ``files`` with what is said of them; None: that one is read alone.
    """
    batch: list[int] = []
    n_bytes = 0
    for number, (path, origin) in enumerate(files):
        size = _guess_bytes(path) if origin else None
        is_full = n_bytes + (size or 0) > _BATCH_BYTES or len(batch) == _BATCH_FILES
        if batch and (size is None or is_full or not _are_alike(files[batch[0]][1], origin)):
            yield batch
            batch, n_bytes = [], 0
        if size is None:
            yield [number]
        else:
            batch.append(number)
            n_bytes += size
    if batch:
        yield batch


def _are_alike(one: Origin | None, other: Origin | None) -> bool:
    """Whether files are read in the same way; whose they are and where from is each one's own."""
    return bool(one and other and (one.layout, one.timezone) == (other.layout, other.timezone))


def _guess_bytes(path: Path) -> int | None:
    """About how much a file holds that may be small."""
    try:
        size = path.stat().st_size
    except OSError:
        return None
    return size * (_PACKED if PACKED.search(path.name) else 1) if size <= MOST_BYTES else None


def look_together(
    files: Sequence[tuple[Path, Origin]], zone: ZoneInfo, limits: ReadLimits
) -> dict[Path, FileDays]:
    """The local days of small files that leave no doubt; see ``file_days``."""
    found: dict[Path, FileDays] = {}
    for its in group_small(files):
        if len(its) > 1:
            smalls = _read_small([(*files[n], False) for n in its], limits)
            found |= _look(smalls, zone) if smalls else {}
    return found


def _look(smalls: Sequence[_Small], zone: ZoneInfo) -> dict[Path, FileDays]:
    texts, _ = _join(smalls)
    origin, found = smalls[0].origin, {}
    for one in read_together(connection_of_thread(), texts, origin.layout, origin.zone):
        owner = texts.owner[one.read.hits["line_no"].to_numpy() - 1]
        days = local_days(one.read.hits["ts"].cast(pa.int64()).to_numpy() // 1_000_000, zone)
        cells = np.unique(owner << _DAY_BITS | days - _FIRST_DAY)
        by_file: dict[int, set[date]] = {file: set() for file in one.files}
        for cell in cells.tolist():
            if (file := cell >> _DAY_BITS) in by_file:
                by_file[file].add(EPOCH + timedelta(days=(cell & _DAY_MASK) + _FIRST_DAY))
        for file, its in by_file.items():
            sha256 = smalls[file].content.sha256
            found[smalls[file].path] = FileDays(frozenset(its), is_whole=True, sha256=sha256)
    return found


def _join(smalls: Sequence[_Small]) -> tuple[JoinedLines, _Ints]:
    """Their lines one after the other; and where each file's begin, and the last one's end."""
    texts = [small.text if small.text.endswith(b"\n") else small.text + b"\n" for small in smalls]
    starts = np.cumsum([0, *(text.count(b"\n") for text in texts)])
    owner = np.repeat(np.arange(len(smalls)), np.diff(starts))
    return JoinedLines(to_lines(b"".join(texts)), owner, [small.head for small in smalls]), starts


def stage_together(
    files: Sequence[tuple[Path, Origin, bool]],
    how: Reading,
    find_known: Callable[[Iterable[str]], Container[str]],
) -> tuple[dict[Path, NewFile], dict[Path, tuple[Sequence[int], str]]]:
    """Read those of some files of one layout and zone that are small and leave no doubt.

    Args:
        files: paths, what is said of each, and whether the source is what its name says.
        how: they are read.
        find_known: tells of some keys those whose file need not be read.

    Returns:
        The new ones; and of those that are known their stat and key.
    """
    started = time.monotonic()
    read = _read_small(files, how.limits)
    for small in read:
        how.on_read(small.content.stat[0])
    there = find_known([small.file_key for small in read])
    smalls = [small for small in read if small.file_key not in there]
    known: dict[Path, tuple[Sequence[int], str]] = {
        one.path: (one.content.stat, one.file_key) for one in read if one.file_key in there
    }
    if not smalls:
        return {}, known
    both, starts = _join(smalls)
    block = Block(np.arange(len(both.lines)), both.lines, [])
    hashes, origin = hash_lines(block, how.maker.key.line_key), smalls[0].origin
    found: dict[Path, NewFile] = {}
    for one in read_together(connection_of_thread(), both, origin.layout, origin.zone):
        for file, record, hits in _account(one, smalls, both, starts, how):
            if not record.balances:  # said when it is read by itself
                continue
            its = with_lines(record, hashes[starts[file] : starts[file + 1]])
            small = smalls[file]
            found[small.path] = NewFile(record, its, hits, None, small.path, small.content.stat)
    took = round((time.monotonic() - started) * 1000 / len(smalls))
    for path, new in found.items():
        found[path] = replace(new, record=replace(new.record, duration_ms=took))
    return found, known


def _read_small(files: Iterable[tuple[Path, Origin, bool]], limits: ReadLimits) -> list[_Small]:
    """Those that are small, and no more of them than may be in memory: sizes were guessed."""
    found: list[_Small] = []
    n_bytes = 0
    for path, origin, is_by_name in files:
        if n_bytes > 2 * _BATCH_BYTES:
            break
        if small := _read(path, origin, is_by_name, limits):
            found.append(small)
            n_bytes += len(small.text)
    return found


def _read(path: Path, origin: Origin, is_by_name: bool, limits: ReadLimits) -> _Small | None:
    """A small file's content; None when there is anything odd about it."""
    try:
        text, content = read_whole(read_content(path, limits), _join_small)
        is_odd = content.damage or content.is_binary or b"\0" in text
        if is_odd or not text or text.startswith(b"\xef\xbb\xbf"):
            return None
        text.decode()
    except (TidegaugeError, OSError, UnicodeDecodeError):
        return None  # said when it is read by itself
    return _Small(path, origin, content, text, is_by_name)


def _join_small(pieces: Iterable[bytes]) -> bytes:
    text = bytearray()
    for piece in pieces:
        text += piece
        if len(text) > MOST_BYTES:  # of a small archive there may be a thousand times as much
            raise DataError("it is large")
    return bytes(text)


def _account(
    one: ReadTogether, smalls: Sequence[_Small], texts: JoinedLines, starts: _Ints, how: Reading
) -> Iterator[tuple[int, FileRecord, dict[str, Rows]]]:
    """Each of the files with its record and its hits by day."""
    is_sure = np.zeros(len(smalls), np.bool_)
    is_sure[list(one.files)] = True
    line_no = one.read.hits["line_no"].to_numpy()
    fields = one.read.hits
    if len(one.files) < len(smalls):
        fields = fields.filter(pa.array(is_sure[texts.owner[line_no - 1]]))
    hits, days = how.maker.make_hits(fields, smalls[0].origin.source, forwarded_kind(one.layout))
    line_no = hits["line_no"].to_numpy()
    owner = texts.owner[line_no - 1]
    unheeded, private = (
        np.bincount(owner[found], minlength=len(smalls)) for found in find_proxied(fields, hits)
    )
    hits = hits.set_column(0, "line_no", pa.array(line_no - starts[owner]))
    sources = pa.array([small.origin.source for small in smalls]).dictionary_encode()
    place = hits.schema.get_field_index("source")
    hits = hits.set_column(place, HITS.field("source"), sources.take(pa.array(owner)))
    cells = owner << _DAY_BITS | days - _FIRST_DAY
    if (np.diff(cells) < 0).any():  # a file whose days are in no order
        order = np.argsort(cells, kind="stable")
        hits, cells, owner = hits.take(pa.array(order)), cells[order], owner[order]
    begins = np.flatnonzero(np.diff(cells, prepend=-1))
    first_lines = hits["line_no"].to_numpy()[begins].tolist()
    instants = hits["ts"].cast(pa.int64()).to_numpy()
    firsts = np.flatnonzero(np.diff(owner, prepend=-1))
    spans = zip(
        np.minimum.reduceat(instants, firsts).tolist(),
        np.maximum.reduceat(instants, firsts).tolist(),
        strict=True,
    )
    cuts = zip(cells[begins].tolist(), begins, [*begins[1:], len(cells)], first_lines, strict=True)
    blank, directives = (
        np.bincount(texts.owner[np.array(numbers, np.int64) - 1], minlength=len(smalls))
        for numbers in (one.read.blank, one.read.directives)
    )
    is_zoneless = _find_zoneless(one, smalls[0].origin, texts)
    by_file = groupby(cuts, key=lambda cut: cut[0] >> _DAY_BITS)
    for (file, its), span in zip(by_file, spans, strict=True):
        shares, rows = {}, {}
        for cell, start, stop, first_line in its:
            day = (cell & _DAY_MASK) + _FIRST_DAY
            shares[day] = (int(stop - start), first_line)
            rows[str(EPOCH + timedelta(days=day))] = Rows(hits, int(start), int(stop))
        small = smalls[file]
        counts = Counts(
            int(starts[file + 1] - starts[file]), int(blank[file]), int(directives[file]), {},
            shares, span, None, small.tail_bytes, 0, int(unheeded[file]),
            int(private[file]),
        )  # fmt: skip
        record = make_record(small.path, small.origin, how.maker, small.content, one.layout, counts)
        record = replace(
            record, source_by_name=small.is_source_by_name, is_zoneless=file in is_zoneless
        )
        yield file, record, rows


def _find_zoneless(one: ReadTogether, origin: Origin, texts: JoinedLines) -> set[int]:
    """The files whose times are taken for UTC as nothing says their zone: by their first lines."""
    if origin.zone or isinstance(one.layout, HeaderLayout):
        return set()
    firsts = np.searchsorted(texts.owner, one.files)
    rows, flags = find_zoneless(connection_of_thread(), one.layout, texts.lines.take(firsts))
    return {one.files[row] for row in rows[flags].tolist()}
