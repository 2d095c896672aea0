"""Raw files made to hurt, or that change while they are read: a sentence, and no harm."""

import bz2
import gzip
import lzma
import os
import signal
import socket
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import zstandard
from conftest import build_default_databases
from lake_fixtures import COMPRESS, GOOD, Site, assert_accounted, make_line

from pipeline.errors import DataError
from pipeline.ingest.discovery import Found
from pipeline.lake.lake import Lake
from pipeline.orchestration import finding
from pipeline.raw import content as raw_content
from pipeline.raw.content import read_content
from pipeline.raw.files import find_files
from pipeline.raw.opening import OpenRaw

MIB = 1024 * 1024
MANY = b"".join(make_line(agent=f"Firefox/{n}") for n in range(3000))
MEMORY_MB = 900


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def gz_of(unit: bytes, mib: int) -> bytes:
    """Compress so many MiB of a repeated unit, as gz members of 16 MiB: 1,028 to 1 for one byte."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    member = packer.compress(unit * (16 * MIB // len(unit))) + packer.flush()
    return member * (mib // 16)


# Half a GiB to two, of which a tenth is enough to tell; of NULs 4 GiB would be read: test_holes.
BOMBS: dict[str, Callable[[], bytes]] = {
    "line.gz": lambda: gz_of(b"x", 512),
    "blank.gz": lambda: gz_of(b"\n", 512),
    "bz2": lambda: bz2.compress(b"\n" * (9 * MIB)) * 112,
    "xz": lambda: lzma.compress(b"x" * (16 * MIB), preset=0) * 64,
    "zst": lambda: zstandard.compress(b"\n" * (16 * MIB)) * 64,
}


@pytest.mark.large
def test_archives_that_hold_a_thousand_times_their_size_are_refused(site: Site) -> None:
    """Early, in less memory than one gives, with what to set; the file beside them is in."""
    archives = [site.write(f"{name}.log", make()) for name, make in BOMBS.items()]
    done, peak_mb = measured(site, "ingest", "--no-geo", *archives, site.write("good.log", GOOD))
    assert done.returncode == 1
    message = done.stderr.decode()
    for archive in archives:
        (line,) = (line for line in message.splitlines() if f"{archive.name}: its" in line)
        assert "over 300 times as much" in line
        assert "set max_content_ratio higher" in line
    assert "Traceback" not in message
    assert peak_mb < MEMORY_MB
    assert [record["name"] for record in site.records().values()] == ["good.log"]
    assert sum(p.stat().st_size for p in site.lake.rglob("*") if p.is_file()) < MIB
    assert not (site.lake / ".staging").exists()


SAY_PEAK = """
import sys
from pathlib import Path
from pipeline.cli.main import main

sys.argv[0] = "tidegauge"
try:
    main()
finally:
    (peak,) = [l for l in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in l]
    Path("peak").write_text(peak.split()[1])
"""


def measured(site: Site, *args: str | Path) -> tuple[subprocess.CompletedProcess[bytes], float]:
    """Run the command in a process of its own; return what it did and its peak memory in MB.

    It says the peak itself: what the system tells of an ended process may be the tests' own.
    """
    command = [sys.executable, "-c", SAY_PEAK, *map(str, args)]
    done = subprocess.run(
        command, capture_output=True, env=site.environment(), cwd=site.folder, check=False
    )
    return done, int((site.folder / "peak").read_text()) / 1024


@pytest.mark.large
def test_archive_is_allowed_what_the_setting_allows(site: Site) -> None:
    """A real log of one line again and again is refused or taken as set, and then known."""
    content = GOOD * (65 * MIB // len(GOOD))
    path = site.write("web.log", lzma.compress(content, preset=0))
    short = site.write("short.log", lzma.compress(GOOD * 10_000))
    refused = site.ingest(path, short, code=1)
    assert "max_content_ratio" in refused.err
    assert [record["source"] for record in site.records().values()] == ["short"]  # under 64 MiB
    with pytest.raises(DataError, match="hold more than"):
        list(read_content(path))
    allowed: dict[str, str | None] = {"TIDEGAUGE_MAX_CONTENT_RATIO": "100000"}
    for _ in range(2):
        site.run("ingest", "--no-geo", path, env=allowed)
    hits = {record["source"]: record["hits"] for record in site.records().values()}
    assert hits == {"short": 10_000, "web": len(content) // len(GOOD)}


def test_file_that_is_long_by_its_holes_is_refused_unread(site: Site) -> None:
    """Four terabytes of zeros that take no disk are refused at once; a small hole is read."""
    path = site.write("web.log", GOOD)
    os.truncate(path, 4 * 1024**4)
    small = site.write("small.log", GOOD)
    os.truncate(small, MIB)
    done = site.ingest(path, small, code=1)
    assert "web.log: its 4,398,046,511,104 bytes are" in done.err
    assert "and holes" in done.err
    assert_accounted(site, GOOD + bytes(MIB - len(GOOD)), hits=1, rejected=1)


def test_file_of_more_lines_than_allowed_is_refused(site: Site) -> None:
    """The memory for accounting by line is bounded by a setting that the sentence names."""
    log = site.write("web.log", GOOD * 11)
    few: dict[str, str | None] = {"TIDEGAUGE_MAX_LINES": "10"}
    done = site.run("ingest", "--no-geo", log, env=few, code=1)
    assert "has more than 10 lines" in done.err
    assert "max_lines" in done.err
    assert not site.records()
    site.run("ingest", "--no-geo", log, env={"TIDEGAUGE_MAX_LINES": "11"})


@pytest.mark.rest_large
@pytest.mark.parametrize("kind", COMPRESS)
def test_many_members_are_one_content_in_bounded_memory(kind: str, site: Site) -> None:
    """Thousands of members, empty ones between, are read as one; no piece is large."""
    compress = COMPRESS[kind]
    lines = MANY.splitlines(keepends=True)
    parts = [b"".join(lines[at : at + 10]) for at in range(0, len(lines), 10)]
    archive = b"".join(compress(part) + compress(b"") for part in parts)
    path = site.write("web.log", archive)
    pieces = list(read_content(path))
    assert b"".join(pieces) == MANY
    zeros = site.write("zeros", compress(bytes(40 * MIB)))
    assert max(map(len, read_content(zeros))) <= 32 * MIB
    site.ingest(path)
    assert assert_accounted(site, MANY, hits=3000)["damage"] is None


@pytest.mark.large
def test_half_a_million_empty_members_end(site: Site) -> None:
    """10 MB of empty gz members hold nothing, and take seconds."""
    member = gzip.compress(b"", mtime=0)
    path = site.write("web.log", member * (10_000_000 // len(member)))
    begun = time.process_time()
    assert list(read_content(path)) == []
    assert time.process_time() - begun < 120


@pytest.mark.rest_large
@pytest.mark.parametrize(
    ("content", "kinds"),
    [
        (bytes(100_000), {"rejected": 1}),
        (bytes(17 * MIB), {"rejected": 1}),
        (b"\n" * 3_000_000, {"blank": 3_000_000}),
        (os.urandom(200_000).replace(b"\n", b" "), {"rejected": 1}),
    ],
    ids=["zeros", "17 MiB of zeros", "blank lines", "noise"],
)
def test_file_without_a_line_of_a_log_is_accounted(
    content: bytes, kinds: dict[str, int], site: Site
) -> None:
    """Every physical line is rejected or blank; nothing is a hit, nothing is lost."""
    site.ingest(site.write("web.log", content))
    assert_accounted(site, content, **kinds)
    site.run("build")


@contextmanager
def alarm(seconds: int) -> Iterator[None]:
    """Fail instead of waiting for ever."""

    def ring(*_: object) -> None:
        raise TimeoutError(f"still waiting after {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path.relative_to(Path.cwd())))


SPECIAL: dict[str, tuple[Callable[[Path], None], str]] = {
    "pipe": (os.mkfifo, "is a named pipe (FIFO), no raw log: not opened"),
    "socket": (make_socket, "is a socket, no raw log: not opened"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "is a device, no raw log: not opened"),
}


@pytest.mark.parametrize("kind", SPECIAL)
def test_what_is_no_regular_file_is_never_opened(
    kind: str, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe without a writer would block for ever, a device never end: named, others are in."""
    make, sentence = SPECIAL[kind]
    good = site.write("good.log", GOOD)
    monkeypatch.chdir(good.parent)  # a socket's path is short
    make(good.with_name("odd.log"))
    opened: list[str] = []
    real = os.open

    def watch(path: str, *args: int, **options: int) -> int:
        opened.append(os.fspath(path))
        return real(path, *args, **options)

    with monkeypatch.context() as patch, alarm(60):
        patch.setattr("pipeline.raw.opening.os.open", watch)
        done = site.ingest(good.with_name("odd.log"), good, code=1)
        for command in ("parse", "doctor"):
            assert sentence in site.run(command, good.with_name("odd.log"), code=1).err
    assert f"odd.log: {sentence}" in done.err
    assert not [path for path in opened if path.endswith("odd.log")]
    assert [record["name"] for record in site.records().values()] == ["good.log"]


def test_links_in_a_folder_do_not_lead_out_of_it(site: Site, tmp_path: Path) -> None:
    """A file there is read once, whatever links to it; what lies outside is named, not read."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.log").write_bytes(GOOD * 2)
    raw = site.write("web.log", GOOD).parent
    site.write("sub/api.log", GOOD * 3)
    links = {"current.log": "web.log", "same": "sub", "up": "..", "ring": "gnir", "gnir": "ring",
             "out.log": outside / "secret.log", "outdir": outside, ".out": outside}  # fmt: skip
    for name, target in links.items():
        (raw / name).symlink_to(target)
    done = site.ingest("raw", code=1)
    assert {r["name"]: r["hits"] for r in site.records().values()} == {"web.log": 1, "api.log": 3}
    for name in ("out.log", "outdir"):
        assert f"raw/{name}: is a link out of it, to {outside}" in done.err
    assert "set follow_links = true, or name it itself" in done.err
    assert "raw/up: is a link to a folder that holds this one" in done.err
    assert "raw/ring: cannot be read: Too many levels of symbolic links" in done.err
    assert not {"current", "same", ".out:"} & set(done.err.split())
    site.ingest("raw/out.log")  # named by itself: the user's wish
    followed = find_files([raw], follow_links=True)
    names = {str(path.relative_to(raw)) for path in followed.files}
    assert names == {"outdir/secret.log", "sub/api.log", "web.log", "ring", "gnir"}
    assert [path.name for path, _ in followed.refused] == ["up"]


def test_a_night_names_what_it_does_not_read_and_goes_on(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """A link out of the raw folder or a pipe in it is a warning, as long as the day has a file."""
    build_default_databases(site.folder / "geo")
    raw = site.write("web.log", GOOD).parent
    (raw / "out.log").symlink_to("/etc/passwd")
    os.mkfifo(raw / "pipe.log")
    with alarm(60):
        site.run("run", "--from", "2016-11-08", "--to", "2016-11-08", "--geo", "geo")
    assert "out.log: is a link out of it, to /etc/passwd" in caplog.text
    assert "pipe.log: is a named pipe" in caplog.text
    (raw / "web.log").unlink()
    with alarm(60):
        done = site.run("run", "--from", "2016-11-09", "--to", "2016-11-09", "--geo", "geo", code=1)
    assert "2 not read, such as" in done.err


def test_names_and_paths_of_any_kind(site: Site) -> None:
    """Newlines, controls, no UTF-8, 255 bytes, `..`, folders named as archives, hard links."""
    names = [
        "a\nb\x1b[31m\x07.log",
        os.fsdecode(b"c\xff\xfe\x80.log"),
        "d" * 255,
        "\u20ac" * 85,
    ]
    for number, name in enumerate(names, 1):
        site.write(name, GOOD * number)
    site.write("dir.gz/deep.log", GOOD * 6)
    os.link(site.folder / "raw" / "dir.gz" / "deep.log", site.folder / "raw" / "deep.log.1")
    done = site.ingest("raw/dir.gz/../../raw")
    assert sorted(record["hits"] for record in site.records().values()) == [1, 2, 3, 4, 6]
    assert "deep.log: already in the lake" in done.err or "deep.log.1: already" in done.err
    assert not {"\x1b", "\x07"} & {*done.out, *done.err}
    assert all(len(os.fsencode(path.name)) <= 255 for path in site.lake.rglob("*"))
    assert {path.name for path in site.folder.iterdir()} == {"raw", "lake"}
    for path in find_files([site.folder / "raw"]).files:
        assert Lake(site.lake).find_seen(path), path  # known by the path without `..`
    site.run("build")
    assert [row["hits"] for row in site.rows("daily")] == [16]


def test_folders_within_folders_to_any_depth(site: Site) -> None:
    """What lies deeper than the longest path of the system, 4,096 bytes, is said."""
    raw = site.write("web.log", GOOD).parent
    descriptor = os.open(raw, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("d" * 250, dir_fd=descriptor)
        inner = os.open("d" * 250, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    os.close(descriptor)
    done = site.ingest("raw", code=1)
    assert "File name too long" in done.err
    assert [record["name"] for record in site.records().values()] == ["web.log"]


class Changing:
    """Changes a raw file when its first piece has been read."""

    def __init__(self, path: Path, change: Callable[[], object]) -> None:
        """Change the file of `path` by `change`."""
        self.path, self.change, self.is_done = path, change, False

    def patch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Listen to the reading of all raw files."""
        real = raw_content._pieces

        def pieces(raw: OpenRaw, *how: Any) -> Iterator[bytes]:
            for piece in real(raw, *how):
                yield piece
                if raw.path == self.path and not self.is_done:
                    self.is_done = True
                    self.change()

        monkeypatch.setattr(raw_content, "_pieces", pieces)


LONG = b"".join(make_line(agent=f"{n} " + "x" * 900) for n in range(3000))  # three reads


def test_file_that_grows_while_read_is_its_beginning(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was there at the opening is read; the next run sees the rest and replaces it."""
    path = site.write("web.log", LONG)
    rest = make_line("09/Nov/2016:10:00:00 -0500") * 50

    def grow() -> None:
        with path.open("ab") as file:
            file.write(rest)

    with monkeypatch.context() as patch:
        Changing(path, grow).patch(patch)
        site.ingest(path)
    assert_accounted(site, LONG, hits=3000)
    assert Lake(site.lake).find_seen(path) is None
    site.ingest(path)
    assert [record["hits"] for record in site.records().values()] == [3050]
    assert Lake(site.lake).find_seen(path) is not None


@pytest.mark.parametrize("how", ["removed", "renamed"])
def test_file_that_goes_while_read_is_whole(
    how: str, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is open can be read to its end, also when its name has gone."""
    path = site.write("web.log", LONG)
    rotated = path.with_name("web.log.1")
    Changing(path, path.unlink if how == "removed" else lambda: path.rename(rotated)).patch(
        monkeypatch
    )
    site.ingest(path, site.write("good.log", GOOD))
    assert sorted(record["hits"] for record in site.records().values()) == [1, 3000]


@pytest.mark.parametrize("how", ["cut", "written anew"])
def test_file_that_is_truncated_while_read_is_refused(
    how: str, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Copytruncate in the middle of a reading: nothing of it is kept, the next run reads it."""
    path = site.write("web.log", LONG)
    anew = make_line("09/Nov/2016:10:00:00 -0500") * 40_000

    def truncate() -> None:
        with path.open("r+b") as file:
            file.truncate()
            file.write(GOOD if how == "cut" else anew)

    with monkeypatch.context() as patch:
        Changing(path, truncate).patch(patch)
        done = site.ingest(path, site.write("good.log", GOOD * 2), code=1)
    assert "web.log: was cut or written anew while it was read" in done.err
    assert [record["name"] for record in site.records().values()] == ["good.log"]
    site.ingest(path)
    hits = {record["source"]: record["hits"] for record in site.records().values()}
    assert hits == {"good": 2, "web": 1 if how == "cut" else 40_000}


def test_file_that_goes_between_listing_and_reading_stops_no_other(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is named; a night goes on with the others, too, and says so in the end."""
    build_default_databases(site.folder / "geo")
    gone, good = site.write("gone.log", GOOD), site.write("good.log", GOOD * 2)
    real = finding.discover

    def discover_then_remove(*args: Any, **options: Any) -> Found:
        found = real(*args, **options)
        gone.unlink()
        return found

    monkeypatch.setattr(finding, "discover", discover_then_remove)
    days = ("--from", "2016-11-08", "--to", "2016-11-08")
    done = site.run("run", *days, "--geo", "geo", code=1)
    assert "gone.log: " in done.err
    assert "No such file or directory" in done.err
    assert [record["name"] for record in site.records().values()] == [good.name]
