"""Rows in a total order, in bounded memory: sorted runs, of which all but the last lie on disk.

The order comes from a few numbers a row; texts are carried along by whole rows. What is read back
depends on the rows alone, not on how they were added or how much memory there was.
"""

from collections.abc import Iterator, Sequence
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
_RUN_BYTES = 32 * 1024 * 1024
_BATCH_BYTES = 1024 * 1024

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Run:
    """Rows in order, on disk in small batches or here; ``starts`` are the batches' first rows."""

    table: pa.Table | None
    path: Path
    starts: Numbers

    def read(self, first: int, end: int) -> pa.Table:
        """Rows ``first`` to ``end`` (not included)."""
        if self.table is not None:
            return self.table.slice(first, end - first)
        low = int(np.searchsorted(self.starts, first, "right")) - 1
        high = int(np.searchsorted(self.starts, end, "left"))
        with pa.OSFile(str(self.path)) as file, pa.ipc.open_file(file) as reader:
            table = pa.Table.from_batches([reader.get_batch(n) for n in range(low, high)])
        return table.slice(first - int(self.starts[low]), end - first)


class SortedRuns:
    """Takes rows in any order and gives them back sorted."""

    def __init__(self, keys: Sequence[tuple[str, Any]], folder: Path) -> None:
        """Sort by ``keys``: columns and the number type that each is compared as, as for lexsort.

        Args:
            keys: together different for every row, so that the order is total; the last one groups.
            folder: for runs; made when one is needed.
        """
        self._keys, self._folder = keys, folder
        self._waiting: list[pa.Table] = []
        self._waiting_bytes = 0
        self._runs: list[_Run] = []
        self._order: list[list[npt.NDArray[Any]]] = []
        self._sizes: list[Numbers] = []

    def add(self, rows: pa.Table) -> None:
        """Take some rows."""
        self._waiting.append(rows)
        self._waiting_bytes += rows.nbytes
        if self._waiting_bytes >= _RUN_BYTES:
            self._end_run(is_kept=False)

    def read(self) -> Iterator[pa.Table]:
        """Give all rows in order, in pieces of one chunk each.

        A piece is of one group, the last key's. Where a group is cut depends on its rows alone.
        """
        if self._waiting:
            self._end_run(is_kept=not self._runs)
        if not self._runs:
            return
        keys = [np.concatenate(parts) for parts in zip(*self._order, strict=True)]
        order = np.lexsort(keys)
        sizes = np.concatenate(self._sizes)[order]
        offsets = np.cumsum([0, *map(len, self._sizes)])
        at = np.zeros(len(self._runs), np.int64)
        for first, end in pairwise(_cut(sizes, keys[-1][order])):
            rows = order[first:end]
            run = np.searchsorted(offsets, rows, "right") - 1
            counts = np.bincount(run, minlength=len(at))
            table = pa.concat_tables(
                its.read(start, start + count)
                for its, start, count in zip(self._runs, at.tolist(), counts.tolist(), strict=True)
                if count
            )
            if len(self._runs) > 1:
                # Each run gives a stretch of its own, in order: rows move between runs only.
                moved = rows - (offsets[:-1] + at)[run] + (np.cumsum(counts) - counts)[run]
                table = table.take(pa.array(moved))
            at += counts
            yield table.combine_chunks()

    def _end_run(self, *, is_kept: bool) -> None:
        table = pa.concat_tables(self._waiting).combine_chunks()
        self._waiting, self._waiting_bytes = [], 0
        keys = [table[name].cast(kind).to_numpy() for name, kind in self._keys]
        order = np.lexsort(keys)
        table = table.take(pa.array(order))
        self._order.append([key[order] for key in keys])
        self._sizes.append(_text_bytes(table))
        path = self._folder / f"{len(self._runs)}.arrow"
        kept = table if is_kept else None
        starts = np.zeros(1, np.int64) if is_kept else self._write(path, table)
        self._runs.append(_Run(kept, path, starts))

    def _write(self, path: Path, table: pa.Table) -> Numbers:
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = max(1, len(table) * _BATCH_BYTES // max(1, table.nbytes))
        starts = np.arange(0, len(table), rows)
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            for start in starts.tolist():
                # Copied out: what is written of a slice would have the whole column's texts.
                piece = table.slice(start, rows).combine_chunks()
                writer.write_table(piece)
        return starts


def _text_bytes(table: pa.Table) -> Numbers:
    """Bytes of all texts of each row."""
    total = np.zeros(len(table), np.int64)
    for column in table.columns:
        if pa.types.is_string(column.type):
            total += pc.binary_length(column).fill_null(0).cast(pa.int64()).to_numpy()
    return total


def _cut(sizes: Numbers, groups: npt.NDArray[Any]) -> Iterator[int]:
    """Where pieces begin and the last one ends: as many rows of a group as fit, one at least."""
    ends = np.cumsum(sizes)
    bounds = [*np.flatnonzero(np.diff(groups)) + 1, len(groups)]
    first = 0
    yield first
    for bound in bounds:
        while first < bound:
            full = (int(ends[first - 1]) if first else 0) + PIECE_BYTES
            fitting = int(np.searchsorted(ends, full, "right"))
            first = min(max(fitting, first + 1), first + PIECE_ROWS, int(bound))
            yield first
