"""Lines first: a raw file, compressed or not, as blocks of physical lines.

Blocks hold 16 MiB of decompressed content up to the last line end, and 250,000 lines at most, so
that they, and all that is made of them, depend on the content alone. Nothing here knows a layout.
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.definitions import KEPT_OF_LONG_LINE, MAX_LINE_BYTES
from pipeline.errors import DataError
from pipeline.raw.content import Content, keep_end, read_content
from pipeline.raw.holes import Holes
from pipeline.raw.opening import DEFAULT_LIMITS, ReadLimits
from pipeline.text import shown

BLOCK_BYTES = 16 * 1024 * 1024
BLOCK_LINES = 250_000
_COMPARED_AT_ONCE = 1024 * 1024
"""Bytes: what they become lies in the processor's cache."""
_NO_ASCII = 0x80
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


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


@dataclass(frozen=True, slots=True)
class WholeFile:
    """A raw file of which every line was read."""

    content: Content
    lines: int
    tail_bytes: int
    """Length of a last line without its end."""
    nul_bytes: int
    """Of holes, which are no part of a line."""


@dataclass(frozen=True, slots=True)
class _Text:
    """Whole lines, ``data[:end]``; or what is kept of one line that is too long."""

    data: bytes
    end: int
    tail_bytes: int = 0
    is_too_long: bool = False


def read_blocks(
    path: Path,
    limits: ReadLimits = DEFAULT_LIMITS,
    on_read: Callable[[int], None] = lambda _: None,
) -> Generator[Block, None, WholeFile]:
    """Yield the file's lines; a damaged archive yields its readable part, then ends.

    ``on_read`` is told the raw bytes read, for progress.

    Raises:
        DataError: the file cannot be opened or read at all, or has too many lines.
    """
    ends: list[Content] = []
    holes, lines, tail_bytes = Holes(), 0, 0
    for text in _whole_lines(keep_end(read_content(path, limits, on_read), ends), holes):
        first, tail_bytes = lines + 1, text.tail_bytes
        if text.is_too_long:
            lines += 1
            yield _without_lines([(first, _readable(text.data))])
            continue
        starts = _line_starts(text.data, text.end)
        lines += len(starts) - 1
        if lines > limits.max_lines:
            raise DataError(
                f"{shown(path)}: has more than {limits.max_lines:,} lines: nothing of it was kept;"
                " split it, or set max_lines higher (each takes 4 bytes of memory)"
            )
        yield from _cut_blocks(text.data, starts, first)
    return WholeFile(ends[0], lines, tail_bytes, holes.skipped)


def _whole_lines(pieces: Iterable[bytes], holes: Holes) -> Iterator[_Text]:
    """Cut the content behind the last line end of each chunk, without its holes."""
    carry, is_begun = b"", False
    long_head: bytes | None = None  # the kept part of a line already over the limit
    for chunk in _chunks(pieces):
        data = b"".join([carry, *chunk])
        if not is_begun:  # Windows' editors and PowerShell mark UTF-8; it is no part of a line
            data, is_begun = data.removeprefix(_BYTE_ORDER_MARK), True
        if long_head is not None:
            end = data.find(b"\n")
            if end < 0:
                continue
            yield _Text(long_head, len(long_head), is_too_long=True)
            long_head, data = None, data[end + 1 :]
        data = holes.strip(data)
        end = data.rfind(b"\n") + 1
        carry = data[end:]
        if end:
            yield _Text(data, end)
        if len(carry) > MAX_LINE_BYTES + 1:
            long_head, carry = carry[:KEPT_OF_LONG_LINE], b""
    if long_head is not None:
        yield _Text(long_head, len(long_head), MAX_LINE_BYTES + 1, is_too_long=True)
    if carry := carry or holes.close():
        yield _Text(carry, len(carry), tail_bytes=len(carry))


def _chunks(pieces: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Cut the content into chunks of exactly 16 MiB, the last one shorter."""
    chunk: list[bytes] = []
    room = BLOCK_BYTES
    for piece in pieces:
        rest = piece
        while len(rest) >= room:
            yield [*chunk, rest[:room]]
            chunk, rest, room = [], rest[room:], BLOCK_BYTES
        chunk.append(rest)
        room -= len(rest)
    if room < BLOCK_BYTES:
        yield chunk


def _cut_blocks(data: bytes, starts: npt.NDArray[np.int32], first: int) -> Iterator[Block]:
    """Yield the lines that begin at ``starts``, the first of which has the number ``first``."""
    too_long: list[tuple[int, str]] = []
    line_no = np.arange(first, first + len(starts) - 1, dtype=np.int64)
    if np.diff(starts).max() > MAX_LINE_BYTES:
        data, line_no, too_long = _without_long_lines(data, starts, first)
        starts = _line_starts(data, len(data))
    for at in range(0, len(starts) - 1, BLOCK_LINES):
        some = starts[at : at + BLOCK_LINES + 1]
        numbers = line_no[at : at + BLOCK_LINES]
        before = [long for long in too_long if long[0] < numbers[-1]]
        too_long = too_long[len(before) :]
        yield Block(numbers, _to_text(data, some), before)
    if too_long:
        yield _without_lines(too_long)


def _without_lines(too_long: list[tuple[int, str]]) -> Block:
    return Block(NO_LINES.line_no, NO_LINES.lines, too_long)


def to_lines(data: bytes) -> pa.Array:
    """Lines of UTF-8 as strings with their ends."""
    return _to_text(data, _line_starts(data, len(data)))


def _line_starts(data: bytes, end: int) -> npt.NDArray[np.int32]:
    """Offsets ``(n + 1,)`` of the n lines in ``data[:end]``, line ends included."""
    text = np.frombuffer(data, np.uint8, end)
    parts = range(0, end, _COMPARED_AT_ONCE)
    newlines = [_find_newlines(text[at : at + _COMPARED_AT_ONCE]) + at for at in parts]
    starts = np.concatenate([np.array([-1]), *newlines]).astype(np.int32) + np.int32(1)
    return starts if starts[-1] == end else np.append(starts, np.int32(end))


def _find_newlines(text: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Where they are: words of eight bytes that have one are looked for first, as few have."""
    are_newlines = np.zeros(-(-len(text) // 8) * 8, np.bool_)
    np.equal(text, ord("\n"), out=are_newlines[: len(text)])
    words = are_newlines.view(np.uint64)
    some = np.flatnonzero(words != 0)
    found = np.flatnonzero(words[some].view(np.bool_))
    at: npt.NDArray[np.int64] = 8 * some[found // 8] + found % 8
    return at


def _to_text(data: bytes, starts: npt.NDArray[np.int32]) -> pa.Array:
    buffers = [None, pa.py_buffer(starts), pa.py_buffer(data)]
    kind = pa.string() if data.isascii() else pa.binary()  # ASCII is UTF-8, and sooner told
    try:
        return pa.Array.from_buffers(kind, len(starts) - 1, buffers).cast(pa.string())
    except pa.ArrowInvalid:
        return _to_text(*_readable_lines(data, starts))


def _readable_lines(
    data: bytes, starts: npt.NDArray[np.int32]
) -> tuple[bytes, npt.NDArray[np.int32]]:
    """The same lines, and where they begin, without bytes that are not UTF-8: few have some."""
    first, last = int(starts[0]), int(starts[-1])
    others = np.flatnonzero(np.frombuffer(data, np.uint8)[first:last] >= _NO_ASCII) + first
    lines = np.searchsorted(starts, others, "right") - 1
    lines = lines[np.flatnonzero(np.diff(lines, prepend=-1))]
    if 4 * len(lines) > len(starts):  # then all at once is sooner
        whole = _readable(data[first:last]).encode()
        return whole, _line_starts(whole, len(whole))
    lengths, pieces, kept = np.diff(starts, prepend=first), [], first
    for line in lines.tolist():
        begin, end = starts[line : line + 2].tolist()
        text = _readable(data[begin:end]).encode()
        if len(text) > end - begin:
            pieces += [data[kept:begin], text]
            lengths[line + 1], kept = len(text), end
    pieces.append(data[kept:last])
    return b"".join(pieces), np.cumsum(lengths, dtype=np.int32)


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
