"""`tidegauge verify`: a sound lake is proved, and every damage in every kind of file is named."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import verify_lakes as lakes
from conftest import VISITOR_KEY
from lake_fixtures import Site, make_line
from report_lakes import make_storm
from retention_sites import NOON, OLD, SEALED, delete, make_original, set_clock
from verify_lakes import places_of, verify

from pipeline.build.build import build_settings
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import DayShare, FileRecord
from pipeline.lake.table_files import write_table
from pipeline.settings import load_settings
from pipeline.verify import processes, proof
from pipeline.verify.day_proof import ProofTask, prove_days
from pipeline.verify.differences import find_difference
from pipeline.verify.lines import LineSet, find_shared
from pipeline.verify.parquet import Shelf
from pipeline.verify.processes import prove_all
from pipeline.verify.proof import AskedDays, prove_lake
from pipeline.verify.recount import CountingRules


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A lake with every kind of file; never changed."""
    return lakes.make_everything(tmp_path_factory.mktemp("sound"))


@pytest.fixture
def site(sound: Site, tmp_path: Path) -> Site:
    """A copy of it, to be damaged."""
    return sound.copy(tmp_path)


def files_of(site: Site) -> dict[str, tuple[bytes, int]]:
    """Every file of the lake: content and time of change."""
    return {
        str(path.relative_to(site.lake)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(site.lake.rglob("*"))
        if path.is_file() and path.suffix != ".lock"
    }


def one_of(site: Site, pattern: str) -> Path:
    """The first file of a kind."""
    return min(site.lake.glob(pattern))


@pytest.mark.large
def test_lake_with_surges_is_proved(tmp_path: Path) -> None:
    """Nothing is found in a lake whose days are expected, and one of them a surge."""
    site = Site(make_storm(tmp_path).parent)
    assert len(site.rows("surges")) == 1
    done = site.run("verify", "--geo", "geo", "--format", "csv")
    assert done.out == "what,day_or_file,finding\n"
    assert "12 days, 780 hits of 1 file counted anew: nothing is off\n" in done.err


def test_sound_lake_is_proved_and_left_alone(sound: Site) -> None:
    """Overlap, grown file, file without hits: all is accounted for, and nothing is written."""
    before = files_of(sound)
    assert any(place.startswith("ledger/whole/") for place in before)
    assert any(record.replaced_by for record in Lake(sound.lake).all_files())
    assert verify(sound, code=0) == []
    assert files_of(sound) == before


KINDS = {
    "hits": "hits/day=2016-11-08/web01-h*.parquet",
    "hits of a large file": "hits/day=2016-11-08/web07-*.parquet",
    "rejects": "rejects/day=2016-11-07/web01-h*.parquet",
    "rejects of a large file": "rejects/day=2016-11-07/web07-*.parquet",
    "rejects of no day": "rejects/day=1970-01-01/*.parquet",
    "sessions": "sessions/day=2016-11-08/part.parquet",
    "daily": "daily/day=2016-11-08/part.parquet",
    "hourly": "hourly/day=2016-11-08/part.parquet",
    "days": "days/part.parquet",
    "expected": "expected/part.parquet",
    "surges": "surges/part.parquet",
    "drivers": "drivers/part.parquet",
    "signals": "signals/part.parquet",
    "minutes": "minutes/day=2016-11-08/part.parquet",
    "restatements": "restatements/part.parquet",
    "published": "ledger/published.json",
    "views": "tidegauge.duckdb",
    "records": "ledger/files/web01-*.parquet",
    "records of a replaced file": "ledger/files/web03-*.parquet",
    "lines": "ledger/lines/day=2016-11-07/web01-h*.parquet",
    "lines of a large file": "ledger/lines/web07-*.npy",
    "whole": "ledger/whole/*/*.parquet",
    "robots": "ledger/robots/*.parquet",
    "identity": "ledger/lake.json",
    "built": "ledger/built.json",
    "parts of a day": "ledger/parts/day=2016-11-08.json",
    "summary": "ledger/summary.json",
    "digests of a day": "ledger/digests/day=2016-11-07.json",
    "digests of a large file": "ledger/digests/web07-*.json",
    "digests of records": "ledger/digests/files.json",
    "digests of partitions": "ledger/digests/built.json",
    "digests of tables": "ledger/digests/tables.json",
    "digests of views": "ledger/digests/views.json",
    "digests of robots": "ledger/digests/robots.json",
    "digests of restatements": "ledger/digests/restatements.json",
}
NOT_WITHOUT = {
    "digests of views": "tidegauge.duckdb",
    "digests of robots": "ledger/robots/",
    "digests of a day": "hits/day=2016-11-07/web01-h",
}
"""Whose bytes prove nothing without them."""
DAMAGES = (lakes.flip, lakes.flip_last, lakes.truncate, lakes.empty, lakes.append, lakes.delete)


RECORDS = {kind for kind, pattern in KINDS.items() if pattern.startswith("ledger/files/")}
PARTS = "parts of a day"
TEXTS = {kind for kind, pattern in KINDS.items() if pattern.endswith(".json")} - {PARTS}
GROUPS = {
    "texts of the ledger": TEXTS,
    "daily": {"daily"},
    "hourly": {"hourly"},
    "records": RECORDS,
    "others": KINDS.keys() - TEXTS - RECORDS - {"daily", "hourly"},
}
"""Damage within one hides none of its own: nothing is counted anew by a damaged ledger, a day
without its daily or hourly is to be built, and what it was built from is said in another file."""


@pytest.mark.rest_large
@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files_are_named(damage: Callable[[Path], None], group: str, site: Site) -> None:
    """A bit, half of it, all of it, a byte more, the file: what is changed or gone is named."""
    paths = {kind: one_of(site, KINDS[kind]) for kind in GROUPS[group]}
    for path in paths.values():
        damage(path)
    named = places_of(verify(site, code=1))
    for kind, path in paths.items():
        place = path.relative_to(site.lake).as_posix()
        if damage is lakes.delete:
            place = NOT_WITHOUT.get(kind, place)
        assert any(place in name for name in named), kind


def test_kinds_are_all_that_the_lake_has(sound: Site) -> None:
    """No file of the lake is of a kind that the test above does not damage."""
    known = {path for pattern in KINDS.values() for path in sound.lake.glob(pattern)}
    folders = {path.parent.relative_to(sound.lake).parts[:2] for path in known}
    tables = {parts[0] for parts in folders if parts}
    for place in files_of(sound):
        parts = Path(place).parent.parts
        assert parts[:2] in folders or (parts[0] in tables and parts[1].startswith("day=")), place


STRAY_RECORD = "ledger/files/web09-0123456789abcdef.json"
STRAY_SHEET = "ledger/files/web09-1970-01-01.parquet"
STRAYS = {
    "hits/day=2016-11-08/web09-0123456789abcdef.parquet": "hits/day=2016-11-08/*.parquet",
    "hits/day=2016-12-24/web09-0123456789abcdef.parquet": "hits/day=2016-11-08/*.parquet",
    "rejects/day=2016-11-08/web09-0123456789abcdef.parquet": "rejects/day=*/*.parquet",
    "sessions/day=2016-12-24/part.parquet": "sessions/day=2016-11-08/part.parquet",
    "daily/day=2016-11-08/more.parquet": "daily/day=2016-11-08/part.parquet",
    "hourly/part.parquet": "hourly/day=2016-11-08/part.parquet",
    "ledger/lines/web09-0123456789abcdef.npy": "ledger/lines/*.npy",
    "ledger/whole/day=2016-11-08/web09-0123456789abcdef.parquet": "ledger/whole/*/*.parquet",
    "hits/day=2016-11-08/web01-h18.parquet": "hits/day=2016-11-08/web01-h*.parquet",
    "rejects/day=2016-11-08/web09-h00.parquet": "rejects/day=*/web01-h*.parquet",
    "ledger/lines/day=2016-11-08/web01-h00.parquet": "ledger/lines/*/web01-h00.parquet",
    "ledger/lines/web01-h00.npy": "ledger/lines/*.npy",
    "ledger/digests/day=2016-12-24.json": "ledger/digests/day=2016-11-07.json",
    STRAY_RECORD: "ledger/lake.json",
    STRAY_SHEET: "ledger/files/web01-*.parquet",
    "ledger/digests/web09-0123456789abcdef.json": "ledger/digests/web07-*.json",
    "ledger/digests/more.json": "ledger/digests/built.json",
    "ledger/files/notes.json": "ledger/lake.json",
    "ledger/files/notes.parquet": "ledger/files/web01-*.parquet",
    "ledger/files/web01-1970-01-01.txt": "ledger/files/web01-*.parquet",
    "ledger/replaced/notes.json": "ledger/lake.json",
    "ledger/seen/notes.json": "ledger/lake.json",
    "ledger/robots/notes.txt": "ledger/lake.json",
    "ledger/whole/notes.parquet": "ledger/whole/*/*.parquet",
    "ledger/alerts/notes.txt": "ledger/lake.json",
    "ledger/more/lake.json": "ledger/lake.json",
    "ledger/files/more/lake.json": "ledger/lake.json",
    "ledger/published.json.old": "ledger/published.json",
    "ledger/built2.json": "ledger/built.json",
    "ledger/parts/day=2016-12-24.json": "ledger/parts/day=2016-11-08.json",
    "ledger/Lake.json": "ledger/lake.json",
    "ledger/notes.txt": "ledger/lake.json",
    "ledger/part.parquet": "days/part.parquet",
}


OF_RECORDS = {STRAY_RECORD, STRAY_SHEET}


@pytest.mark.parametrize("of_records", [False, True])
def test_stray_files_are_named(of_records: bool, site: Site) -> None:
    """Sound files in places where nothing accounts for them; records would for files beside."""
    places = [place for place in STRAYS if (place in OF_RECORDS) is of_records]
    contents = [one_of(site, STRAYS[place]).read_bytes() for place in places]
    for place, content in zip(places, contents, strict=True):
        target = site.lake / place
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(content)
    assert places_of(verify(site, code=1)) >= set(places)


def test_sums_of_other_records_are_named(site: Site) -> None:
    """Nobody reads the records who trusts what their sheet says of them."""
    sheet = one_of(site, "ledger/files/web01-*.parquet")
    ((key, text),) = pq.read_metadata(sheet).metadata.items()
    with pq.ParquetFile(sheet) as file:
        table = file.read()
    write_table(sheet, table, {key: text.replace(b'"files":1,', b'"files":2,')})
    assert pq.read_metadata(sheet).metadata != {key: text}
    lakes.resign(site, sheet)
    rows = verify(site, code=1)
    assert [row["finding"] for row in rows if "come to" in row["finding"]], rows


@pytest.mark.rest_large
@pytest.mark.parametrize("table", ["hits", "sessions", "daily", "hourly", "minutes"])
def test_exchanged_partitions_are_named(table: str, site: Site) -> None:
    """Two files in each other's place, each sound by itself."""
    one, other = sorted(site.lake.glob(f"{table}/day=*/*.parquet"))[:2]
    away = site.folder / "away"
    shutil.move(one, away)
    shutil.move(other, one)
    shutil.move(away, other)
    named = places_of(verify(site, code=1))
    assert {path.relative_to(site.lake).as_posix() for path in (one, other)} <= named


def drop_row(table: pa.Table) -> pa.Table:
    return pa.concat_tables([table.slice(0, 3), table.slice(4)])


def exchange_rows(table: pa.Table) -> pa.Table:
    return table.take(pa.array([1, 0, *range(2, len(table))]))


def changed(column: str, value: object) -> Callable[[pa.Table], pa.Table]:
    return lambda table: lakes.with_value(table, column, 2, value)


HITS_CHANGES: dict[str, tuple[Callable[[pa.Table], pa.Table], str]] = {
    "a row less": (drop_row, "rows, its record has"),
    "a row twice": (lambda t: pa.concat_tables([t, t.slice(len(t) - 1)]), "rows, its record has"),
    "rows in another order": (exchange_rows, "line numbers do not rise"),
    "a line beyond the file": (lambda t: lakes.with_value(t, "line_no", len(t) - 1, 999), "lines"),
    "a line that was rejected": (lambda t: lakes.with_value(t, "line_no", len(t) - 1, 122), "122"),
    "another first line": (lambda t: lakes.with_value(t, "line_no", 0, 40), "first line is 40"),
    "another country": (changed("country", "FR"), "counted anew"),
    "another visitor": (changed("visitor_id", 7), "counted anew"),
    "another status": (changed("status", 500), "counted anew"),
    "more bytes": (changed("bytes_sent", 6), "counted anew"),
    "a page less": (changed("is_page", False), "counted anew"),
    "a robot": (changed("is_robot", True), "counted anew"),
    "another path": (changed("path", "/z"), "counted anew"),
    "another source": (changed("source", "web02"), "source is"),
    "another database": (changed("geo_built", date(2016, 1, 1)), "located by"),
    "a null": (changed("country", None), "null"),
    "an address": (changed("client", "192.0.2.1"), "keeps addresses"),
    "another choice of the client": (changed("client_from", "field"), "client_from is field"),
    "no choice of the client": (changed("client_from", None), "client_from is null"),
    "no rows": (lambda t: t.slice(0, 0), "has no row"),
    "a column less": (lambda t: t.drop_columns("host"), "has no column host"),
    "a column more": (lambda t: t.append_column("x", t["host"]), "column more: x"),
    "a narrower type": (
        lambda t: t.set_column(0, "line_no", t["line_no"].cast(pa.int32())), "is int32, not int64"
    ),
}  # fmt: skip


@pytest.mark.rest_large
@pytest.mark.parametrize("source", ["web01", "web07"])
@pytest.mark.parametrize("change", HITS_CHANGES)
def test_change_of_hits_is_found_without_digests(change: str, source: str, site: Site) -> None:
    """What a writer with the right digests would have written wrongly is found by what it says.

    In Parquet that a small file would share with others, and in a large file's own.
    """
    edit, words = HITS_CHANGES[change]
    lakes.rewrite(site, one_of(site, f"hits/day=2016-11-09/{source}-*.parquet"), edit)
    rows = verify(site, code=1)
    assert any(words in row["finding"] for row in rows), rows
    assert any(f"{source}-" in place or "day=2016-11-0" in place for place in places_of(rows))


def with_key(row: int, key: str | None) -> Callable[[pa.Table], pa.Table]:
    return lambda table: lakes.with_value(table, "file_key", row, key)


def keys_of(table: pa.Table) -> list[str]:
    """Whose rows a pack has, in order."""
    return list(dict.fromkeys(table["file_key"].to_pylist()))


def last_key(table: pa.Table) -> pa.Table:
    return with_key(0, keys_of(table)[-1])(table)


def without_a_file(table: pa.Table) -> pa.Table:
    return table.filter(pc.not_equal(table["file_key"], keys_of(table)[1]))


def in_another_order(table: pa.Table) -> pa.Table:
    return table.sort_by([("file_key", "descending")])


def of_another_file(table: pa.Table) -> pa.Table:
    return pa.concat_tables([table, with_key(0, "web08-ffffffffffffffff")(table.slice(0, 1))])


PACK_CHANGES: dict[str, tuple[Callable[[pa.Table], pa.Table], str]] = {
    "a file less": (without_a_file, "has no row of web08-"),
    "a file more": (of_another_file, "has rows of web08-ffffffffffffffff"),
    "a row of nobody": (with_key(0, None), "does not say whose"),
    "files in another order": (in_another_order, "not in order"),
    "no column of files": (lambda t: t.drop_columns("file_key"), "does not say whose"),
    "no rows": (lambda t: t.slice(0, 0), "has no row of web08-"),
}
PACKS = {
    "hits": "hits/day=2016-11-08/web08-h06.parquet",
    "rejects": "rejects/day=2016-11-08/web08-h06.parquet",
    "lines": "ledger/lines/day=2016-11-08/web08-h06.parquet",
}


@pytest.mark.rest_large
@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize("change", PACK_CHANGES)
def test_change_of_a_pack_is_found_without_digests(change: str, pack: str, site: Site) -> None:
    """Whose rows there are, and in which order, is what the ledger says."""
    edit, words = PACK_CHANGES[change]
    lakes.rewrite(site, site.lake / PACKS[pack], edit)
    rows = verify(site, code=1)
    found = [row["finding"] for row in rows if row["day_or_file"] == PACKS[pack]]
    assert any(words in text for text in found), rows


@pytest.mark.parametrize("pack", ["hits", "rejects"])
def test_a_row_given_to_another_file_is_found(pack: str, site: Site) -> None:
    """The first row of the first file becomes the last one's, wherever it then lies."""
    for is_sorted in (False, True):
        lakes.rewrite(
            site,
            site.lake / PACKS[pack],
            lambda t, is_sorted=is_sorted: (  # type: ignore[misc]
                last_key(t).sort_by([("file_key", "ascending"), ("line_no", "ascending")])
                if is_sorted
                else last_key(t)
            ),
        )
        places = places_of(verify(site, code=1))
        assert PACKS[pack] in places


LINES_CHANGES: dict[str, Callable[[list[list[int] | None]], list[list[int] | None]]] = {
    "a line less": lambda its: [its[0][1:], *its[1:]],  # type: ignore[index]
    "a line more": lambda its: [[*its[0], 7], *its[1:]],  # type: ignore[misc]
    "none": lambda its: [None, *its[1:]],
    "another file's": lambda its: [its[1], its[0], its[2]],
}


@pytest.mark.rest_large
@pytest.mark.parametrize("change", LINES_CHANGES)
def test_change_of_lines_is_found_without_digests(change: str, site: Site) -> None:
    """So many hashes as its record has lines, of each file."""

    def edit(table: pa.Table) -> pa.Table:
        hashes = LINES_CHANGES[change](table["hashes"].to_pylist())
        return table.set_column(1, "hashes", pa.array(hashes, table["hashes"].type))

    lakes.rewrite(site, site.lake / PACKS["lines"], edit)
    rows = verify(site, code=1)
    assert {(row["what"], row["day_or_file"]) for row in rows} == {("ledger", PACKS["lines"])}
    assert all("its record has" in row["finding"] for row in rows)


def test_hit_of_another_day_is_found(site: Site) -> None:
    """A hit that lies in a day's partition and is of the next."""

    def shift(table: pa.Table) -> pa.Table:
        last = len(table) - 1
        later = table["ts"][last].as_py() + timedelta(days=1)
        return lakes.with_value(table, "ts", last, later)

    lakes.rewrite(site, one_of(site, "hits/day=2016-11-08/web01-*.parquet"), shift)
    assert any("of another local day" in row["finding"] for row in verify(site, code=1))


PARTITIONS = ("sessions", "daily", "hourly", "minutes", "days", "expected")


@pytest.mark.rest_large
@pytest.mark.parametrize("table", PARTITIONS)
def test_change_of_figures_is_found_without_digests(table: str, site: Site) -> None:
    """A row less, rows in another order, a value changed: by counting anew."""
    path = one_of(site, f"{table}/**/part.parquet")
    content = path.read_bytes()
    place = path.relative_to(site.lake).as_posix()

    def add_one(rows: pa.Table) -> pa.Table:
        numbers = (f.name for f in reversed(rows.schema) if pa.types.is_int64(f.type))
        name = next(name for name in numbers if not rows[name].null_count)
        return lakes.with_value(rows, name, 0, rows[name][0].as_py() + 1)

    for edit in (add_one, lambda t: t.slice(1), lambda t: t.slice(0, 1).take(pa.array([0, 0]))):
        lakes.rewrite(site, path, edit)
        rows = verify(site, code=1)
        assert place in places_of(rows), rows
        assert all("counted anew" in row["finding"] for row in rows)
        path.write_bytes(content)


def test_published_value_that_follows_nothing_is_found(site: Site) -> None:
    """A value before it that was never published, or a value twice at one moment."""
    path = site.lake / "restatements" / "part.parquet"
    content = path.read_bytes()
    for edit in (changed("previous_sessions", 17), lambda t: t.take(pa.array([0, 0, 1]))):
        lakes.rewrite(site, path, edit)
        (row,) = verify(site, code=1)
        assert "does not follow the value before it" in row["finding"]
        path.write_bytes(content)


def shifted_day(record: FileRecord, **changes: int) -> dict[str, DayShare]:
    """Its days with another share of one."""
    day = "2016-11-08"
    return {**record.days, day: replace(record.days[day], **changes)}


RECORD_CHANGES: dict[str, tuple[Callable[[FileRecord], dict[str, Any]], str]] = {
    "a hit more": (lambda r: {"hits": r.hits + 1}, "lines are not hits"),
    "a line and a blank more": (lambda r: {"lines": r.lines + 1, "blank": 1}, "its record has"),
    "a hit a day more": (
        lambda r: {"days": shifted_day(r, hits=41)}, "its days' hits are not its hits"
    ),
    "another first line": (lambda r: {"days": shifted_day(r, first_line=3)}, "first line is"),
    "another reason": (lambda _: {"reasons": {"request": 2}}, "its reasons are not"),
    "a reason more": (lambda r: {"reasons": {**r.reasons, "request": 1}}, "reasons' counts"),
    "another first hit": (lambda _: {"first_at": "2016-11-06T00:00:00+00:00"}, "hits are from"),
    "no hits": (lambda _: {"hits": None}, "is not a record"),
    "no layout": (lambda _: {"layout": None}, "is not a record"),
    "another sum": (lambda _: {"sha256": "0" * 64}, "name is not its source"),
    "another source": (lambda _: {"source": "web02"}, "records of another source"),
    "an overlap": (lambda _: {"overlap_lines": 3}, "its overlap is not one"),
    "a negative blank": (lambda _: {"blank": -1, "directives": 1}, "a count is below zero"),
}  # fmt: skip


@pytest.mark.rest_large
@pytest.mark.parametrize("change", RECORD_CHANGES)
def test_change_of_a_record_is_found_without_digests(change: str, site: Site) -> None:
    """A record that was written wrongly contradicts itself or the files."""
    edit, words = RECORD_CHANGES[change]
    lakes.rewrite_records(site, lambda r: replace(r, **edit(r)) if r.source == "web01" else r)
    rows = verify(site, code=1)
    assert any(words in row["finding"] for row in rows), rows


SHEET_CHANGES: dict[str, tuple[Callable[[pa.Table], pa.Table], str]] = {
    "a column less": (lambda t: t.drop_columns("hits"), "is not a record"),
    "a column more": (lambda t: t.append_column("x", t["hits"]), "is not a record"),
    "a number as text": (
        lambda t: t.set_column(5, "hits", pa.array(["many"] * len(t))), "is not a record"
    ),
    "no day of hits": (
        lambda t: t.set_column(
            t.column_names.index("days"), "days", pa.array(
                [[{**share, "day": None} for share in its] for its in t["days"].to_pylist()],
                t["days"].type,
            )
        ),
        "is not a record",
    ),
    "a record twice": (lambda t: pa.concat_tables([t, t]), "has two records"),
    "no records": (lambda t: t.slice(0, 0), "is a stray"),
}  # fmt: skip


@pytest.mark.rest_large
@pytest.mark.parametrize("change", SHEET_CHANGES)
def test_change_of_a_sheet_is_found_without_digests(change: str, site: Site) -> None:
    """Records that are none, or too many, or too few, with the right digest."""
    edit, words = SHEET_CHANGES[change]
    lakes.rewrite(site, one_of(site, "ledger/files/web01-*.parquet"), edit)
    rows = verify(site, code=1)
    assert any(words in row["finding"] for row in rows), rows


def test_file_with_records_in_two_sheets_is_found(site: Site) -> None:
    """Which of the two is it?"""
    sheet = one_of(site, "ledger/files/web01-*.parquet")
    other = sheet.with_name("web01-2016-11-08.parquet")
    shutil.copy(sheet, other)
    digests = site.lake / "ledger" / "digests" / "files.json"
    lakes.rewrite_json(digests, lambda c: c.update({f"ledger/files/{other.name}": "0"}))
    lakes.resign(site, other)
    (record,) = [record for record in Lake(site.lake).files() if record.source == "web01"]
    assert [(row["day_or_file"], row["finding"]) for row in verify(site, code=1)] == [
        (f"ledger/files: {record.file_key}", "has two records")
    ]


def test_exchanged_sheets_are_named(site: Site) -> None:
    """Two sources' records in each other's place."""
    one, other = (one_of(site, f"ledger/files/web0{n}-*.parquet") for n in (1, 2))
    contents = one.read_bytes(), other.read_bytes()
    one.write_bytes(contents[1])
    other.write_bytes(contents[0])
    places = {path.relative_to(site.lake).as_posix() for path in (one, other)}
    assert places <= places_of(verify(site, code=1))
    for path in (one, other):
        lakes.resign(site, path)
    assert places <= places_of(verify(site, code=1))


def test_hit_among_dropped_lines_is_found(site: Site) -> None:
    """A line that counts in another file has no hit in this one."""
    (key,) = [record.file_key for record in Lake(site.lake).files() if record.overlap_lines == 25]
    pack = one_of(site, "hits/day=2016-11-08/web02-h00.parquet")

    def edit(table: pa.Table) -> pa.Table:
        first = table["file_key"].to_pylist().index(key)
        return lakes.with_value(table, "line_no", first, 3)

    lakes.rewrite(site, pack, edit)
    (row,) = [row for row in verify(site, code=1) if row["what"] == "hits"]
    assert row["finding"] == "has line 3; the first 25 count in another file"


def test_a_file_that_comes_meanwhile_is_no_damage(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is put beside others into Parquet that is being proved: that is said, and nothing off."""

    def prove_and_ingest(tasks: Any) -> Any:
        path = site.write("web08-9.log", make_line("08/Nov/2016:05:30:00 -0500") + lakes.BAD)
        site.run("ingest", str(path), "--geo", "geo")
        yield from prove_all(tasks)

    monkeypatch.setattr(proof, "prove_all", prove_and_ingest)
    found = list(
        prove_lake(
            Lake(site.lake),
            build_settings(
                load_settings(lake=site.lake, visitor_key=VISITOR_KEY, timezone="America/Toronto"),
                Lake(site.lake),
            ),
            AskedDays(),
        ).findings
    )
    assert [one for one in found if one.is_off and one.what != "unproven"] == []
    meanwhile = {one.place for one in found if "meanwhile" in one.text}
    assert set(PACKS.values()) <= meanwhile


def test_stale_day_is_noted_and_not_wrong(site: Site) -> None:
    """A late file makes its day and the tables stale: that is said, and the exit code is 0."""
    site.write("web04.log", make_line("09/Nov/2016:10:00:00 -0500"))
    site.run("ingest", "raw/web04.log", "--geo", "geo")
    rows = verify(site, code=0)
    assert {row["what"] for row in rows} == {"stale"}
    assert {"2016-11-08", "2016-11-09"} <= places_of(rows)


@pytest.mark.large
def test_sealed_day_is_reported_and_its_bytes_are_proved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hits that retention deleted are no finding; damage in a sealed day's figures is."""
    site = make_original(tmp_path)
    set_clock(monkeypatch, NOON)
    delete(site)
    rows = verify(site, code=0)
    assert [(row["what"], row["day_or_file"]) for row in rows] == [
        ("sealed", day) for day in SEALED
    ]
    path = site.lake / "daily" / f"day={OLD[0]}" / "part.parquet"
    lakes.flip(path)
    assert path.relative_to(site.lake).as_posix() in places_of(verify(site, code=1))
    path.unlink()
    assert path.relative_to(site.lake).as_posix() in places_of(verify(site, code=1))


@pytest.mark.large
def test_what_was_not_counted_anew_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of sealed days the bytes alone, of stale ones nothing: neither is among what was counted."""
    site = make_original(tmp_path)
    whole = "10 days, 180 hits of 11 files counted anew: nothing is off\n"
    assert site.run("verify").err.endswith(whole)
    set_clock(monkeypatch, NOON)
    delete(site)
    some = "5 days, 90 hits of 6 files counted anew; 5 sealed days by bytes alone: nothing is off\n"
    assert site.run("verify").err.endswith(some)
    none = "0 days, 0 hits of 0 files counted anew; 4 sealed days by bytes alone: nothing is off\n"
    assert site.run("verify", "--to", OLD[-1]).err.endswith(none)
    site.ingest(site.write("web03.log", make_line("10/Nov/2016:12:00:00 -0500")))
    stale = (
        "3 days, 54 hits of 4 files counted anew; 5 sealed days by bytes alone; 2 other days not"
    )
    assert stale in site.run("verify").err


def test_unsealed_hits_that_are_gone_are_named(site: Site) -> None:
    """A day that nobody sealed has lost a file, and the day is not called proved."""
    path = one_of(site, "hits/day=2016-11-08/web01-*.parquet")
    path.unlink()
    rows = verify(site, code=1)
    assert path.relative_to(site.lake).as_posix() in places_of(rows)
    unproven = {row["day_or_file"] for row in rows if row["what"] == "unproven"}
    assert unproven == {"2016-11-07", "2016-11-08", "2016-11-09"}


def test_only_the_days_asked_for_are_proved(site: Site) -> None:
    """Damage on another day is not looked for; what lies beside the days still is."""
    lakes.flip(site.lake / "daily" / "day=2016-11-07" / "part.parquet")
    rows = verify(site, "--from", "2016-11-08", "--to", "2016-11-09", code=1)
    assert {row["what"] for row in rows} == {"unproven"}  # the tables hang on all days
    rows = verify(site, "--to", "2016-11-07", code=1)
    assert "daily/day=2016-11-07/part.parquet" in places_of(rows)


@pytest.mark.large
def test_several_processes_find_the_same(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large lake's days are spread over processes: the same findings."""
    lakes.flip(one_of(site, "hits/day=2016-11-07/web02-*.parquet"))
    lakes.rewrite(
        site, one_of(site, "daily/day=2016-11-09/part.parquet"), lambda table: table.slice(1)
    )
    alone = verify(site, "--processes", "1", code=1)
    monkeypatch.setattr(processes, "ROWS_WORTH_A_PROCESS", 100)
    started: list[ProofTask] = []
    monkeypatch.setattr(
        processes, "prove_days", lambda task: started.append(task) or prove_days(task)
    )
    assert verify(site, "--processes", "3", code=1) == alone
    assert not started  # not in this process


@pytest.mark.large
def test_process_that_ends_early_is_a_finding(capfd: pytest.CaptureFixture[str]) -> None:
    """Its days are named as not proved."""
    day = date(2016, 11, 8)
    task = ProofTask(
        Shelf(Path("/nowhere"), {}), "No/Zone", CountingRules(30, b""), (), frozenset([day])
    )
    found = [proof.findings for proof in prove_all([task, task])]
    assert [[finding.what for finding in each] for each in found] == [["unproven"], ["unproven"]]
    assert "ended with code 1" in found[0][0].text
    assert "StopIteration" not in capfd.readouterr().err


def test_lake_that_is_none_is_refused(tmp_path: Path) -> None:
    """Exit code 2 and a sentence, and nothing is made."""
    done = Site(tmp_path).run("verify", code=2)
    assert "no lake at lake" in done.err
    assert list(tmp_path.iterdir()) == []


ROWS = pa.table(
    {
        "name": pa.array(["a", "b", None]),
        "count": pa.array([1, 2, 3]),
        "share": pa.array([0.5, None, 1.0]),
        "is": pa.array([True, False, True]),
    }
)


@pytest.mark.parametrize(
    ("column", "row", "value", "found"),
    [
        ("name", 1, "c", "name is b, counted anew c in row 2 (name b)"),
        ("name", 2, "", "name is null, counted anew  in row 3 (name null)"),
        ("count", 0, 2, "count is 1, counted anew 2 in row 1 (name a)"),
        (
            "share",
            1,
            0.0,
            "share is null, counted anew 0.0 in row 2 (name b)",
        ),
        (
            "is",
            2,
            False,
            "is is True, counted anew False in row 3 (name null)",
        ),
    ],
)
def test_difference_names_column_row_and_values(
    column: str, row: int, value: object, found: str
) -> None:
    """Whatever its type, and nulls too."""
    text = find_difference(ROWS, lakes.with_value(ROWS, column, row, value))
    assert text == f"{found}; 1 row differs in {column}"


def test_difference_of_columns_types_and_lengths() -> None:
    """Equal tables do not differ, however their texts are kept."""
    coded = ROWS.set_column(0, "name", ROWS["name"].dictionary_encode())
    assert find_difference(ROWS, coded) is None
    assert find_difference(coded, ROWS) is None
    other = pa.table(
        {"name": pa.array(["b", "a", None]).dictionary_encode().take(pa.array([1, 0, 2]))}
    )
    assert find_difference(coded.select(["name"]), other) is None
    for values in (["b", "a", None], ["a", None, None], ["a", "b", "c"]):
        unlike = pa.table({"name": pa.array(values).dictionary_encode()})
        assert find_difference(coded.select(["name"]), unlike) is not None
        assert find_difference(unlike, coded.select(["name"])) is not None
    assert find_difference(ROWS, ROWS.slice(1)) is not None
    assert find_difference(ROWS, ROWS.slice(0, 2)) == "has 3 rows, counted anew 2"
    assert find_difference(ROWS, ROWS.drop_columns("is")) is not None
    narrow = ROWS.set_column(1, "count", ROWS["count"].cast(pa.int32()))
    assert find_difference(narrow, ROWS) == "column count is int32, not int64"


@pytest.mark.parametrize("step", [1, 3, 1000])
def test_shared_line_is_found(step: int) -> None:
    """Whether the lines of a file lie close together or far apart."""
    import numpy as np

    one = LineSet.of(np.arange(5, 5 + 50 * step, step, np.int64))
    other = LineSet.of(np.array([1, 2, 5 + 7 * step, 10**12], np.int64))
    apart = LineSet.of(np.array([10**13], np.int64))
    assert one.is_marked == (step < 16)
    assert one.numbers.tolist() == list(range(5, 5 + 50 * step, step))
    assert find_shared([one, apart]) is None
    assert find_shared([apart, one, other]) == 5 + 7 * step
