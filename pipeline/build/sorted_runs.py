"""Texts put in order in bounded memory: sorted runs, which lie on disk if there are several.

Rows come in any order, each with its place among all. Texts are dictionaries on their way, so that
one which recurs is held once; on disk they are written out. The rows that are given back do not
depend on how they were added.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

PIECE_ROWS = 250_000
PIECE_BYTES = 32 * 1024 * 1024
"""Of the texts in what is read back at once; reached before the rows only where they are long."""
PART_ROWS = 1_000_000
"""Of a day's sessions in one file: what a reader may have to hold."""
_RUN_BYTES = 16 * 1024 * 1024
"""Of the texts that a thread holds at once; to join what waits takes several times as much."""
_BATCH_BYTES = 256 * 1024

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Run:
    """Rows in order, on disk in small batches or here; ``starts`` are the batches' first rows."""

    table: pa.Table | None
    path: Path
    starts: Numbers

    def read(self, first: int, end: int) -> pa.Table:
        """Rows ``first`` to ``end`` (not included); those on disk are written out."""
        if self.table is not None:
            return self.table.slice(first, end - first)
        low = int(np.searchsorted(self.starts, first, "right")) - 1
        high = int(np.searchsorted(self.starts, end, "left"))
        with pa.OSFile(str(self.path)) as file, pa.ipc.open_file(file) as reader:
            table = pa.Table.from_batches([reader.get_batch(n) for n in range(low, high)])
        return table.slice(first - int(self.starts[low]), end - first)


class SortedRuns:
    """Takes rows of texts in any order and gives them back by their places."""

    def __init__(self, count: int, folder: Path) -> None:
        """Sort ``count`` rows, each of one of the places from 0; ``folder``: made when needed."""
        self._folder = folder
        self._waiting: list[tuple[Numbers, pa.Table]] = []
        self._waiting_bytes = 0
        self._runs: list[_Run] = []
        self._run_of = np.zeros(count, np.int32)
        self._sizes = np.zeros(count, np.int64)

    def add(self, places: Numbers, rows: pa.Table) -> None:
        """Take some rows of dictionaries, each column one chunk."""
        self._waiting.append((places, rows))
        here = _dictionary_bytes(rows)
        self._waiting_bytes += here
        if max(self._waiting_bytes, 2 * here) >= _RUN_BYTES:
            self._join_waiting()
            if self._waiting_bytes >= _RUN_BYTES // 2:
                self._end_run(is_kept=False)

    def end(self) -> Numbers:
        """Say that all rows are there; returns the bytes of all texts of each."""
        if self._waiting:
            self._join_waiting()
            self._end_run(is_kept=not self._runs)
        return self._sizes

    def read(self, bounds: Iterable[int]) -> Iterator[pa.Table]:
        """Give all rows by place, cut at ``bounds`` (the first is 0, the last the end)."""
        at = np.zeros(len(self._runs), np.int64)
        for first, end in pairwise(bounds):
            run_of = self._run_of[first:end]
            counts = np.bincount(run_of, minlength=len(at))
            # Each run gives a stretch of its own, in order: rows move between runs only.
            moved = np.empty(len(run_of), np.int64)
            moved[np.argsort(run_of, kind="stable")] = np.arange(len(run_of))
            yield self._take(at, counts, moved)
            at += counts

    def _take(self, at: Numbers, counts: Numbers, rows: Numbers) -> pa.Table:
        """Some rows of the stretches that all runs have after each other."""
        stretches = [
            its.read(start, start + count)
            for its, start, count in zip(self._runs, at.tolist(), counts.tolist(), strict=True)
            if count
        ]
        if len(stretches) == 1:  # in order
            return stretches[0]
        return pa.concat_tables(map(_write_out, stretches)).take(pa.array(rows))

    def _join_waiting(self) -> None:
        """What recurs in several of the waiting tables is held once after it."""
        if len(self._waiting) == 1:
            return
        places = np.concatenate([its for its, _ in self._waiting])
        table = pa.concat_tables(rows for _, rows in self._waiting)
        table = table.unify_dictionaries().combine_chunks()
        self._waiting = [(places, table)]
        self._waiting_bytes = _dictionary_bytes(table)

    def _end_run(self, *, is_kept: bool) -> None:
        ((places, table),) = self._waiting
        self._waiting, self._waiting_bytes = [], 0
        row_of = np.full(len(self._run_of), -1)
        row_of[places] = np.arange(len(places))
        order = row_of[row_of >= 0]
        table = table.take(pa.array(order))
        sizes = _text_bytes(table)
        self._run_of[places] = len(self._runs)
        self._sizes[places[order]] = sizes
        path = self._folder / f"{len(self._runs)}.arrow"
        kept = table if is_kept else None
        starts = np.zeros(1, np.int64) if is_kept else self._write(path, table, sizes)
        self._runs.append(_Run(kept, path, starts))

    def _write(self, path: Path, table: pa.Table, sizes: Numbers) -> Numbers:
        path.parent.mkdir(parents=True, exist_ok=True)
        bounds = list(cut(sizes, np.zeros(len(sizes)), _BATCH_BYTES))
        schema = _write_out(table.slice(0, 0)).schema
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, schema) as writer:
            for start, end in pairwise(bounds):
                writer.write_table(_write_out(table.slice(start, end - start)).combine_chunks())
        return np.array(bounds[:-1])


def _write_out(table: pa.Table) -> pa.Table:
    return table.cast(pa.schema([(name, pa.string()) for name in table.column_names]))


def _dictionary_bytes(table: pa.Table) -> int:
    return sum(column.chunk(0).dictionary.nbytes for column in table.columns)


def _text_bytes(table: pa.Table) -> Numbers:
    """Bytes of all texts of each row."""
    total = np.zeros(len(table), np.int64)
    for column in table.columns:
        codes = column.combine_chunks()
        lengths = pc.binary_length(codes.dictionary).fill_null(0).cast(pa.int64())
        total += lengths.take(codes.indices).fill_null(0).to_numpy(zero_copy_only=False)
    return total


def cut(sizes: Numbers, groups: npt.NDArray[Any], most_bytes: int = PIECE_BYTES) -> Iterator[int]:
    """Where pieces begin and the last one ends: as many rows of a group as fit, one at least.

    Where a group is cut depends on its rows alone.
    """
    ends = np.cumsum(sizes)
    bounds = [*np.flatnonzero(np.diff(groups)) + 1, len(groups)]
    first = 0
    yield first
    for bound in bounds:
        while first < bound:
            full = (int(ends[first - 1]) if first else 0) + most_bytes
            fitting = int(np.searchsorted(ends, full, "right"))
            first = min(max(fitting, first + 1), first + PIECE_ROWS, int(bound))
            yield first
