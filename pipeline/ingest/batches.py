"""Many small raw files become hits and accountings at once, where each leaves no doubt by itself.

What comes of a file is what ``staging`` makes of it alone; a file that is in any doubt is left to
that. Nothing of them is in the lake yet.
"""

import time
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.days import EPOCH
from pipeline.errors import TidegaugeError
from pipeline.formats.layouts import forwarded_kind
from pipeline.formats.together import Texts, Together, read_together
from pipeline.ingest.deduplication import NewFile, with_lines
from pipeline.ingest.overlaps import hash_lines
from pipeline.ingest.staging import Counts, Reading, connection_of_thread, make_record
from pipeline.lake.ledger import FileRecord, key_of
from pipeline.lake.packs import MOST_BYTES, Rows
from pipeline.raw.blocks import Block, to_lines
from pipeline.raw.content import Content, read_content, read_whole
from pipeline.raw.files import Origin

_Ints = npt.NDArray[np.int64]
_DAY_BITS = 20
"""Days since 1970 up to the year 2099 are fewer."""
_DAY_MASK = (1 << _DAY_BITS) - 1


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


def stage_together(
    files: Sequence[tuple[Path, Origin, bool]],
    how: Reading,
    find_known: Callable[[Iterable[str]], Container[str]],
) -> tuple[dict[Path, NewFile], dict[Path, tuple[Sequence[int], str]]]:
    """Read those of some files of one source and layout that are small and leave no doubt.

    Args:
        files: paths, what is said of each, and whether the source is what its name says.
        how: they are read.
        find_known: tells of some keys those whose file need not be read.

    Returns:
        The new ones; and of those that are known their stat and key.
    """
    started = time.monotonic()
    read = [small for file in files if (small := _read(*file, how))]
    there = find_known([small.file_key for small in read])
    smalls = [small for small in read if small.file_key not in there]
    known: dict[Path, tuple[Sequence[int], str]] = {
        one.path: (one.content.stat, one.file_key) for one in read if one.file_key in there
    }
    if not smalls:
        return {}, known
    texts = [small.text if small.text.endswith(b"\n") else small.text + b"\n" for small in smalls]
    lines = to_lines(b"".join(texts))
    starts = np.cumsum([0, *(text.count(b"\n") for text in texts)])
    owner = np.repeat(np.arange(len(smalls)), np.diff(starts))
    hashes = hash_lines(Block(np.arange(len(lines)), lines, []), how.maker.key.line_key)
    origin = smalls[0].origin
    both = Texts(lines, owner, [small.head for small in smalls])
    found: dict[Path, NewFile] = {}
    for one in read_together(connection_of_thread(), both, origin.layout, origin.zone):
        for file, record, hits in _account(one, smalls, both, starts, how):
            its = with_lines(record, hashes[starts[file] : starts[file + 1]])
            small = smalls[file]
            found[small.path] = NewFile(record, its, hits, None, small.path, small.content.stat)
    took = round((time.monotonic() - started) * 1000 / len(smalls))
    for path, new in found.items():
        found[path] = replace(new, record=replace(new.record, duration_ms=took))
    return found, known


def _read(path: Path, origin: Origin, is_by_name: bool, how: Reading) -> _Small | None:
    """A small file's content; None when there is anything odd about it."""
    try:
        pieces: list[bytes] = []
        _, content = read_whole(read_content(path, how.limits), pieces.extend)
        text = b"".join(pieces)
        is_odd = content.damage or content.is_utf_16 or content.is_binary or b"\0" in text
        if is_odd or not text or len(text) > MOST_BYTES or text.startswith(b"\xef\xbb\xbf"):
            return None
        text.decode()
    except (TidegaugeError, OSError, UnicodeDecodeError):
        return None  # said when it is read by itself
    how.on_read(content.stat[0])
    return _Small(path, origin, content, text, is_by_name)


def _account(
    one: Together, smalls: Sequence[_Small], texts: Texts, starts: _Ints, how: Reading
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
    hits = hits.set_column(0, "line_no", pa.array(line_no - starts[owner]))
    cells = owner << _DAY_BITS | days
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
    by_file = groupby(cuts, key=lambda cut: cut[0] >> _DAY_BITS)
    for (file, its), span in zip(by_file, spans, strict=True):
        shares, rows = {}, {}
        for cell, start, stop, first_line in its:
            day = cell & _DAY_MASK
            shares[day] = (int(stop - start), first_line)
            rows[str(EPOCH + timedelta(days=day))] = Rows(hits, int(start), int(stop))
        small = smalls[file]
        counts = Counts(
            int(starts[file + 1] - starts[file]), int(blank[file]), int(directives[file]), {},
            shares, span, None, small.tail_bytes, 0,
        )  # fmt: skip
        record = make_record(small.path, small.origin, how.maker, small.content, one.layout, counts)
        yield file, replace(record, source_by_name=small.is_source_by_name), rows
