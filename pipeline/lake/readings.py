"""What was read of which paths, and which raw files lie there as they were then.

Both are asked of many paths at once: each sheet is looked at once, whatever their number.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.lake.ledger import Seen
from pipeline.lake.old_ledger import read_old
from pipeline.lake.record_rows import to_table
from pipeline.lake.sheets import Sheet, schema_of, settled, shape_named

_SEEN = "seen"
_PATHS = "seen.list.element.path"
_Load = Callable[[Sheet, tuple[str, ...]], pa.Table]
Tell = Callable[[pa.Table], pa.Table]
_FEW = 10_000
"""Paths that are worth a table to look them up in for each sheet."""
_READING = ("path", "size", "changed_ns", "read_ns")


def list_seen(ledger: Path, paths: Collection[str]) -> Mapping[str, list[tuple[Seen, str]]]:
    """What was read of some paths (``quoted``), the latest last: each with its file key."""
    found = defaultdict(list)
    rows = _find_readings(ledger, paths, ("file_key",), Sheet.read)
    keys = rows["file_key"].to_pylist()
    values = zip(*(rows[name].to_pylist() for name in _READING), strict=True)
    for its, key in zip(values, keys, strict=True):
        found[its[0]].append((Seen(*its), key))
    return {path: sorted(its, key=lambda one: one[0].read_ns) for path, its in found.items()}


def find_unchanged(
    ledger: Path,
    paths: Iterable[str],
    stats: npt.NDArray[np.int64],
    columns: Sequence[str],
    tell: Tell = lambda rows: rows,
) -> tuple[pa.Table, npt.NDArray[np.bool_]]:
    """The records of raw files that lie at some paths as they were when they were read there.

    Args:
        ledger: the lake's.
        paths: ``quoted``.
        stats: (n, 2) size and time of change (ns) now, in their order.
        columns: of the records that are asked for.
        tell: what is kept of ``place`` (in ``paths``) and the columns; there may be a million rows.

    Returns:
        What ``tell`` returns, ``place`` among it, a row for each such path: of what was read there
        last; and by place whether anything was read there.
    """
    places = {path: place for place, path in enumerate(paths)}
    was_read = np.zeros(len(stats), np.bool_)

    def choose(rows: pa.Table) -> pa.Table:
        place = np.fromiter(map(places.__getitem__, rows["path"].to_pylist()), np.int64, len(rows))
        was_read[place] = True
        is_same = rows["size"].to_numpy() == stats[place, 0]
        same = np.flatnonzero(is_same & (rows["changed_ns"].to_numpy() == stats[place, 1]))
        its = rows.take(pa.array(same))
        told = tell(its.select(list(columns)).append_column("place", pa.array(place[same])))
        return told.append_column("read_ns", its["read_ns"])

    found = _find_readings(ledger, places.keys(), tuple(columns), Sheet.scan, choose)
    places.clear()  # as large as all that follows
    pa.default_memory_pool().release_unused()
    last, kept = _find_last(found), {}
    for name in found.column_names:  # each alone: all at once would be held twice
        kept[name] = found[name].combine_chunks().take(last)
        found = found.drop_columns([name])
    del kept["read_ns"]
    pa.default_memory_pool().release_unused()  # as much as all that is left
    return pa.table(kept), was_read


def _find_last(readings: pa.Table) -> pa.Array:
    """The rows of the last reading of each place, by place."""
    place = readings["place"].to_numpy()
    order = np.lexsort((readings["read_ns"].to_numpy(), place))
    return pa.array(order[np.diff(place[order], append=-1) != 0])


def _find_readings(
    ledger: Path,
    paths: Collection[str],
    columns: tuple[str, ...],
    load: _Load,
    tell: Tell = lambda rows: rows,
) -> pa.Table:
    """Each reading of some paths, beside columns of its record; what ``tell`` says of a sheet's."""
    names = (*columns, _SEEN)
    none = tell(_unnest(schema_of(names).empty_table(), np.empty(0, np.int64)))
    if not paths:
        return none
    first, last = min(paths), max(paths)
    few = pa.array(paths, pa.string()) if len(paths) <= _FEW else None

    def read(sheet: Sheet) -> pa.Table:
        span = sheet.span_of(_PATHS)
        if span and (span[0] > last or span[1] < first):
            return none
        table = load(sheet, names)
        with shape_named(sheet.path):
            return tell(choose(table))

    def choose(table: pa.Table) -> pa.Table:
        its = table[_SEEN].combine_chunks().values.field("path")
        if few is None or len(few) > len(its):  # to hash all for each sheet would take long
            are_its = [n for n, path in enumerate(its.to_pylist()) if path in paths]
            return _unnest(table, np.array(are_its, np.int64))
        return _unnest(table, np.flatnonzero(pc.is_in(its, value_set=few)))

    old = to_table(read_old(ledger)).select(list(names))
    return pa.concat_tables([tell(choose(old)), *settled(ledger, read).read])


def _unnest(table: pa.Table, rows: npt.NDArray[np.int64]) -> pa.Table:
    """Some of the readings of a table of records, and beside each its record's columns."""
    seen = table[_SEEN].combine_chunks()
    owner = np.repeat(np.arange(len(table)), np.diff(seen.offsets.to_numpy()))
    its = seen.values.take(pa.array(rows))
    records = table.drop_columns([_SEEN]).take(pa.array(owner[rows]))
    for name in _READING:
        records = records.append_column(name, its.field(name))
    return records
