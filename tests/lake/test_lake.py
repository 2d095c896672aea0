"""The lake: the same bytes whatever the order and repetition of runs."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from conftest import build_database
from lake_fixtures import GOOD, Site, make_line
from lake_processes import SERVERS, TORONTO, Lakes


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> Lakes:
    return Lakes(tmp_path_factory.mktemp("lakes"))


def test_reference_holds_what_the_others_are_compared_by(lakes: Lakes) -> None:
    """Every table has files, sessions cross midnight and days are shared by servers."""
    tables = {path.split("/")[0] for path in lakes.wanted}
    assert tables == {
        "hits", "rejects", "sessions", "daily", "hourly", "minutes", "days", "expected", "surges",
        "drivers", "signals",
    }  # fmt: skip
    assert sum(path.startswith("daily/") for path in lakes.wanted) == 5
    sessions = lakes.reference.rows("sessions")
    assert any(
        row["started_at"].astimezone(TORONTO).date() != row["ended_at"].astimezone(TORONTO).date()
        for row in sessions
    )
    assert len(lakes.reference.rows("rejects")) == 2 * len(SERVERS)


@pytest.mark.large
def test_order_of_files_does_not_matter(lakes: Lakes) -> None:
    """Given the other way round, the files give the same bytes."""
    site = lakes.new("backwards")
    site.ingest(*reversed(lakes.raw))
    site.run("build")
    assert site.hashes() == lakes.wanted


@pytest.mark.large
def test_one_by_one_with_builds_between_is_all_at_once(lakes: Lakes) -> None:
    """Files that come late, each followed by a build, end in the same bytes."""
    site = lakes.new("one-by-one")
    for path in (lakes.raw[2], lakes.raw[0], lakes.raw[1]):
        site.ingest(path)
        site.run("build")
    assert site.hashes() == lakes.wanted


def test_repetition_changes_nothing(lakes: Lakes) -> None:
    """Ingesting and building again and again leaves the bytes as they are."""
    site = lakes.new("again")
    for _ in range(2):
        site.ingest(*lakes.raw, *lakes.raw)
        site.run("build")
    assert site.hashes() == lakes.wanted


def test_second_build_writes_nothing(lakes: Lakes) -> None:
    """A build with nothing stale writes no file of the lake and says so."""
    site = lakes.reference
    before = {path: path.stat() for path in site.lake.rglob("*") if path.is_file()}
    done = site.run("build")
    assert done.out == "built 0 days, nothing was stale\n"
    after = {path: path.stat() for path in site.lake.rglob("*") if path.is_file()}
    assert {path: (stat.st_ino, stat.st_mtime_ns) for path, stat in after.items()} == {
        path: (stat.st_ino, stat.st_mtime_ns) for path, stat in before.items()
    }


@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_bytes(b"no database")])
def test_build_repairs_the_views(lakes: Lakes, harm: Callable[[Path], None]) -> None:
    """A database of views that is lost or damaged is written anew, though nothing is stale."""
    site = lakes.reference
    harm(site.lake / "tidegauge.duckdb")
    site.run("build")
    with duckdb.connect(str(site.lake / "tidegauge.duckdb"), read_only=True) as views:
        (counted,) = views.execute("SELECT count(*) FROM hits").fetchall()
    assert counted == (1500 * len(SERVERS),)


def test_views_are_equal_in_content(lakes: Lakes) -> None:
    """`tidegauge.duckdb` opens on the reference lake and shows what its Parquet holds."""
    with duckdb.connect(str(lakes.reference.lake / "tidegauge.duckdb"), read_only=True) as views:
        shown = views.execute("SELECT sum(hits + robot_hits) FROM daily").fetchall()
        rows = views.execute("SELECT count(*) FROM hits").fetchall()
    assert shown == rows == [(1500 * len(SERVERS),)]


@pytest.mark.large
def test_day_that_lost_its_file_leaves_no_partition(lakes: Lakes) -> None:
    """When a file is taken out of the lake, its days are rebuilt as if it had never come."""
    site = lakes.new("taken-out")
    extra = site.write("web09.log", make_line("20/Dec/2016:10:00:00 -0500") + GOOD)
    site.ingest(*lakes.raw, extra)
    site.run("build")
    assert (site.lake / "daily" / "day=2016-12-20").exists()
    for path in [*site.lake.rglob("web09-*.parquet"), *site.lake.rglob("web09-*.json")]:
        path.unlink()
    site.run("build")
    assert site.hashes() == lakes.wanted
    assert not (site.lake / "daily" / "day=2016-12-20").exists()


@pytest.mark.large
def test_day_without_sessions_leaves_none_behind(tmp_path: Path) -> None:
    """A day of whose lines only robots' are left has daily rows and no sessions file."""
    site = Site(tmp_path)
    robot = make_line(agent="Googlebot/2.1")
    site.ingest(site.write("a.log", robot), site.write("b.log", GOOD))
    site.run("build")
    assert len(site.rows("sessions")) == 1
    for path in [*site.lake.rglob("b-*.parquet"), *site.lake.rglob("b-*.json")]:
        path.unlink()
    site.run("build")
    assert not list((site.lake / "sessions").rglob("*.parquet"))
    assert [(row["sessions"], row["robot_hits"]) for row in site.rows("daily")] == [(0, 1)]


@pytest.mark.large
def test_setting_that_changes_rebuilds_all_days(lakes: Lakes) -> None:
    """Another session timeout waits until asked for; back again gives the same bytes."""
    site = lakes.new("timeout")
    site.ingest(*lakes.raw)
    site.run("build")
    five = {"TIDEGAUGE_SESSION_TIMEOUT_MINUTES": "5"}
    assert site.run("build", env=five).out.startswith("built 0 days")
    explained = site.run("build", "--explain", env=five).out
    assert explained.count("session_timeout_minutes is 5, it was built with 30") == 5
    done = site.run("build", "--also", "settings", env=five)
    assert done.out.startswith("built 5 days")
    changed = site.hashes()
    assert changed != lakes.wanted
    assert {p: h for p, h in changed.items() if p[:4] == "hits"} == {
        p: h for p, h in lakes.wanted.items() if p[:4] == "hits"
    }
    site.run("build", "--also", "settings")
    assert site.hashes() == lakes.wanted


@pytest.mark.large
def test_partitions_are_in_order_whatever_was_built_beside_them(tmp_path: Path) -> None:
    """A few hourly rows of a day in the vector of 2,048 rows before: in order, the same bytes."""
    codes = [f"{a}{b}" for a in "ABCDE" for b in "ABCDEFGHIJKLMNOPQ"]  # 85: 2,040 rows a day
    (tmp_path / "geo").mkdir()
    networks = {f"198.51.{number}.0/24": code for number, code in enumerate(codes)}
    built = "2016-11-01T00:00:00+00:00"
    build_database(tmp_path / "geo" / "a.mmdb", "GeoLite2-City", built, networks)
    alone, together = (Site(tmp_path / name) for name in ("alone", "together"))
    for site in (alone, together):
        site.folder.mkdir()
        for day in (7, 8, 9):
            lines = [
                make_line(f"{day:02}/Nov/2016:{hour:02}:30:00 -0500", client=f"198.51.{number}.9")
                for hour in range(24)
                for number in range(len(codes))
            ]
            log = site.write(f"web0{day}.log", b"".join(lines))
            site.run("ingest", "--geo", tmp_path / "geo", log)
            if site is alone:
                site.run("build")
        site.run("build")
    assert alone.hashes() == together.hashes()
    order = {"hourly": ("hour", "country"), "daily": ("country",), "minutes": ("source", "minute")}
    for table, columns in order.items():
        paths = sorted((together.lake / table).rglob("*.parquet"))
        assert len(paths) == 3
        for path in paths:
            keys = [
                tuple(row[c] for c in columns) for row in pq.ParquetFile(path).read().to_pylist()
            ]
            assert keys == sorted(keys), path
