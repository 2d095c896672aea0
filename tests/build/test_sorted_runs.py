"""Sorting in bounded memory: the same pieces, however rows come and whatever memory there is."""

import random
from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline.build import sorted_runs
from pipeline.build.sorted_runs import SortedRuns, cut

SCHEMA = pa.schema([(name, pa.dictionary(pa.int32(), pa.string())) for name in ("text", "name")])
Row = tuple[str | None, str]


def make_rows(count: int) -> list[Row]:
    """Rows of two texts, some long, some recurring, some null."""
    chance = random.Random(5)
    return [
        (
            None if n % 7 == 0 else "ä" * chance.randrange(900 if n % 5 == 0 else 9),
            f"name {n % 4}",
        )
        for n in range(count)
    ]


def sort(rows: list[Row], places: list[int], folder: Path, at_once: int) -> SortedRuns:
    """Add the rows of some places so many at once."""
    runs = SortedRuns(len(rows), folder)
    for start in range(0, len(rows), at_once):
        some = places[start : start + at_once]
        columns = zip(*(rows[place] for place in some), strict=True)
        arrays = [pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)]
        runs.add(np.array(some), pa.Table.from_arrays(arrays, schema=SCHEMA))
    return runs


@pytest.mark.parametrize("run_bytes", [700, 5_000, 10_000_000])
def test_rows_come_back_by_place(
    run_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one run or in many, added in any order: the rows of each piece, and the bytes of each."""
    monkeypatch.setattr(sorted_runs, "_BATCH_BYTES", 512)
    monkeypatch.setattr(sorted_runs, "_RUN_BYTES", run_bytes)
    rows = make_rows(2000)
    sizes = [len((text or "").encode()) + len(name) for text, name in rows]
    places = list(range(2000))
    for seed in range(3):
        folder = tmp_path / str(seed)
        runs = sort(rows, places, folder, 37)
        assert runs.end().tolist() == sizes
        bounds = [0, 1, 700, 701, 1500, 2000]
        for (first, end), piece in zip(pairwise(bounds), runs.read(bounds), strict=True):
            assert [tuple(row.values()) for row in piece.to_pylist()] == rows[first:end]
        assert folder.exists() == (run_bytes < 10_000_000)
        random.Random(seed).shuffle(places)


def test_recurring_texts_need_no_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables that have the same texts are joined before anything is written."""
    monkeypatch.setattr(sorted_runs, "_RUN_BYTES", 200_000)
    rows: list[Row] = [("x" * 10_000 + str(n % 3), "name") for n in range(2000)]
    runs = sort(rows, list(range(2000)), tmp_path / "runs", 20)
    assert sum(runs.end()) > 20_000_000
    assert [piece["text"][0].as_py() for piece in runs.read([0, 1, 2000])] == [
        rows[0][0], rows[1][0]
    ]  # fmt: skip
    assert not (tmp_path / "runs").exists()


def test_a_piece_is_of_one_day_and_small() -> None:
    """No piece goes over a day or holds more than its bounds, but one row may be longer."""
    chance = random.Random(5)
    sizes = np.array([chance.randrange(900) for _ in range(900)] + [9000, 1])
    days = np.array([date(2016, 11, 1 + n // 300) for n in range(902)], "datetime64[D]")
    bounds = list(cut(sizes, days, 4096))
    pieces = [(sizes[a:b], days[a:b]) for a, b in pairwise(bounds)]
    assert bounds[0] == 0
    assert bounds[-1] == 902
    assert all(len(set(its_days.tolist())) == 1 for _, its_days in pieces)
    assert all(of.sum() <= 4096 or len(of) == 1 for of, _ in pieces)
    assert [len(of) for of, _ in pieces if of.sum() > 4096] == [1]
    assert len(pieces) < 2 * sizes.sum() / 4096 + 3
    (rows,) = [b - a for a, b in pairwise(cut(np.zeros(200_000, np.int64), np.zeros(200_000)))]
    assert rows == 200_000
    many = list(cut(np.zeros(600_000, np.int64), np.zeros(600_000)))
    assert many == [0, 250_000, 500_000, 600_000]


def test_a_days_pieces_do_not_depend_on_other_days() -> None:
    """What is cut of a day is cut the same when the day is alone."""
    sizes = np.array([n * 7919 % 900 for n in range(900)])
    together = list(cut(sizes, np.repeat([1, 2, 3], 300), 4096))
    alone = list(cut(sizes[300:600], np.repeat([2], 300), 4096))
    assert [bound - 300 for bound in together if 300 <= bound <= 600] == alone


def test_nothing_gives_nothing(tmp_path: Path) -> None:
    """Without rows there are no pieces."""
    runs = SortedRuns(0, tmp_path)
    bounds = list(cut(runs.end(), np.zeros(0)))
    assert list(runs.read(bounds)) == []
