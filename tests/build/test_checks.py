"""The checks that a night runs on its days: silent on every sound lake, loud on a wrong figure."""

from datetime import date
from pathlib import Path
from unittest import mock

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from lake_fixtures import Site, make_line

from pipeline.build.batch import BuildSettings
from pipeline.build.build import build_settings
from pipeline.build.checks import check_days
from pipeline.errors import DataError
from pipeline.lake.lake import Lake
from pipeline.settings import load_settings


def november(*days: int) -> list[date]:
    return [date(2016, 11, day) for day in days]


def settings_of(site: Site) -> BuildSettings:
    """Return what the site's lake is built with."""
    with mock.patch.dict("os.environ", site.environment(), clear=True):
        return build_settings(load_settings(lake=site.lake), Lake(site.lake))


def check(site: Site, *days: int) -> list[date]:
    """Check days of November 2016."""
    return check_days(Lake(site.lake), november(*days), settings_of(site))


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Return a lake of 7 to 10 November: a visitor all around the clock, one at each midnight."""
    site = Site(tmp_path_factory.mktemp("sound"))
    for day in (7, 8, 9, 10):
        lines = [
            make_line(f"{day:02}/Nov/2016:{hour:02}:{minute:02}:00 -0500", "192.0.2.1")
            for hour in range(24) for minute in (0, 20, 40)
        ]  # fmt: skip
        lines += [
            make_line(f"{day:02}/Nov/2016:{time} -0500", "192.0.2.2")
            for time in ("00:05:00", "12:00:00", "23:55:00")
        ]
        lines.append(make_line(f"{day:02}/Nov/2016:15:00:00 -0500", f"198.51.100.{day}"))
        site.write(f"web01-{day}.log", b"".join(lines))
    site.ingest("raw")
    site.run("build")
    return site


@pytest.fixture
def site(sound: Site, tmp_path: Path) -> Site:
    """A copy of it, to be damaged."""
    return sound.copy(tmp_path / "site")


@pytest.mark.rest_large
@pytest.mark.parametrize("days", [(7,), (8,), (10,), (7, 9), (7, 8, 9, 10)])
def test_a_sound_lake_passes_whichever_days_are_asked(sound: Site, days: tuple[int, ...]) -> None:
    """Sessions that cross midnights, and visits longer than a day, are no offence."""
    assert check(sound, *days) == november(*days)


def test_days_that_are_not_built_yet_are_left_to_their_own_run(site: Site) -> None:
    """A file for the 9th makes its neighbours stale, too."""
    site.ingest(site.write("late.log", make_line("09/Nov/2016:23:50:00 -0500", "192.0.2.9")))
    assert check(site, 7, 8, 9, 10) == november(7)


@pytest.mark.parametrize(
    ("table", "column", "sentence"),
    [
        ("daily", "sessions", "every session is counted once, 2016-11-08"),
        ("daily", "hits", "every hit is counted once, 2016-11-08"),
        ("hourly", "pages", "hours add up to their day, 2016-11-08"),
        ("sessions", "hits", "every visit is in one session, 2016-11-08"),
    ],
)
def test_a_wrong_figure_is_named_by_rule_and_day(
    site: Site, table: str, column: str, sentence: str
) -> None:
    path = site.lake / table / "day=2016-11-08" / "part.parquet"
    rows = pq.ParquetFile(path).read()
    at = rows.column_names.index(column)
    more = pa.array([value + 1 for value in rows[column].to_pylist()], rows[column].type)
    pq.write_table(rows.set_column(at, column, more), path)
    with pytest.raises(DataError, match=sentence):
        check(site, 8)


def test_tables_over_all_days_are_checked(site: Site) -> None:
    path = site.lake / "expected" / "part.parquet"
    rows = pq.ParquetFile(path).read()
    pq.write_table(rows.slice(1), path)
    with pytest.raises(DataError, match="observed is the sessions of daily"):
        check(site, 8)


def test_lost_sessions_are_found(site: Site) -> None:
    (site.lake / "sessions" / "day=2016-11-08" / "part.parquet").unlink()
    with pytest.raises(DataError, match="every visit is in one session, 2016-11-08"):
        check(site, 8)


def test_sessions_of_an_earlier_version_are_no_offence(site: Site) -> None:
    """Columns that they lack are null, beside days that have them or alone."""
    for day in (7, 8, 9, 10):
        path = site.lake / f"sessions/day=2016-11-{day:02}/part.parquet"
        pq.write_table(pq.ParquetFile(path).read().drop_columns(["is_robotlike", "asn"]), path)
        assert check(site, 7, 8, 9, 10) == november(7, 8, 9, 10)
