"""A file belongs to every day that it has a line of; a day whose file was left out is not whole."""

import gzip
import json
from collections import Counter
from datetime import date
from pathlib import Path
from unittest import mock
from zoneinfo import ZoneInfo

import pytest
from conftest import build_database
from lake_fixtures import Site, make_line

from pipeline.enrich.hits import DatabasesInForce
from pipeline.errors import StoreError
from pipeline.ingest import raw_logs
from pipeline.ingest.discovery import Found, discover, find_raw
from pipeline.ingest.file_days import look_through
from pipeline.lake.lake import Lake
from pipeline.lake.left_out import read_notes
from pipeline.orchestration import nightly
from pipeline.raw.files import Origin, RawFiles
from pipeline.raw.opening import DEFAULT_LIMITS

TORONTO = ZoneInfo("America/Toronto")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Return a site with an empty folder of raw logs and a database, whose runs draw no page."""
    monkeypatch.setattr(nightly, "make_page", lambda *_: "no page")
    (tmp_path / "raw").mkdir()
    (tmp_path / "geo").mkdir()
    networks = {"192.0.2.0/24": "CA"}
    build_database(tmp_path / "geo" / "a.mmdb", "City", "2016-10-01T00:00:00+00:00", networks)
    return Site(tmp_path)


def lines(*days: int, client: int = 1) -> bytes:
    """Write lines of every half hour of days of November 2016, in the order of the days."""
    return b"".join(
        make_line(f"{day:02}/Nov/2016:{hour:02}:{minute} -0500", f"192.0.2.{client}")
        for day in days
        for hour in range(24)
        for minute in ("00:00", "31:00")
    )


def run(site: Site, *args: str, code: int = 0) -> str:
    done = site.run("run", *args, "--geo", "geo", code=code)
    return done.out + done.err


def run_day(site: Site, day: int, code: int = 0) -> str:
    return run(site, "--from", f"2016-11-{day:02}", "--to", f"2016-11-{day:02}", code=code)


def figure(site: Site, day: int) -> str:
    return site.run("figure", "--day", f"2016-11-{day:02}", "--country", "all").out


def find(site: Site, day: int, *, late: bool = False, raw_files: RawFiles | None = None) -> Found:
    files = raw_files or find_raw(site.folder / "raw", follow_links=False)
    places = DatabasesInForce([], None, TORONTO)
    lake = Lake(site.lake)
    return discover(lake, files, places, date(2016, 11, day), where="raw", with_late=late)


@pytest.mark.large
def test_parallel_logs_of_a_day_are_all_taken_in(site: Site) -> None:
    """One goes on over the day in which the other begins, whatever they are called."""
    pairs = [
        ("site1_access.log", "site1_ssl_access.log"),
        ("access.log.2", "access.log.1"),
        ("web01.log", "web02.log"),
        ("proxy-host-11_access.log", "proxy-host-12_access.log"),
    ]
    for number, (one, other) in enumerate(pairs, 1):
        site.write(f"{number}/{one}", lines(*range(7, 11), client=number))
        site.write(f"{number}/{other}", lines(*range(8, 11), client=100 + number))
    run_day(site, 9)
    hits = Counter(row["visitor_id"] for row in site.rows("hits") if row["ts"].day == 9)
    assert len(hits) == len(site.records()) == 8
    assert min(hits.values()) > 40
    assert "cover the whole day" in figure(site, 9)


@pytest.mark.parametrize("order", [(10, 8), (10, 9, 8, 10), (12, 11, 8)])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_lines_out_of_order_are_found(site: Site, order: tuple[int, ...], pack: type) -> None:
    site.write("web01.log", lines(8))
    site.write("web02.log", pack(lines(*order, client=2)))
    assert len(find(site, 8).files) == 2


def test_a_layout_without_apaches_times_is_read_through(site: Site) -> None:
    instants = ("2016-11-10T12:00:00Z", "2016-11-08T12:00:00Z", "2016-11-09T04:30:00Z")
    entries = [
        {"ClientIP": "192.0.2.1", "ClientRequestHost": "a.example", "ClientRequestMethod": "GET",
         "ClientRequestURI": "/", "EdgeResponseStatus": 200, "EdgeStartTimestamp": instant,
         "EdgeResponseBytes": 1, "ClientRequestUserAgent": "Firefox/49.0"}
        for instant in instants
    ]  # fmt: skip
    path = site.write("http.log", "".join(json.dumps(one) + "\n" for one in entries).encode())
    found = look_through(path, TORONTO, Origin("http"), DEFAULT_LIMITS)
    assert sorted(day.day for day in found.days) == [8, 10]
    assert found.is_whole


def test_lines_of_another_layout_behind_the_beginning_have_days_too(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    moved = [
        json.dumps({
            "ClientIP": "192.0.2.1", "ClientRequestHost": "a.example", "ClientRequestMethod": "GET",
            "ClientRequestURI": "/", "EdgeResponseStatus": 200, "EdgeResponseBytes": 1,
            "EdgeStartTimestamp": f"2016-11-09T{hour:02}:{minute:02}:00-05:00",
            "ClientRequestUserAgent": "Firefox/49.0",
        })
        for hour in range(24)
        for minute in range(0, 60, 5)
    ]  # fmt: skip
    path.write_bytes(lines(8) + "\n".join(moved).encode() + b"\n")
    found = look_through(path, TORONTO, Origin("access"), DEFAULT_LIMITS)
    assert found.days == {date(2016, 11, 8), date(2016, 11, 9)}


@pytest.mark.large
def test_a_damaged_file_leaves_its_days_preliminary_until_it_comes_whole(site: Site) -> None:
    site.write("web01.log", lines(7, 8))
    run_day(site, 8)
    assert "whole day" in figure(site, 8)
    content = gzip.compress(lines(7, 8, client=2))
    path = site.write("web02-20161108.log.gz", content[:-20])
    run_day(site, 8, code=1)
    assert "preliminary" in figure(site, 8)  # before any build
    site.run("build")
    said = figure(site, 8)
    assert "whole day" not in said
    assert "web02: web02-20161108.log.gz could not be taken in" in said
    (day,) = [row for row in site.rows("days") if row["hits"] and row["is_preliminary"]][-1:]
    assert any("web02-20161108.log.gz" in reason for reason in day["reasons"])
    site.run("verify")
    path.write_bytes(content)
    run_day(site, 8)
    assert not read_notes(Lake(site.lake))
    assert "whole day" in figure(site, 8)


@pytest.mark.large
def test_a_run_of_one_day_leaves_its_neighbours_preliminary(site: Site) -> None:
    """A file reaches into the next day, whose own file is there and was left out."""
    site.write("web01-20161108.log", lines(8) + lines(9)[:200])
    site.write("web01-20161109.log", lines(9)[200:])
    run_day(site, 8)
    assert "web01: web01-20161109.log not taken in yet" in figure(site, 9)
    assert "whole day" not in figure(site, 9)
    assert "whole day" in figure(site, 8)
    run_day(site, 9)
    assert "whole day" in figure(site, 9)


def test_a_late_file_of_a_sealed_day_is_said(site: Site) -> None:
    site.write("web01.log", lines(7, 8))
    run_day(site, 8)
    with Lake(site.lake).lock():
        Lake(site.lake).seal(["2016-11-07"], "2016-11-09T06:00:00Z")
    site.write("web02.log", lines(7, client=2))
    find(site, 8, late=True)
    assert "web02: web02.log has lines of a sealed day" in figure(site, 7)
    assert "whole day" in figure(site, 8)


def test_a_store_out_of_reach_leaves_the_day_preliminary(site: Site) -> None:
    site.write("web01.log", lines(8))
    run_day(site, 8)
    error = StoreError("source.web02.url", "sftp://logs.example", "no answer")
    find(site, 8, raw_files=RawFiles(unreached=(error,)))
    assert "web02: its store was out of reach" in figure(site, 8)
    find(site, 8, raw_files=RawFiles())
    assert "whole day" in figure(site, 8)


def test_a_link_that_may_not_be_followed_is_said(site: Site) -> None:
    site.write("web01.log", lines(8))
    (site.folder / "elsewhere.log").write_bytes(lines(8, client=2))
    (site.folder / "raw" / "web02-20161108.log").symlink_to("../elsewhere.log")
    run_day(site, 8)
    assert "web02: web02-20161108.log is a link out of it" in figure(site, 8)
    (site.folder / "raw" / "web02-20161108.log").unlink()
    run_day(site, 8)
    assert "whole day" in figure(site, 8)


def test_what_was_looked_through_is_known_until_it_changes(site: Site) -> None:
    site.write("web01.log", lines(8))
    later = site.write("web02.log.gz", gzip.compress(lines(12, 13)))
    together = raw_logs.look_together
    with mock.patch.object(raw_logs, "look_together", wraps=together) as looked:

        def is_looked_at(files: int) -> bool:
            assert len(find(site, 8).files) == files
            asked, *_ = looked.call_args.args
            return later in {path for path, _ in asked}

        assert is_looked_at(1)
        assert not is_looked_at(1)
        later.write_bytes(gzip.compress(lines(12, 8)))
        assert is_looked_at(2)
    later.unlink()
    find(site, 8)
    assert [note.name for note in read_notes(Lake(site.lake)).values()] == ["web01.log"]


@pytest.mark.large
def test_what_the_lake_has_from_elsewhere_is_not_left_out(site: Site) -> None:
    """The same content under another path, as after a move of the archive."""
    for day in range(5, 9):
        site.write(f"web01-2016110{day}.log", lines(day))
    site.run("ingest", "raw", "--geo", "geo")
    (site.folder / "raw").rename(site.folder / "archive")
    for day in range(5, 9):
        site.write(f"web01-2016110{day}.log.gz", gzip.compress(lines(day)))
    run_day(site, 8)
    assert not read_notes(Lake(site.lake))
    assert all("whole day" in figure(site, day) for day in range(6, 9))


def test_a_file_without_any_hit_makes_no_day_incomplete(site: Site) -> None:
    site.write("web01.log", lines(8))
    site.write("ownership-challenge-1a2b3c.txt", b"eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjE3MDB9.c2ln\n")
    run_day(site, 8)
    assert "its only expected source are in and cover the whole day" in figure(site, 8)


@pytest.mark.large
def test_a_grown_live_file_is_left_out_of_today_until_it_is_taken_in(site: Site) -> None:
    path = site.write("web01.log", lines(9)[:400])
    site.write("web02.log", lines(8))
    site.run("ingest", "raw", "--geo", "geo")
    path.write_bytes(lines(9)[:800])
    run_day(site, 8)
    assert "web01: web01.log not taken in yet" in figure(site, 9)
    assert "whole day" in figure(site, 8)
