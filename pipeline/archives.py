"""Decompression of gz, bz2, xz and zst in bounded memory, as far as an archive can be read."""

import bz2
import lzma
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Protocol

import zstandard
from isal import igzip_lib

_PIECE_BYTES = 1024 * 1024
"""No piece is longer, but a zst's: up to 32 MiB, by the format's blocks of 128 KiB in 4 bytes."""
_READ_BYTES = 16 * 1024
_ZSTD_FEED_BYTES = 1024
_XZ_MEMORY_BYTES = 256 * 1024 * 1024  # xz -9 asks for 65 MiB; a header may ask for 4 GiB


class Source(Protocol):
    """What an archive is read from."""

    def read(self, size: int, /) -> bytes:
        """Give up to ``size`` bytes, none at the end."""

    def seek(self, offset: int, /) -> int:
        """Go to a place."""


class _ZstdMember:
    """A frame, with the methods of the other decompressors; its pieces are bounded by the feed."""

    needs_input = True

    def __init__(self) -> None:
        self._frame = zstandard.ZstdDecompressor().decompressobj()

    def decompress(self, data: bytes, _max_length: int) -> bytes:
        return self._frame.decompress(data)

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
    rb"\(\xb5/\xfd": _ZstdMember,
}
MAGIC_BYTES = 10


def find_decompressor(magic: bytes) -> Any:
    """What makes decompressors for an archive with these first bytes; a name proves nothing."""
    return next((start for mark, start in _KINDS.items() if re.match(mark, magic)), None)


def decompress(
    raw: Source, start: Any, on_read: Callable[[int], None], on_damage: Callable[[str], None]
) -> Iterator[bytes]:
    """Decompress; on damage read again, byte by byte near the place, to keep what is there."""
    known = 0
    try:
        for piece in _inflate(raw, start, on_read):
            known += len(piece)
            yield piece
    except _DamagedError as error:
        on_damage(error.reason)
        raw.seek(0)
        with suppress(_DamagedError):
            for piece in _inflate(raw, start, lambda _: None, error.offset):
                yield piece[known:]
                known = max(0, known - len(piece))


class _DamagedError(Exception):
    def __init__(self, offset: int, reason: str) -> None:
        self.offset = offset
        self.reason = reason
        super().__init__(reason)


def _inflate(
    raw: Source, start: Any, on_read: Callable[[int], None], fine_from: int | None = None
) -> Iterator[bytes]:
    """Decompress member after member; from ``fine_from`` on feed single bytes."""
    member, begun, offset = start(), False, 0
    feed = _ZSTD_FEED_BYTES if start is _ZstdMember else _READ_BYTES
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
                    raise _DamagedError(here, f"the archive is damaged: {error}") from error
                rest = member.unused_data if member.eof else b""
        offset += len(data)
    if begun and not member.eof:
        raise _DamagedError(offset, "the archive is truncated")


def _read_size(offset: int, fine_from: int | None) -> int:
    return _READ_BYTES if fine_from is None else max(1, min(_READ_BYTES, fine_from - offset))


def _pieces(member: Any, data: bytes) -> Iterator[bytes]:
    if piece := member.decompress(data, _PIECE_BYTES):
        yield piece
    while not member.eof and not member.needs_input:
        if piece := member.decompress(b"", _PIECE_BYTES):
            yield piece
