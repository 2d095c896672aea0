"""How complete each day is, told from the minutes that its sources wrote: nothing counts the lines.

A source is expected when the setting ``sources`` names it, or when it was seen before; ``rhythm``
says which of its silences are gaps. Everything here is a function of the ledger's shares, the
partitions ``minutes`` and that setting, without a clock, so that any order of deliveries ends in
the same table.

**Expected.** Each source from its first day on; one that is named and was never seen, on every
day. A learnt source that has not come for more than ``RETIRED_AFTER_DAYS`` days is taken as
retired from its last hit on; a name that was seen for a day and gave way to a new one
(``20161108.log``) as the name of a file. A source whose own rhythm has no hit on a day is not
expected on it.

**Share.** A source covers the part of a day that its gaps leave, minutes weighted by its usual
hits at that hour; sources are weighted by their usual hits a day (one never seen like the median
of the others). ``share`` is what is covered of what is expected: without web03 to web05 it is 0.4
when web01 and web02 usually write 40 % of the hits. A source's first day is expected from its
first hit on. ``is_preliminary``: anything expected is missing, or a damaged file was read in part
(its share may be 1 all the same: what a damaged file has lost can't be seen in a quiet source).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from pipeline.days import day_start
from pipeline.rhythm import Coverage, Timeline, find_gaps, list_gaps

if TYPE_CHECKING:
    from pipeline.surges.baseline import Bools, Floats, Ints

RETIRED_AFTER_DAYS = 7
_LISTED_GAPS = 3
_SLIVER_MINUTES = 10
_MINUTE = timedelta(minutes=1)
_ONE_DAY = timedelta(days=1)

COMPLETENESS: pa.Schema = pa.schema(
    [
        ("day", pa.date32()),
        ("sources_expected", pa.int64()),
        ("share", pa.float64()),
        ("is_preliminary", pa.bool_()),
        ("reasons", pa.list_(pa.string())),
        ("sources_whole", pa.int64()),
    ]
)


@dataclass(frozen=True)
class FileShare:
    """A raw file that gave hits to a day; ``is_damaged``: its archive ended within that day."""

    day: date
    source: str
    file_key: str
    is_damaged: bool


@dataclass(frozen=True)
class Tenure:
    """From when to when (indices of days, both included) a source is expected."""

    first: int
    last: int
    has_ended: bool
    is_due: bool
    """Named by the setting: every day, whatever its rhythm."""
    due_until: date | None
    """Of a source that has not come lately: after which day it is taken as retired."""


def judge_completeness(
    minutes: pa.Table, shares: Sequence[FileShare], zone: ZoneInfo, named: Iterable[str]
) -> pa.Table:
    """Judge every day that ``shares`` has, as ``COMPLETENESS``, in order.

    Args:
        minutes: ``day`` (date32), ``source`` (string), ``minute`` (int32, minutes since 1970),
            ``hits`` (int64): the partitions ``minutes``. A source and day that ``shares`` has and
            ``minutes`` has not is unknown, and taken as whole.
        shares: what every raw file gave to which day.
        zone: the site's; local days of 23 to 25 hours.
        named: the setting ``sources``; when empty, sources are learnt.
    """
    days = sorted({share.day for share in shares})
    calendar = Calendar(days, zone)
    hits = _split(minutes, calendar)
    given: dict[str, set[int]] = defaultdict(set)
    for share in shares:
        given[share.source].add(calendar.index[share.day])
    tenures = find_tenures(days, given, tuple(named))
    coverages = {
        source: _cover(calendar.line, hits.get(source), given.get(source, set()), tenure)
        for source, tenure in tenures.items()
    }
    return _to_table(calendar, tenures, coverages, shares)


class Calendar:
    """The lake's local days, and the minutes in them."""

    def __init__(self, days: Sequence[date], zone: ZoneInfo) -> None:
        """Take days in order, without repetition; there may be days between that have no log."""
        self.days, self.zone = days, zone
        self.index = {day: place for place, day in enumerate(days)}
        bounds = [(day_start(day, zone), day_start(day + _ONE_DAY, zone)) for day in days]
        self.first_minutes: Ints = np.array(
            [start.timestamp() // 60 for start, _ in bounds], dtype=np.int64
        )
        lengths = np.array([(end - start) // _MINUTE for start, end in bounds], dtype=np.int64)
        self.line = Timeline(
            np.concatenate([[0], np.cumsum(lengths)]),
            np.array([day.weekday() for day in days], dtype=np.int64),
            np.concatenate([np.zeros(0, np.int64), *map(self._hours, bounds, lengths)]),
        )

    def _hours(self, bounds: tuple[datetime, datetime], length: int) -> Ints:
        begins = [bounds[0] + n * timedelta(hours=1) for n in range(-(-int(length) // 60))]
        walls = np.array([begin.astimezone(self.zone).hour for begin in begins], dtype=np.int64)
        return np.repeat(walls, 60)[:length]

    def write(self, day: int, minute: int) -> str:
        """The local time of a day's minute; with its offset where the clocks change."""
        start = day_start(self.days[day], self.zone)
        local = (start + minute * _MINUTE).astimezone(self.zone)
        is_plain = self.line.starts[day + 1] - self.line.starts[day] == 24 * 60
        return f"{local:%H:%M}" if is_plain else f"{local:%H:%M %z}"


def _split(minutes: pa.Table, calendar: Calendar) -> dict[str, Ints]:
    """Hits of every minute of the calendar, by source; rows of other days are left out."""
    if not calendar.days:
        return {}
    column = minutes["source"].combine_chunks().dictionary_encode()
    codes = column.indices.to_numpy(zero_copy_only=False)
    numbers = minutes["day"].cast(pa.int32()).to_numpy()
    first, last = (_number(calendar.days[place]) for place in (0, -1))
    places = np.full(last - first + 2, -1, dtype=np.int32)  # the last one: not in the calendar
    places[[_number(day) - first for day in calendar.days]] = np.arange(len(calendar.days))
    is_within = (numbers >= first) & (numbers <= last)
    place = places[np.where(is_within, numbers - first, last - first + 1)]
    ends = calendar.line.starts[1:]
    at = (calendar.line.starts[:-1] - calendar.first_minutes)[place] + minutes["minute"].to_numpy()
    is_inside = (place >= 0) & (at >= calendar.line.starts[:-1][place]) & (at < ends[place])
    counts, found = minutes["hits"].to_numpy(), {}
    for code, source in enumerate(column.dictionary.to_pylist()):
        own = np.flatnonzero((codes == code) & is_inside)
        found[source] = np.zeros(int(calendar.line.starts[-1]), dtype=np.int64)
        found[source][at[own]] = counts[own]
    return found


def _number(day: date) -> int:
    """Days since 1970."""
    return (day - date(1970, 1, 1)).days


def find_tenures(
    days: Sequence[date], given: Mapping[str, set[int]], named: Sequence[str]
) -> dict[str, Tenure]:
    """Which sources are expected from when to when; ``given``: the days (indices) each was seen."""
    newest = len(days) - 1
    if named:
        return {
            source: Tenure(
                min(given.get(source, {0})), newest, has_ended=False, is_due=True, due_until=None
            )
            for source in sorted(set(named))
            if days
        }
    firsts = {source: days[min(seen)] for source, seen in given.items()}
    found = {}
    for source, seen in sorted(given.items()):
        first, last = days[min(seen)], days[max(seen)]
        is_file_name = last - first <= _ONE_DAY and any(
            first < other <= last + _ONE_DAY for other in firsts.values()
        )
        due_until = last + RETIRED_AFTER_DAYS * _ONE_DAY
        has_ended = max(seen) < newest and (is_file_name or days[-1] > due_until)
        found[source] = Tenure(
            min(seen),
            max(seen) if has_ended else newest,
            has_ended=has_ended,
            is_due=False,
            due_until=None if has_ended or max(seen) == newest else due_until,
        )
    return found


def _cover(line: Timeline, hits: Ints | None, seen: set[int], tenure: Tenure) -> Coverage | None:
    """What is missing of a source over its tenure; None when nothing of it was ever seen."""
    if not seen:
        return None
    part = line.part(tenure.first, tenure.last)
    if hits is None:
        hits = np.zeros(int(line.starts[-1]), dtype=np.int64)
    own = hits[line.starts[tenure.first] : line.starts[tenure.last + 1]]
    is_silent = np.add.reduceat(own, part.starts[:-1]) == 0
    is_given = np.isin(np.arange(tenure.first, tenure.last + 1), list(seen))
    return find_gaps(
        part, own, ~(is_silent & is_given), has_ended=tenure.has_ended, is_due=tenure.is_due
    )


def _to_table(
    calendar: Calendar,
    tenures: Mapping[str, Tenure],
    coverages: Mapping[str, Coverage | None],
    shares: Sequence[FileShare],
) -> pa.Table:
    size = len(calendar.days)
    expected, covered, due = (np.zeros(size) for _ in range(3))
    whole = np.zeros(size, dtype=np.int64)
    reasons: list[list[str]] = [[] for _ in range(size)]
    is_damaged: dict[str, set[int]] = defaultdict(set)
    for share in shares:
        if share.is_damaged:
            day = calendar.index[share.day]
            is_damaged[share.source].add(day)
            reasons[day].append(
                f"{share.source}: a damaged file was read in part ({share.file_key})"
            )
    known = [coverage.usual_day for coverage in coverages.values() if coverage]
    for source, tenure in tenures.items():
        coverage, days = coverages[source], slice(tenure.first, tenure.last + 1)
        weight = coverage.usual_day if coverage else float(np.median(known or [1.0]))
        parts = _parts_covered(calendar.line, tenure, coverage)
        is_due = ~coverage.is_absent if coverage else np.ones(len(parts), dtype=bool)
        due[days] += is_due
        expected[days] += weight * is_due
        covered[days] += weight * is_due * parts
        said = _write_reasons(calendar, source, tenure, coverage)
        for day, texts in said.items():
            reasons[day] += texts
        lacking = said.keys() | is_damaged[source]
        whole[days] += is_due & ~np.isin(np.arange(size)[days], list(lacking))
    is_preliminary = np.array([bool(texts) for texts in reasons], dtype=bool)
    share_covered = np.where(expected > 0, covered / np.maximum(expected, 1e-9), 1.0)
    columns: list[Any] = [
        list(calendar.days), due.astype(np.int64), np.round(share_covered, 4), is_preliminary,
        [sorted(texts) for texts in reasons], whole,
    ]  # fmt: skip
    arrays = [pa.array(c, f.type) for c, f in zip(columns, COMPLETENESS, strict=True)]
    return pa.Table.from_arrays(arrays, schema=COMPLETENESS)


def _parts_covered(line: Timeline, tenure: Tenure, coverage: Coverage | None) -> Floats:
    """The part of each day of a tenure that a source covers, by its usual hits at each hour."""
    if coverage is None:
        return np.zeros(tenure.last - tenure.first + 1)
    part = line.part(tenure.first, tenure.last)
    weights = coverage.usual[part.hours] + 1e-6 * (coverage.usual.mean() + 1e-6)
    total = np.add.reduceat(weights, part.starts[:-1])
    missing = np.add.reduceat(np.where(coverage.is_gap, weights, 0.0), part.starts[:-1])
    is_any = np.logical_or.reduceat(coverage.is_gap, part.starts[:-1])
    return np.where(is_any, np.clip(1 - missing / total, 0.0, 1.0), 1.0)


def _write_reasons(
    calendar: Calendar, source: str, tenure: Tenure, coverage: Coverage | None
) -> dict[int, list[str]]:
    """The sentences about what is missing of a source, by day (index)."""
    if coverage is None:
        every = range(tenure.first, tenure.last + 1)
        return {day: [f"{source}: nothing of this day (never seen)"] for day in every}
    part = calendar.line.part(tenure.first, tenure.last)
    is_any: Bools = np.logical_or.reduceat(coverage.is_gap, part.starts[:-1])
    said = {}
    for own in np.flatnonzero(is_any).tolist():
        first, end = int(part.starts[own]), int(part.starts[own + 1])
        gaps = list_gaps(coverage.is_gap, first, end)
        day = tenure.first + own
        texts = [_name_gap(calendar, day, gap, end - first) for gap in gaps[:_LISTED_GAPS]]
        if len(gaps) > _LISTED_GAPS:
            texts.append(f"{len(gaps) - _LISTED_GAPS} more gaps")
        if tenure.due_until and gaps == [(0, end - first)]:
            texts[-1] += f" (taken as retired if nothing comes until {tenure.due_until})"
        said[day] = [f"{source}: {text}" for text in texts]
    return said


def _name_gap(calendar: Calendar, day: int, gap: tuple[int, int], length: int) -> str:
    first, end = gap
    if gap == (0, length):
        return "nothing of this day"
    if end - first >= length - _SLIVER_MINUTES and 0 in (first, length - end):
        # A file reaches a little over its midnight.
        known = (0, first) if first else (end, length)
        return f"nothing of this day but {' to '.join(calendar.write(day, m) for m in known)}"
    if first == 0:
        return f"nothing before {calendar.write(day, end)}"
    if end == length:
        return f"nothing after {calendar.write(day, first - 1)} (stopped early)"
    return f"nothing from {calendar.write(day, first)} to {calendar.write(day, end)}"
