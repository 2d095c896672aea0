"""Which of very many raw files matter to a day: what the lake knows of the others is a few numbers.

A run asks of known files whether their hits are of its day, and which is each source's last one
before it. A file or two of each source tell, whatever their number.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.days import EPOCH
from pipeline.ingest.source_names import Namer
from pipeline.ingest.unchanged import find_known, name_owners
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import FileRecord
from pipeline.raw.files import RawFiles
from pipeline.raw.naming import day_in_name

_COLUMNS = ("file_key", "source", "source_by_name", "days")
_NEVER = np.iinfo(np.int32).max
_Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class OfADay:
    """Raw files that the lake lacks, and those it knows that matter to a day."""

    files: tuple[Path, ...]
    known: Mapping[Path, FileRecord]
    """Those of them that lie there as they were read."""
    read: frozenset[Path]
    """Those that were read before, whatever they held then."""
    others: int
    """How many more the lake knows."""
    span: tuple[date, ...]
    """Their least and their greatest first day; empty where none has one."""


def part_by_day(
    lake: Lake, found: RawFiles, day: date, names: Namer, *, is_outdated: bool
) -> OfADay:
    """Part raw files from those that the lake knows and that do not matter to a day.

    What is another source's in the lake than settings say matters. So does of each source the last
    one by first day and name of those that begin before the day, that have hits of it, or that have
    hits before and behind it.

    Args:
        lake: that may know them.
        found: the files, and what is said of some.
        day: a local day.
        names: what the lake calls sources.
        is_outdated: whether known files with hits of the day matter one by one.
    """
    files, number = found.files, (day - EPOCH).days
    rows, was_read = find_known(lake, found, _COLUMNS, partial(_tell, number))
    place = rows["place"].to_numpy()
    first, has_day, is_around = (rows[name].to_numpy() for name in ("first", "has_day", "around"))
    begins = first.copy()
    for row in np.flatnonzero(first == _NEVER).tolist():
        if hint := day_in_name(files[place[row]].name):
            begins[row] = (hint - EPOCH).days
    is_of_day = has_day | ((first == _NEVER) & (begins == number))
    owners: dict[str, int] = {}
    owner, matters = np.zeros(len(rows), np.int64), has_day & is_outdated
    for row, (its, wanted) in enumerate(name_owners(rows, found, names)):
        owner[row] = owners.setdefault(wanted, len(owners))
        if wanted != its and found.origins:
            matters[row] |= wanted != names.of(files[place[row]])
    kind = is_of_day * 4 + is_around * 2 + (begins < number)
    for row in _last_of_each(np.where(kind > 0, owner * 8 + kind, -1), begins, place, files):
        matters[row] = True
    is_left = np.ones(len(files), np.bool_)
    is_left[place[~matters]] = False
    left = {at: files[at] for at in np.flatnonzero(is_left).tolist()}
    keys = rows.select(["place", "file_key"]).filter(pa.array(matters)).to_pydict()
    records = lake.find_all(keys["file_key"])
    told = begins[~matters & (begins < _NEVER)]
    return OfADay(
        tuple(left.values()),
        {left[at]: records[key] for at, key in zip(*keys.values(), strict=True) if key in records},
        frozenset(path for at, path in left.items() if was_read[at]),
        int(np.sum(~matters)),
        tuple(EPOCH + timedelta(int(end(told))) for end in (np.min, np.max) if len(told)),
    )


def _tell(number: int, rows: pa.Table) -> pa.Table:
    """Of each known file its first day (since 1970), and how the others lie about one."""
    shares = rows["days"].combine_chunks()
    days = shares.flatten().field("day").cast(pa.int32())
    if days.null_count:
        raise ValueError("a record has hits of no day")
    owner, days = pc.list_parent_indices(shares).to_numpy(), days.to_numpy()
    first, last = np.full(len(rows), _NEVER, np.int64), np.full(len(rows), -1, np.int64)
    np.minimum.at(first, owner, days)
    np.maximum.at(last, owner, days)
    has_day = np.zeros(len(rows), np.bool_)
    has_day[owner[days == number]] = True
    around = (first < number) & (last > number) & ~has_day
    for name, its in (("first", first), ("has_day", has_day), ("around", around)):
        rows = rows.append_column(name, pa.array(its))
    return rows.drop_columns(["days"])


def _last_of_each(
    group: _Ints, begins: _Ints, place: _Ints, files: Sequence[Path]
) -> Iterable[int]:
    """Of the rows of each group (from 0) the last one by first day, name and place."""
    asked = np.flatnonzero(group >= 0)
    latest = np.full(group.max(initial=-1) + 1, -1, np.int64)
    np.maximum.at(latest, group[asked], begins[asked])
    last: dict[int, tuple[str, int]] = {}
    for row in asked[begins[asked] == latest[group[asked]]].tolist():
        its = (files[place[row]].name, row)
        last[group[row]] = max(last.get(group[row], its), its)
    return [row for _, row in last.values()]
