"""The ledger's sheets: divided between days, one record a file, and a table for who asks."""

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from lake_fixtures import GOOD, Site, make_line

from pipeline.errors import LakeError
from pipeline.lake import records as sheets
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import DayShare, FileRecord, key_of, quoted
from pipeline.lake.record_rows import to_records
from pipeline.lake.records import put_records
from pipeline.lake.sheets import list_sheets
from pipeline.lake.sums import sum_up

FIRST = date(2016, 11, 1)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a sheet divided that has more than three records."""
    monkeypatch.setattr(sheets, "MOST_RECORDS", 3)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> FileRecord:
    """The record of a real file."""
    site = Site(tmp_path_factory.mktemp("template"))
    site.ingest(site.write("web01.log", GOOD))
    (record,) = Lake(site.lake).files()
    return record


def of_day(template: FileRecord, number: int, day: int, source: str = "web01") -> FileRecord:
    """A record of a file whose first hits are of a day after ``FIRST``."""
    sha256 = f"{number:016x}" * 4
    days = {str(FIRST + timedelta(day)): DayShare(1, 1, geo_is_late=False, geo_built=None)}
    key = key_of(source, sha256)
    return replace(template, file_key=key, source=source, sha256=sha256, days=days, seen=())


def put(lake: Lake, *records: FileRecord) -> None:
    with lake.lock():
        lake.commit([], records)


def days_of(lake: Lake) -> dict[str, list[int]]:
    """The days after ``FIRST`` of each sheet's records, by the sheet's name."""
    return {
        sheet.path.stem: [(day - FIRST).days for day in sheet.read()["day"].to_pylist()]
        for sheet in list_sheets(lake.ledger)
    }


@pytest.mark.usefixtures("few")
def test_a_sheet_of_too_many_is_divided_between_days(template: FileRecord, tmp_path: Path) -> None:
    """Never within one; what comes later goes to the sheet of its day, which alone is written."""
    lake = Lake(tmp_path / "lake")
    records = [of_day(template, n, day) for n, day in enumerate((0, 0, 0, 0, 0, 2, 2, 4, 4, 4))]
    for record in records:
        put(lake, record)
    assert days_of(lake) == {
        "web01-1970-01-01": [0, 0, 0, 0, 0],
        "web01-2016-11-03": [2, 2],
        "web01-2016-11-05": [4, 4, 4],
    }
    assert lake.files() == sorted(records, key=lambda record: record.file_key)
    before = {sheet.path.name: sheet.stat for sheet in list_sheets(lake.ledger)}
    put(lake, more := of_day(template, 10, 3))
    after = {sheet.path.name: sheet.stat for sheet in list_sheets(lake.ledger)}
    assert [name for name in after if after[name] != before[name]] == ["web01-2016-11-03.parquet"]
    put(lake, last := of_day(template, 11, 6))
    then = {sheet.path.name: sheet.stat for sheet in list_sheets(lake.ledger)}
    assert then.keys() - after.keys() == {"web01-2016-11-07.parquet"}
    assert all(then[name] == after[name] for name in after)  # a full one is left as it is
    for record in (*records, more, last):
        assert lake.find(record.file_key) == record
    assert lake.find("web01-ffffffffffffffff") is None
    other = Lake(tmp_path / "other")
    put(other, *records)
    assert other.files() == [one for one in lake.files() if one not in (more, last)]


@pytest.mark.usefixtures("few")
def test_sources_whose_names_end_in_a_day_are_kept_apart(
    template: FileRecord, tmp_path: Path
) -> None:
    """`web-2016-11-03` is a source, and the name of a sheet of `web`."""
    lake = Lake(tmp_path / "lake")
    names = ("web", "web-2016-11-03", "web-2016-11-03-2016-11-03")
    records = [
        of_day(template, 10 * place + n, n, source)
        for place, source in enumerate(names)
        for n in range(5)
    ]
    put(lake, *records)
    assert {sheet.source for sheet in list_sheets(lake.ledger)} == set(names)
    assert all(
        set(sheet.read()["source"].to_pylist()) == {sheet.source}
        for sheet in list_sheets(lake.ledger)
    )
    for record in records:
        assert lake.find(record.file_key) == record
        put(lake, replace(record, erasures=1))
    assert [record.erasures for record in lake.files()] == [1] * 15


def states_between(lake: Lake, *records: FileRecord) -> Iterator[None]:
    """Put records in place, a move after another."""
    staging = lake.root / ".staging"
    staging.mkdir()
    for move in put_records(lake.ledger, records, staging):
        assert move.staged is not None
        move.staged.replace(move.target)
        yield
    staging.rmdir()


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(
    ("to", "days"),
    [
        ({9: 1}, [[0, 1, 1], [2], [4, 5]]),  # one more: it divides the first sheet
        ({0: 4}, [[1, 2], [4, 4, 5]]),
        ({0: 4, 1: 5}, [[2], [4, 4], [5, 5]]),
        ({5: 0, 0: 1, 9: 0}, [[0, 0], [1, 1, 2], [4]]),
        ({4: 0, 5: 0, 9: 7}, [[0, 0, 0], [1, 2], [7]]),
    ],
)
def test_none_is_missing_between_two_moves(
    to: dict[int, int], days: list[list[int]], template: FileRecord, tmp_path: Path
) -> None:
    """A reader who holds no lock finds every file once, the moved and the new at the end."""
    lake = Lake(tmp_path / "lake")
    put(lake, *(of_day(template, day, day) for day in (0, 1, 2, 4, 5)))
    assert list(days_of(lake).values()) == [[0, 1, 2], [4, 5]]
    changed = [of_day(template, number, day) for number, day in to.items()]
    keys = {record.file_key for record in lake.files()}
    for _ in states_between(lake, *changed):
        found = [record.file_key for record in lake.files()]
        assert len(set(found)) == len(found)
        assert keys <= set(found)
        assert all(lake.find(key) for key in keys)
    assert list(days_of(lake).values()) == days
    for record in changed:
        assert lake.find(record.file_key) == record
    assert len(lake.files()) == len(keys | {record.file_key for record in changed})
    every = [key for s in list_sheets(lake.ledger) for key in s.read()["file_key"].to_pylist()]
    assert len(every) == len(set(every))


@pytest.mark.usefixtures("few")
def test_what_records_come_to_counts_none_twice_amid_a_change(
    template: FileRecord, tmp_path: Path
) -> None:
    """A file that two sheets have between two moves; an earlier version's sheet says nothing."""
    lake = Lake(tmp_path / "lake")
    put(lake, *(of_day(template, day, day) for day in (0, 1, 2, 4, 5)))
    changed = [of_day(template, number, day) for number, day in {5: 0, 0: 1, 9: 0}.items()]
    written = lake.root / ".commit" / "moves.json"
    written.parent.mkdir()
    written.touch()
    for _ in states_between(lake, *changed):
        keys = lake.records(["file_key"])["file_key"].to_pylist()
        assert sorted(keys) == [record.file_key for record in lake.files()]
        assert sum(sums.files for sums in lake.sums()) == len(keys)
    shutil.rmtree(written.parent)
    told = lake.sums()
    for sheet, sums in zip(list_sheets(lake.ledger), told, strict=True):
        assert sums == sum_up(sheet.source, sheet.read())
        days = Counter(day for record in to_records(sheet.read()) for day in record.days)
        assert {day: its.files for day, its in sums.days.items()} == days
        pq.write_table(sheet.read(), sheet.path)
    assert lake.sums() == told


@pytest.mark.usefixtures("few")
def test_a_reader_of_two_sheets_sees_one_moment(
    template: FileRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sheets change after the first of them was read: they are read again."""
    lake = Lake(tmp_path / "lake")
    put(lake, *(of_day(template, day, day) for day in (0, 1, 2, 3, 4, 5)))
    read, waiting = sheets.Sheet.scan, [of_day(template, 5, 0)]

    def read_then_write(sheet: sheets.Sheet, columns: Any = None) -> Any:
        table = read(sheet, columns)
        if waiting:
            put(lake, waiting.pop())
        return table

    monkeypatch.setattr(sheets.Sheet, "scan", read_then_write)
    assert len(lake.files()) == 6
    assert lake.files()[5].day == str(FIRST)


@pytest.mark.large
@pytest.mark.usefixtures("few")
def test_a_lake_of_divided_sheets_is_proved(tmp_path: Path) -> None:
    """Files of many days one by one: what was read is known, a grown one replaces, all is sound."""
    site = Site(tmp_path)
    for day in range(1, 9):
        line = make_line(f"{day:02}/Nov/2016:10:00:00 -0500")
        site.ingest(site.write(f"web01-{day}.log", line))
    assert len(list_sheets(Lake(site.lake).ledger)) > 2
    before = {sheet.path: sheet.stat for sheet in list_sheets(Lake(site.lake).ledger)}
    site.ingest("raw")
    assert before == {sheet.path: sheet.stat for sheet in list_sheets(Lake(site.lake).ledger)}
    grown = make_line("02/Nov/2016:10:00:00 -0500") + make_line("07/Nov/2016:11:00:00 -0500")
    path = site.write("web01-2.log", grown)
    site.ingest(path)
    (old,) = (record for record in Lake(site.lake).all_files() if record.replaced_by)
    new = Lake(site.lake).find_seen(path)
    assert new is not None
    assert old.replaced_by == new.file_key
    paths = Lake(site.lake).raw_paths({quoted(path)})
    assert old.file_key not in paths
    assert [raw for raw, _ in paths[new.file_key]] == [path]
    site.run("forget", "web01-5.log")
    site.run("build")
    assert len(Lake(site.lake).files()) == 7
    assert site.run("verify").err.endswith("nothing is off\n")


NEWER = [
    *("overlap_lines", "overlap_with", "whole_days", "nul_bytes", "source_by_name", "seen"),
    *("erasures", "url", "timezone"),
]


def test_a_sheet_of_before_a_column_is_no_damaged_one(template: FileRecord, tmp_path: Path) -> None:
    """It has what a record has by default; a sheet written anew has the column."""
    lake = Lake(tmp_path / "lake")
    wanted = [replace(of_day(template, n, n), source_by_name=None) for n in range(3)]
    put(lake, *wanted)
    (sheet,) = list_sheets(lake.ledger)
    with pq.ParquetFile(sheet.path) as file:
        pq.write_table(file.read().drop_columns(NEWER), sheet.path)
    assert lake.all_files() == wanted
    (sheet,) = list_sheets(lake.ledger)
    assert sheet.read(("url", "name", "erasures")).to_pylist() == [
        {"url": None, "name": "web01.log", "erasures": 0}
    ] * len(wanted)
    put(lake, of_day(template, 5, 5))
    assert pq.read_schema(sheet.path).names == sheets.SCHEMA.names
    assert lake.all_files()[:3] == wanted
    (sheet,) = list_sheets(lake.ledger)
    with pq.ParquetFile(sheet.path) as file:
        pq.write_table(file.read().drop_columns("layout"), sheet.path)
    with pytest.raises(LakeError, match="is damaged"):
        lake.all_files()


FILES = "SELECT name, source, lines, hits, rejected, damage FROM files ORDER BY name"


def test_files_are_a_table_before_the_first_build(tmp_path: Path) -> None:
    """To the command, safely too, and to any DuckDB, wherever the lake is moved to."""
    site = Site(tmp_path)
    site.ingest(site.write("web01.log", GOOD + b"no line\n"), site.write("web02.log", GOOD * 2))
    rows = [
        {"name": "web01.log", "source": "web01", "lines": 2, "hits": 1, "rejected": 1},
        {"name": "web02.log", "source": "web02", "lines": 2, "hits": 2, "rejected": 0},
    ]
    for given in ((), ("--safe",)):
        said = json.loads(site.run("sql", *given, FILES, "--format", "json").out)
        assert said == [row | {"damage": None} for row in rows]
    moved = tmp_path / "it's [moved]"
    shutil.move(site.lake, moved)
    with duckdb.connect(str(moved / "tidegauge.duckdb"), read_only=True) as views:
        found = views.execute(FILES).fetchall()
        reasons = views.execute("SELECT reasons FROM files WHERE rejected > 0").fetchall()
        columns = [name for name, *_ in views.execute("DESCRIBE files").fetchall()]
    assert found == [(*row.values(), None) for row in rows]
    assert sum(reasons[0][0].values()) == 1
    assert "seen" not in columns, "paths are nobody's to ask for"


def test_files_of_an_empty_lake_are_none(tmp_path: Path) -> None:
    """No sheet, or one of a file without a line."""
    site = Site(tmp_path)
    site.ingest(site.write("web.log", b""))
    assert json.loads(site.run("sql", "SELECT name, day FROM files", "--format", "json").out) == [
        {"name": "web.log", "day": "1970-01-01"}
    ]
    none = Site(tmp_path / "none")
    (none.lake / "ledger").mkdir(parents=True)
    shutil.copy(site.lake / "ledger" / "lake.json", none.lake / "ledger")
    none.run("build")
    assert Lake(none.lake).all_files() == []
    assert none.run("sql", "SELECT count(*) AS n FROM files", "--format", "csv").out == "n\n0\n"


def test_a_replaced_and_a_forgotten_file_say_so(tmp_path: Path) -> None:
    """What became of each, and where its hits are now."""
    site = Site(tmp_path)
    early, late = make_line("08/Nov/2016:10:00:00 -0500"), make_line("08/Nov/2016:11:00:00 -0500")
    site.ingest(site.write("web01.log", early))
    site.ingest(site.write("web01.log", early + late), site.write("web02.log", late))
    site.run("forget", "web02.log")
    asked = (
        "SELECT name, hits, replaced_by IS NOT NULL AS replaced, forgotten_at IS NOT NULL AS gone"
        " FROM files ORDER BY ALL"
    )
    assert json.loads(site.run("sql", asked, "--format", "json").out) == [
        {"name": "web01.log", "hits": 1, "replaced": True, "gone": False},
        {"name": "web01.log", "hits": 2, "replaced": False, "gone": False},
        {"name": "web02.log", "hits": 1, "replaced": False, "gone": True},
    ]


def test_sheets_are_plain_parquet(tmp_path: Path) -> None:
    """Any engine reads them by their folder."""
    site = Site(tmp_path)
    site.ingest(site.write("web01.log", GOOD), site.write("web02.log", GOOD * 2))
    table = pq.read_table(site.lake / "ledger" / "files")
    assert sorted(table["hits"].to_pylist()) == [1, 2]
