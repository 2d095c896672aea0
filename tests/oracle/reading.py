"""From a raw file to its physical lines; what a line says is not this module's business."""

import bz2
import gzip
import lzma
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

TOO_LONG = 16 * 1024 * 1024
KEPT_OF_TOO_LONG = 4 * 1024


BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_content(path: Path) -> bytes:
    """Return a file's decompressed bytes, without UTF-8's byte order mark before the first line."""
    return decompress(path).removeprefix(BYTE_ORDER_MARK)


def decompress(path: Path) -> bytes:
    """Return the bytes of a plain, gz, bz2, xz or zst file, told by its first bytes.

    Raises what the decompressor raises when the file is damaged.
    """
    content = path.read_bytes()
    if content.startswith(b"\x1f\x8b"):
        return gzip.decompress(content)
    if content.startswith(b"BZh"):
        return bz2.decompress(content)
    if content.startswith(b"\xfd7zXZ\x00"):
        return lzma.decompress(content)
    if content.startswith(b"\x28\xb5\x2f\xfd"):  # zstd: Python 3.11's library has none
        return bytes(pa.CompressedInputStream(pa.BufferReader(content), "zstd").read())
    return content


def physical_lines(content: bytes) -> Iterator[tuple[int, bytes]]:
    r"""Yield `(line_no, line)` from 1: the bytes up to `\n`, one trailing `\r` dropped.

    NULs before a line's first other byte are no part of it.
    """
    lines = content.split(b"\n")
    if lines[-1] == b"":  # nothing after the last newline (or nothing at all) is no line
        lines.pop()
    for line_no, line in enumerate(lines, start=1):
        text = line.removesuffix(b"\r")
        yield line_no, text.lstrip(b"\0") or text


def as_text(line: bytes) -> str:
    r"""Return the line as text; bytes that are not UTF-8 become `\xhh`."""
    return line.decode("utf-8", "backslashreplace")
