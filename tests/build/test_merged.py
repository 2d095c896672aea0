"""Sessions of buckets become those of a day: in one order, cut where a day built whole is cut."""

import random
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

from pipeline.build.merged import cut_pieces, merge_sessions
from pipeline.build.sorted_runs import cut

ROWS = 420_000
LONG_FROM = 290_000
"""From here on texts are long: pieces end by their bytes, before by their rows."""


@pytest.fixture(scope="module")
def sessions() -> pa.Table:
    """A day's in order, many of one instant."""
    chance = np.random.default_rng(7)
    ids = chance.integers(0, 2**64, ROWS, dtype=np.uint64)
    starts = chance.integers(0, 40_000, ROWS) * 1_000_000
    order = np.lexsort((ids, starts))
    paths = ["/" + "x" * (n % 9 if n < LONG_FROM else 300 + n % 50) for n in range(ROWS)]
    numbers = [None if n % 3 else n % 70_000 for n in range(ROWS)]
    return pa.table(
        {
            "session_id": ids[order],
            "started_at": pa.array(starts[order]).cast(pa.timestamp("us", "UTC")),
            "entry_path": pa.array(paths),
            "referrer_host": pa.array([None] * ROWS, pa.string()),
            "asn": pa.array(numbers, pa.int64()),
        }
    )


def divide(table: pa.Table, runs: int, seed: int) -> list[list[pa.Table]]:
    """The rows in order, each in one of some runs, each of these in pieces of any size."""
    chance = random.Random(seed)
    run = np.random.default_rng(seed).integers(0, runs, len(table))
    run[: len(table) // 5] = 0  # one begins long before the others
    found = []
    for number in range(runs):
        rows = table.filter(pa.array(run == number))
        bounds = [0]
        while bounds[-1] < len(rows):
            bounds.append(min(bounds[-1] + chance.randrange(1, 40_000), len(rows)))
        found.append([rows.slice(first, end - first) for first, end in pairwise(bounds)])
    return [*found, []]


def sizes_of(table: pa.Table) -> np.ndarray:
    """Bytes of each row's texts, a network's number as one."""
    paths, numbers = table["entry_path"].to_pylist(), table["asn"].to_pylist()
    texts = ("" if number is None else str(number) for number in numbers)
    return np.array([len(path) + len(text) for path, text in zip(paths, texts, strict=True)])


@pytest.mark.rest_large
@pytest.mark.parametrize(("runs", "part_rows"), [(1, 1_000_000), (2, 100_003), (9, 1_000_000)])
def test_runs_are_merged_and_cut_as_one(runs: int, part_rows: int, sessions: pa.Table) -> None:
    """However rows were divided, the pieces are those of all rows: no byte tells."""
    wanted = list(cut(sizes_of(sessions), np.arange(ROWS) // part_rows))
    divided: Iterator[pa.Table] = merge_sessions([iter(run) for run in divide(sessions, runs, 3)])
    pieces = list(cut_pieces(divided, part_rows))
    assert [len(piece) for piece in pieces] == [end - first for first, end in pairwise(wanted)]
    assert len(pieces) >= 3
    assert all(column.num_chunks == 1 for piece in pieces for column in piece.columns)
    assert pa.concat_tables(pieces).equals(sessions)


def test_of_no_session_there_is_no_piece() -> None:
    assert list(cut_pieces(merge_sessions([[], []]), 10)) == []
