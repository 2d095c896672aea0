"""`compare`: what it can't count it names, what is wrong it refuses, and it leaves nothing."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import namedtuple
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from compare_sites import (
    DAYS,
    assert_agrees,
    compare,
    make_lake,
    state_of,
    without_caveats,
    write_databases,
    write_raw,
)
from conftest import COMMAND
from hostile_texts import EVIL, STEERING
from lake_fixtures import Site, make_line
from retention_sites import OLD, SEALED, UNSEALED, delete, make_original, set_clock
from verify_lakes import rewrite_records

from pipeline.compare import other_places

LATER = ("--geo-database", "later/later.mmdb")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Site:
    made = Site(tmp_path_factory.mktemp("original"))
    write_databases(made.folder)
    write_raw(made)
    made.run("ingest", "raw")
    made.run("build")
    return made


@pytest.fixture
def site(original: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A copy to damage, and a temporary folder of its own to look into."""
    copy = original.copy(tmp_path / "site")
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    rewrite_records(copy, lambda record: replace(record, seen=()))
    copy.run("ingest", "raw")  # so that it knows where its raw files are now
    return copy


def left_over() -> list[Path]:
    return list(Path(tempfile.gettempdir()).iterdir())


@pytest.mark.parametrize(
    ("args", "parts"),
    [
        ((), ["nothing to change", "--timeout", "--geo-built"]),
        (("--timeout", "0"), ["--timeout", "greater than or equal to 1"]),
        (("--timeout", "soon"), ["--timeout", "integer"]),
        (("--timezone", "Toronto"), ["--timezone", "'Toronto'", "America/Vancouver"]),
        (("--timezone", "../UTC"), ["--timezone", "IANA"]),
        (("--robots", "nolist"), ["--robots", "'nolist'", "no such file", "crawlerdetect"]),
        (("--robots", "raw"), ["--robots", "no such file"]),
        (("--robots", "/dev/zero"), ["--robots", "no such file"]),
        (("--geo-database", "nofile.mmdb"), ["nofile.mmdb"]),
        (("--geo-database", "raw/web01.log-1"), ["web01.log-1"]),
        (("--geo-built", "2016-12-08"), ["--geo-built", "2016-12-08", "2016-10-30"]),
        (("--geo-built", "2016-12-08", "--geo", "none"), ["--geo-built", "none holds none"]),
        (("--geo-built", "8 Nov"), ["--geo-built", "8 Nov"]),
        (("--timeout", "15", "--country", "XQ7"), ["--country", "'XQ7'", "such as US"]),
        (("--timeout", "15", "--from", "2017-01-01"), ["2016-11-01 to 2016-11-14"]),
        (("--timeout", "15", "--lake", "nolake"), ["no lake at nolake"]),
    ],
)
def test_wrong_value_exits_2_with_a_sentence(
    args: tuple[str, ...], parts: list[str], original: Site
) -> None:
    """What is wrong and what would be right is said, before anything is counted."""
    done = original.run("compare", *args, code=1 if "--from" in args else 2)
    said = " ".join(done.err.replace("│", " ").split())
    for part in parts:
        assert part in said
    assert "counting" not in done.err
    assert done.out == ""


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"good\n(?!bad)x\n", "line 2, '(?!bad)x', is refused: invalid perl operator"),
        (b"(a)\\1\n", "line 1"),
        (b"bot|\n", "it matches every user agent"),
        (b".{0,1000}" * 49 + b"z", "over 1,000 repetitions"),
        (b"(?:(?:a{100}){100}){9}", "invalid repetition size"),
        (b"x" * 501, "longer than 500 characters"),
        (b"x\n" * 2001, "at most 2,000"),
        (b"# none\n\n", "holds no expression"),
        (b"\xff\xfe", "not UTF-8"),
        (b"x" * 1_000_001, "over 1,000,000 bytes"),
        (EVIL.encode() + b"(", "is refused"),
    ],
)
def test_expression_that_cannot_be_bounded_is_refused(
    content: bytes, part: str, original: Site
) -> None:
    """A list is refused by line and reason, and in time."""
    path = original.folder / "rules"
    path.write_bytes(content)
    started = time.process_time()
    done = original.run("compare", "--robots", "rules", code=2)
    assert part in done.err
    assert not STEERING.search(done.err)
    assert time.process_time() - started < 60


@pytest.mark.large
def test_sealed_days_are_named_and_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Days whose hits are deleted are left out; the others are as they were with all hits there.

    Another zone needs sessions only, which stay: nothing but the cut-off first day is left out.
    """
    site = make_original(tmp_path)
    asked = ("compare", "--timeout", "15", "--timezone", "UTC", "--format", "json")
    rows = without_caveats(json.loads(site.run(*asked).out))
    set_clock(monkeypatch, "2016-11-12T12:00:00+00:00")
    delete(site)
    done = site.run(*asked)
    left = json.loads(done.out)
    assert all(any("left out: sealed" in one for one in row["caveats"]) for row in left)
    left = without_caveats(left)
    assert left == [row for row in rows if row["variant"] != "timeout 15" or row["day"] in UNSEALED]
    assert f"timeout 15: {SEALED[0]} to {SEALED[-1]} left out: sealed" in done.err
    assert len(OLD) < len(SEALED)
    alone = site.run("compare", "--timeout", "15", "--to", SEALED[-1], "--format", "json")
    assert json.loads(alone.out) == []


def test_hits_that_are_missing_are_named(site: Site) -> None:
    """A day without all its hits, and the next, are left out; the other days are unchanged."""
    before, _ = compare(site, "--timeout", "15", "--from", DAYS[0], "--to", DAYS[-1])
    next((site.lake / "hits" / f"day={DAYS[4]}").iterdir()).unlink()
    rows, done = compare(site, "--timeout", "15", "--from", DAYS[0], "--to", DAYS[-1])
    assert rows == [row for row in before if row["day"] not in DAYS[4:6]]
    assert f"{DAYS[4]} left out: its hits are gone" in done.err
    assert f"{DAYS[5]} left out: the hits of the day before" in done.err


def test_stale_days_are_named(site: Site) -> None:
    """Days that a late file has made stale are left out until they are built."""
    site.ingest(site.write("web03.log", make_line("08/Nov/2016:10:00:00 -0500")))
    rows, done = compare(site, "--timeout", "15")
    assert DAYS[7] not in {row["day"] for row in rows}
    assert DAYS[0] in {row["day"] for row in rows}
    assert "`tidegauge build` first" in done.err
    assert "late files: web03.log" in done.err
    done = site.run("compare", "--timeout", "15", "--from", DAYS[7], "--to", DAYS[7], code=1)
    assert "all 1 day asked are stale" in done.err


@pytest.mark.large
def test_timeout_set_but_not_built_yet_changes_nothing(site: Site) -> None:
    """The other settings stay as the lake was built, not as they are set by now."""
    before, _ = compare(site, "--robots", "none", "--timeout", "15")
    (site.folder / "tidegauge.toml").write_text("session_timeout_minutes = 15")
    rows, _ = compare(site, "--robots", "none", "--timeout", "15")
    assert rows == before


@pytest.mark.rest_large
@pytest.mark.parametrize("change", ["gone", "other", "grown"])
def test_raw_file_that_is_not_there_as_it_was_is_named(change: str, site: Site) -> None:
    """Without a raw file its days are left out; what another file holds by now is not counted."""
    before, _ = compare(site, *LATER, "--from", DAYS[0], "--to", DAYS[-1])
    raw = site.folder / "raw" / "web01.log-2"  # UTC days 7 to 9
    if change == "gone":
        raw.unlink()
    else:
        raw.write_bytes(make_line() * 30 + (raw.read_bytes() if change == "grown" else b""))
    rows, done = compare(site, *LATER, "--from", DAYS[0], "--to", DAYS[-1])
    out = [day for day in DAYS if day not in {row["day"] for row in rows}]
    assert out == DAYS[5:10]  # from the evening of the 6th in Toronto to the day after the 9th
    assert rows == [row for row in before if row["day"] not in out]
    assert "web01.log-2: its raw file is gone, or has changed since" in done.err


@pytest.mark.large
def test_addresses_kept_in_full_need_no_raw_file(site: Site) -> None:
    """Where hits hold addresses they are placed by them, with the figures of a lake so located."""
    full = make_lake(site, "full", addresses="full")
    other = make_lake(site, "other", geo="later")
    shutil.rmtree(site.folder / "raw")
    rows, done = compare(site, *LATER, "--lake", "full")
    assert_agrees(rows, full, other, DAYS)
    assert "read again" not in done.err
    truncated = site.run("compare", *LATER, "--format", "json")
    assert json.loads(truncated.out) == []


@pytest.mark.large
def test_raw_files_renamed_and_recompressed_are_not_needed_where_they_were(site: Site) -> None:
    """A raw file is read where the lake last saw its content, whatever its name."""
    before, _ = compare(site, *LATER)
    raw = site.folder / "raw"
    for path in list(raw.iterdir()):
        subprocess.run(["gzip", "-q", "-S", ".gz", path], check=True)
    site.run("ingest", "raw")
    rows, done = compare(site, *LATER)
    assert rows == before
    assert "left out" not in done.err


@pytest.mark.large
def test_grown_files_and_overlaps_are_read_again_as_the_lake_has_them(site: Site) -> None:
    """Lines sent twice and files that grew count once, in the temporary lake as in the lake."""
    raw = site.folder / "raw"
    tail = b"".join((raw / "web01.log-3").read_bytes().splitlines(keepends=True)[-30:])
    next_file = raw / "web01.log-4"
    next_file.write_bytes(tail + next_file.read_bytes())
    grown = raw / "web02.log-0"
    grown.write_bytes(grown.read_bytes() + make_line("04/Nov/2016:10:00:00 -0400"))
    site.run("forget", next(k for k, r in site.records().items() if r["name"] == "web01.log-4"))
    site.run("ingest", "raw")
    site.run("build")
    other = make_lake(site, "other", geo="later")
    rows, _ = compare(site, *LATER)
    assert_agrees(rows, site, other, DAYS)


@pytest.mark.large
def test_interrupted_reading_leaves_no_temporary_lake(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C and a request to end remove the temporary lake, and nothing else was touched."""
    before, seen = state_of(site.folder), []
    numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]

    def interrupt(*_: Any, **__: Any) -> Any:
        seen.append(len(list(Path(tempfile.gettempdir()).rglob("*.parquet"))))
        os.kill(os.getpid(), numbers[len(seen) - 1])
        time.sleep(20)
        raise AssertionError("not interrupted")

    monkeypatch.setattr(other_places, "count_days", interrupt)
    for _ in numbers:
        done = site.run("compare", *LATER, code=130)
        assert "interrupted" in done.err
        assert left_over() == []
    assert len(seen) == 3
    assert all(count > 20 for count in seen)
    assert state_of(site.folder) == before


@pytest.mark.large
def test_real_ctrl_c_in_the_middle_leaves_nothing(site: Site, tmp_path: Path) -> None:
    """The command itself, interrupted at several moments, ends by one sentence and tidies up."""
    folder = tmp_path / "tmp"
    environment = site.environment({"TMPDIR": str(folder)})
    for tries in range(3):
        command = [COMMAND, "compare", "--timeout", "15", "--robots", "none", *LATER]
        running = subprocess.Popen(
            command, cwd=site.folder, env=environment, stderr=subprocess.PIPE, text=True,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        while not list(folder.glob("tidegauge-compare-*")):
            time.sleep(0.01)
            assert running.poll() is None
        time.sleep(0.1 * tries)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=60)
        assert "Traceback" not in said
        assert running.returncode == 130
        assert list(folder.iterdir()) == []


AT_THE_WORST = """
import os, signal, sys
from pipeline.cli import main
set_handler = signal.signal
set_handler(signal.SIGINT, signal.default_int_handler)  # in the background it is ignored
def first(*handler):
    signal.signal = set_handler
    os.kill(os.getpid(), signal.SIGINT)
    return set_handler(*handler)
signal.signal = first
main.run()
"""


@pytest.mark.large
def test_ctrl_c_before_anything_was_read_leaves_nothing(site: Site, tmp_path: Path) -> None:
    """It comes when the folder may be there already, and no handler of ours is yet."""
    done = subprocess.run(
        [sys.executable, "-c", AT_THE_WORST, "compare", *LATER], cwd=site.folder, check=False,
        env=site.environment({"TMPDIR": str(tmp_path / "tmp")}), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 130, done.stderr
    assert list((tmp_path / "tmp").iterdir()) == []


def test_room_is_checked_before_reading(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too little room in the temporary folder is an error that says how much is needed."""
    usage = namedtuple("usage", "total used free")  # noqa: PYI024
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(1000, 900, 100))
    done = site.run("compare", *LATER, code=2)
    assert "100 are free; set TMPDIR" in done.err
    assert left_over() == []


def test_temporary_folder_in_the_lake_is_refused(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The temporary lake never lies in the lake."""
    monkeypatch.setattr(tempfile, "tempdir", str(site.lake / "ledger"))
    before = state_of(site.lake)
    done = site.run("compare", *LATER, code=2)
    assert "lies in the lake" in done.err
    assert state_of(site.lake) == before


@pytest.mark.large
def test_no_text_of_logs_or_paths_steers_the_terminal(tmp_path: Path) -> None:
    """Agents, raw files' names, lists' names and values given are shown escaped."""
    site = Site(tmp_path)
    write_databases(site.folder)
    raw = site.write(f"w{EVIL}'*?.log", make_line(agent=EVIL) + make_line(agent='\\"a" "b\'--'))
    rules = site.folder / f"r{EVIL}'[x].txt"
    rules.write_text("Fire\n\\x1b\n")
    database = site.folder / f"g{EVIL}'.mmdb"
    shutil.copy(site.folder / "later" / "later.mmdb", database)
    site.run("ingest", raw)
    site.run("build")
    asked = ("--robots", rules, "--geo-database", database, "--timeout", "15")
    done = [site.run("compare", *asked, "--format", form) for form in ("table", "csv", "json")]
    raw.unlink()
    done.append(site.run("compare", *asked))
    assert "its raw file is gone" in done[-1].err
    done += [
        site.run("compare", option, EVIL, code=2)
        for option in ("--robots", "--timezone", "--geo-database", "--country", "--timeout")
    ]
    for each in done:
        assert not STEERING.search(each.out + each.err), each


def test_empty_lake_says_what_to_do(tmp_path: Path) -> None:
    """A lake without figures is no error of its own: build first."""
    site = Site(tmp_path)
    site.ingest(site.write("web.log", make_line()))
    done = site.run("compare", "--timeout", "15", code=1)
    assert "no day is built yet: `tidegauge build` first" in done.err
