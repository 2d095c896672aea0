"""What is compressed in an unusual way is read, or refused with what to do; never as lines."""

import bz2
import gzip
import io
import json
import lzma
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard
from lake_fixtures import COMPRESS, GOOD, Site, make_line

from pipeline.errors import DataError
from pipeline.raw.archives import say_archive
from pipeline.raw.content import read_content, read_whole
from pipeline.raw.opening import ReadLimits

LINES = b"".join(make_line(client=f"192.0.2.{n % 250}", agent=f"a/{n}") for n in range(3000))
KINDS = {
    "v7": tarfile.USTAR_FORMAT, "ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT,
    "pax": tarfile.PAX_FORMAT,
}  # fmt: skip
PACKED: dict[str, Callable[[bytes], bytes]] = {"plain": bytes, **COMPRESS, "lzma": lzma.compress}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def tar_of(kind: str, *names: str) -> bytes:
    """Write a tar archive with a log of each name; v7's has no mark, only its checksum."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=KINDS[kind]) as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = len(LINES)
            archive.addfile(member, io.BytesIO(LINES))
    content = bytearray(out.getvalue())
    if kind == "v7":
        content[257:512] = bytes(255)
        checksum = sum(content[:148]) + 8 * ord(" ") + sum(content[156:512])
        content[148:156] = b"%06o\0 " % checksum
    return bytes(content)


@pytest.mark.parametrize(
    ("kind", "packing"),
    [
        ("v7", "plain"),
        ("ustar", "plain"),
        ("gnu", "gz"),
        ("pax", "bz2"),
        ("v7", "xz"),
        ("gnu", "zst"),
    ],
)
def test_tar_is_refused_whatever_its_age_packing_and_name(
    kind: str, packing: str, site: Site
) -> None:
    """By its header's checksum: also one named access.log.gz, and one with a long member's name."""
    content = PACKED[packing](tar_of(kind, "access.log", "b.log"))
    for name in ("access.log.gz", "Aug-2019.tar.gz.1"):
        done = site.ingest(site.write(name, content), code=1)
        sentence = f"raw/{name}: is a tar archive, which may hold several files: nothing of it was"
        assert f"{sentence} kept; unpack it first (tar -xf)" in done.err
    assert site.records() == {}
    for command in ("parse", "doctor"):
        assert "is a tar archive" in site.run(command, "raw/access.log.gz", code=1).err


def test_tar_with_a_long_name_or_in_small_members_is_told(site: Site) -> None:
    """A first header of GNU's or pax's for the name; gz members of a few bytes each."""
    for kind in ("gnu", "pax"):
        long = tar_of(kind, "logs/" + "x" * 200)
        small = b"".join(gzip.compress(long[at : at + 100]) for at in range(0, len(long), 100))
        done = site.ingest(site.write(f"{kind}.gz", small), code=1)
        assert "is a tar archive" in done.err


def test_visitor_cannot_make_a_log_a_tar(site: Site) -> None:
    """The checksum alone is no proof: a line of text that fits it is still a line."""
    agent = "x" * 600
    line = bytearray(make_line(agent=agent))
    line[257:265] = b"ustar\x2000"
    line[148:156] = b"0" * 8
    checksum = sum(line[:148]) + 8 * ord(" ") + sum(line[156:512])
    line[148:156] = b"%08o" % checksum
    site.ingest(site.write("web.log", bytes(line) + GOOD))
    assert [record["hits"] for record in site.records().values()] == [2]


@pytest.mark.parametrize(
    ("content", "remedy"),
    [
        (b"PK\3\4 and more", "unzip it first"),
        (b"7z\xbc\xaf\x27\x1c and more", "unpack it first"),
        (b"Rar!\x1a\7\1\0", "unpack it first"),
        (b"\x1f\x9d\x90abc", "uncompress it first"),
        (b"\4\x22M\x18abc", "decompress it first"),
        (b"LZIP\1abc", "decompress it first"),
        (gzip.compress(gzip.compress(LINES)), "decompress it once"),
        (bz2.compress(gzip.compress(LINES)), "decompress it once"),
    ],
    ids=["zip", "7z", "rar", "Z", "lz4", "lzip", "gz in gz", "gz in bz2"],
)
def test_other_archives_are_refused_with_what_to_do(
    content: bytes, remedy: str, site: Site
) -> None:
    done = site.ingest(site.write("access.log", content), code=1)
    assert f"nothing of it was kept; {remedy}" in done.err
    assert site.records() == {}


@pytest.mark.parametrize("packing", ["plain", "gz"])
def test_lines_that_end_in_cr_alone_are_refused(packing: str, site: Site) -> None:
    """They were one hit, and all behind the first one its end."""
    path = site.write("web01.log", PACKED[packing](LINES.replace(b"\n", b"\r")))
    said = site.ingest("raw", code=1).err
    assert f"{path.relative_to(site.folder)}: has lines that end in CR alone: nothing" in said
    assert "tr '\\r' '\\n'" in said
    site.write(
        "web01.log", b"\r".join([GOOD.rstrip(), b"x", b"y"]) + b"\r"
    )  # as a visitor may write
    assert site.ingest("raw").err.count("CR alone") == 0


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("encoding", ["UTF-16LE", "UTF-16BE", "UTF-32LE", "UTF-32BE"])
def test_text_of_wide_characters_is_refused_with_how_to_convert_it(
    encoding: str, mark: str, site: Site
) -> None:
    """Its lines were rejected one by one, and its NULs called a hole."""
    lines = (mark + GOOD.decode() * 3).encode(encoding)
    site.write("b.gz", gzip.compress(lines))
    path = site.write("a.log", bytes(5000 if mark else 100) + lines)
    for said in (site.ingest("raw", code=1).err, site.run("doctor", path, code=1).err):
        why = f"is text in {encoding}: nothing of it was kept; convert it first"
        assert f"a.log: {why} (iconv -f {encoding} -t UTF-8)" in said
        assert "hole" not in said
    assert site.records() == {}
    path.write_bytes(lines)
    command = ["iconv", "-f", encoding, "-t", "UTF-8", str(path)]
    converted = subprocess.run(command, capture_output=True, check=True).stdout
    site.ingest(site.write("c.log", converted))
    assert [record["hits"] for record in site.records().values()] == [3]


@pytest.mark.parametrize("hole", [0, 1, 2, 255, 256, 505, 100_000])
def test_holes_and_binary_requests_are_no_wide_characters(hole: int, site: Site) -> None:
    binary = GOOD.replace(b"GET /", "GET /a/b/c/d".encode("UTF-16LE"))
    site.write("a.log", bytes(hole) + GOOD + bytes(hole) + binary)
    site.write("b.log", bytes(hole) + binary * 3)
    site.ingest("raw")
    assert sorted(record["hits"] for record in site.records().values()) == [2, 3]


def test_a_line_of_a_log_is_no_archive() -> None:
    assert say_archive(LINES[:512]) is None
    assert say_archive(bytes(512)) is None
    assert say_archive(bytes(300) + LINES[:212]) is None


def zst_with_window(log: int) -> bytes:
    """Compress as `zstd --long=LOG` does from a pipe: the frame says its window."""
    parameters = zstandard.ZstdCompressionParameters(window_log=log, enable_ldm=True)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return packer.compress(LINES) + packer.flush()


@pytest.mark.parametrize("log", [27, 28, 30, 31])
def test_zst_with_a_long_window_is_read(log: int, site: Site) -> None:
    """Alone, and behind a frame to skip and another frame."""
    frame = zst_with_window(log)
    skipped = b"\x5e\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"hello"
    site.ingest(site.write("a.log", frame), "--source", "one")
    content = skipped + zstandard.compress(GOOD) + skipped + frame + skipped
    site.ingest(site.write("b.log", content), "--source", "two")
    records = {record["source"]: record for record in site.records().values()}
    assert [records[name]["hits"] for name in ("one", "two")] == [3000, 3001]
    assert {record["damage"] for record in records.values()} == {None}


def test_zst_that_needs_more_is_not_called_damaged(site: Site) -> None:
    """A window over 2 GiB, or a dictionary: the sentence says what would be read."""
    frame = bytearray(zst_with_window(31))
    frame[5] = 22 << 3
    done = site.ingest(site.write("a.log", bytes(frame)), code=1)
    assert "a.log: needs a window of 4 GiB, over 2;" in done.err
    assert "--long=31 or less: nothing of it was kept" in done.err
    samples = [make_line(agent=f"x{n}") * 3 for n in range(200)]
    dictionary = zstandard.train_dictionary(2000, samples)
    packer = zstandard.ZstdCompressor(dict_data=dictionary)
    done = site.ingest(site.write("b.log", packer.compress(LINES)), code=1)
    assert "b.log: needs the dictionary that it was compressed with" in done.err
    assert "damaged" not in done.err
    assert site.records() == {}


@pytest.mark.rest_large
@pytest.mark.parametrize("is_size_known", [False, True])
def test_a_zst_whose_window_fills_more_memory_than_is_set_is_refused(
    site: Site, *, is_size_known: bool
) -> None:
    """Of 256 MiB, 130 MB of content are too many at the least setting, and not at four times it."""
    text = LINES * (140 * 1024**2 // len(LINES))
    parameters = zstandard.ZstdCompressionParameters(
        window_log=28, enable_ldm=True, strategy=1, min_match=5
    )
    packer = zstandard.ZstdCompressor(compression_params=parameters)
    unsized = packer.compressobj()
    packed = packer.compress(text) if is_size_known else unsized.compress(text) + unsized.flush()
    needed = 256 if not is_size_known else round(len(text) / 1024**2)
    path = site.write("a.log", packed)
    limits = ReadLimits(max_content_ratio=100_000, memory_mb=256)
    with pytest.raises(DataError) as refused:
        list(read_content(path, limits))
    assert f"a.log: needs a window of {needed} MiB, over 128; decompress it first" in str(
        refused.value
    )
    asked = re.search(r"set memory_limit_mb to (\d+) or more", str(refused.value))
    assert asked
    enough = replace(limits, memory_mb=int(asked[1]))
    size, content = read_whole(read_content(path, enough), lambda pieces: sum(map(len, pieces)))
    assert (size, content.damage) == (len(text), None)


def test_what_follows_the_last_frame_is_damage_and_no_demand(site: Site) -> None:
    done = site.ingest(site.write("a.log", zst_with_window(27) + b"garbage behind it"), code=1)
    assert "the archive is damaged" in done.err
    assert [record["hits"] for record in site.records().values()] == [3000]


@pytest.mark.skipif(not shutil.which("zstd"), reason="zstd is not installed")
def test_what_zstd_itself_writes_with_its_longest_window_is_read(site: Site) -> None:
    path = site.write("access.log", b"")
    packed = subprocess.run(
        ["zstd", "-q", "--long=31", "-c"], input=LINES, capture_output=True, check=True
    ).stdout
    path.write_bytes(packed)
    site.ingest(path)
    assert [record["hits"] for record in site.records().values()] == [3000]


def test_rows_of_a_day_of_which_a_file_was_refused_since_say_so(site: Site) -> None:
    """Until the build that judges the day anew: its figure did, its row was silent."""
    site.ingest(site.write("web01-20161108.log", LINES))
    site.run("build")
    site.write("web02-20161108.log", GOOD.decode().encode("UTF-16"))
    site.ingest("raw", code=1)

    def ask() -> list[str]:
        (row,) = json.loads(site.run("daily", "--format", "json").out)
        caveats: list[str] = row["caveats"]
        return caveats

    said = "Raw files of 8 November 2016 were there and are not in the lake: `tidegauge status`"
    (caveat,) = ask()
    assert caveat.startswith(said)
    figure = ("figure", "--day", "2016-11-08", "--country", "all")
    assert "web02-20161108.log could not be taken in" in site.run(*figure).out
    site.run("build")
    assert ask() == []
    (row,) = site.rows("days")
    assert any("web02-20161108.log" in reason for reason in row["reasons"])
