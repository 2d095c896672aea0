"""The checks and ready queries on a lake that the commands built from the simulated storm.

A sound lake gives no offending row; for each rule of each check, a copy with one damaged Parquet
file does.
"""

import csv
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import Tidegauge
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.demo.storm.address_pool import find_database

pytestmark = pytest.mark.large

SQL = Path(__file__).parents[2] / "sql"
CHECKS = {path.stem: path for path in sorted(SQL.glob("checks/*.sql"))}
DAMAGED_DAY = "2016-11-09"
with Path(__file__).parents[1].joinpath("sql").joinpath("damages.csv").open(newline="") as _file:
    DAMAGES = [(row["check"], row["rule"], row["rows"]) for row in csv.DictReader(_file)]
"""A check, its rule, and the damaged file's rows made of its sound ones (`part`)."""


@pytest.fixture(scope="module")
def storm_lake(tmp_path_factory: pytest.TempPathFactory, warm_tidegauge: Tidegauge) -> Path:
    """The lake of two servers in the simulated storm at 1/500."""
    folder = tmp_path_factory.mktemp("storm")
    where = ("--lake", folder / "lake", "--geo", find_database().parent)
    warm_tidegauge("simulate", "--out", folder / "raw", "--scale", "0.002")
    warm_tidegauge("ingest", *sorted(folder.glob("raw/web0[12]-*")), *where)
    warm_tidegauge("build", *where)
    return folder / "lake"


def ask(lake: Path, file: Path) -> list[dict[str, Any]]:
    """Return the rows that `tidegauge sql -f FILE` prints."""
    command = ["sql", "-f", str(file), "--lake", str(lake), "--format", "json"]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    assert result.exit_code == 0
    return list(json.loads(result.stdout))


@pytest.mark.parametrize("check", CHECKS)
def test_sound_lake_has_no_offending_row(check: str, storm_lake: Path) -> None:
    """Every check runs as it stands through the command and finds nothing."""
    assert ask(storm_lake, CHECKS[check]) == []


def test_every_rule_has_a_damage() -> None:
    """A check that can't fail is no check: every rule of every file is among the damages."""
    rules = {
        name: set(re.findall(r"'([^']+)' AS rule", path.read_text()))
        for name, path in CHECKS.items()
    }
    damaged = {(check, rule) for check, rule, _ in DAMAGES}
    assert {(name, rule) for name in rules for rule in rules[name]} == damaged


@pytest.mark.parametrize(("check", "rule", "rows"), DAMAGES)
def test_damage_is_found(
    check: str,
    rule: str,
    rows: str,
    storm_lake: Path,
    database: duckdb.DuckDBPyConnection,
    tmp_path: Path,
) -> None:
    """The rule's rows name the damage."""
    lake = tmp_path / "lake"
    lake.mkdir()
    shutil.copy(storm_lake / "tidegauge.duckdb", lake)
    for other in CHECKS.keys() - {check}:
        (lake / other).symlink_to(storm_lake / other)
    shutil.copytree(storm_lake / check, lake / check, copy_function=os.link)
    parts = [
        *(lake / check).glob(f"day={DAMAGED_DAY}/*.parquet"),
        *(lake / check).glob("*.parquet"),
    ]
    damage(database, max(parts, key=lambda part: part.stat().st_size), rows)
    one_thread: dict[str, str | bool | int | float | list[str]] = {"threads": 1}
    with duckdb.connect(lake / "tidegauge.duckdb", read_only=True, config=one_thread) as connection:
        offences = connection.execute(CHECKS[check].read_text()).fetchall()
    assert rule in {offence[0] for offence in offences}


def damage(database: duckdb.DuckDBPyConnection, part: Path, rows: str) -> None:
    """Replace a Parquet file by a query over its rows."""
    sound = database.read_parquet(str(part), hive_partitioning=False)
    sound.create_view("part", replace=True)
    database.execute(f"CREATE OR REPLACE TABLE damaged AS {rows}")
    part.unlink()  # the file itself belongs to the sound lake too
    database.table("damaged").write_parquet(str(part))


def test_us_per_day_tells_the_storm(storm_lake: Path) -> None:
    """The 20 days, the storm's peak on the 9th, flagged; its sessions are all the U.S. ones."""
    rows = ask(storm_lake, SQL / "queries" / "us_per_day.sql")
    assert [row["day"] for row in rows] == [f"2016-11-{day:02d}" for day in range(1, 21)]
    peak = max(rows, key=lambda row: row["sessions"])
    assert (peak["day"], peak["is_surge"], peak["sources"]) == ("2016-11-09", True, 2)
    with duckdb.connect(str(storm_lake / "tidegauge.duckdb"), read_only=True) as connection:
        counted = connection.execute("SELECT count(*) FROM sessions WHERE country = 'US'")
        assert [(sum(row["sessions"] for row in rows),)] == counted.fetchall()


def test_country_shares_of_a_day_add_up(storm_lake: Path) -> None:
    """Each day's shares are 1 together, its sessions the whole."""
    days: dict[str, list[dict[str, Any]]] = {}
    for row in ask(storm_lake, SQL / "queries" / "country_share.sql"):
        days.setdefault(row["day"], []).append(row)
    assert len(days) == 20
    for rows in days.values():
        assert sum(row["share"] for row in rows) == pytest.approx(1, abs=0.01)
        assert {row["all_sessions"] for row in rows} == {sum(row["sessions"] for row in rows)}


def test_busiest_hours_are_the_storms(storm_lake: Path) -> None:
    """24 hours, fullest first; the fullest lies on the night of 8 November or the day after."""
    rows = ask(storm_lake, SQL / "queries" / "busiest_hours.sql")
    assert len(rows) == 24
    assert rows == sorted(rows, key=lambda row: -row["sessions"])
    assert "2016-11-09T00" <= rows[0]["hour"] < "2016-11-10T05"


def test_surge_entry_pages_are_the_us_storms(storm_lake: Path) -> None:
    """20 pages of the U.S. storm, most sessions first, against 1 to 7 November."""
    rows = ask(storm_lake, SQL / "queries" / "surge_entry_pages.sql")
    assert len(rows) == 20
    assert {(row["country"], row["start_day"], row["days_before"]) for row in rows} == {
        ("US", "2016-11-08", 7)
    }
    assert rows == sorted(rows, key=lambda row: -row["sessions"])
    assert 0.1 < sum(row["share"] for row in rows) <= 1
