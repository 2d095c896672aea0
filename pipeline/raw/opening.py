"""How a raw file is opened and read, and how much of it.

Only regular files are ever opened: a named pipe would block, a device may never end, and reading
either takes something away.
"""

from __future__ import annotations

import errno
import io
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.definitions import MAX_CONTENT_RATIO, MAX_LINES, MEMORY_LIMIT_MB
from pipeline.errors import DataError, PassingError
from pipeline.raw.archives import LEAST_WINDOW_BYTES, WINDOW_SHARE
from pipeline.text import shown

_HEAD_BYTES = 64 * 1024
_MOST_EXTENTS = 10_000
_MB_OF_TWO_FILES = 1000
_KINDS = {
    stat.S_IFIFO: "a named pipe (FIFO)",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """How much one raw file may hold; beyond, it is refused."""

    max_content_ratio: int = MAX_CONTENT_RATIO
    max_lines: int = MAX_LINES
    memory_mb: int = MEMORY_LIMIT_MB
    """Of which a zst's window may take a part; a file that is read takes some 400."""

    @property
    def files_at_once(self) -> int:
        """How many files are read side by side: two keep two processors busier than one."""
        return 2 if self.memory_mb >= _MB_OF_TWO_FILES else 1

    @property
    def window_bytes(self) -> int:
        """The largest window of a zst."""
        return max(LEAST_WINDOW_BYTES, self.memory_mb * 1024**2 // WINDOW_SHARE)


DEFAULT_LIMITS = ReadLimits()
NO_LIMITS = ReadLimits(sys.maxsize, sys.maxsize, sys.maxsize)
"""For files that were read under limits already."""
HOLE_BYTES = 4 * 1024**3
"""Nor are so many NULs: a log that was cut while its server wrote on has a hole of all before."""


def why_not(mode: int) -> str:
    """Why a file of this type is not read."""
    kind = _KINDS.get(stat.S_IFMT(mode), "no regular file")
    advice = "; write its content to a file" if stat.S_ISFIFO(mode) else ""
    return f"is {kind}, no raw log: not opened{advice}"


@dataclass
class OpenRaw:
    """A raw file as it was when it was opened: what is appended meanwhile is not read."""

    path: Path
    file: io.FileIO
    stat: os.stat_result
    head: bytes
    left: int

    def read(self, size: int, /) -> bytes:
        """Give up to ``size`` bytes, none at the end."""
        data = self.file.read(min(size, self.left))
        self.left -= len(data)
        return data

    def seek(self, offset: int, /) -> int:
        """Go to a place."""
        self.left = self.stat.st_size - offset
        return self.file.seek(offset)

    def check_unchanged(self) -> None:
        """Refuse what was read of a file that was cut or written anew meanwhile, not appended to.

        Raises:
            PassingError: the lines read are not those of the file at any one time.
        """
        number = self.file.fileno()
        is_cut = os.fstat(number).st_size < self.stat.st_size
        if is_cut or os.pread(number, len(self.head), 0) != self.head:
            raise PassingError(
                f"{shown(self.path)}: was cut or written anew while it was read (copytruncate?);"
                " nothing of it was kept, the next run reads it again"
            )


@contextmanager
def open_raw(path: Path) -> Iterator[OpenRaw]:
    """Open a regular file, never anything else.

    Raises:
        DataError: it is a pipe, a socket, a device, a folder or has no size.
        OSError: it can't be opened or read.
    """
    _check_regular(path, path.stat())
    # Should a pipe have taken its place since, opening does not block.
    with io.FileIO(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        number = file.fileno()
        at_open = os.fstat(number)
        _check_regular(path, at_open)
        head = os.pread(number, min(_HEAD_BYTES, at_open.st_size) or 1, 0)
        if not at_open.st_size and head and not os.fstat(number).st_size:
            raise DataError(
                f"{shown(path)}: has content but no size, as under /proc: copy it first"
            )
        yield OpenRaw(path, file, at_open, head[: at_open.st_size], at_open.st_size)


def _check_regular(path: Path, found: os.stat_result) -> None:
    if stat.S_ISDIR(found.st_mode):
        os.scandir(path).close()  # says what is wrong with a folder that could not be searched
    if not stat.S_ISREG(found.st_mode):
        raise DataError(f"{shown(path)}: {why_not(found.st_mode)}")


def stored_bytes(raw: OpenRaw) -> int:
    """What the file holds on disk; less than its size when it has holes.

    A file system that knows of no holes answers the size.
    """
    number, size = raw.file.fileno(), raw.stat.st_size
    stored, at = 0, 0
    try:
        for _ in range(_MOST_EXTENTS):
            start = os.lseek(number, at, os.SEEK_DATA)
            at = os.lseek(number, start, os.SEEK_HOLE)
            stored += min(at, size) - start
            if at >= size:
                return stored
    except OSError as error:
        if error.errno == errno.ENXIO:  # nothing but a hole is left
            return stored
    finally:
        raw.seek(0)
    return size
