"""One file over very many days: each day gets its files, none is lost, none is written twice.

`benchmarks/days.py` builds many days against the clock.
"""

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from conftest import Tidegauge

DAYS = 60
LINES = 1_800
FIRST = datetime(2015, 12, 1, tzinfo=UTC)
PARTITIONED = ["sessions", "daily", "hourly", "minutes"]


def line_of(number: int) -> tuple[str, str]:
    """Return the UTC day and the text of a line; neighbours in the file lie days apart."""
    at = FIRST + timedelta(days=number * 7 % DAYS, minutes=number % 1440)
    client = f"198.51.100.{number % 250}"
    text = f'{client} - - [{at:%d/%b/%Y:%H:%M:%S} +0000] "GET /{number} HTTP/1.1" 200 9 "-" "Agent"'
    return at.date().isoformat(), text


@pytest.fixture(scope="module")
def spanning_lake(tmp_path_factory: pytest.TempPathFactory, warm_tidegauge: Tidegauge) -> Path:
    """A lake of one file whose lines jump over all the days."""
    folder = tmp_path_factory.mktemp("span")
    lines = [line_of(number)[1] for number in range(LINES)]
    (folder / "web01.log").write_text("\n".join(lines) + "\n")
    where = ("--lake", folder / "lake")
    warm_tidegauge("ingest", folder / "web01.log", "--no-geo", *where, zone="UTC")
    built = warm_tidegauge("build", *where, zone="UTC")
    assert built.stdout.decode().startswith(f"built {DAYS} days: 2015-12-01 to 2016-01-29")
    return folder / "lake"


def test_every_day_has_one_file_of_each_table(spanning_lake: Path) -> None:
    """60 days, and in each exactly one file of hits, sessions, daily and hourly."""
    for table in ("hits", *PARTITIONED):
        files = Counter(path.parent.name for path in spanning_lake.glob(f"{table}/*/*"))
        assert len(files) == DAYS, table
        assert set(files.values()) == {1}, table


def test_every_line_is_in_its_day(spanning_lake: Path) -> None:
    """Each day holds the lines that were written into it, in their order in the file."""
    wanted = Counter(line_of(number)[0] for number in range(LINES))
    with duckdb.connect(str(spanning_lake / "tidegauge.duckdb"), read_only=True) as connection:
        counted = connection.execute(
            "SELECT day::VARCHAR, hits FROM daily WHERE country = 'ZZ'"
        ).fetchall()
        misplaced = connection.execute(
            "SELECT count(*) FROM hits WHERE path <> '/' || (line_no - 1)"
        ).fetchall()
        one_row_a_day = connection.execute("SELECT count(*), sum(all_hits) FROM days").fetchall()
    assert dict(counted) == wanted
    assert misplaced == [(0,)]
    assert one_row_a_day == [(DAYS, LINES)]


def test_a_late_line_rebuilds_its_day_and_neighbours(
    spanning_lake: Path, warm_tidegauge: Tidegauge, tmp_path: Path
) -> None:
    """One more line on the first day makes it and the next stale, no other."""
    before = {path: path.stat().st_mtime_ns for path in spanning_lake.glob("daily/*/*")}
    (tmp_path / "web02.log").write_text(line_of(0)[1].replace("GET /0", "GET /late") + "\n")
    where = ("--lake", spanning_lake)
    warm_tidegauge("ingest", tmp_path / "web02.log", "--no-geo", *where, zone="UTC")
    warm_tidegauge("build", *where, zone="UTC")
    after = {path: path.stat().st_mtime_ns for path in spanning_lake.glob("daily/*/*")}
    changed = {path.parent.name for path in after if after[path] != before[path]}
    assert changed == {"day=2015-12-01", "day=2015-12-02"}
