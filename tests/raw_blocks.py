"""Raw files written, and read back as numbered lines."""

from pathlib import Path

from pipeline.raw.blocks import RawFile


def read(path: Path) -> tuple[RawFile, list[tuple[int, str]]]:
    """Read a raw file; return it and its lines with their numbers, those too long included."""
    raw = RawFile(path)
    lines: list[tuple[int, str]] = []
    for block in raw.blocks():
        lines += zip(block.line_no.tolist(), block.lines.to_pylist(), strict=True)
        lines += block.too_long
    return raw, sorted(lines)


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
