"""Where a lake may lie: no folder above it is taken for a column, by whomever it is read."""

import os
import re
import shutil
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from conftest import VISITOR_KEY
from lake_fixtures import Site, make_line

from pipeline.build.build import build, build_settings
from pipeline.build.checks import check_days
from pipeline.build.restatements import publish, read_restatements
from pipeline.compare.basis import read_basis
from pipeline.lake.database import open_views
from pipeline.lake.lake import Lake
from pipeline.lake.place import check_place
from pipeline.settings import Settings, load_settings
from pipeline.tables import TABLES

KINDS = {field.name: field.type for schema in TABLES.values() for field in schema}
COLUMNS = sorted(KINDS)
VALUES = {pa.bool_(): "true", pa.date32(): "2016-11-08", pa.string(): "XX"}
LOG = b"".join(
    make_line(f"{day:02d}/Nov/2016:{hour}:00:00 -0500", client=f"192.0.2.{n}", agent=agent)
    for day in (8, 9, 10)
    for hour in (10, 23)
    for n in range(day)
    for agent in ("Firefox/49.0", "Googlebot/2.1")
)
NOW = datetime(2016, 11, 12, tzinfo=UTC)


def folder_of(column: str) -> str:
    """Return a folder named as a partition by this column, with a value of its type."""
    return f"{column}={VALUES.get(KINDS[column], '3')}"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site whose lake has hits of three days and nothing built."""
    site = Site(tmp_path_factory.mktemp("plain"))
    site.ingest(site.write("web.log", LOG))
    return site


@pytest.fixture(scope="module")
def settings(site: Site) -> Iterable[Settings]:
    """That site's settings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIDEGAUGE_VISITOR_KEY", VISITOR_KEY)
        patch.setenv("TIDEGAUGE_TIMEZONE", "America/Toronto")
        yield load_settings(lake=site.lake)


def read_all(lake: Lake) -> dict[str, list[Any]]:
    """Return the rows of all views."""
    with open_views(lake.views) as views:
        return {table: views.execute(f"FROM {table} ORDER BY ALL").fetchall() for table in TABLES}


def work_in(lake: Lake, settings: Settings, workspace: Path) -> list[Any]:
    """Build, check, publish, compare: every step that reads Parquet through DuckDB."""
    its = build_settings(settings, lake)
    days = build(lake, its)
    checked = check_days(lake, days, its)
    publish(lake, NOW, its)
    published = read_restatements(lake).to_pylist()
    basis, _ = read_basis(lake, its, 256, None, None, workspace)
    return [days, checked, published, basis.now, basis.flagged, read_all(lake)]


@pytest.fixture(scope="module")
def built(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A copy of that lake in a plain place; `right` builds it."""
    return Lake(shutil.copytree(site.lake, tmp_path_factory.mktemp("right") / "lake"))


@pytest.fixture(scope="module")
def right(built: Lake, settings: Settings) -> list[Any]:
    """What a lake in a plain place gives."""
    found = work_in(built, settings, built.root.parent)
    assert found[0] == found[1] == [date(2016, 11, day) for day in (8, 9, 10)]
    assert all(found[-1][table] for table in ("hits", "sessions", "daily", "hourly", "days"))
    return found


@pytest.mark.large
def test_no_reader_takes_a_folder_above_for_a_column(
    site: Site, settings: Settings, right: list[Any], tmp_path: Path
) -> None:
    """Below a folder `column=value` for each column of each table: the rows of a plain place."""
    above = tmp_path.joinpath(*map(folder_of, COLUMNS))
    lake = Lake(shutil.copytree(site.lake, above / "lake"))
    assert work_in(lake, settings, tmp_path) == right


def test_opened_views_take_no_folder_above_for_a_column(
    right: list[Any], built: Lake, tmp_path: Path
) -> None:
    """A lake that is moved below a folder `column=value` for each column shows what it had."""
    above = tmp_path.joinpath(*map(folder_of, COLUMNS))
    above.mkdir(parents=True)
    assert read_all(Lake(shutil.copytree(built.root, above / "lake"))) == right[-1]


@pytest.mark.rest_large
@pytest.mark.parametrize("name", ["day=2016-11-08", "is_robot=true", "country=XX", "hour=3"])
def test_nor_the_working_directory(
    name: str,
    site: Site,
    settings: Settings,
    right: list[Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The lake itself may be called so, and a relative path lead there from within."""
    shutil.copytree(site.lake, tmp_path / name / name)
    monkeypatch.chdir(tmp_path / name)
    assert work_in(Lake(Path(name)), settings, tmp_path) == right


@pytest.mark.parametrize("column", COLUMNS)
def test_no_lake_lies_where_a_plain_glob_would_be_wrong(column: str, tmp_path: Path) -> None:
    """Every column of every table, however it is written, in any folder above."""
    for name in (f"{column}=1", f"{column.upper()}=x", f"{column}="):
        for lake in (tmp_path / name, tmp_path / name / "a" / "lake", Path(name) / "lake"):
            with pytest.raises(
                ValueError, match=f"take the folder {name} for the column {column};"
            ):
                check_place(lake)


@pytest.mark.parametrize("column", ["country", "day", "Is_Robot", "HOUR"])
def test_commands_refuse_a_lake_there(column: str, tmp_path: Path) -> None:
    """No command makes or reads a lake there, also not through a link; nothing is made."""
    site = Site(tmp_path)
    name = column + "=1"
    (tmp_path / name).mkdir()
    (tmp_path / "link").symlink_to(name)
    log = site.write("web.log", LOG)
    for lake in (f"{name}/lake", "link/lake"):
        done = site.ingest("--lake", lake, log, code=2)
        assert done.err == (
            f"tidegauge: setting lake = '{lake}': who reads its Parquet by path would take the"
            f" folder {name} for the column {column.lower()}; choose another folder\n"
        )
    assert "would take the folder" in site.run("status", "--lake", f"{name}/lake", code=2).err
    assert not any((tmp_path / name).iterdir())


@pytest.mark.large
@pytest.mark.parametrize("name", ["env=prod", "a=b=c", "=", "countryXX", "a country=XX", "%="])
def test_other_names_with_an_equals_sign_are_names(name: str, tmp_path: Path) -> None:
    """A folder that no column is called after takes no column's place, nor does it stop a lake."""
    site = Site(tmp_path)
    site.lake = tmp_path / name / "lake"
    site.ingest("--lake", site.lake, site.write("web.log", LOG))
    site.run("build", "--lake", site.lake)
    with duckdb.connect() as plain:
        pattern = f"{site.lake}/daily/**/*.parquet"
        read = "SELECT day, country, sessions FROM read_parquet($p, hive_partitioning = true)"
        by_glob = plain.execute(f"{read} ORDER BY ALL", {"p": pattern}).fetchall()
    with open_views(site.lake / "tidegauge.duckdb") as views:
        daily = views.execute("SELECT day, country, sessions FROM daily ORDER BY ALL").fetchall()
    assert by_glob == daily != []


ODD = {
    b"\xff": "its path is not UTF-8",
    b"caf\xe9": "its path is not UTF-8",
    b"a\\b": "reads a \\ in a path as a /",
    b"s3:x": "write s3://bucket or s3://bucket/prefix",
    b"s3://bucket/la*ke": "the prefix of letters, digits",
    b"s3://bucket/../lake": "without . and .. between slashes",
    b"s3://key:word@bucket/lake": "keys stand in AWS_ACCESS_KEY_ID",
    b"file:lake": "a name before a colon is no folder",
    b"la?ke": "options behind a ?",
    b"~/lake": "only a shell knows",
}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("command", ["ingest", "status", "build", "sql", "report"])
def test_path_that_duckdb_reads_as_another_is_one_sentence(
    name: bytes, command: str, tmp_path: Path
) -> None:
    """Every command says so before anything is made."""
    site = Site(tmp_path)
    log = site.write("web.log", LOG)
    before = sorted(tmp_path.rglob("*"))
    args = {"ingest": ["--no-geo", log], "sql": ["SELECT 1"]}.get(command, [])
    done = site.run(command, "--lake", os.fsdecode(name), *args, code=2)
    assert re.fullmatch(r"tidegauge: setting lake = .*\n", done.err)
    assert ODD[name] in done.err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", [b"\xff", b"a\\b", b"a?b", b"country=XX"])
def test_the_working_directory_is_part_of_the_path(name: bytes, tmp_path: Path) -> None:
    """A relative path lies where it leads to."""
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    folder.mkdir()
    assert "choose another folder" in Site(folder).ingest(folder, code=2).err


@pytest.mark.large
@pytest.mark.parametrize("name", ["a~", "-lake", ":memory:", "a:b/lake", "%41", "new\nline", "#"])
def test_odd_names_that_are_only_names(name: str, tmp_path: Path) -> None:
    """Not an option, not memory: a folder, read and written where it lies."""
    site = Site(tmp_path)
    (tmp_path / "a:b").mkdir()
    lake = f"./{name}" if name != "a:b/lake" else str(tmp_path / name)
    site.ingest(f"--lake={lake}", site.write("web.log", LOG))
    site.run("build", f"--lake={lake}")
    done = site.run("sql", f"--lake={lake}", "--format=csv", "SELECT sum(sessions) AS n FROM daily")
    assert done.out == "n\n54\n"
    assert (tmp_path / name / "tidegauge.duckdb").exists()
