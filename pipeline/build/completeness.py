"""How complete each day is, told from the minutes that its sources wrote: nothing counts the lines.

A source is expected when the setting ``sources`` names it, or when it was seen before; ``gaps``
says which of its silences are gaps. Everything here is a function of the ledger's shares, the
partitions ``minutes`` and that setting, without a clock, so that any order of deliveries ends in
the same table.

**Expected.** Each source from its first day on, but for stray hits (``tenures``); one that is named
and was never seen, on every day. A learnt source that has not come for more than
``RETIRED_AFTER_DAYS`` days is taken as retired from its last hit on; a name that was seen for a day
and gave way to a new one (``20161108.log``) as the name of a file. A source whose own rhythm has no
hit on a day is not expected on it.

**Share.** A source covers the part of a day that its gaps leave, minutes weighted by its usual
hits at that hour; sources are weighted by their usual hits a day (one never seen like the median
of the others). ``share`` is what is covered of what is expected: without web03 to web05 it is 0.4
when web01 and web02 usually write 40 % of the hits. The hours before a source's first hit and
after its last one are unknown unless its own rhythm explains them (``edges``), and count like
gaps; of an hour that it has on no day the mean of the others stands in. One that joins others,
which wrote before its first day and in those hours, is expected from its first hit on; on its one
day, when it has no other, up to its last.
``is_preliminary``: anything expected is missing, a file of the day was left out, or a damaged file
was read in part (its share may be 1 all the same: what a damaged file has lost can't be seen in a
quiet source). ``doubts``, of lines that may be there twice, are no reasons: nothing is missing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from pipeline.build.edges import add_unknown_ends
from pipeline.build.gaps import Coverage, find_gaps
from pipeline.build.lake_calendar import Calendar, name_stray, write_reasons
from pipeline.build.source_days import (
    SourceDay,
)
from pipeline.build.tenures import Tenure, find_strays, find_tenures
from pipeline.build.timeline import Timeline
from pipeline.lake.left_out import Missing
from pipeline.tables import DAYS
from pipeline.text import Kept, keep

if TYPE_CHECKING:
    from pipeline.lake.sums import Sums
    from pipeline.surges.baseline import Floats, Ints

COMPLETENESS: pa.Schema = pa.schema(
    DAYS.field(name)
    for name in (
        *("day", "sources_expected", "share", "is_preliminary", "reasons", "sources_whole"),
        "doubts",
    )
)


def list_expected(every: Iterable[Sums], named: Sequence[str], day: date) -> list[str]:
    """The sources that a day which nobody has counted yet should have, by name.

    Those that are ``named``; where none is, those that came lately, whatever their weekdays.
    ``every``: what the files in the lake come to.
    """
    if named:
        return sorted(named)
    every = list(every)
    names = sorted({name for sums in every for name in sums.days})
    days, places = [*map(date.fromisoformat, names)], {name: n for n, name in enumerate(names)}
    counts: dict[str, dict[int, int | None]] = defaultdict(dict)
    for sums in every:
        own = counts[sums.source]
        for name, its in sums.days.items():
            own[places[name]] = (own.get(places[name]) or 0) + its.hits
    strays = find_strays(days, counts)
    given = {source: own.keys() - strays.get(source, set()) for source, own in counts.items()}
    tenures = find_tenures(days, {source: set(seen) for source, seen in given.items() if seen}, ())
    return [
        source
        for source, tenure in tenures.items()
        if not tenure.has_ended and (tenure.due_until is None or day <= tenure.due_until)
    ]


def judge_completeness(
    minutes: pa.Table,
    shares: Sequence[SourceDay],
    zone: ZoneInfo,
    named: Iterable[str],
    left_out: Iterable[Missing] = (),
) -> pa.Table:
    """Judge every day that ``shares`` has, as ``COMPLETENESS``, in order.

    Args:
        minutes: ``day`` (date32), ``source`` (string), ``minute`` (int32, minutes since 1970),
            ``hits`` (int64): the partitions ``minutes``. A source and day that ``shares`` has and
            ``minutes`` has not is unknown, and taken as whole.
        shares: which sources gave hits to which day.
        zone: the site's; local days of 23 to 25 hours.
        named: the setting ``sources``; when empty, sources are learnt.
        left_out: what was there of the days and is not in the lake.
    """
    days = sorted({share.day for share in shares})
    calendar = Calendar(days, zone)
    hits = _split(minutes, calendar)
    counts: dict[str, dict[int, int | None]] = defaultdict(dict)
    for share in shares:
        day = calendar.index[share.day]
        counts[share.source][day] = _count(calendar.line, hits.get(share.source), day)
    strays = find_strays(days, counts)
    given = {source: own.keys() - strays.get(source, set()) for source, own in counts.items()}
    given = {source: seen for source, seen in given.items() if seen}
    tenures = find_tenures(days, given, tuple(named))
    coverages = {
        source: _cover(
            calendar.line, hits.get(source), given.get(source, set()), tenure,
            has_begun=_joins_others(calendar.line, source, hits, given, tenures),
        )
        for source, tenure in tenures.items()
    }  # fmt: skip
    spans = {
        (source, day): name_stray(calendar, day, hits[source])
        for source, own in strays.items()
        for day in own
    }
    return _to_table(calendar, tenures, coverages, shares, spans, left_out)


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


def _count(line: Timeline, hits: Ints | None, day: int) -> int | None:
    """A source's hits of a day that it came on; None when its minutes are not known."""
    own = 0 if hits is None else int(hits[line.starts[day] : line.starts[day + 1]].sum())
    return own or None


def _joins_others(
    line: Timeline,
    source: str,
    hits: Mapping[str, Ints],
    given: Mapping[str, AbstractSet[int]],
    tenures: Mapping[str, Tenure],
) -> bool:
    """Whether others wrote before a source's first day, and in the hours before its first hit.

    Of one that has no rhythm of its own yet, in any hours: theirs tell of the day's edges.
    """
    if source not in hits or source not in given:
        return True
    first = tenures[source].first
    start, end = line.starts[first], line.starts[first + 1]
    begins = start + int(np.argmax(hits[source][start:end] > 0))
    before = [other for other, tenure in tenures.items() if tenure.first < first]
    return any(
        first in given.get(other, ())
        and (other not in hits or bool(hits[other][start:begins].any()))
        for other in before
    ) or (bool(before) and _is_new(given[source]))


def _is_new(seen: AbstractSet[int]) -> bool:
    """Whether a source has no rhythm yet: it came on one day."""
    return len(seen) == 1


def _cover(
    line: Timeline, hits: Ints | None, seen: set[int], tenure: Tenure, *, has_begun: bool
) -> Coverage | None:
    """What is missing of a source over its tenure; None when nothing of it was ever seen."""
    if not seen:
        return None
    part = line.part(tenure.first, tenure.last)
    if hits is None:
        hits = np.zeros(int(line.starts[-1]), dtype=np.int64)
    own = hits[line.starts[tenure.first] : line.starts[tenure.last + 1]]
    is_silent = np.add.reduceat(own, part.starts[:-1]) == 0
    is_given = np.isin(np.arange(tenure.first, tenure.last + 1), list(seen))
    is_known = ~(is_silent & is_given)
    found = find_gaps(part, own, is_known, has_ended=tenure.has_ended, is_due=tenure.is_due)
    return add_unknown_ends(
        part, own, is_known, found,
        has_begun=has_begun, has_ended=tenure.has_ended or (has_begun and _is_new(seen)),
    )  # fmt: skip


def _to_table(  # noqa: PLR0913 what the table is made of
    calendar: Calendar,
    tenures: Mapping[str, Tenure],
    coverages: Mapping[str, Coverage | None],
    shares: Sequence[SourceDay],
    strays: Mapping[tuple[str, int], Kept],
    left_out: Iterable[Missing],
) -> pa.Table:
    size = len(calendar.days)
    expected, covered, due = (np.zeros(size) for _ in range(3))
    whole = np.zeros(size, dtype=np.int64)
    reasons: list[list[str]] = [[] for _ in range(size)]
    doubts: list[list[str]] = [[] for _ in range(size)]
    is_in_part: dict[str, set[int]] = defaultdict(set)
    for share in shares:
        day = calendar.index[share.day]
        doubts[day] += [f"{share.source}: {doubt}" for doubt in share.doubts]
        for key in share.damaged:
            is_in_part[share.source].add(day)
            said = keep("a damaged file was read in part ({file})", file=key)
            reasons[day].append(f"{share.source}: {said}")
    for one in left_out:
        if one.day in calendar.index:
            day = calendar.index[one.day]
            is_in_part[one.source].add(day)
            reasons[day].append(f"{one.source}: {one.text}")
    known = [coverage.usual_day for coverage in coverages.values() if coverage]
    for (source, day), text in strays.items():
        own = coverages.get(source)
        due[day] += 1
        expected[day] += own.usual_day if own else float(np.median(known or [1.0]))
        reasons[day].append(f"{source}: {text}")
    for source, tenure in tenures.items():
        coverage, days = coverages[source], slice(tenure.first, tenure.last + 1)
        weight = coverage.usual_day if coverage else float(np.median(known or [1.0]))
        parts = _parts_covered(calendar.line, tenure, coverage)
        is_due = ~coverage.is_absent if coverage else np.ones(len(parts), dtype=bool)
        due[days] += is_due
        expected[days] += weight * is_due
        covered[days] += weight * is_due * parts
        own_reasons = write_reasons(calendar, tenure, coverage)
        for day, texts in own_reasons.items():
            reasons[day] += [f"{source}: {text}" for text in texts]
        lacking = own_reasons.keys() | is_in_part[source]
        whole[days] += is_due & ~np.isin(np.arange(size)[days], list(lacking))
    is_preliminary = np.array([bool(texts) for texts in reasons], dtype=bool)
    share_covered = np.where(expected > 0, covered / np.maximum(expected, 1e-9), 1.0)
    columns: list[Any] = [
        list(calendar.days), due.astype(np.int64), np.round(share_covered, 4), is_preliminary,
        [sorted(texts) for texts in reasons], whole, [sorted(texts) for texts in doubts],
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
