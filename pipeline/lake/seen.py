"""What was read of which paths, and which raw files lie there as they were then.

Both are asked of many paths at once: each sheet is looked at once, whatever their number.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.lake.ledger import Seen
from pipeline.lake.old_ledger import read_old
from pipeline.lake.records import to_table
from pipeline.lake.sheets import Sheet, schema_of, settled

_SEEN = "seen"
_PATHS = "seen.list.element.path"
_Load = Callable[[Sheet, tuple[str, ...]], pa.Table]
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
    ledger: Path, places: Mapping[str, int], stats: npt.NDArray[np.int64], columns: Sequence[str]
) -> pa.Table:
    """The records of raw files that lie at some paths as they were when they were read there.

    Args:
        ledger: the lake's.
        places: a number (from 0) by path (``quoted``).
        stats: (n, 2) size and time of change (ns) now, by that number.
        columns: of the records that are asked for.

    Returns:
        ``place`` and the columns, a row for each such path: of what was read there last.
    """
    rows = _find_readings(ledger, places.keys(), tuple(columns), Sheet.scan)
    place = np.array([places[path] for path in rows["path"].to_pylist()], np.int64)
    read = np.column_stack([rows["size"].to_numpy(), rows["changed_ns"].to_numpy()])
    same = np.flatnonzero((read == stats[place]).all(axis=1))
    order = same[np.lexsort((rows["read_ns"].to_numpy()[same], place[same]))]
    last = order[np.diff(place[order], append=-1) != 0]
    found = rows.select(list(columns)).take(pa.array(last))
    return found.append_column("place", pa.array(place[last]))


def _find_readings(
    ledger: Path, paths: Collection[str], columns: tuple[str, ...], load: _Load
) -> pa.Table:
    """Each reading of some paths, beside columns of its record."""
    names = (*columns, _SEEN)
    if not paths:
        return _unnest(schema_of(names).empty_table(), np.empty(0, np.int64))
    first, last, few = min(paths), max(paths), pa.array(paths, pa.string())

    def read(sheet: Sheet) -> pa.Table:
        span = sheet.span_of(_PATHS)
        is_other = span and (span[0] > last or span[1] < first)
        table = schema_of(names).empty_table() if is_other else load(sheet, names)
        its = table[_SEEN].combine_chunks().values.field("path")
        if len(few) > len(its):  # to hash them all for each sheet would take long
            are_its = [n for n, path in enumerate(its.to_pylist()) if path in paths]
            return _unnest(table, np.array(are_its, np.int64))
        return _unnest(table, np.flatnonzero(pc.is_in(its, value_set=few)))

    old = [one for one in read_old(ledger) if any(seen.path in paths for seen in one.seen)]
    of_old = to_table(old).select(list(names))
    chosen = pc.is_in(of_old[_SEEN].combine_chunks().values.field("path"), value_set=few)
    found = [_unnest(of_old, np.flatnonzero(chosen)), *settled(ledger, read).read]
    return pa.concat_tables(found)


def _unnest(table: pa.Table, rows: npt.NDArray[np.int64]) -> pa.Table:
    """Some of the readings of a table of records, and beside each its record's columns."""
    seen = table[_SEEN].combine_chunks()
    owner = np.repeat(np.arange(len(table)), np.diff(seen.offsets.to_numpy()))
    its = seen.values.take(pa.array(rows))
    records = table.drop_columns([_SEEN]).take(pa.array(owner[rows]))
    for name in _READING:
        records = records.append_column(name, its.field(name))
    return records
