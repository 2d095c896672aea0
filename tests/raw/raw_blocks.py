"""Raw files written, and read back as numbered lines."""

from collections.abc import Callable, Iterable
from pathlib import Path

from pipeline.raw.blocks import Block, WholeFile, read_blocks
from pipeline.raw.content import read_whole
from pipeline.raw.opening import DEFAULT_LIMITS


def read(
    path: Path, on_read: Callable[[int], None] = lambda _: None
) -> tuple[WholeFile, list[tuple[int, str]]]:
    """Read a raw file; return what it is and its lines with their numbers, too long ones, too."""
    lines, whole = read_whole(read_blocks(path, DEFAULT_LIMITS, on_read), number_lines)
    return whole, sorted(lines)


def number_lines(blocks: Iterable[Block]) -> list[tuple[int, str]]:
    lines: list[tuple[int, str]] = []
    for block in blocks:
        lines += zip(block.line_no.tolist(), block.lines.to_pylist(), strict=True)
        lines += block.too_long
    return lines


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
