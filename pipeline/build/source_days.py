"""What each source's raw files gave to each day, and which of it is damaged or in doubt."""

from __future__ import annotations

import functools
import operator
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

import pyarrow.compute as pc

from pipeline.ingest.deduplication import say_flood, say_repeats, say_shared
from pipeline.lake.sums import DOUBTS
from pipeline.text import Kept, keep

if TYPE_CHECKING:
    from pipeline.lake.lake import Lake
    from pipeline.lake.ledger import FileRecord
    from pipeline.lake.sums import Sums


@dataclass(frozen=True)
class SourceDay:
    """What a source's raw files gave to a local day."""

    day: date
    source: str
    files: int = 1
    """Those that gave it hits."""
    damaged: Sequence[str] = ()
    """The keys of those whose archive ended within that day."""
    doubts: Sequence[Kept] = ()
    """Why the day may have too many of their hits: whatever is missing, no lower bound."""


def list_source_days(
    sums: Iterable[Sums], records: Iterable[FileRecord], days: AbstractSet[str]
) -> list[SourceDay]:
    """What every source gave to those of ``days``.

    Args:
        sums: of all raw files in the lake.
        records: those of them that ``list_doubted`` gives; others add nothing.
        days: ISO.
    """
    files: Counter[tuple[str, str]] = Counter()
    for its in sums:
        files.update({(its.source, day): one.files for day, one in its.days.items() if day in days})
    known = {record.file_key: record for record in records}
    damaged: dict[tuple[str, str], list[str]] = defaultdict(list)
    doubts: dict[tuple[str, str], list[Kept]] = defaultdict(list)
    for record in known.values():
        for day in record.days.keys() & days:
            its_day = (record.source, day)
            if record.damage is not None and day == max(record.days):  # it ended within that one
                damaged[its_day].append(record.file_key)
            doubts[its_day] += _say_doubts(record, day, known)
    return [
        SourceDay(
            date.fromisoformat(day), source, count,
            tuple(damaged[source, day]), tuple(doubts[source, day]),
        )
        for (source, day), count in sorted(files.items())
    ]  # fmt: skip


def list_doubted(lake: Lake) -> list[FileRecord]:
    """The raw files in the lake that are damaged or may have lines of others, and those others.

    What may be a damaged one's other copy is of its source and days.
    """
    is_doubted = functools.reduce(
        operator.or_, (pc.field(name) > 0 for name in DOUBTS), pc.field("damage").is_valid()
    )
    doubted = lake.files(lambda sums: sums.doubted > 0, is_doubted)
    found = {record.file_key: record for record in doubted}
    named = {key for one in doubted for key in (one.repeat_with, one.shared_with) if key}
    others = lake.find_all(named - found.keys())
    found |= {key: record for key, record in others.items() if record.is_live}
    beside = {(one.source, day) for one in doubted if one.damage for day in one.days}
    if beside:
        its = lake.files(
            lambda sums: any((sums.source, day) in beside for day in sums.days),
            pc.field("source").isin({source for source, _ in beside}),
        )
        found |= {
            one.file_key: one for one in its if any((one.source, day) in beside for day in one.days)
        }
    return list(found.values())


def _say_doubts(record: FileRecord, day: str, records: Mapping[str, FileRecord]) -> Iterator[Kept]:
    if record.days[day].first_line <= record.flood_lines:
        yield say_flood(record)
    for others, say in ((record.repeat_with, say_repeats), (record.shared_with, say_shared)):
        other = records.get(others or "")
        if other and day in other.days:
            yield say(record)
    beside = _find_beside(record, day, records.values()) if record.damage else None
    if beside:
        yield keep(
            "a damaged file ({file}) has the hours of {other}: its hits count twice if it was sent"
            " again; if so, `tidegauge forget` it",
            file=record.file_key, other=beside,
        )  # fmt: skip


def _find_beside(damaged: FileRecord, day: str, records: Iterable[FileRecord]) -> str | None:
    """The first of the other files of a damaged one's source, day and hours."""
    keys = [
        other.file_key
        for other in records
        if other.source == damaged.source
        and other.file_key != damaged.file_key
        and day in other.days
        and _are_of_same_hours(damaged, other)
    ]
    return min(keys, default=None)


def _are_of_same_hours(one: FileRecord, other: FileRecord) -> bool:
    """Whether two files share half the time of one of them: more than meets at a rotation."""
    (start, end), (from_, to) = (
        [datetime.fromisoformat(at) for at in (record.first_at, record.last_at) if at]
        for record in (one, other)
    )
    return 2 * (min(end, to) - max(start, from_)) >= min(end - start, to - from_)
