"""Sorting in bounded memory: the same pieces, however rows come and whatever memory there is."""

import random
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.build import sorted_runs
from pipeline.build.sorted_runs import SortedRuns

KEYS = (("number", pa.int64()), ("day", pa.int32()))
SCHEMA = pa.schema(
    [("day", pa.date32()), ("number", pa.int64()), ("text", pa.string()), ("name", pa.string())]
)
Row = tuple[date, int, str | None, str]


def make_rows(count: int) -> list[Row]:
    """Rows of three days, some with long texts, some with none."""
    chance = random.Random(5)
    return [
        (
            date(2016, 11, 1) + timedelta(days=n % 3),
            n,
            None if n % 7 == 0 else "ä" * chance.randrange(900 if n % 5 == 0 else 9),
            f"name {n % 4}",
        )
        for n in range(count)
    ]


def sort(rows: list[Row], folder: Path, at_once: int) -> list[pa.Table]:
    """Add rows so many at once; return the pieces."""
    runs = SortedRuns(KEYS, folder)
    for start in range(0, len(rows), at_once):
        columns = zip(*rows[start : start + at_once], strict=True)
        arrays = [pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)]
        runs.add(pa.Table.from_arrays(arrays, schema=SCHEMA))
    return list(runs.read())


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces and batches of a few kilobytes."""
    monkeypatch.setattr(sorted_runs, "PIECE_BYTES", 4096)
    monkeypatch.setattr(sorted_runs, "PIECE_ROWS", 300)
    monkeypatch.setattr(sorted_runs, "_BATCH_BYTES", 512)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("run_bytes", [700, 5_000, 10_000_000])
def test_pieces_depend_on_the_rows_alone(
    run_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one run or in many, in any order: the rows in order, in the same pieces."""
    rows = make_rows(2000)
    expected = sort(rows, tmp_path / "whole", 2000)
    monkeypatch.setattr(sorted_runs, "_RUN_BYTES", run_bytes)
    shuffled = random.Random(7).sample(rows, len(rows))
    pieces = sort(shuffled, tmp_path / "runs", 37)
    assert [piece.to_pylist() for piece in pieces] == [piece.to_pylist() for piece in expected]
    read = [tuple(row.values()) for piece in pieces for row in piece.to_pylist()]
    assert read == sorted(rows, key=lambda row: row[:2])
    assert (tmp_path / "runs").exists() == (run_bytes < 10_000_000)


@pytest.mark.usefixtures("small")
def test_a_piece_is_of_one_day_and_small(tmp_path: Path) -> None:
    """No piece goes over a day or holds more than its bounds, but one row may be longer."""
    rows = [*make_rows(900), (date(2016, 11, 1), 10_000, "x" * 9000, "long")]
    pieces = sort(rows, tmp_path, 50)
    assert all(len(set(piece["day"].to_pylist())) == 1 for piece in pieces)
    assert all(piece["text"].num_chunks == 1 for piece in pieces)
    sizes = [
        (len(piece), sum(len((t or "").encode()) + 6 for t in piece["text"].to_pylist()))
        for piece in pieces
    ]
    assert all(count <= 300 and (size <= 4096 or count == 1) for count, size in sizes)
    assert len(pieces) > 10


@pytest.mark.usefixtures("small")
def test_a_days_pieces_do_not_depend_on_other_days(tmp_path: Path) -> None:
    """What is cut of a day is cut the same when the day is alone."""
    rows = make_rows(900)
    second = date(2016, 11, 2)
    together = [p for p in sort(rows, tmp_path / "a", 50) if p["day"][0].as_py() == second]
    alone = sort([row for row in rows if row[0] == second], tmp_path / "b", 50)
    assert [piece.to_pylist() for piece in together] == [piece.to_pylist() for piece in alone]


def test_nothing_gives_nothing(tmp_path: Path) -> None:
    """Without rows there are no pieces, and an empty table adds none."""
    runs = SortedRuns(KEYS, tmp_path)
    assert list(runs.read()) == []
    runs.add(SCHEMA.empty_table())
    assert list(runs.read()) == []
