"""Decompression of gz, bz2, xz and zst in bounded memory, as far as an archive can be read.

What is compressed or packed in another way is told by its first bytes, too: to be refused.
"""

import bz2
import lzma
import re
import tarfile
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

import zstandard
from isal import igzip_lib

from pipeline.text import keep

_PIECE_BYTES = 1024 * 1024
"""No piece is longer, but a zst's: up to 32 MiB, by the format's blocks of 128 KiB in 4 bytes."""
_READ_BYTES = 64 * 1024
_BZ2_UNIT_BYTES = 100_000
"""The digit behind ``BZh`` is a block's size in these."""
_ZSTD_FEED_BYTES = 1024
_MOST_WINDOW_BYTES = 2 * 1024**3  # zstd --long=31
LEAST_WINDOW_BYTES = 128 * 1024**2
"""Is always in memory: what `zstd -d` reads without being asked to, as `--long` writes it."""
WINDOW_SHARE = 4
"""So many windows fit into the memory set: two files are read at once, beside their hits."""
_ZSTD_FRAME = b"\x28\xb5\x2f\xfd"
_ZSTD_HEADER_BYTES = 18
_XZ_MEMORY_BYTES = 256 * 1024 * 1024  # xz -9 asks for 65 MiB; a header may ask for 4 GiB


class Compressed(Protocol):
    """What an archive is read from."""

    def read(self, size: int, /) -> bytes:
        """Give up to ``size`` bytes, none at the end."""

    def seek(self, offset: int, /) -> int:
        """Go to a place."""


class UnreadableError(Exception):
    """A sound archive that can't be read here: why, and what to do."""


class _ZstdMember:
    """A frame, with the methods of the other decompressors; its pieces are bounded by the feed.

    Compressed: RFC 8878, section 3.1.1.1 (its header).
    """

    needs_input = True

    def __init__(self, window_bytes: int) -> None:
        """Hold up to ``window_bytes`` of what it gave."""
        whole = zstandard.ZstdDecompressor(max_window_size=_MOST_WINDOW_BYTES)
        self._frame = whole.decompressobj()
        self._header, self._given = b"", 0
        self._window_bytes = window_bytes

    def decompress(self, data: bytes, _max_length: int) -> bytes:
        self._header = (self._header + data)[:_ZSTD_HEADER_BYTES]
        try:
            piece: bytes = self._frame.decompress(data)
        except zstandard.ZstdError as error:
            if why := self._say_demand():
                raise UnreadableError(why) from error
            raise
        self._given += len(piece)
        if self._given > self._window_bytes:
            self._check_window()
        return piece

    def _check_window(self) -> None:
        """Refuse a window that will not fit: only as much of it as was given is in memory yet."""
        needed = zstandard.get_frame_parameters(self._header).window_size
        if needed > self._window_bytes:
            raise UnreadableError(
                f"needs a window of {needed / 1024**2:,.0f} MiB, over"
                f" {self._window_bytes / 1024**2:,.0f}; decompress it first (zstd -d --long=31),"
                f" or set memory_limit_mb to {-(-needed * WINDOW_SHARE // 1024**2)} or more"
            )

    def _say_demand(self) -> str | None:
        """What the frame needs that is not here; None of what is no frame."""
        if not self._header.startswith(_ZSTD_FRAME):
            return None
        descriptor, window = [*self._header, *bytes(6)][4:6]
        if descriptor & 3:
            return "needs the dictionary that it was compressed with; decompress it first"
        exponent, mantissa = window >> 3, window & 7
        needed = (1 << (10 + exponent)) * (8 + mantissa) // 8
        if not descriptor & 32 and needed > _MOST_WINDOW_BYTES:
            return (
                f"needs a window of {needed / 1024**3:g} GiB, over {_MOST_WINDOW_BYTES >> 30};"
                " decompress it first (zstd -d --memory=...), or write it with --long=31 or less"
            )
        return None

    @property
    def eof(self) -> bool:
        return bool(self._frame.eof)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._frame.unused_data)


_ISAL_ERROR: type[Exception] = igzip_lib.IsalError  # type: ignore[assignment]  # typed as an instance
_ARCHIVE_ERRORS = (
    EOFError,
    OSError,
    _ISAL_ERROR,
    lzma.LZMAError,
    zstandard.ZstdError,
)
_KINDS: dict[bytes, Any] = {
    b"\x1f\x8b": lambda: igzip_lib.IgzipDecompressor(igzip_lib.DECOMP_GZIP),
    b"BZh[1-9](1AY&SY|\x17\x72E8P\x90)": bz2.BZ2Decompressor,
    b"\xfd7zXZ\0": lambda: lzma.LZMADecompressor(memlimit=_XZ_MEMORY_BYTES),
    rb"\(\xb5/\xfd|[\x50-\x5f]\*M\x18": _ZstdMember,  # a frame, or one to skip, as pzstd writes
}
_OTHERS = {
    b"PK\3\4": ("is a zip archive, which may hold several files", "unzip it first"),
    b"7z\xbc\xaf\x27\x1c": ("is a 7z archive, which may hold several files", "unpack it first"),
    b"Rar!\x1a\7": ("is a rar archive, which may hold several files", "unpack it first"),
    b"\x1f\x9d": ("is compressed by `compress`, which is not read", "uncompress it first"),
    b"LZIP\1": ("is compressed by lzip, which is not read", "decompress it first"),
    b"\x89LZO\0": ("is compressed by lzop, which is not read", "decompress it first"),
    b"\4\x22M\x18": ("is compressed by lz4, which is not read", "decompress it first"),
}
_TAR = ("is a tar archive, which may hold several files", "unpack it first (tar -xf)")
_TWICE = ("is compressed twice", "decompress it once")
_CR = ("has lines that end in CR alone", "make them end in LF first (tr '\\r' '\\n')")
_FEW_CR = 3
_WIDE = ("UTF-32LE", "UTF-32BE", "UTF-16LE", "UTF-16BE")  # as iconv has them; a mark says no more
_LEAST_CHARACTERS = 8
LEAST_TO_TELL = tarfile.BLOCKSIZE
"""So many bytes tell what content is."""
MAGIC_BYTES = 10


def find_decompressor(magic: bytes, window_bytes: int = LEAST_WINDOW_BYTES) -> Any:
    """What makes decompressors for an archive with these first bytes; a name proves nothing.

    That of a zst takes up to ``window_bytes`` of memory.
    """
    start = next((start for mark, start in _KINDS.items() if re.match(mark, magic)), None)
    return partial(_ZstdMember, window_bytes) if start is _ZstdMember else start


def say_archive(content: bytes) -> tuple[str, str] | None:
    """What content is that is no text of lines, by its first bytes, and what to do; else None."""
    if find_decompressor(content[:MAGIC_BYTES]):
        return _TWICE
    if _is_tar(content[: tarfile.BLOCKSIZE]):
        return _TAR
    if _has_cr_alone(content):
        return _CR
    if encoding := _find_wide(content):
        return f"is text in {encoding}", f"convert it first (iconv -f {encoding} -t UTF-8)"
    return next((what for mark, what in _OTHERS.items() if content.startswith(mark)), None)


def _has_cr_alone(beginning: bytes) -> bool:
    """Whether lines end as old Macs and some transfers leave them: all would be one line, one hit.

    A visitor may have written a CR or two into a line of a server that escapes nothing.
    """
    is_one_line = b"\n" not in beginning and b"\0" not in beginning
    return is_one_line and beginning.count(b"\r", 0, -1) > _FEW_CR


def _find_wide(content: bytes) -> str | None:
    """In which encoding of two or four bytes a character most of the beginning is ASCII, if in one.

    Of what is behind a hole, where there is one. Lines of one byte a character have no such NULs,
    whatever hole is before them or what a visitor sent is in them.
    """
    hole = len(content) - len(content.lstrip(b"\0"))
    hole -= hole % 4  # the first character may begin with NULs
    beginning = content[hole : hole + LEAST_TO_TELL]
    if b"\0" not in beginning:
        return None
    for encoding in _WIDE:
        text = beginning.decode(encoding, "replace").strip("\0\ufeff")
        n_ascii = sum(" " <= one <= "~" or one in "\t\r\n" for one in text)
        if len(text) >= _LEAST_CHARACTERS and 2 * n_ascii > len(text):
            return encoding
    return None


def _is_tar(header: bytes) -> bool:
    """Whether it is a tar's first header, of any age: its checksum tells.

    No line has a NUL, which a header's padding has: what a visitor wrote is never taken for one.
    """
    if b"\0" not in header or b"\n" in header:
        return False
    try:
        tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError):
        return False
    return True


def decompress(
    raw: Compressed, start: Any, on_read: Callable[[int], None], on_damage: Callable[[str], None]
) -> Iterator[bytes]:
    """Decompress what can be read.

    Of a bz2, what its damaged block gave is left out: a block is scrambled as a whole, and its
    checksum comes last.
    """
    most = 0
    if start is bz2.BZ2Decompressor:
        most = int(raw.read(4)[3:]) * _BZ2_UNIT_BYTES
        raw.seek(0)
    held, size = deque[bytes](), 0  # a block later than it comes
    pieces = _salvage(raw, start, on_read)
    while True:
        try:
            held.append(next(pieces))
        except StopIteration as end:
            damage: _DamagedError | None = end.value
            break
        size += len(held[-1])
        while held and size - len(held[0]) >= most:
            size -= len(held[0])
            yield held.popleft()
    if damage:
        on_damage(damage.reason)
    rest = b"".join(held)
    if damage and not damage.is_cut_off:
        rest = rest[: max(0, size - most)]
    if rest:
        yield rest


def _salvage(
    raw: Compressed, start: Any, on_read: Callable[[int], None]
) -> Generator[bytes, None, "_DamagedError | None"]:
    """Decompress; on damage read again, byte by byte near the place, to keep what is there."""
    known = 0
    try:
        for piece in _inflate(raw, start, on_read):
            known += len(piece)
            yield piece
    except _DamagedError as error:
        raw.seek(0)
        with suppress(_DamagedError):
            for piece in _inflate(raw, start, lambda _: None, error.offset):
                yield piece[known:]
                known = max(0, known - len(piece))
        return error
    return None


class _DamagedError(Exception):
    def __init__(self, offset: int, reason: str, *, is_cut_off: bool = False) -> None:
        self.offset = offset
        self.reason = reason
        self.is_cut_off = is_cut_off
        super().__init__(reason)


def _inflate(
    raw: Compressed, start: Any, on_read: Callable[[int], None], fine_from: int | None = None
) -> Iterator[bytes]:
    """Decompress member after member; from ``fine_from`` on feed single bytes."""
    member, begun, offset = start(), False, 0
    feed = _ZSTD_FEED_BYTES if isinstance(member, _ZstdMember) else _READ_BYTES
    while data := raw.read(_read_size(offset, fine_from)):
        on_read(len(data))
        for at in range(0, len(data), feed):
            here, rest = offset + at, data[at : at + feed]
            while rest:
                if member.eof:
                    if not rest.strip(b"\0"):  # padding after the last member
                        break
                    member, begun = start(), False
                begun = True
                try:
                    yield from _pieces(member, rest)
                except _ARCHIVE_ERRORS as error:
                    why = keep("the archive is damaged: {error}", error=str(error))
                    raise _DamagedError(here, why) from error
                rest = member.unused_data if member.eof else b""
        offset += len(data)
    if begun and not member.eof:
        raise _DamagedError(offset, keep("the archive is truncated"), is_cut_off=True)


def _read_size(offset: int, fine_from: int | None) -> int:
    return _READ_BYTES if fine_from is None else max(1, min(_READ_BYTES, fine_from - offset))


def _pieces(member: Any, data: bytes) -> Iterator[bytes]:
    if piece := member.decompress(data, _PIECE_BYTES):
        yield piece
    while not member.eof and not member.needs_input:
        if piece := member.decompress(b"", _PIECE_BYTES):
            yield piece
