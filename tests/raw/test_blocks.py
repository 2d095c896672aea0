"""Blocks: physical lines out of raw files, plain, compressed or damaged, counted and in order."""

import bz2
import gzip
import hashlib
import lzma
import random
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lake_fixtures import COMPRESS
from raw_blocks import read, written

from pipeline.errors import DataError
from pipeline.raw import blocks
from pipeline.raw.archives import say_archive
from pipeline.raw.blocks import WholeFile
from pipeline.raw.content import Content

RANDOM = random.Random(3)
CONTENT = b"".join(b"%d %s\n" % (n, RANDOM.randbytes(30).hex().encode()) for n in range(9000))
INFLATE: dict[str, Callable[[bytes], bytes]] = {
    "gz": lambda archive: zlib.decompressobj(31).decompress(archive),
    "bz2": lambda archive: bz2.BZ2Decompressor().decompress(archive),
    "xz": lambda archive: lzma.LZMADecompressor().decompress(archive),
}


def without_hole(line: bytes) -> bytes:
    """Drop the NULs before a line's first byte; its end is no such byte."""
    return line.lstrip(b"\0") if line.removesuffix(b"\r").strip(b"\0") else line


def lines_of(content: bytes) -> list[tuple[int, str]]:
    """Split content into numbered lines with their ends, in plain Python."""
    *ended, rest = content.split(b"\n")
    lines = [without_hole(line) + b"\n" for line in ended] + [without_hole(rest)] * bool(rest)
    return [(n, line.decode("utf-8", "backslashreplace")) for n, line in enumerate(lines, 1)]


@pytest.mark.parametrize("kind", ["plain", *COMPRESS])
def test_lines_are_the_content_s(kind: str, tmp_path: Path) -> None:
    """Whatever the compression, lines, digest and counts are those of the content."""
    archive = COMPRESS[kind](CONTENT) if kind in COMPRESS else CONTENT
    progress: list[int] = []
    path = written(tmp_path / "x", archive)
    whole, lines = read(path, progress.append)
    content = Content(
        (len(archive), path.stat().st_mtime_ns), len(CONTENT),
        hashlib.sha256(CONTENT).hexdigest(), None, is_binary=False,
    )  # fmt: skip
    assert "".join(text for _, text in lines).encode() == CONTENT
    assert whole == WholeFile(content, 9000, tail_bytes=0, nul_bytes=0)
    assert sum(progress) == len(archive)


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz"])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.99])
def test_truncated_archive_gives_all_that_the_standard_library_can_read(
    kind: str, share: float, tmp_path: Path
) -> None:
    """Hardly a byte less than the standard library decompresses from the same bytes.

    Of the last symbols the decoders may keep back a few: the longest match of deflate is 258 bytes.
    """
    archive = COMPRESS[kind](CONTENT)
    cut = archive[: int(len(archive) * share)]
    readable = INFLATE[kind](cut)
    raw, lines = read(written(tmp_path / "x", cut))
    content = CONTENT[: raw.content.content_bytes]
    assert raw.content.content_bytes >= len(readable) - 258
    assert raw.content.sha256 == hashlib.sha256(content).hexdigest()
    assert lines == lines_of(content)
    assert raw.content.damage == "the archive is truncated"


@pytest.mark.rest_large
@pytest.mark.parametrize("kind", COMPRESS)
@pytest.mark.parametrize("seed", range(4))
def test_flipped_bytes_are_damage_and_what_lies_before_is_kept(
    kind: str, seed: int, tmp_path: Path
) -> None:
    """One wrong byte anywhere: damage is said, and all well before the place is there."""
    archive = bytearray(COMPRESS[kind](CONTENT))
    place = random.Random(seed).randrange(len(archive) // 2, len(archive) - 20)
    archive[place] ^= 0xFF
    raw, lines = read(written(tmp_path / "x", bytes(archive)))
    assert raw.content.damage
    assert raw.content.damage.startswith("the archive is")
    block = {"gz": 70_000, "bz2": 200_000, "xz": 70_000, "zst": 270_000}[kind]
    undamaged = CONTENT[: max(0, len(CONTENT) * place // len(archive) - block)]
    text = "".join(line for _, line in lines)
    assert text.encode().startswith(undamaged)
    assert [number for number, _ in lines] == list(range(1, raw.lines + 1))


@pytest.mark.parametrize("kind", COMPRESS)
def test_damaged_archive_reads_alike_each_time(kind: str, tmp_path: Path) -> None:
    """The readable part is the same in every reading: its digest is the file's key."""
    archive = COMPRESS[kind](CONTENT)
    path = written(tmp_path / "x", archive[: len(archive) // 2])
    first, second = read(path)[0], read(path)[0]
    assert first.content.sha256 == second.content.sha256


def test_second_member_may_be_the_damaged_one(tmp_path: Path) -> None:
    """Of a sound gz member and a truncated one, all of the first and part of the second is kept."""
    first, second = CONTENT[:300_000], CONTENT[300_000:]
    archive = gzip.compress(first) + gzip.compress(second)[:-20_000]
    raw, _ = read(written(tmp_path / "x", archive))
    assert raw.content.damage == "the archive is truncated"
    assert len(first) < raw.content.content_bytes < len(CONTENT)
    assert raw.content.sha256 == hashlib.sha256(CONTENT[: raw.content.content_bytes]).hexdigest()


@pytest.mark.parametrize(
    ("tail", "damage"),
    [
        (b"\0" * 700_000, None),
        (b"\0", None),
        (b"garbage after it", "damaged"),
        (b"\x1f\x8b\x08", "truncated"),
    ],
)
def test_what_follows_the_last_gz_member(tail: bytes, damage: str | None, tmp_path: Path) -> None:
    """Zeros are padding; anything else is damage, and the content is all there either way."""
    raw, lines = read(written(tmp_path / "x", gzip.compress(CONTENT) + tail))
    assert lines == lines_of(CONTENT)
    assert (
        (raw.content.damage is None)
        if damage is None
        else (raw.content.damage and damage in raw.content.damage)
    )


@pytest.mark.parametrize(
    "start", [b"BZ", b"\x1f", b"\xfd7z", b"\x28\xb5", b"BZhost.example - - [x]"]
)
def test_plain_file_that_looks_a_little_like_an_archive_is_plain(
    start: bytes, tmp_path: Path
) -> None:
    """Only a whole magic makes an archive: a client's name may begin like one."""
    raw, lines = read(written(tmp_path / "x", start + b"\nnext\n"))
    assert raw.content.damage is None
    assert lines == lines_of(start + b"\nnext\n")


def test_file_that_is_not_there_is_an_error_that_names_it(tmp_path: Path) -> None:
    """What cannot be opened, or is a folder, is a DataError with its name."""
    for path in (tmp_path / "gone.log", tmp_path):
        with pytest.raises(DataError, match=str(path)):
            read(path)


PIECES = st.sampled_from(
    [b"\n", b"\n", b"\r\n", b"\r", b"a", b"bc", b"\0", b"\xff", b"\xe2\x82", b"\xe2\x82\xac",
     b"0123456789", b"x" * 31, b"y" * 32, b"z" * 33, b"w" * 64, b" "]
)  # fmt: skip


def contents(pieces: int) -> st.SearchStrategy[bytes]:
    """Content of up to so many pieces, but what is refused (lines that end in CR alone)."""
    every = st.lists(PIECES, max_size=pieces).map(b"".join)
    return every.filter(lambda content: not say_archive(content))


@settings(max_examples=300)
@given(content=contents(60))
def test_small_blocks_give_the_same_lines(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """However the cut between blocks falls, every line comes once, in order, whole or too long."""
    path = written(tmp_path_factory.getbasetemp() / "content", content)
    limit, kept = 32, 8
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK_BYTES", 32)
        patch.setattr(blocks, "MAX_LINE_BYTES", limit)
        patch.setattr(blocks, "KEPT_OF_LONG_LINE", kept)
        raw, lines = read(path)
    expected = []
    rows = content.split(b"\n")
    for number, row in enumerate(rows if rows[-1] else rows[:-1], 1):
        line = without_hole(row)
        whole = line + (b"\n" if number < len(rows) else b"")
        shown = line[:kept] if len(line.removesuffix(b"\r")) > limit else whole
        expected.append((number, shown.decode("utf-8", "backslashreplace")))
    assert lines == expected
    assert raw.lines == len(expected)
    assert raw.content.content_bytes == len(content)


@settings(max_examples=200)
@given(content=contents(20))
def test_lines_are_text_with_odd_bytes_written_out(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    r"""Bytes that are not UTF-8 become \xhh; all else stays as it is."""
    path = written(tmp_path_factory.getbasetemp() / "text", content)
    assert read(path)[1] == lines_of(content)


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path) -> None:
    """The digest stays the whole content's; a mark in another place stays, too."""
    content = b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n"
    raw, lines = read(written(tmp_path / "x", content))
    assert lines == [(1, "a\n"), (2, "\ufeffb\n")]
    assert raw.content.sha256 == hashlib.sha256(content).hexdigest()
    assert raw.content.content_bytes == 10
    alone, no_lines = read(written(tmp_path / "alone", content[:3]))
    assert (no_lines, alone.lines, alone.tail_bytes) == ([], 0, 0)
