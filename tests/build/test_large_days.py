"""Days of many sessions: in files of so many rows, in total order, whatever they are built in."""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from unittest import mock

import duckdb
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import COMMAND
from lake_fixtures import Site, make_line
from lake_processes import make_server

from pipeline.build.batch import BuildSettings
from pipeline.build.buckets import count_buckets
from pipeline.build.build import build, build_settings
from pipeline.build.checks import check_days
from pipeline.build.files_of_days import days_of
from pipeline.engine import HERE, Engine, Item, Result
from pipeline.errors import EngineError
from pipeline.lake.lake import Lake
from pipeline.settings import load_settings

PART_ROWS = 25


def settings_for(site: Site) -> BuildSettings:
    with mock.patch.dict("os.environ", site.environment(), clear=True):
        return build_settings(load_settings(lake=site.lake), Lake(site.lake))


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Site:
    site = Site(tmp_path_factory.mktemp("ingested"))
    huge = make_line("05/Nov/2016:20:00:00 -0400").replace(b" 5 ", b" 999999999999999999 ")
    log = *(huge.replace(b"0.2.1 ", b"0.2.%d " % n) for n in range(1, 13)), make_server(3, hours=30)
    site.ingest(site.write("web01-access.log", b"".join(log)))
    return site


@pytest.fixture
def site(ingested: Site, tmp_path: Path) -> Site:
    """Hits of two days, each of more sessions than fit into a part, not built yet."""
    return ingested.copy(tmp_path / "site")


def sessions_of(site: Site) -> dict[str, list[pa.Table]]:
    """Each day's files of sessions, in order."""
    return {
        folder.name: [pq.ParquetFile(path).read() for path in sorted(folder.iterdir())]
        for folder in (site.lake / "sessions").iterdir()
    }


def hashes_but_sessions(site: Site) -> dict[str, str]:
    return {place: its for place, its in site.hashes().items() if not place.startswith("sessions")}


def test_sessions_of_a_large_day_are_parts_of_the_same_rows(site: Site) -> None:
    settings, lake = settings_for(site), Lake(site.lake)
    build(lake, settings)
    wanted, others = sessions_of(site), hashes_but_sessions(site)
    assert all(len(files) == 1 for files in wanted.values())
    rebuild(site, replace(settings, part_rows=PART_ROWS))
    found = sessions_of(site)
    assert hashes_but_sessions(site) == others
    for day, (whole,) in wanted.items():
        sizes = [len(part) for part in found[day]]
        assert pa.concat_tables(found[day]).equals(whole)
        assert sizes[:-1] == [PART_ROWS] * (len(sizes) - 1)
        assert len(sizes) > 1
        names = sorted(path.name for path in (site.lake / "sessions" / day).iterdir())
        assert names == [f"part-{n:02}.parquet" for n in range(len(sizes))]
    assert "nothing is off" in site.run("verify").err
    days = [date.fromisoformat(day.removeprefix("day=")) for day in wanted]
    assert check_days(lake, days, settings) == sorted(days)
    (counted,) = duckdb.sql(
        f"SELECT count(*) FROM read_parquet('{site.lake}/sessions/**/*.parquet')"
    ).fetchall()
    said = site.run("sql", "SELECT count(*) AS n FROM sessions", "--format", "csv").out
    assert said.split() == ["n", str(counted[0])]


def rebuild(site: Site, settings: BuildSettings) -> None:
    """Build every day, whose figures somebody has taken away."""
    shutil.rmtree(site.lake / "daily")
    build(Lake(site.lake), settings)


@pytest.mark.large
def test_parts_that_a_day_has_no_longer_go_with_the_same_change(site: Site) -> None:
    settings = settings_for(site)
    build(Lake(site.lake), settings)
    one = site.hashes()
    rebuild(site, replace(settings, part_rows=PART_ROWS))
    (lost, *_) = (site.lake / "sessions").rglob("part-01.parquet")
    lost.unlink()  # its digest goes, too
    rebuild(site, settings)
    assert site.hashes() == one
    assert "nothing is off" in site.run("verify").err


@pytest.mark.large
@pytest.mark.parametrize("name", ["part-01.parquet", "part-00.parquet"])
def test_a_part_that_is_off_is_found(site: Site, name: str) -> None:
    build(Lake(site.lake), replace(settings_for(site), part_rows=PART_ROWS))
    (path, *_) = sorted((site.lake / "sessions").rglob(name))
    path.unlink()
    place = path.relative_to(site.lake).as_posix()
    assert place in site.run("verify", code=1).out
    pq.write_table(pa.table({"number": [1]}), path)
    assert place in site.run("verify", code=1).out
    stray = path.with_name("part-99.parquet")
    shutil.copy(path.with_name("part-00.parquet"), stray)
    assert "part-99.parquet" in site.run("verify", code=1).out


@pytest.mark.large
def test_a_person_is_erased_from_each_part(site: Site) -> None:
    settings = replace(settings_for(site), part_rows=PART_ROWS)
    build(Lake(site.lake), settings)
    person = ("erase", "--client", "192.0.2.7")
    assert '"sessions"' in site.run(*person, "--delete", "--format", "json").out
    assert "nothing of this person" in site.run(*person).err


@dataclass(frozen=True)
class Odd(Engine):
    """Parts run here, in another order than they are asked for, each twice: one has died."""

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """Give the results in order."""
        backwards = [(function(item), function(item))[1] for item in reversed(items)]
        yield from reversed(backwards)


class Elsewhere(Odd):
    """The same, where each round of parts takes long to begin: all large days share three."""

    @property
    def is_elsewhere(self) -> bool:
        """As Spark's are."""
        return True


@pytest.fixture(scope="module")
def whole(ingested: Site, tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, str]]:
    """The bytes of the days built whole, by the rows of a part."""
    found = {}
    for part_rows in (PART_ROWS, 1_000_000):
        built = ingested.copy(tmp_path_factory.mktemp("whole") / "site")
        build(Lake(built.lake), replace(settings_for(built), part_rows=part_rows))
        found[part_rows] = built.hashes()
    return found


def divided(site: Site, settings: BuildSettings, buckets: int) -> BuildSettings:
    """Settings by which the largest day is divided among so many buckets."""
    days = days_of(Lake(site.lake))
    hits_at_once = -(-max(its.rows for its in days.values()) // buckets)
    assert max(count_buckets(day, days, hits_at_once) for day in days) == buckets
    return replace(settings, hits_at_once=hits_at_once)


@pytest.mark.large
@pytest.mark.parametrize(
    ("buckets", "part_rows", "engine"),
    [
        (2, 1_000_000, Odd()),
        (5, 1_000_000, Elsewhere()),
        (3, PART_ROWS, HERE),
        (7, 1_000_000, HERE),
    ],
)
def test_bytes_are_the_same_whatever_the_number_of_buckets(
    buckets: int, part_rows: int, engine: Engine, site: Site, whole: dict[int, dict[str, str]]
) -> None:
    """Sessions over midnight, hits of one second, bytes that no BIGINT sums: all as built whole."""
    settings = replace(settings_for(site), part_rows=part_rows)
    build(Lake(site.lake), divided(site, settings, buckets), engine=engine)
    assert site.hashes() == whole[part_rows]
    assert not (site.lake / ".staging").exists()
    sums = [row["bytes_sent"] for row in site.rows("daily")]
    assert max(sums) == 2**63 - 1


@pytest.mark.large
def test_robotlike_visitors_are_left_out_in_each_bucket(site: Site) -> None:
    log = [
        make_line(f"06/Nov/2016:{n // 60:02}:{n % 60:02}:00 -0500", client, f"GET /a{n} HTTP/1.1")
        for client, count in (("192.0.2.200", 900), ("192.0.2.201", 40))
        for n in range(count)
    ]
    site.ingest(site.write("web04-access.log", b"".join(log)))
    settings = replace(settings_for(site), drop_robotlike=True)
    build(Lake(site.lake), settings)
    wanted = site.hashes()
    assert any(row["is_robotlike"] for row in site.rows("sessions"))
    rebuild(site, divided(site, settings, 3))
    assert site.hashes() == wanted


@pytest.mark.large
def test_a_bucket_with_hits_of_the_following_day_alone_is_none_of_the_day(tmp_path: Path) -> None:
    site = Site(tmp_path)
    log = [
        make_line(f"0{day}/Nov/2016:10:00:00 -0500", f"192.0.2.{n}")
        for day, count in ((8, 2), (9, 20))
        for n in range(count)
    ]
    site.ingest(site.write("web01-access.log", b"".join(log)))
    settings = settings_for(site)
    build(Lake(site.lake), settings)
    wanted = site.hashes()
    rebuild(site, replace(settings, hits_at_once=1))
    assert site.hashes() == wanted


@pytest.mark.large
def test_processes_build_the_bytes_of_one(site: Site, whole: dict[int, dict[str, str]]) -> None:
    said = site.run("build", "--workers", "2", env={"TIDEGAUGE_HITS_AT_ONCE": "450"}).out
    assert "built 2 days" in said
    assert site.hashes() == whole[1_000_000]


@dataclass(frozen=True)
class Losing(Engine):
    """Loses a file that was laid aside between two of its maps, or a process in the midst."""

    lake: Path = Path()
    after: int = 0
    process: bool = False
    maps: list[str] = field(default_factory=list)

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """Give the results unless one is lost."""
        results = list(map(function, items))
        if items:
            self.maps.append(type(items[0]).__name__)
        if items and len(self.maps) == self.after:
            if self.process:
                raise EngineError("a process was ended from outside")
            aside = (self.lake / ".staging").rglob("aside/**/*.parquet")
            max(aside, key=lambda path: path.stat().st_mtime_ns).unlink()  # of this map's
        yield from results


@pytest.mark.large
@pytest.mark.parametrize("process", [False, True])
@pytest.mark.parametrize("after", [1, 2])
def test_what_is_lost_on_the_way_changes_nothing(
    after: int, process: bool, site: Site, whole: dict[int, dict[str, str]]
) -> None:
    before = site.hashes()
    settings = divided(site, settings_for(site), 2)
    engine = Losing(lake=site.lake, after=after, process=process)
    wanted = "ended from outside" if process else r"had laid aside is gone \(.*\): .*build again"
    with pytest.raises(EngineError, match=wanted):
        build(Lake(site.lake), settings, engine=engine)
    assert engine.maps == ["Slice", "VisitorBucket"][:after]
    assert site.hashes() == before
    assert not (site.lake / ".staging").exists()
    build(Lake(site.lake), settings)
    assert site.hashes() == whole[1_000_000]


@pytest.mark.large
def test_a_process_killed_in_any_stage_is_one_sentence(
    site: Site, whole: dict[int, dict[str, str]]
) -> None:
    """Whatever it was at: nothing is changed, and the next build gives the same bytes."""
    environment = site.environment({"TIDEGAUGE_HITS_AT_ONCE": "450"})
    before = site.hashes()
    for stage in ("aside/*/day=*/*.parquet", "aside/*/sessions", "merged/*/daily"):
        command = subprocess.Popen(
            [COMMAND, "build", "--workers", "2"], cwd=site.folder, env=environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        while command.poll() is None and not any(site.lake.glob(f".staging/*/built/*/{stage}")):
            time.sleep(0.001)
        for child in psutil.Process(command.pid).children(recursive=True):
            if "spawn_main" in " ".join(child.cmdline()):
                child.kill()
        _, said = command.communicate(timeout=120)
        assert command.returncode == 2, said
        assert b"a process was ended from outside" in said
        assert site.hashes() == before
    site.run("build")
    assert site.hashes() == whole[1_000_000]
