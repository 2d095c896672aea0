"""Which of very many raw files matter to a day: what the lake knows of the others is a few numbers.

A run asks of known files whether their hits are of its day, and which is each source's last one
before it. A file or two of each source tell, whatever their number.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.days import EPOCH
from pipeline.ingest.source_names import Namer
from pipeline.ingest.unchanged import OWNED, find_known, name_owners
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import FileRecord
from pipeline.raw.files import RawFiles
from pipeline.raw.naming import day_in_name

_COLUMNS = ("file_key", *OWNED, "days")
_NEVER = np.iinfo(np.int32).max
_Ints = npt.NDArray[np.int32 | np.int64]


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
    files, owners, number = found.files, dict[str, int](), (day - EPOCH).days

    def tell(rows: pa.Table) -> pa.Table:
        """Whose each file is, and how its days lie about the day."""
        whose = name_owners(rows, found, names)
        known = zip(rows["place"].to_pylist(), rows["source"].to_pylist(), whose, strict=True)
        is_other = [
            bool(found.origins) and owner != its and owner != names.of(files[place])
            for place, its, owner in known
        ]
        codes = [owners.setdefault(owner, len(owners)) for owner in whose]
        columns = {
            "owner": np.array(codes, np.int32), "is_other": np.array(is_other, np.bool_),
            **_place_days(rows["days"].combine_chunks(), number),
        }  # fmt: skip
        return pa.table({name: rows[name] for name in ("place", "file_key")} | columns)

    rows, was_read = find_known(lake, found, _COLUMNS, tell)
    place, owner, is_other, first, has_day, is_around = (
        rows[name].to_numpy()
        for name in ("place", "owner", "is_other", "first", "has_day", "is_around")
    )
    begins = first.copy()
    for row in np.flatnonzero(first == _NEVER).tolist():
        if hint := day_in_name(files[place[row]].name):
            begins[row] = (hint - EPOCH).days
    is_of_day = has_day | ((first == _NEVER) & (begins == number))
    matters = is_other | (has_day & is_outdated)
    kind = is_of_day * np.int8(4) + is_around * np.int8(2) + (begins < number)
    for row in _last_of_each(np.where(kind > 0, owner * 8 + kind, -1), begins, place, files):
        matters[row] = True
    is_left = np.ones(len(files), np.bool_)
    is_left[place[~matters]] = False
    left = {at: files[at] for at in np.flatnonzero(is_left).tolist()}
    keys = rows.select(["place", "file_key"]).filter(pa.array(matters)).to_pydict()
    del rows  # as large as what is read now
    records = lake.find_all(keys["file_key"])
    told = begins[~matters & (begins < _NEVER)]
    return OfADay(
        tuple(left.values()),
        {left[at]: records[key] for at, key in zip(*keys.values(), strict=True) if key in records},
        frozenset(path for at, path in left.items() if was_read[at]),
        int(np.sum(~matters)),
        tuple(EPOCH + timedelta(int(end(told))) for end in (np.min, np.max) if len(told)),
    )


def _place_days(shares: pa.ListArray, number: int) -> dict[str, npt.NDArray[Any]]:
    """Of known files the first day (since 1970), whether one is asked for, or lies between."""
    days = shares.flatten().field("day").cast(pa.int32())
    if days.null_count:
        raise ValueError("a record has hits of no day")
    owner, days = pc.list_parent_indices(shares).to_numpy(), days.to_numpy()
    first, last = np.full(len(shares), _NEVER, np.int32), np.full(len(shares), -1, np.int32)
    np.minimum.at(first, owner, days)
    np.maximum.at(last, owner, days)
    has_day = np.zeros(len(shares), np.bool_)
    has_day[owner[days == number]] = True
    is_around = (first < number) & (last > number) & ~has_day
    return {"first": first, "has_day": has_day, "is_around": is_around}


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
