"""Days of many sessions: in files of so many rows, in total order, whatever they are built in."""

import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path
from unittest import mock

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from lake_fixtures import Site
from lake_processes import SERVERS

from pipeline.build.build import BuildSettings, build, build_settings
from pipeline.build.checks import check_days
from pipeline.lake.lake import Lake
from pipeline.settings import load_settings

PART_ROWS = 25


def settings_for(site: Site) -> BuildSettings:
    with mock.patch.dict("os.environ", site.environment(), clear=True):
        return build_settings(load_settings(lake=site.lake), Lake(site.lake))


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Site:
    site = Site(tmp_path_factory.mktemp("ingested"))
    site.ingest(*(site.write(name, content) for name, content in SERVERS.items()))
    return site


@pytest.fixture
def site(ingested: Site, tmp_path: Path) -> Site:
    """Servers' hits of five days, each of more sessions than fit into a part, not built yet."""
    shutil.copytree(ingested.folder, tmp_path / "site", symlinks=True)
    return Site(tmp_path / "site")


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


def test_a_person_is_erased_from_each_part(site: Site) -> None:
    settings = replace(settings_for(site), part_rows=PART_ROWS)
    build(Lake(site.lake), settings)
    person = ("erase", "--client", "192.0.2.7")
    assert '"sessions"' in site.run(*person, "--delete", "--format", "json").out
    assert "nothing of this person" in site.run(*person).err
