"""The one .mmdb in a plain file, a gzip or a tar archive, told by content and not by name.

Nothing of an archive but that member's bytes is written, and under a name of our own, so that no
path in it matters; what it unpacks to is bounded.
"""

import gzip
import io
import shutil
import tarfile
import zlib
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from pipeline.errors import GeoError

MAX_UNPACKED_BYTES = 2 << 30
"""Five times the largest database sold today."""

_GZIP_MAGIC = b"\x1f\x8b"
_TAR_MAGIC_AT, _TAR_MAGIC = 257, b"ustar"
_TAR_BLOCK_BYTES = 512


class _TooLargeError(Exception):
    """More came out than is allowed."""


class _Bounded(io.RawIOBase):
    """Reads from ``source`` up to ``allowed`` bytes and then raises."""

    def __init__(self, source: BinaryIO, allowed: int) -> None:
        self._source, self._left = source, allowed

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        chunk = self._source.read(len(buffer))
        self._left -= len(chunk)
        if self._left < 0:
            raise _TooLargeError
        buffer[: len(chunk)] = chunk
        return len(chunk)


def unpack(packed: Path, target: Path, shown: str, max_bytes: int = MAX_UNPACKED_BYTES) -> None:
    """Write the database inside ``packed`` to ``target``; ``shown`` is its name in messages.

    Raises GeoError when it is cut off or damaged, larger than ``max_bytes``, or an archive that
    holds not exactly one .mmdb file.
    """
    try:
        with packed.open("rb") as file, target.open("wb") as out:
            if file.read(2) == _GZIP_MAGIC:
                file.seek(0)
                with gzip.GzipFile(fileobj=file) as unzipped:
                    _write_database(cast("BinaryIO", unzipped), out, shown, max_bytes)
            else:
                file.seek(0)
                _write_database(file, out, shown, max_bytes)
    except _TooLargeError:
        raise GeoError(f"{shown} unpacks to more than {max_bytes:,} bytes: not used") from None
    except (EOFError, zlib.error, gzip.BadGzipFile, tarfile.TarError) as error:
        raise GeoError(f"{shown} is cut off or damaged: fetch it again") from error


def _write_database(source: BinaryIO, out: BinaryIO, shown: str, max_bytes: int) -> None:
    reader = io.BufferedReader(_Bounded(source, max_bytes), _TAR_BLOCK_BYTES * 128)
    head = reader.peek(_TAR_BLOCK_BYTES)
    if head[_TAR_MAGIC_AT : _TAR_MAGIC_AT + len(_TAR_MAGIC)] == _TAR_MAGIC:
        _write_member(reader, out, shown)
    else:
        shutil.copyfileobj(reader, out)


def _write_member(reader: IO[bytes], out: BinaryIO, shown: str) -> None:
    found = 0
    with tarfile.open(fileobj=reader, mode="r|") as archive:
        for member in archive:
            if not (member.isreg() and member.name.endswith(".mmdb")):
                continue
            content = archive.extractfile(member)
            found += 1
            if found == 1 and content is not None:
                shutil.copyfileobj(content, out)
    if found != 1:
        raise GeoError(f"{shown} holds {found} .mmdb files: an archive must hold exactly one")
