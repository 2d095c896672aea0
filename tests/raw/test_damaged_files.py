"""Damaged and missing files: what can be read is kept, the rest is said, the others are in."""

import gzip
import hashlib
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from lake_fixtures import COMPRESS, GOOD, Site, assert_accounted, count_lines, make_line

from pipeline.raw.files import Paths, RawFiles

MANY = b"".join(make_line(agent=f"Firefox/{n}", request=f"GET /{n * n} X") for n in range(8000))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.mark.rest_large
@pytest.mark.parametrize("kind", COMPRESS)
@pytest.mark.parametrize("damage", ["truncated", "corrupt"])
def test_damaged_archive_keeps_its_readable_part(kind: str, damage: str, site: Site) -> None:
    """What can be read is kept; ledger, stderr and exit 1 say so; the files beside it are in."""
    archive = COMPRESS[kind](MANY)
    cut = len(archive) * 2 // 3
    damaged = archive[:cut] + (b"" if damage == "truncated" else b"\x55" * 99 + archive[cut + 99 :])
    paths = [
        site.write("a.log", GOOD),
        site.write(f"web.{kind}", damaged),
        site.write("z.log", GOOD),
    ]
    done = site.ingest(*paths, code=1)
    assert f"web.{kind}: the archive is {'truncated' if damage == 'truncated' else 'damaged'}" in (
        done.err
    )
    records = {record["source"]: record for record in site.records().values()}
    assert records["a"]["hits"] == records["z"]["hits"] == 1
    assert records["web"]["damage"] in done.err
    assert_readable_part(site, records["web"], exact=damage == "truncated")


def assert_readable_part(site: Site, record: dict[str, Any], *, exact: bool) -> None:
    """Assert that at least 4 in 10 lines were kept, in order, and that all are accounted for."""
    hits = site.rows("hits", record["file_key"])
    rejects = site.rows("rejects", record["file_key"])
    assert record["lines"] == len(hits) + len(rejects) + record["blank"]
    assert record["lines"] >= 3200
    undamaged = 3000
    assert [row["user_agent"] for row in hits[:undamaged]] == [
        f"Firefox/{n}" for n in range(undamaged)
    ]
    if exact:
        content = MANY[: record["content_bytes"]]
        assert record["sha256"] == hashlib.sha256(content).hexdigest()
        assert record["lines"] == count_lines(content)


@pytest.mark.parametrize("place", [-8, -4])
def test_wrong_checksum_or_length_of_gz_is_damage(place: int, site: Site) -> None:
    """A gz whose CRC or length is wrong gives all its lines, the word damaged, and exit 1."""
    archive = bytearray(gzip.compress(MANY))
    archive[place] ^= 1
    done = site.ingest(site.write("web.gz", bytes(archive)), code=1)
    record = assert_accounted(site, MANY, hits=8000)
    assert "damaged" in record["damage"]
    assert "8,000 lines" in done.err


@pytest.mark.parametrize("kept", [2, 9, 30])
def test_gz_cut_in_its_first_bytes_has_no_line(kept: int, site: Site) -> None:
    """A gz of which only the first bytes are there is a damaged file without any line."""
    good = site.write("good.log", GOOD)
    done = site.ingest(site.write("web.gz", gzip.compress(MANY)[:kept]), good, code=1)
    assert "web.gz: the archive is truncated" in done.err
    records = {record["source"]: record for record in site.records().values()}
    assert (records["web"]["lines"], records["good"]["lines"]) == (0, 1)


def test_gz_members_and_padding_are_read_as_one(site: Site) -> None:
    """Members written one after another and zeros after the last are no damage."""
    middle = MANY.index(b"Firefox/4000")  # within a line
    archive = gzip.compress(MANY[:middle]) + gzip.compress(b"") + gzip.compress(MANY[middle:])
    site.ingest(site.write("web.gz", archive + bytes(5000)))
    assert assert_accounted(site, MANY, hits=8000)["damage"] is None


@pytest.mark.parametrize("kind", ["bz2", "xz", "zst"])
def test_other_archives_may_have_several_members(kind: str, site: Site) -> None:
    """Streams of the other compressions may follow one another too."""
    compress = COMPRESS[kind]
    site.ingest(site.write("web.log", compress(MANY[:70_001]) + compress(MANY[70_001:])))
    assert assert_accounted(site, MANY, hits=8000)["damage"] is None


def test_file_that_cannot_be_read_stops_no_other(site: Site) -> None:
    """A file that fails with an I/O error is named on stderr with exit 1; the others are in."""
    names = [site.write("a.log", GOOD), Path("/proc/self/mem"), site.write("z.log", GOOD)]
    done = site.ingest(*names, code=1)
    assert "/proc/self/mem: cannot be read" in done.err
    assert {record["source"] for record in site.records().values()} == {"a", "z"}


@pytest.mark.parametrize("kind", ["missing", "dangling"])
def test_file_that_is_not_there_stops_no_other(kind: str, site: Site) -> None:
    """A missing file or a link to nothing is named on stderr with exit 1; the others are in."""
    gone = site.folder / "gone.log"
    if kind == "dangling":
        gone.symlink_to("nowhere")
    done = site.ingest(site.write("a.log", GOOD), gone, site.write("z.log", GOOD), code=1)
    assert str(gone) in done.err
    assert {record["source"] for record in site.records().values()} == {"a", "z"}


def test_file_that_vanishes_stops_no_other(site: Site) -> None:
    """A file that is gone when its turn comes is named with exit 1; the others are in."""
    files = [site.write("a.log", GOOD), site.folder / "gone.log", site.write("z.log", GOOD)]
    with mock.patch("pipeline.raw.files.find_files", return_value=RawFiles(Paths(files))):
        done = site.ingest(*files, code=1)
    assert "gone.log" in done.err
    assert {record["source"] for record in site.records().values()} == {"a", "z"}
