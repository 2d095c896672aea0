"""`lake/tidegauge.duckdb` as it is to somebody who has only DuckDB or pyarrow.

Columns and types, any working directory, copies, storage version, a reader in another process, and
the Parquet files themselves. `test_views.py` holds odd names and the empty lake's tables.
"""

import re
import shutil
import subprocess
import sys
from datetime import date, time
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
import pytest
import reference
from conftest import Tidegauge, build_default_databases
from contract import IN_VIEWS
from contract import TABLES as MODELS

LINE = '198.51.100.{host} - - [{at}] "GET /{path} HTTP/1.1" 200 9 "-" "Mozilla/5.0 Firefox/49.0"\n'
SOUND = "".join(
    LINE.format(host=host, at=f"{day:02d}/Nov/2016:{hour}:00:00 -0500", path=f"p{hour}")
    for day in range(8, 20)
    for hour in (10, 23)
    for host in range(1, 30 if day == 18 else 4)
)  # ten quiet days, a surge on the 18th, and one day more
BROKEN = "this is no line of a log\n"
HITS = 11 * 6 + 58
OF_SURGES = {"surges", "drivers", "signals"}
PARTITIONED = ["hits", "rejects", "sessions", "daily", "hourly", "minutes"]
READER = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1], read_only=True)
count = "SELECT count(*) FROM hits"
print(connection.execute(count).fetchall()[0][0], flush=True)
for _ in sys.stdin:
    print(connection.execute(count).fetchall()[0][0], flush=True)
"""

STORED = {table: columns for table, columns in MODELS.items() if table != "robotlike"}
"""Those of the lake; the other one is a step of a build."""
HITS_OF_DAYS = {"hits": "all_hits"}
TABLES = STORED | {
    "days": {HITS_OF_DAYS.get(name, name): kind for name, kind in STORED["days"].items()}
}
"""As they are viewed: `hits` of other counts of days have no robots."""
BESIDE = {
    "figures": STORED["restatements"],
    "visitors": {
        "visitor_id": "UBIGINT", "first_day": "DATE", "last_day": "DATE", "sessions": "BIGINT",
    },
    "site": {"timezone": "VARCHAR"},
    "countries": {"country": "VARCHAR", "name": "VARCHAR"},
    "subdivisions": {
        "country": "VARCHAR", "subdivision": "VARCHAR", "name": "VARCHAR", "geo_built": "DATE",
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def geo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small address databases."""
    return build_default_databases(tmp_path_factory.mktemp("databases") / "geo")


@pytest.fixture(scope="module")
def built_lake(
    tmp_path_factory: pytest.TempPathFactory, warm_tidegauge: Tidegauge, geo: Path
) -> Path:
    """A small lake with rows in every table, made by the commands."""
    folder = tmp_path_factory.mktemp("built")
    (folder / "web01.log").write_text(SOUND + BROKEN)
    where = ("--lake", folder / "lake", "--geo", geo)
    warm_tidegauge("ingest", folder / "web01.log", *where)
    warm_tidegauge("build", *where)
    return folder / "lake"


def open_views(path: Path | str) -> duckdb.DuckDBPyConnection:
    """Open a lake's views as anybody would."""
    return duckdb.connect(str(path), read_only=True)


def count_rows(path: Path | str) -> dict[str, int]:
    """Return how many rows each view has."""
    with open_views(path) as connection:
        return {
            table: connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]
            for table in TABLES
        }


def columns_of(connection: duckdb.DuckDBPyConnection, table: str) -> list[tuple[str, str]]:
    """Return names and types of a view's columns."""
    described = connection.execute(f"DESCRIBE {table}").fetchall()
    return [(name, kind) for name, kind, *_ in described]


@pytest.mark.parametrize("table", [*TABLES, *BESIDE])
def test_view_has_the_documented_columns_and_types(table: str, built_lake: Path) -> None:
    """The columns in order, further ones only after them; `day` is a DATE from the path."""
    wanted = (TABLES | BESIDE)[table]
    with open_views(built_lake / "tidegauge.duckdb") as connection:
        found = columns_of(connection, table)
    assert found[: len(wanted)] == list(wanted.items())
    added = IN_VIEWS.get(table, {})
    assert found[len(found) - len(added) :] == list(added.items())
    assert (("day", "DATE") in found) == (table not in OF_SURGES | (BESIDE.keys() - {"figures"}))


def test_every_view_and_column_has_its_words_as_a_comment(built_lake: Path) -> None:
    """Read where the file is opened and where it is attached: those of the reference's page."""
    page = "\n".join(reference.PAGES["tables"]())
    asked = (
        "SELECT view_name, '', comment FROM duckdb_views() WHERE NOT internal UNION ALL"
        " SELECT table_name, column_name, comment FROM duckdb_columns() WHERE NOT internal"
    )
    with open_views(built_lake / "tidegauge.duckdb") as connection:
        opened = connection.execute(asked).fetchall()
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{built_lake}/tidegauge.duckdb' AS site (READ_ONLY)")
        assert sorted(connection.execute(asked).fetchall()) == sorted(opened)
    assert {view for view, *_ in opened} == {*TABLES, *BESIDE}
    for view, column, comment in opened:
        section = page.partition(f"\n## {view}\n")[2].partition("\n## ")[0]
        row = next((line for line in section.splitlines() if f"| `{column}` |" in line), section)
        assert comment, (view, column)
        assert comment in row, (view, column)
    rows = re.findall(r"^\| `\w+` \| `", page, re.MULTILINE)
    assert len(rows) == sum(column != "" for _, column, _ in opened)


def test_derived_columns_and_views_say_what_the_tables_do(built_lake: Path) -> None:
    """The small lake: at 10 and 23 by Toronto's clocks, single hits, each visitor on each day."""
    with open_views(built_lake / "tidegauge.duckdb") as connection:
        hours = """SELECT DISTINCT local_hour::TIME, hour(hour AT TIME ZONE 'UTC')
            FROM hourly ORDER BY ALL"""
        assert connection.execute(hours).fetchall() == [(time(10), 15), (time(23), 4)]
        sessions = """SELECT DISTINCT local_started_at::DATE = day, duration_s, is_bounce
            FROM sessions"""
        assert connection.execute(sessions).fetchall() == [(True, 0.0, True)]
        visitors = "SELECT first_day, last_day, sessions FROM visitors"
        first, last = date(2016, 11, 8), date(2016, 11, 19)
        assert (
            connection.execute(f"{visitors} ORDER BY sessions DESC LIMIT 3").fetchall()
            == [(first, last, 24)] * 3
        )
        assert connection.execute("FROM site").fetchall() == [("America/Toronto",)]
        figures = "SELECT day, country, sessions FROM figures ORDER BY ALL"
        daily = "SELECT day, country, sessions FROM daily ORDER BY ALL"
        assert connection.execute(figures).fetchall() == connection.execute(daily).fetchall()


def test_every_table_has_rows(built_lake: Path) -> None:
    """The small lake shows all its lines: 11 days of 6 hits, 58 on the 18th, one reject."""
    counts = count_rows(built_lake / "tidegauge.duckdb")
    assert counts["hits"] == HITS
    assert counts["rejects"] == 1
    assert counts["days"] == 12
    assert min(counts.values()) >= 1


@pytest.mark.rest_large
@pytest.mark.parametrize(
    ("folder", "name"),
    [
        (".", "lake/tidegauge.duckdb"),
        ("lake", "tidegauge.duckdb"),
        ("lake", "./tidegauge.duckdb"),
        ("lake/daily", "../tidegauge.duckdb"),
        ("elsewhere", "../lake/tidegauge.duckdb"),
    ],
)
def test_views_work_from_any_folder(
    folder: str, name: str, built_lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative path is as good as an absolute one, from inside the lake and from outside."""
    (built_lake.parent / "elsewhere").mkdir(exist_ok=True)
    monkeypatch.chdir(built_lake.parent / folder)
    assert count_rows(name) == count_rows(built_lake / "tidegauge.duckdb")


def test_views_follow_a_moved_lake(built_lake: Path, tmp_path: Path) -> None:
    """A copy under another name shows its own files, not those of the place it was made in."""
    moved = tmp_path / "moved"
    shutil.copytree(built_lake, moved)
    shutil.rmtree(moved / "hits" / "day=2016-11-08")
    counts = count_rows(moved / "tidegauge.duckdb")
    assert counts["hits"] == HITS - 6
    assert counts["daily"] == count_rows(built_lake / "tidegauge.duckdb")["daily"]


def test_reading_leaves_no_trace(built_lake: Path) -> None:
    """Reading leaves the lake's folder as it was."""
    before = sorted(built_lake.rglob("*"))
    count_rows(built_lake / "tidegauge.duckdb")
    assert sorted(built_lake.rglob("*")) == before


def test_readers_change_nothing(built_lake: Path) -> None:
    """Opened to read, the file refuses to lose a view."""
    with (
        open_views(built_lake / "tidegauge.duckdb") as connection,
        pytest.raises(duckdb.Error, match="read-only"),
    ):
        connection.execute("DROP VIEW daily")


def test_file_is_of_the_oldest_storage_version(built_lake: Path) -> None:
    """The header says storage 64, which DuckDB 1.0 reads, and DuckDB says the same."""
    header = (built_lake / "tidegauge.duckdb").read_bytes()[:20]
    assert header[8:12] == b"DUCK"
    assert int.from_bytes(header[12:20], "little") == 64
    with open_views(built_lake / "tidegauge.duckdb") as connection:
        tags = connection.execute("SELECT tags FROM duckdb_databases() WHERE NOT internal")
        assert tags.fetchall()[0][0]["storage_version"].startswith("v1.0.0")


@pytest.mark.rest_large
@pytest.mark.parametrize("is_built", [False, True])
def test_lake_without_any_hit_has_the_columns_too(
    is_built: bool, warm_tidegauge: Tidegauge, geo: Path, tmp_path: Path
) -> None:
    """A lake of an empty file has every view, with its types, and that file's row alone."""
    (tmp_path / "empty.log").touch()
    where = ("--lake", tmp_path / "lake", "--geo", geo)
    warm_tidegauge("ingest", tmp_path / "empty.log", *where)
    if is_built:
        warm_tidegauge("build", *where)
    views = tmp_path / "lake" / "tidegauge.duckdb"
    counts = count_rows(views)
    assert counts.pop("files") == 1
    assert set(counts.values()) == {0}
    with open_views(views) as connection:
        for table, columns in TABLES.items():
            found = columns_of(connection, table)
            assert found[: len(columns)] == list(columns.items()), table
            assert ("day", "DATE") in found or table in OF_SURGES


def test_lake_that_is_not_built_yet_shows_its_hits(
    warm_tidegauge: Tidegauge, geo: Path, tmp_path: Path
) -> None:
    """After an ingest alone files, hits and rejects have rows, what is built of them has none."""
    (tmp_path / "web01.log").write_text(SOUND + BROKEN)
    warm_tidegauge("ingest", tmp_path / "web01.log", "--lake", tmp_path / "lake", "--geo", geo)
    counts = count_rows(tmp_path / "lake" / "tidegauge.duckdb")
    assert {table for table, count in counts.items() if count} == {"files", "hits", "rejects"}


@pytest.mark.large
def test_reader_in_another_process_blocks_no_build(
    tidegauge: Tidegauge, geo: Path, built_lake: Path, tmp_path: Path
) -> None:
    """A reader keeps its connection over an ingest and a build, and then sees them."""
    lake = tmp_path / "lake"
    shutil.copytree(built_lake, lake)
    command = [sys.executable, "-c", READER, str(lake / "tidegauge.duckdb")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader:
        assert reader.stdin
        assert reader.stdout
        before = int(reader.stdout.readline())
        (tmp_path / "web02.log").write_text(SOUND.replace("GET /p", "GET /q"))
        tidegauge("ingest", tmp_path / "web02.log", "--lake", lake, "--geo", geo)
        tidegauge("build", "--lake", lake)
        after, _ = reader.communicate(b"again\n", timeout=30)
    assert reader.returncode == 0
    assert (before, int(after)) == (HITS, 2 * HITS)
    assert count_rows(lake / "tidegauge.duckdb")["hits"] == 2 * HITS


@pytest.mark.parametrize("table", PARTITIONED)
def test_parquet_read_directly_gives_the_rows_of_the_view(table: str, built_lake: Path) -> None:
    """`read_parquet` with hive partitioning in any DuckDB, and pyarrow, read the same rows."""
    with open_views(built_lake / "tidegauge.duckdb") as connection:
        connection.execute("SET TimeZone = 'UTC'")
        by_view = connection.execute(f"FROM {table} ORDER BY ALL").to_arrow_table()
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        pattern = f"{built_lake}/{table}/**/*.parquet"
        read = "FROM read_parquet($pattern, hive_partitioning = true) ORDER BY ALL"
        by_path = connection.execute(read, {"pattern": pattern}).to_arrow_table()
        partitioning = ds.partitioning(pa.schema([("day", pa.date32())]), flavor="hive")
        dataset = ds.dataset(built_lake / table, partitioning=partitioning)
        connection.register("dataset", dataset.to_table())
        by_arrow = connection.execute("FROM dataset ORDER BY ALL").to_arrow_table()
    assert by_view.num_rows > 0
    assert by_view.column_names == [*by_path.column_names, *IN_VIEWS.get(table, ())]
    by_view = by_view.select(by_path.column_names)
    assert by_path.equals(by_view)
    assert by_arrow.column_names == by_view.column_names
    assert by_arrow.to_pylist() == by_view.to_pylist()


def test_day_is_only_in_the_path(built_lake: Path) -> None:
    """No Parquet file of a partitioned table has a column `day`; each is zstd."""
    parts = [path for table in PARTITIONED for path in built_lake.glob(f"{table}/*/*.parquet")]
    assert {date.fromisoformat(path.parent.name.removeprefix("day=")) for path in parts}
    with duckdb.connect() as connection:
        metadata = connection.execute(
            "SELECT DISTINCT path_in_schema, compression FROM parquet_metadata($files)",
            {"files": [str(path) for path in parts]},
        ).fetchall()
    assert "day" not in {column for column, _ in metadata}
    assert {compression for _, compression in metadata} == {"ZSTD"}


COMMON = '198.51.100.7 - - [{at}] "GET /c HTTP/1.0" 200 9\n'


@pytest.fixture(scope="module")
def mixed_lake(
    tmp_path_factory: pytest.TempPathFactory, warm_tidegauge: Tidegauge, geo: Path
) -> Path:
    """A lake of a common log, which knows no referrer and no agent, and of a combined one."""
    folder = tmp_path_factory.mktemp("mixed")
    times = [f"{day:02d}/Nov/2016:10:00:00 -0500" for day in (8, 9)]
    (folder / "a.log").write_text("".join(COMMON.format(at=at) for at in times))
    (folder / "b.log").write_text("".join(LINE.format(host=8, at=at, path="d") for at in times))
    warm_tidegauge(
        "ingest", folder / "a.log", folder / "b.log", "--lake", folder / "lake", "--geo", geo
    )
    return folder / "lake"


@pytest.mark.parametrize("by_name", [False, True])
@pytest.mark.parametrize("pattern", ["*/*", "**/*"])
def test_layouts_with_and_without_agents_are_read_together(
    by_name: bool, pattern: str, mixed_lake: Path
) -> None:
    """A column of nulls alone has its type, in either layout's files; days are chosen as dates."""
    with duckdb.connect() as connection:
        rows = connection.read_parquet(
            f"{mixed_lake}/hits/{pattern}.parquet", hive_partitioning=True, union_by_name=by_name
        )
        found = dict(zip(rows.columns, map(str, rows.types), strict=True))
        asked = rows.filter("day = DATE '2016-11-09'").project("day, path, referrer, user_agent")
        read = asked.order("path").fetchall()
    assert {name: found[name] for name in TABLES["hits"]} == TABLES["hits"]
    day = date(2016, 11, 9)
    assert read == [(day, "/c", None, None), (day, "/d", None, "Mozilla/5.0 Firefox/49.0")]
