"""NULs before a line: the hole that copytruncate leaves is no part of it, and is reported."""

import gzip
import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lake_fixtures import COMPRESS, GOOD, Site, make_line
from oracle.reading import as_text, physical_lines
from raw_blocks import read, written

from pipeline.raw import content
from pipeline.raw.holes import Holes

MIB = 1024 * 1024
LINES = [make_line(client=f"192.0.2.{n}") for n in range(1, 6)]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.mark.rest_large
@pytest.mark.parametrize("kind", ["plain", *COMPRESS])
def test_hole_before_the_first_line_is_no_part_of_it(kind: str, site: Site) -> None:
    """Also 70 MiB of it, plain or compressed, though it is a thousand times its size on disk."""
    content = bytes(70 * MIB) + b"".join(LINES)
    path = site.write("web.log", COMPRESS[kind](content) if kind in COMPRESS else content)
    done = site.ingest(path)
    (record,) = site.records().values()
    assert (record["lines"], record["hits"], record["nul_bytes"]) == (5, 5, 70 * MIB)
    assert record["content_bytes"] == len(content)
    assert len({row["visitor_id"] for row in site.rows("hits", columns=["visitor_id"])}) == 5
    assert "web.log: 73,400,320 NUL bytes before its lines are no part of them" in done.err
    assert "73,400,320 NUL bytes" in site.run("doctor", path).out


def test_sparse_hole_is_read_though_the_file_takes_no_disk(site: Site) -> None:
    path = site.write("web.log", b"")
    os.truncate(path, 100 * MIB)
    with path.open("ab") as file:
        file.writelines(LINES)
    site.ingest(path)
    assert [record["hits"] for record in site.records().values()] == [5]


def test_holes_in_the_middle_are_no_part_of_the_lines_behind_them(site: Site) -> None:
    """A log is cut twice, a server writes on at its old place: each hole stands before a line."""
    hole = bytes(3000)
    path = site.write("web.log", LINES[0] + hole + LINES[1] + LINES[2] + hole + LINES[3])
    site.ingest(path)
    (record,) = site.records().values()
    assert (record["hits"], record["rejected"], record["nul_bytes"]) == (4, 0, 6000)
    clients = [row["client"] for row in read_clients(site, path)]
    assert clients == ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"]


def read_clients(site: Site, path: Path) -> list[dict[str, str]]:
    """Return what `parse` prints, a line each."""
    return [json.loads(line) for line in site.run("parse", path).out.splitlines()]


def test_file_with_a_hole_overlaps_with_the_same_lines(site: Site) -> None:
    """What was copied before the log was cut, and is sent again behind a hole, counts once."""
    lines = [make_line(client=f"192.0.2.{n}") for n in range(1, 60)]
    site.write("web.1.log", b"".join(lines[:40]))
    site.write("web.log", bytes(5000) + b"".join(lines[10:]))
    site.ingest("raw")
    assert len(site.rows("hits", columns=["line_no"])) == 59


@pytest.mark.parametrize("content", [b"\0" * 9, b"\0\0\n", b"\0\r\n", GOOD + b"\0" * 9])
def test_line_of_nothing_but_nuls_is_rejected(content: bytes, site: Site) -> None:
    """It is a line without a first byte: counted, and kept."""
    site.ingest(site.write("web.log", content))
    (record,) = site.records().values()
    assert (record["hits"], record["rejected"]) == (content.count(GOOD), 1)
    assert record["nul_bytes"] == 0


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_nuls_beyond_the_longest_line_are_one_long_line(end: bytes, tmp_path: Path) -> None:
    """17 MiB of NULs and a line's end: rejected as too long, its first 4 KiB kept."""
    raw, lines = read(written(tmp_path / "x", bytes(17 * MIB) + end + GOOD * bool(end)))
    assert lines[0] == (1, "\0" * 4096)
    assert raw.nul_bytes == 0
    assert [text for _, text in lines[1:]] == [GOOD.decode()] * bool(end)


@settings(max_examples=200)
@given(
    st.lists(st.sampled_from([b"\0", b"\0\0\0", b"\n", b"\r", b"\r\n", b"a", b" ", b"b"])),
    st.integers(1, 7),
)
def test_lines_are_those_of_the_definition_wherever_pieces_end(
    parts: list[bytes], size: int
) -> None:
    """As the oracle splits them, for every place at which a chunk may end."""
    content = b"".join(parts)
    expected = [as_text(line) for _, line in physical_lines(content)]
    taken, carry, own = [], b"", Holes()
    for at in range(0, len(content), size):
        data = own.strip(carry + content[at : at + size])
        end = data.rfind(b"\n") + 1
        taken.append(data[:end])
        carry = data[end:]
    taken.append(carry or own.close())
    stripped = b"".join(taken)
    assert [as_text(line) for _, line in physical_lines(stripped)] == expected
    assert len(stripped) + own.skipped == len(content)


def test_a_hole_is_refused_where_it_has_no_end(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Holes are bounded, too: beyond, a file is long by nothing else."""
    monkeypatch.setattr(content, "HOLE_BYTES", 10 * MIB)
    bomb = site.write("bomb.log", gzip.compress(bytes(100 * MIB) + GOOD))
    assert "over 300 times as much" in site.ingest(bomb, code=1).err
