"""Lines first: a raw file, compressed or not, as blocks of physical lines.

Blocks hold 16 MiB of decompressed content up to the last line end, and 250,000 lines at most, so
that they, and all that is made of them, depend on the content alone. Nothing here knows a layout.
"""

import errno
import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.definitions import KEPT_OF_LONG_LINE, MAX_LINE_BYTES
from pipeline.errors import DataError, PassingError
from pipeline.raw.archives import (
    LEAST_TO_TELL,
    MAGIC_BYTES,
    UnreadableError,
    decompress,
    find_decompressor,
    say_archive,
)
from pipeline.raw.files import (
    DEFAULT_LIMITS,
    HOLE_BYTES,
    SMALL_BYTES,
    OpenRaw,
    ReadLimits,
    open_raw,
    stored_bytes,
)
from pipeline.raw.holes import Holes
from pipeline.text import shown

BLOCK_BYTES = 16 * 1024 * 1024
BLOCK_LINES = 250_000
_LASTING = {errno.ENOENT, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR, errno.ELOOP}
"""Why a file can't be read that stays so until a person acts."""
_READ_BYTES = 1024 * 1024
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_UTF_16 = re.compile(rb"(?s)(?:\xff\xfe)?(?:[^\0]\0){8}|(?:\xfe\xff)?(?:\0[^\0]){8}")
"""The beginning of text in UTF-16 that a log can be, with its byte order mark or without."""
_LOOKED_AT = 4096
_LOOK_BYTES = 4 * 1024 * 1024  # before the first block is made into lines


@dataclass(frozen=True, slots=True)
class Block:
    """``n`` physical lines in file order.

    ``line_no`` (n,) counts from 1; ``lines`` are n strings with their line ends; ``too_long``
    holds ``(line_no, first 4 KiB)`` of lines over 16 MiB, which are not among the n.
    """

    line_no: npt.NDArray[np.int64]
    lines: pa.Array
    too_long: list[tuple[int, str]]


NO_LINES = Block(np.zeros(0, np.int64), pa.array([], pa.string()), [])


@dataclass(slots=True)
class RawFile:
    """A raw file being read once; digest and counts are complete after the last block."""

    path: Path
    on_read: Callable[[int], None] = lambda _: None
    """Told the raw bytes read, for progress."""
    limits: ReadLimits = DEFAULT_LIMITS
    lines: int = 0
    raw_bytes: int = 0
    content_bytes: int = 0
    tail_bytes: int = 0
    """Length of a last line without its end."""
    stat: list[int] = field(default_factory=list)
    """Size and time of change (ns) when it was opened, as ``lake.stat_of``."""
    damage: str | None = None
    """Why the rest could not be read, when only the first part could."""
    is_utf_16: bool = False
    """Whether it is text that must be converted first."""
    is_binary: bool = False
    """Whether its beginning is no text."""
    digest: Any = field(default_factory=hashlib.sha256)
    holes: Holes = field(default_factory=Holes)

    def blocks(self) -> Iterator[Block]:
        """Yield the file's lines; a damaged archive yields its readable part, then ends.

        Raises:
            DataError: the file cannot be opened or read at all.
        """
        carry, is_begun = b"", False
        long_head: bytes | None = None  # the kept part of a line already over the limit
        for pieces in self._chunks():
            data = b"".join([carry, *pieces])
            if not is_begun:  # Windows' editors and PowerShell mark UTF-8; it is no part of a line
                data, is_begun = data.removeprefix(_BYTE_ORDER_MARK), True
            if long_head is not None:
                end = data.find(b"\n")
                if end < 0:
                    continue
                yield self._long_line(long_head)
                long_head, data = None, data[end + 1 :]
            data = self.holes.strip(data)
            end = data.rfind(b"\n") + 1
            carry = data[end:]
            if end:
                yield from self._blocks(data, end)
            if len(carry) > MAX_LINE_BYTES + 1:
                long_head, carry = carry[:KEPT_OF_LONG_LINE], b""
        if long_head is not None:
            self.tail_bytes = MAX_LINE_BYTES + 1
            yield self._long_line(long_head)
        if carry := carry or self.holes.close():
            self.tail_bytes = len(carry)
            yield from self._blocks(carry, len(carry))

    def _blocks(self, data: bytes, end: int) -> Iterator[Block]:
        starts = _line_starts(data, end)
        too_long: list[tuple[int, str]] = []
        if np.diff(starts).max() > MAX_LINE_BYTES:
            data, line_no, too_long = _without_long_lines(data, starts, self.lines + 1)
            self.lines += len(starts) - 1
            starts = _line_starts(data, len(data))
        else:
            line_no = np.arange(self.lines + 1, self.lines + len(starts), dtype=np.int64)
            self.lines += len(line_no)
        self._check_lines()
        for at in range(0, len(starts) - 1, BLOCK_LINES):
            some = starts[at : at + BLOCK_LINES + 1]
            numbers = line_no[at : at + BLOCK_LINES]
            before = [long for long in too_long if long[0] < numbers[-1]]
            too_long = too_long[len(before) :]
            yield Block(numbers, _to_text(data, some), before)
        if too_long:
            yield Block(np.zeros(0, np.int64), pa.array([], pa.string()), too_long)

    def _long_line(self, head: bytes) -> Block:
        self.lines += 1
        empty = pa.array([], pa.string())
        return Block(np.zeros(0, np.int64), empty, [(self.lines, _readable(head))])

    def _chunks(self) -> Iterator[list[bytes]]:
        """Cut the content into chunks of exactly 16 MiB, the last one shorter."""
        pieces: list[bytes] = []
        room = BLOCK_BYTES
        for piece in self.content():
            rest = piece
            while len(rest) >= room:
                yield [*pieces, rest[:room]]
                pieces, rest, room = [], rest[room:], BLOCK_BYTES
            pieces.append(rest)
            room -= len(rest)
        if room < BLOCK_BYTES:
            yield pieces

    def content(self) -> Iterator[bytes]:
        """Yield the decompressed content in pieces, hashing and counting it.

        Raises:
            DataError: the file cannot be opened or read at all.
        """
        try:
            with open_raw(self.path) as raw:
                self.raw_bytes = raw.stat.st_size
                self.stat = [raw.stat.st_size, raw.stat.st_mtime_ns]
                self._check_holes(raw)
                for piece in _with_head(self._pieces(raw), LEAST_TO_TELL):
                    if not self.content_bytes:
                        self._look_at(piece)
                    self.digest.update(piece)
                    self.content_bytes += len(piece)
                    yield piece
                raw.check_unchanged()
        except UnreadableError as error:
            raise DataError(f"{shown(self.path)}: {error}: nothing of it was kept") from error
        except OSError as error:
            kind = DataError if error.errno in _LASTING else PassingError
            raise kind(f"{shown(self.path)}: cannot be read: {error.strerror or error}") from error

    def _look_at(self, beginning: bytes) -> None:
        """Find out what is no text of lines."""
        if archive := say_archive(beginning):
            what, remedy = archive
            raise DataError(f"{shown(self.path)}: {what}: nothing of it was kept; {remedy}")
        self.is_utf_16 = _UTF_16.match(beginning) is not None
        self.is_binary = not self.is_utf_16 and _is_binary(beginning)

    def _pieces(self, raw: OpenRaw) -> Iterator[bytes]:
        magic = raw.read(MAGIC_BYTES)
        raw.seek(0)
        start = find_decompressor(magic, self.limits.window_bytes)
        if not start:
            while piece := raw.read(_READ_BYTES):
                self.on_read(len(piece))
                yield piece
            return
        is_checked = False
        for piece in decompress(raw, start, self.on_read, self._note_damage):
            yield piece
            most_by_now = self.limits.max_content_ratio * (raw.stat.st_size - raw.left)
            if not is_checked and self.content_bytes > max(_LOOK_BYTES, most_by_now):
                is_checked = True  # now, and not after all of it was made into lines
                self._check_content(start)

    def _note_damage(self, reason: str) -> None:
        self.damage = reason

    def _check_content(self, start: Any) -> None:
        """Refuse an archive that holds more than archives of lines do."""
        most = max(SMALL_BYTES, self.limits.max_content_ratio * self.raw_bytes)
        count = nuls = 0
        with open_raw(self.path) as raw:
            for piece in decompress(raw, start, lambda _: None, lambda _: None):
                others = int(np.count_nonzero(np.frombuffer(piece, np.uint8)))
                count, nuls = count + others, nuls + len(piece) - others
                if max(count, count + nuls - HOLE_BYTES) > most:
                    raise self._refused(f"its {self.raw_bytes:,} bytes hold more than {most:,}")

    def _check_holes(self, raw: OpenRaw) -> None:
        """Refuse a file that is long by its holes, which read as zeros without end."""
        if self.raw_bytes > SMALL_BYTES:
            stored = stored_bytes(raw)
            if self.raw_bytes > self.limits.max_content_ratio * stored + HOLE_BYTES:
                raise self._refused(f"its {self.raw_bytes:,} bytes are {stored:,} and holes")

    def _refused(self, why: str) -> DataError:
        ratio = self.limits.max_content_ratio
        return DataError(
            f"{shown(self.path)}: {why}, over {ratio} times as much, as if made to fill a disk: not"
            " read further, nothing of it was kept; if it is a real log, set max_content_ratio"
            " higher"
        )

    def _check_lines(self) -> None:
        most = self.limits.max_lines
        if self.lines > most:
            raise DataError(
                f"{shown(self.path)}: has more than {most:,} lines: nothing of it was kept; split"
                " it, or set max_lines higher (each takes 4 bytes of memory)"
            )


def _with_head(pieces: Iterator[bytes], least: int) -> Iterator[bytes]:
    """The same pieces, the first of at least so many bytes where there are so many."""
    head = b""
    for piece in pieces:
        head += piece
        if len(head) >= least:
            break
    if head:
        yield head
    yield from pieces


def _is_binary(beginning: bytes) -> bool:
    """Whether more than a third of the characters can't be printed; NULs around it are a hole."""
    text = beginning.strip(b"\0")[:_LOOKED_AT].decode(errors="replace")
    odd = sum(not one.isprintable() or one == "\ufffd" for one in text if one not in "\t\r\n")
    return 3 * odd > len(text)


def _line_starts(data: bytes, end: int) -> npt.NDArray[np.int32]:
    """Offsets ``(n + 1,)`` of the n lines in ``data[:end]``, line ends included."""
    newlines = np.flatnonzero(np.frombuffer(data, np.uint8, end) == ord("\n"))
    starts = np.zeros(len(newlines) + 1, np.int32)
    starts[1:] = newlines + 1
    return starts if starts[-1] == end else np.append(starts, np.int32(end))


def _to_text(data: bytes, starts: npt.NDArray[np.int32]) -> pa.Array:
    buffers = [None, pa.py_buffer(starts), pa.py_buffer(data)]
    try:
        return pa.Array.from_buffers(pa.binary(), len(starts) - 1, buffers).cast(pa.string())
    except pa.ArrowInvalid:  # bytes that are not UTF-8
        text = _readable(data[int(starts[0]) : int(starts[-1])]).encode()
        return _to_text(text, _line_starts(text, len(text)))


def _readable(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")


def _without_long_lines(
    data: bytes, starts: npt.NDArray[np.int32], first: int
) -> tuple[bytes, npt.NDArray[np.int64], list[tuple[int, str]]]:
    kept, line_no, too_long = [], [], []
    for number, (start, end) in enumerate(pairwise(starts.tolist()), first):
        line = data[start:end]
        if len(line.removesuffix(b"\n").removesuffix(b"\r")) > MAX_LINE_BYTES:
            too_long.append((number, _readable(line[:KEPT_OF_LONG_LINE])))
        else:
            kept.append(line)
            line_no.append(number)
    return b"".join(kept), np.array(line_no, np.int64), too_long
