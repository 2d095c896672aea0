"""The content of a raw file: decompressed, hashed, and refused where it is made to fill a disk.

Nothing here knows a line.
"""

import errno
import hashlib
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from pipeline.definitions import SMALL_BYTES
from pipeline.errors import DataError, PassingError
from pipeline.raw.archives import (
    LEAST_TO_TELL,
    MAGIC_BYTES,
    UnreadableError,
    decompress,
    find_decompressor,
    say_archive,
)
from pipeline.raw.opening import (
    DEFAULT_LIMITS,
    HOLE_BYTES,
    OpenRaw,
    ReadLimits,
    open_raw,
    stored_bytes,
)
from pipeline.text import shown

_LASTING = {errno.ENOENT, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR, errno.ELOOP}
"""Why a file can't be read that stays so until a person acts."""
_READ_BYTES = 1024 * 1024
_BLANKS = dict.fromkeys(map(ord, "\t\r\n"))
_LOOKED_AT = 4096
_LOOK_BYTES = 4 * 1024 * 1024  # before the first block is made into lines

_Item = TypeVar("_Item")
_End = TypeVar("_End")
_Made = TypeVar("_Made")


@dataclass(frozen=True, slots=True)
class Content:
    """What a raw file turned out to be when all of it was read."""

    stat: tuple[int, int]
    """Size and time of change (ns) when it was opened, as ``ledger.stat_of``."""
    content_bytes: int
    sha256: str
    """Of the decompressed content."""
    damage: str | None
    """Why the rest could not be read, when only the first part could."""
    is_binary: bool
    """Whether its beginning is no text."""


def read_content(
    path: Path,
    limits: ReadLimits = DEFAULT_LIMITS,
    on_read: Callable[[int], None] = lambda _: None,
) -> Generator[bytes, None, Content]:
    """Yield the decompressed content in pieces; a damaged archive's readable part.

    ``on_read`` is told the raw bytes read, for progress.

    Raises:
        DataError: the file cannot be opened or read at all.
    """
    digest, size, damage = hashlib.sha256(), 0, list[str]()
    is_binary = False
    try:
        with open_raw(path) as raw:
            _check_holes(raw, limits)
            for piece in _with_head(_pieces(raw, limits, on_read, damage.append), LEAST_TO_TELL):
                if not size:
                    _refuse_archive(path, piece)
                    is_binary = _is_binary(piece)
                digest.update(piece)
                size += len(piece)
                yield piece
            raw.check_unchanged()
            stat = raw.stat
    except UnreadableError as error:
        raise DataError(f"{shown(path)}: {error}: nothing of it was kept") from error
    except OSError as error:
        kind = DataError if error.errno in _LASTING else PassingError
        raise kind(f"{shown(path)}: cannot be read: {error.strerror or error}") from error
    return Content(
        (stat.st_size, stat.st_mtime_ns), size, digest.hexdigest(), next(iter(damage), None),
        is_binary,
    )  # fmt: skip


def keep_end(items: Generator[_Item, None, _End], ends: list[_End]) -> Iterator[_Item]:
    """The same items; what the generator returns is added to ``ends``, as a loop drops it."""
    ends.append((yield from items))


def read_whole(
    items: Generator[_Item, None, _End], use: Callable[[Iterator[_Item]], _Made]
) -> tuple[_Made, _End]:
    """What ``use`` makes of a file's blocks or pieces, and what is known when all were read.

    What ``use`` leaves is read, too.
    """
    ends: list[_End] = []
    passed_on = keep_end(items, ends)
    made = use(passed_on)
    deque(passed_on, maxlen=0)
    return made, ends[0]


def _refuse_archive(path: Path, beginning: bytes) -> None:
    if archive := say_archive(beginning):
        what, remedy = archive
        raise DataError(f"{shown(path)}: {what}: nothing of it was kept; {remedy}")


def _pieces(
    raw: OpenRaw,
    limits: ReadLimits,
    on_read: Callable[[int], None],
    on_damage: Callable[[str], None],
) -> Iterator[bytes]:
    start = find_decompressor(raw.read(MAGIC_BYTES), limits.window_bytes)
    raw.seek(0)
    if not start:
        while piece := raw.read(_READ_BYTES):
            on_read(len(piece))
            yield piece
        return
    size, is_checked = 0, False
    for piece in decompress(raw, start, on_read, on_damage):
        yield piece
        size += len(piece)
        most_by_now = limits.max_content_ratio * (raw.stat.st_size - raw.left)
        if not is_checked and size > max(_LOOK_BYTES, most_by_now):
            is_checked = True  # now, and not after all of it was made into lines
            _check_content(raw, start, limits)


def _check_content(opened: OpenRaw, start: Any, limits: ReadLimits) -> None:
    """Refuse an archive that holds more than archives of lines do."""
    raw_bytes = opened.stat.st_size
    most = max(SMALL_BYTES, limits.max_content_ratio * raw_bytes)
    count = nuls = 0
    with open_raw(opened.path) as raw:
        for piece in decompress(raw, start, lambda _: None, lambda _: None):
            others = int(np.count_nonzero(np.frombuffer(piece, np.uint8)))
            count, nuls = count + others, nuls + len(piece) - others
            if max(count, count + nuls - HOLE_BYTES) > most:
                raise _refused(raw.path, f"its {raw_bytes:,} bytes hold more than {most:,}", limits)


def _check_holes(raw: OpenRaw, limits: ReadLimits) -> None:
    """Refuse a file that is long by its holes, which read as zeros without end."""
    raw_bytes = raw.stat.st_size
    if raw_bytes > SMALL_BYTES:
        stored = stored_bytes(raw)
        if raw_bytes > limits.max_content_ratio * stored + HOLE_BYTES:
            raise _refused(raw.path, f"its {raw_bytes:,} bytes are {stored:,} and holes", limits)


def _refused(path: Path, why: str, limits: ReadLimits) -> DataError:
    return DataError(
        f"{shown(path)}: {why}, over {limits.max_content_ratio} times as much, as if made to fill a"
        " disk: not read further, nothing of it was kept; if it is a real log, set"
        " max_content_ratio higher"
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
    shown = text.translate(_BLANKS)
    if shown.isprintable() and "\ufffd" not in shown:  # as of nearly every log
        return False
    odd = sum(not one.isprintable() or one == "\ufffd" for one in shown)
    return 3 * odd > len(text)
