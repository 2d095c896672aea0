"""Visits become stretches: a visitor's hits one after the other in an hour, of one country, as one.

No gap in a stretch is longer than the timeout. There are far fewer of them than hits, so that what
is made of them fits into memory: sessions, and the visitors of hours and days (``cut_sessions``).
In NumPy: DuckDB groups take twice the time.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, fields
from functools import partial
from itertools import chain
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.lake.sql import read_model

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Column = npt.NDArray[Any]
_LARGEST = 2**63 - 1
_HOUR_US = 3_600_000_000
_BATCH_ROWS = 122_880
_PARTS = 16
"""Of the visitors, by an id's first bits: what is made of one stays near the processor."""
_FEW_VISITS = 20_000
"""Less are not divided: sixteen parts of them take longer than one."""


@dataclass(frozen=True, eq=False)
class Stretches:
    """Stretches of some visitors, shape ``(n,)`` each, by visitor and start."""

    visitor_id: npt.NDArray[np.uint64]
    day: npt.NDArray[np.int32]
    """Since 1970."""
    country: npt.NDArray[np.int32]
    """Its number among those that ``read_stretches`` names."""
    started_at: Ints
    """Microseconds since 1969, as ``ended_at``."""
    ended_at: Ints
    hits: npt.NDArray[np.int32]
    pages: npt.NDArray[np.int32]
    errors: npt.NDArray[np.int32]
    bytes_sent: Ints
    first_row: npt.NDArray[np.uint32]
    last_row: npt.NDArray[np.uint32]
    is_first_tied: Bools
    """Whether another hit shares the instant of the first."""
    is_last_tied: Bools

    @property
    def hour(self) -> Ints:
        """In which each lies, since 1969 in UTC."""
        hours: Ints = self.started_at // _HOUR_US
        return hours

    @property
    def is_new(self) -> Bools:
        """Whether each is a visitor's first."""
        return changes(self.visitor_id)

    def take(self, chosen: Bools | Ints) -> "Stretches":
        """Some of them."""
        return Stretches(*(getattr(self, field.name)[chosen] for field in fields(self)))


def changes(*columns: npt.NDArray[np.generic]) -> Bools:
    """Whether each row differs from the one before in any column; the first one does."""
    found = np.ones(len(columns[0]), np.bool_)
    found[1:] = False
    for column in columns:
        found[1:] |= column[1:] != column[:-1]
    return found


def add_up(values: Column, first: Ints) -> Ints:
    """Sums from each of ``first`` to before the next; what no int64 holds stops at its largest."""
    if not len(first):
        return np.zeros(0, np.int64)
    sums: Ints = np.add.reduceat(values, first, dtype=np.int64)
    if values.dtype == np.int64 and int(values.max()) * len(values) > _LARGEST:
        low = np.add.reduceat(values & 0xFFFFFFFF, first)
        high = np.add.reduceat(values >> 32, first) + (low >> 32)
        sums[high >> 31 > 0] = _LARGEST
    return sums


def read_stretches(
    connection: duckdb.DuckDBPyConnection, timeout_us: int, at_once: int, pool: Executor
) -> tuple[list[Stretches], list[str]]:
    """The stretches of the visits of ``sql/build/visits.sql``, and the countries by their numbers.

    Each of the list is of visitors of its own, in order.

    Args:
        connection: with ``hits`` and ``days``.
        timeout_us: the longest gap within a session, in microseconds.
        at_once: so many visits are in memory, about, and all stretches.
        pool: its threads divide the visits, and join them.
    """
    countries: dict[str, int] = {}
    bound = {"timeout_seconds": timeout_us // 1_000_000}
    result = connection.execute(read_model("build/visits"), bound)
    batches = result.to_arrow_reader(min(at_once, _BATCH_ROWS))
    join = partial(_join_visits, timeout_us=timeout_us)
    rounds = [list(pool.map(join, its)) for its in _collect(batches, countries, at_once, pool)]
    return [_put_in_order(parts) for parts in zip(*rounds, strict=True)], [*countries]


def _put_in_order(parts: Sequence[Stretches]) -> Stretches:
    """The stretches of the same visitors, which were read in several rounds."""
    if len(parts) == 1:
        return parts[0]
    columns = [
        np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Stretches)
    ]
    every = Stretches(*columns)
    return every.take(np.lexsort((every.started_at, every.visitor_id)))


def _collect(
    batches: pa.RecordBatchReader, countries: dict[str, int], at_once: int, pool: Executor
) -> Iterator[list[dict[str, list[Column]]]]:
    """The columns of so many visits, by part of the visitors, each in pieces.

    Countries are numbered as they come; ``pool`` divides one batch while the next one is read.
    """
    first = next(batches, pa.RecordBatch.from_pylist([], batches.schema))
    parts = _PARTS if len(first) >= _FEW_VISITS else 1  # it is full where there are more
    dividing: list[Future[dict[str, list[Column]]]] = []
    count = 0
    for batch in chain([first], batches):
        if count and count + len(batch) > at_once:
            yield _put_by_part(dividing, parts)
            dividing, count = [], 0
        names = batch["country"].dictionary_encode()
        codes = [countries.setdefault(one, len(countries)) for one in names.dictionary.to_pylist()]
        numbers = np.array(codes, np.int32)[names.indices]
        dividing.append(pool.submit(_divide, batch, numbers, parts))
        count += len(batch)
    yield _put_by_part(dividing, parts)


def _put_by_part(
    divided: Sequence[Future[dict[str, list[Column]]]], parts: int
) -> list[dict[str, list[Column]]]:
    columns = [one.result() for one in divided]
    return [{name: [its[name][n] for its in columns] for name in columns[0]} for n in range(parts)]


def _divide(
    batch: pa.RecordBatch, countries: npt.NDArray[np.int32], parts: int
) -> dict[str, list[Column]]:
    """Each column by part of the visitors; ``countries`` in place of their names."""
    columns = {name: np.asarray(batch[name]) for name in batch.schema.names if name != "country"}
    columns["country"] = countries
    if parts == 1:
        return {name: [column] for name, column in columns.items()}
    part = (columns["visitor_id"] // (2**64 // parts)).astype(np.uint8)
    order = np.argsort(part, kind="stable")
    bounds = np.cumsum(np.bincount(part, minlength=parts))[:-1]
    return {name: np.split(column[order], bounds) for name, column in columns.items()}


def _join_visits(visits: dict[str, list[Column]], timeout_us: int) -> Stretches:
    """The stretches of some visits, whose columns are taken out one by one."""

    def take(name: str) -> Column:
        return np.concatenate(visits.pop(name))

    visitor_id, at = take("visitor_id"), take("us_since_1969")
    order = np.lexsort((at, visitor_id))
    visitor_id, at, day = visitor_id[order], at[order], take("day_no")[order]
    country = take("country")[order]
    starts = changes(visitor_id, day, country, at // _HOUR_US)
    starts[1:] |= np.diff(at) > timeout_us
    first = np.flatnonzero(starts)
    last = first + np.diff(first, append=len(order)) - 1
    row = take("row_no")
    is_tied = np.diff(at, append=-1) == 0  # with the visit behind it
    is_tied[last] = False
    several = last > first
    return Stretches(
        visitor_id[first],
        day[first],
        country[first],
        at[first],
        at[last],
        (last - first + 1).astype(np.int32),
        add_up(take("is_page")[order], first).astype(np.int32),
        add_up(take("is_error")[order], first).astype(np.int32),
        add_up(take("bytes_sent")[order], first),
        row[order[first]],
        row[order[last]],
        is_tied[first],
        is_tied[last - several] & several,
    )
